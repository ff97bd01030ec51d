import { hash12 } from "../context/hash";
import type { InputFile } from "../context/walk";
import { type PreparedImage, rootsOf } from "../hierarchy/prepare";
import { isDigest, repositoryOf, withDigest } from "../registry/references";

/* What the program writes into plans and states, and how it is found there again. Components write these shapes, and review, status
   and records read them: a state outlives the version that wrote it, so none of these names may change. */

/** Types of the program's components. */
export const componentTypes = {
    hierarchy: "layered-images:components:ImageHierarchy",
    image: "layered-images:components:ImageLayer",
    promotion: "layered-images:components:Promotion",
    repositorySettings: "layered-images:components:RepositorySecrets",
    workflowFiles: "layered-images:components:WorkflowFiles",
    workflowPullRequest: "layered-images:components:WorkflowPullRequest",
} as const;

/** Types of the docker-build provider's resources: builds and smoke tests, and promoted tags. */
export const dockerTypes = { image: "docker-build:index:Image", index: "docker-build:index:Index" } as const;

/** What every type of the GitHub provider's resources begins with. */
const githubPrefix = "github:index/";

/** Types of the GitHub provider's resources, and of the provider itself. */
export const githubTypes = {
    actionsSecret: "github:index/actionsSecret:ActionsSecret",
    dependabotSecret: "github:index/dependabotSecret:DependabotSecret",
    codespacesSecret: "github:index/codespacesSecret:CodespacesSecret",
    variable: "github:index/actionsVariable:ActionsVariable",
    file: "github:index/repositoryFile:RepositoryFile",
    branch: "github:index/branch:Branch",
    pullRequest: "github:index/repositoryPullRequest:RepositoryPullRequest",
    provider: "pulumi:providers:github",
} as const;

/** Pattern of URNs, as `--target` and `--exclude` take it, for everything on GitHub. */
export const githubPattern = `**${githubPrefix}**`;

/** Whether a resource is something on GitHub. */
export const isGitHubs = ({ type }: { readonly type: string }): boolean => type.startsWith(githubPrefix);

/** The parts of a URN: "urn:pulumi:<stack>::<project>::<types, outermost first, joined by $>::<name>". */
export interface Urn {
    readonly stack: string;
    /** Types of the components that the resource lies in, outermost first, and its own at the end. */
    readonly types: readonly string[];
    /** May hold "::" itself. */
    readonly name: string;
}

/** Reads a URN. A text that is none has itself as its name. */
export function readUrn(urn: string): Urn {
    const [prefix = "", , types, ...name] = urn.split("::");
    if (types === undefined || name.length === 0) return { stack: "", types: [], name: urn };
    return { stack: prefix.slice("urn:pulumi:".length), types: types.split("$"), name: name.join("::") };
}

/** The name at the end of a URN. */
export const nameOf = (urn: string): string => readUrn(urn).name;

/** Whether a resource lies in a component of this type. */
export const isInside = (urn: string, type: string): boolean => readUrn(urn).types.slice(0, -1).includes(type);

/**
 * The image that a build, smoke test or promoted tag belongs to, from the URN of its parent; undefined for another resource's parent.
 * Both components that have such resources as children are named by the image's key.
 */
export function imageAbove(parentUrn: string): string | undefined {
    const { types, name } = readUrn(parentUrn);
    const type = types.at(-1);
    return type === componentTypes.image || type === componentTypes.promotion ? name : undefined;
}

/** Texts by name: files, build arguments, labels. */
export type Texts = Readonly<Record<string, string>>;

/** Properties of a resource. */
export type Properties = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Properties =>
    typeof value === "object" && value !== null && !Array.isArray(value);

/** The texts in a value that is a record; what is no text is left out. */
export const textsIn = (value: unknown): Texts =>
    isRecord(value)
        ? Object.fromEntries(
              Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
          )
        : {};

/** The texts in a value that is a list. */
export const listIn = (value: unknown): readonly string[] =>
    Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];

/** A value that is a text. */
export const textIn = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

/** Stands in an image's component for the digest of a root that nobody pinned. */
const notPinned = "not pinned";

/** What an image's component says of a root is pinned to: "repository@sha256:…"; undefined where it is not pinned. */
export const pinIn = (described: string | undefined): string | undefined =>
    described === notPinned || described === "" ? undefined : described;

const executableMark = " executable";

