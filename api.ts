/**
 * What the package `layered-images` exports: the Pulumi program; the components that it creates, and what their arguments are made of, for
 * programs that also create other resources; and the types of images.ts and
 * workflows.ts.
 */
import "./lib/system/seldomUsed";

export { ImageHierarchy, type ImageHierarchyArgs } from "./components/imageHierarchy";
export { RepositorySettings, type RepositorySettingsArgs } from "./components/repositorySettings";
export { WorkflowFiles, type WorkflowFilesArgs } from "./components/workflowFiles";
export { type StackConfig, readConfig } from "./config";
export { type Checkout, openCheckout } from "./lib/context/checkout";
export { loadDefinitions } from "./definitions";
export type {
    Combination,
    Definitions,
    ImageDefinition,
    ImageDefinitions,
    Images,
    Matrix,
    MatrixDefinition,
    RootDefinition,
    RootDefinitions,
} from "./lib/hierarchy/definition";
export { type Hierarchy, readHierarchy } from "./lib/hierarchy/prepare";
export { type StagedImage, stageHierarchy } from "./lib/hierarchy/staging";
export { program } from "./program";
export type {
    CheckDefinition,
    DependabotDefinition,
    RepositoryDefinitions,
    ReviewDefinition,
    StepDefinition,
    UpDefinition,
    WorkflowDefinitions,
} from "./workflows/definition";
