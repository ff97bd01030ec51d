/**
 * What the package `layered-images` exports: the Pulumi program; the components that it creates, and what their arguments are made of, for
 * programs that also create other resources; and the types of images.ts and
 * workflows.ts.
 */
import "./lib/system/seldomUsed";

export { Deployment, type DeploymentArgs } from "./components/deployment";
export { ImageHierarchy, type ImageHierarchyArgs } from "./components/imageHierarchy";
export { type FormerState, readFormerState } from "./components/formerState";
export { type StackBuilder, stackBuilder } from "./components/stackBuilder";
export type { Image } from "./components/image";
export type { PlatformImage } from "./components/platformImage";
export type { Promotion } from "./components/promotion";
export { RepositorySettings, type RepositorySettingsArgs } from "./components/repositorySettings";
export { WorkflowFiles, type WorkflowFilesArgs } from "./components/workflowFiles";
export type { RemoveLeftovers } from "./components/leftovers";
export {
    type DeploymentConfig,
    type GitHubConfig,
    type RepositorySecret,
    type StackConfig,
    readConfig,
} from "./config";
export type { BuilderNode, BuilderSettings, Driver, NodeTls } from "./lib/builders/settings";
export { type Checkout, openCheckout } from "./lib/context/checkout";
export { loadDefinitions } from "./definitions";
export type { Delivery } from "./lib/github/delivery";
export type { Access } from "./lib/github/permissions";
export type { RecordedWork } from "./lib/update/history";
export type { Level, PolicySettings, Rule } from "./lib/policy/settings";
export type { Behind, Elsewhere, StackBuild } from "./lib/hierarchy/elsewhere";
export type { TimeLimits, TimeLimitSettings } from "./lib/update/timeLimits";
export type { Compression } from "./lib/hierarchy/compression";
export type { Health } from "./lib/hierarchy/deployments";
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
    WantedPlatforms,
} from "./lib/hierarchy/definition";
export type { ReleasePin } from "./lib/hierarchy/pins";
export { type Hierarchy, readHierarchy } from "./lib/hierarchy/prepare";
export type { HierarchySettings } from "./lib/hierarchy/settings";
export { type Staged, type StagedImage, type StagedTests, stageHierarchy } from "./lib/hierarchy/staging";
export type { Platform } from "./lib/platform";
export { program } from "./program";
export type {
    CheckDefinition,
    CleanupDefinition,
    DependabotDefinition,
    DependabotEcosystem,
    PreviewDefinition,
    RepositoryDefinitions,
    ReleasesDefinition,
    ReviewDefinition,
    StepDefinition,
    UpDefinition,
    WorkflowDefinitions,
} from "./workflows/definition";