/** By path, what plans show of files: the start of the hash and whether it is executable, where a link leads, or that it is a folder. */
function describeFiles(files: readonly InputFile[]): Texts {
    const describe = ({ hash, executable, symlink, folder }: InputFile) => {
        if (folder) return "folder";
        return symlink === undefined ? `${hash.slice(0, 12)}${executable ? executableMark : ""}` : `→ ${symlink}`;
    };
    return Object.fromEntries(files.map((file) => [`${file.path}${file.folder ? "/" : ""}`, describe(file)] as const));
}

/** Whether a file is executable, from what plans show of it. */
export const isExecutable = (described: string): boolean => described.endsWith(executableMark);

/** What plans show of a file, without whether it is executable. */
export const contentIn = (described: string): string =>
    isExecutable(described) ? described.slice(0, -executableMark.length) : described;

/** What an image's component says of the image: this is how a review knows which file changed. */
export interface ImageInputs {
    /** The Dockerfile's path with the hash of its meaning. Absent in states that an older version wrote. */
    readonly dockerfile?: Texts;
    /** Keys of the images that it takes from, the one that it is built FROM first. */
    readonly parents: readonly string[];
    /** External images as BuildKit sees their names; see `pinIn` for what each is pinned to. */
    readonly roots: Texts;
    /** The root that only reads the Dockerfile: nothing is built on it. */
    readonly frontend?: string;
    readonly platforms: readonly string[];
    /** Files by path, as `isExecutable` and `contentIn` read them; folders have a slash at their end. */
    readonly inputs: Texts;
    /**
     * Of the build that is wanted: the build's resource keeps that of the last one that succeeded. Absent in states that an older
     * version wrote.
     */
    readonly inputHash?: string;
    /** Names of its build secrets: a build's property of that name is secret as a whole. */
    readonly secrets: readonly string[];
    /** Smoke tests by path, as `inputs`. */
    readonly smokeTests: Texts;
}

/** What the component of an image says. */
export const imageInputs = (image: PreparedImage): ImageInputs => ({
    dockerfile: { [image.definition.dockerfile]: hash12(image.meaning) },
    parents: image.parents.map((parent) => parent.key),
    roots: Object.fromEntries(rootsOf(image).map((root) => [root.expanded, root.pin ?? notPinned])),
    ...(image.frontend && { frontend: image.frontend.expanded }),
    platforms: image.platforms,
    inputs: describeFiles(image.inputs),
    inputHash: image.inputHash,
    secrets: [...(image.definition.secrets ?? [])],
    smokeTests: describeFiles(image.tests?.files ?? []),
});

/** Reads what an image's component says; what is not there is empty. */
export function readImage(properties: Properties = {}): ImageInputs {
    const [frontend, inputHash] = [textIn(properties.frontend), textIn(properties.inputHash)];
    return {
        ...(properties.dockerfile !== undefined && { dockerfile: textsIn(properties.dockerfile) }),
        parents: listIn(properties.parents),
        roots: textsIn(properties.roots),
        ...(frontend !== undefined && { frontend }),
        platforms: listIn(properties.platforms),
        inputs: textsIn(properties.inputs),
        ...(inputHash !== undefined && { inputHash }),
        secrets: listIn(properties.secrets),
        smokeTests: textsIn(properties.smokeTests),
    };
}

/**
 * Build argument that every build of ours has and no smoke test. No Dockerfile reads it: an input that changes with the build makes the
 * build's outputs unknown in a preview.
 */
export const inputHashArgument = "INPUT_HASH";

/** Whether a resource of type `dockerTypes.image` is a smoke test, from its inputs. */
export const isSmokeTest = ({ buildArgs }: Properties): boolean =>
    !(isRecord(buildArgs) && inputHashArgument in buildArgs);

/** Whether a resource of type `dockerTypes.image` is pushed, from its inputs: smoke tests and images without a name have no tag. */
export const isPublished = ({ tags }: Properties): boolean => listIn(tags).length > 0;

/**
 * "repository@digest" of what a resource of type `dockerTypes.image` pushed last; undefined where it pushed nothing.
 *
 * @param state inputs and outputs, as a state or the engine's log has them
 */
export function pushedBy(
    state: { readonly inputs: Properties; readonly outputs: Properties } | undefined,
): string | undefined {
    const [tag] = [...listIn(state?.inputs.tags), ...listIn(state?.outputs.tags)];
    const digest = textIn(state?.outputs.digest) ?? "";
    return tag !== undefined && isDigest(digest) ? withDigest(repositoryOf(tag), digest) : undefined;
}

/** What a build context is called that is an image. */
export const imageScheme = "docker-image://";

/** Named contexts of a build or smoke test that are images: by the name in the Dockerfile, the reference that stands in its place. */
export function namedImages({ context }: Properties): Texts {
    const named = isRecord(context) && isRecord(context.named) ? context.named : {};
    return Object.fromEntries(
        Object.entries(named).flatMap(([name, one]) => {
            const location = isRecord(one) ? textIn(one.location) : undefined;
            return location?.startsWith(imageScheme) ? [[name, location.slice(imageScheme.length)] as const] : [];
        }),
    );
}

/** What the component of workflow files says. */
export interface WorkflowFilesInputs {
    readonly repository: string;
    /** The branch that the files are for. */
    readonly branch: string;
    /**
     * By path, the hash of the text: of files that a pull request brings, all that the state has. Names alone, in a list, in states
     * that an older version wrote.
     */
    readonly files: Texts;
    /** Number of the pull request with these files that was closed without merging. */
    readonly declined?: number;
    /** Whether the preview could not decide how they are delivered: what it leaves out is not going to be deleted. */
    readonly isUndecided?: boolean;
}

/** Reads what the component of workflow files says; undefined where the stack has none. */
export function readWorkflowFiles(
    resources: readonly { readonly type: string; readonly inputs: Properties }[],
): WorkflowFilesInputs | undefined {
    const inputs = resources.find(({ type }) => type === componentTypes.workflowFiles)?.inputs;
    const repository = textIn(inputs?.repository);
    if (!inputs || repository === undefined) return undefined;
    return {
        repository,
        branch: textIn(inputs.branch) ?? "main",
        files: textsIn(inputs.files),
        ...(typeof inputs.declined === "number" && { declined: inputs.declined }),
        ...(inputs.isUndecided === true && { isUndecided: true }),
    };
}

/** Who reads a secret: workflows, those that Dependabot starts, or codespaces. */
export type SecretReader = "actions" | "dependabot" | "codespaces";

/** What the component of secrets and variables says: names only, because a component's inputs stand in every plan. */
export interface RepositorySettingsInputs {
    readonly repository: string;
    /** By name of the secret, who reads it. */
    readonly secrets: Readonly<Record<string, readonly SecretReader[]>>;
    /** Names of variables. */
    readonly variables: readonly string[];
}

/** A kind of resource on GitHub. */
export interface GitHubKind {
    readonly kind: "secret" | "variable" | "file" | "branch" | "pull request";
    /** The input that names it. */
    readonly nameInput: string;
    /** Who reads it, where it is a secret. */
    readonly reader?: SecretReader;
}

const githubKinds = new Map<string, GitHubKind>([
    [githubTypes.actionsSecret, { kind: "secret", nameInput: "secretName", reader: "actions" }],
    [githubTypes.dependabotSecret, { kind: "secret", nameInput: "secretName", reader: "dependabot" }],
    [githubTypes.codespacesSecret, { kind: "secret", nameInput: "secretName", reader: "codespaces" }],
    [githubTypes.variable, { kind: "variable", nameInput: "variableName" }],
    [githubTypes.file, { kind: "file", nameInput: "file" }],
    [githubTypes.branch, { kind: "branch", nameInput: "branch" }],
    [githubTypes.pullRequest, { kind: "pull request", nameInput: "title" }],
]);

/** What a resource is on GitHub, by its type; undefined for a type that the program makes none of. */
export const githubKind = (type: string): GitHubKind | undefined => githubKinds.get(type);

/** A resource on GitHub, as a state or the engine's log has it. */
export interface GitHubResource {
    readonly urn: string;
    readonly type: string;
    readonly inputs: Properties;
    readonly outputs: Properties;
}

/** The name of something on GitHub: of a pull request its number, which it has once it is open. */
export function githubName({ urn, type, inputs, outputs }: GitHubResource): string {
    const { kind, nameInput = "" } = githubKind(type) ?? {};
    if (kind === "pull request" && typeof outputs.number === "number") return `#${outputs.number.toString()}`;
    return textIn(inputs[nameInput]) ?? textIn(outputs[nameInput]) ?? nameOf(urn);
}

/** What something on GitHub is called in messages: "secret A (dependabot)", "variable CI_IMAGE", "pull request #7". */
export function githubTitle(resource: GitHubResource): string {
    const { kind, reader = "actions" } = githubKind(resource.type) ?? {};
    const name = githubName(resource);
    return kind === undefined ? name : `${kind} ${name}${reader === "actions" ? "" : ` (${reader})`}`;
}
