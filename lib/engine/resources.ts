import { z } from "zod";
import { hash12 } from "../context/hash";
import type { InputFile } from "../context/walk";
import type { Deployment } from "../hierarchy/deployments";
import { type PreparedImage, rootsOf } from "../hierarchy/prepare";
import { isDigest, repositoryOf, withDigest } from "../registry/references";

/* The names and shapes that the program writes into plans and states, and their readers. Components write these shapes; review,
   status and update records read them. A state outlives the version that wrote it, so none of these names may change. */

/** Types of the program's components. */
export const componentTypes = {
    hierarchy: "layered-images:components:ImageHierarchy",
    image: "layered-images:components:ImageLayer",
    promotion: "layered-images:components:Promotion",
    repositorySettings: "layered-images:components:RepositorySecrets",
    workflowFiles: "layered-images:components:WorkflowFiles",
    deployment: "layered-images:components:Deployment",
    workflowPullRequest: "layered-images:components:WorkflowPullRequest",
} as const;

/** Types of the docker-build provider's resources: builds and smoke tests, and promoted tags. */
export const dockerTypes = {
    image: "docker-build:index:Image",
    index: "docker-build:index:Index",
    provider: "pulumi:providers:docker-build",
} as const;

/** Type of the resource that stands for the whole stack, whose outputs are the stack's. */
export const stackType = "pulumi:pulumi:Stack";

/** Type of the resource by which a stack reads another one's outputs: nothing exists outside the state. */
export const stackReferenceType = "pulumi:pulumi:StackReference";

/** Type of the command provider's resource that adds a release's tags. */
export const commandType = "command:local:Command";

/** Name of the resource of that type, outside of all components, that makes the devcontainer. */
export const devcontainerName = "devcontainer";

/** Type of the command provider's resource that deploys a release. */
export const remoteCommandType = "command:remote:Command";

/** Variables of the command that adds a release's tags. */
export interface TagVariables<Text = string> {
    /** `<repository>@<digest>` of the release. */
    readonly REF: Text;
    /** Tags with the placeholders of commit and date, separated by spaces. */
    readonly TAGS: Text;
}

/**
 * Returns the names of the resources in the promotion of an image. Neither a key of `images.ts` nor a tag contains ":", "@" or "/".
 *
 * @param key of the image
 * @param repository a repository of its additional names; by default that of its name
 */
export function promotionNames(key: string, repository?: string) {
    const place = repository === undefined ? key : `${key}/${repository}`;
    return {
        /** The index under the tag of the image's name. */
        main: key,
        /** The index under the release's own tag. */
        release: `${place}@release`,
        /** The index under another tag that moves. */
        tag: (tag: string) => `${place}:${tag}`,
        /** The command that adds tags to a release. */
        command: `${place}-tags`,
    } as const;
}

/** Whether a resource in a promotion is the index under the tag of the image's name. */
export const isMainTag = ({ name, image }: { readonly name: string; readonly image: string }): boolean =>
    name === promotionNames(image).main;

/** Prefix of the types of the GitHub provider's resources. */
const githubPrefix = "github:index/";

/** Types of the GitHub provider's resources, and of the provider itself. */
export const githubTypes = {
    actionsSecret: "github:index/actionsSecret:ActionsSecret",
    environmentSecret: "github:index/actionsEnvironmentSecret:ActionsEnvironmentSecret",
    dependabotSecret: "github:index/dependabotSecret:DependabotSecret",
    codespacesSecret: "github:index/codespacesSecret:CodespacesSecret",
    variable: "github:index/actionsVariable:ActionsVariable",
    file: "github:index/repositoryFile:RepositoryFile",
    branch: "github:index/branch:Branch",
    pullRequest: "github:index/repositoryPullRequest:RepositoryPullRequest",
    provider: "pulumi:providers:github",
} as const;

/** URN pattern, as `--target` and `--exclude` take it, for all resources on GitHub. */
export const githubPattern = `**${githubPrefix}**`;

/** Whether a resource exists on GitHub. */
export const isGitHubs = ({ type }: { readonly type: string }): boolean => type.startsWith(githubPrefix);

/** The parts of a URN: "urn:pulumi:<stack>::<project>::<types, outermost first, joined by $>::<name>". */
export interface Urn {
    readonly stack: string;
    /** Types of the enclosing components, outermost first, and the type of the resource at the end. */
    readonly types: readonly string[];
    /** May contain "::". */
    readonly name: string;
}

/** Reads a URN. The name of a string that is not a URN is the string. */
export function readUrn(urn: string): Urn {
    const [prefix = "", , types, ...name] = urn.split("::");
    if (types === undefined || name.length === 0) return { stack: "", types: [], name: urn };
    return { stack: prefix.slice("urn:pulumi:".length), types: types.split("$"), name: name.join("::") };
}

/** Returns the name at the end of a URN. */
export const nameOf = (urn: string): string => readUrn(urn).name;

/** Whether a resource belongs to a component of this type. */
export const isInside = (urn: string, type: string): boolean => readUrn(urn).types.slice(0, -1).includes(type);

/**
 * Returns the image of a build, smoke test, promoted tag or release's tags, from the URN of its parent; undefined for other parents.
 * Both components that have such resources as children are named by the image's key.
 */
export function imageAbove(parentUrn: string): string | undefined {
    const { types, name } = readUrn(parentUrn);
    const type = types.at(-1);
    return type === componentTypes.image || type === componentTypes.promotion ? name : undefined;
}

/** Strings by name: files, build arguments, labels. */
export type Texts = Readonly<Record<string, string>>;

/** Properties of a resource. */
export type Properties = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Properties =>
    typeof value === "object" && value !== null && !Array.isArray(value);

/** Returns the strings of a value that is a record; other values are left out. */
export const textsIn = (value: unknown): Texts =>
    isRecord(value)
        ? Object.fromEntries(
              Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
          )
        : {};

/** Returns the strings of a value that is a list. */
export const listIn = (value: unknown): readonly string[] =>
    Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];

/** Returns a value that is a string; undefined for other values. */
export const textIn = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

/** Recorded in an image's component instead of the digest of a root that is not pinned. */
const notPinned = "not pinned";

/** Returns the pin of a root from an image's component: "repository@sha256:…"; undefined if the root is not pinned. */
export const pinIn = (described: string | undefined): string | undefined =>
    described === notPinned || described === "" ? undefined : described;

const executableMark = " executable";

/**
 * Describes files for plans, by path: the start of the hash and the executable mark, the target of a link, or "folder".
 */
function describeFiles(files: readonly InputFile[]): Texts {
    const describe = ({ hash, executable, symlink, folder }: InputFile) => {
        if (folder) return "folder";
        return symlink === undefined ? `${hash.slice(0, 12)}${executable ? executableMark : ""}` : `→ ${symlink}`;
    };
    return Object.fromEntries(files.map((file) => [`${file.path}${file.folder ? "/" : ""}`, describe(file)] as const));
}

/** Whether a file is executable, from its description in plans. */
export const isExecutable = (described: string): boolean => described.endsWith(executableMark);

/** Returns the description of a file in plans without the executable mark. */
export const contentIn = (described: string): string =>
    isExecutable(described) ? described.slice(0, -executableMark.length) : described;

/** Inputs of an image's component: a review compares them to find the changed files. */
export interface ImageInputs {
    /** The Dockerfile's path with the hash of its meaning. Absent in states written by an older version. */
    readonly dockerfile?: Texts;
    /** Keys of the images that it is built FROM or copies files from, the FROM image first. */
    readonly parents: readonly string[];
    /** External images by name as BuildKit sees it; `pinIn` reads their pins. */
    readonly roots: Texts;
    /** The root that only parses the Dockerfile: it is not a base image. */
    readonly frontend?: string;
    /** The platforms of its releases. */
    readonly platforms: readonly string[];
    /** By platform that another stack builds, the stack's name; absent if there are none. */
    readonly elsewhere?: Texts;
    /** Those of `elsewhere` whose stack is behind the checkout, in a preview; absent if there are none. */
    readonly behind?: Texts;
    /** Files by path, in the form that `isExecutable` and `contentIn` read; paths of folders end in a slash. */
    readonly inputs: Texts;
    /**
     * Hash of the desired build; the build's resource keeps the hash of the last successful build. Absent in states
     * written by an older version.
     */
    readonly inputHash?: string;
    /** The period of its last scheduled rebuild; absent if there was none. */
    readonly rebuild?: string;
    /** Names of its build secrets: the build's property of the same name is secret as a whole. */
    readonly secrets: readonly string[];
    /** Smoke tests by path, in the form of `inputs`. */
    readonly smokeTests: Texts;
    /** The release that replaces its builds; absent if it is not pinned. */
    readonly pin?: PinInputs;
    /** The size that its layers may have, such as "500 MB"; absent if images.ts sets none. */
    readonly maxSize?: string;
}

/** The release to which an image is pinned. */
export interface PinInputs {
    /** The release's own tag: "r-<12 hex>". */
    readonly release: string;
    /** "sha256:…" of its index. */
    readonly digest: string;
    /** "sha256:…" by platform. */
    readonly platforms: Texts;
}

/**
 * Returns the inputs of an image's component.
 *
 * @param behind by platform, the stacks that are behind the checkout
 */
export const imageInputs = (image: PreparedImage, behind: Texts = {}): ImageInputs => ({
    dockerfile: { [image.definition.dockerfile]: hash12(image.meaning) },
    parents: image.parents.map((parent) => parent.key),
    roots: Object.fromEntries(rootsOf(image).map((root) => [root.expanded, root.pin ?? notPinned])),
    ...(image.frontend && { frontend: image.frontend.expanded }),
    platforms: image.platforms,
    ...(image.elsewhere && { elsewhere: textsIn(image.elsewhere) }),
    ...(Object.keys(behind).length > 0 && { behind }),
    inputs: describeFiles(image.inputs),
    inputHash: image.inputHash,
    ...(image.rebuild !== undefined && { rebuild: image.rebuild }),
    secrets: [...(image.definition.secrets ?? [])],
    smokeTests: describeFiles(image.tests?.files ?? []),
    ...(image.pin && { pin: image.pin }),
    ...(image.definition.maxSize !== undefined && { maxSize: image.definition.maxSize }),
});

const pinInputs = z.object({ release: z.string(), digest: z.string(), platforms: z.record(z.string(), z.string()) });

/** Reads the inputs of an image's component; missing values are empty. */
export function readImage(properties: Properties = {}): ImageInputs {
    const [frontend, inputHash] = [textIn(properties.frontend), textIn(properties.inputHash)];
    const [rebuild, maxSize] = [textIn(properties.rebuild), textIn(properties.maxSize)];
    const pin = pinInputs.safeParse(properties.pin).data;
    return {
        ...(properties.dockerfile !== undefined && { dockerfile: textsIn(properties.dockerfile) }),
        parents: listIn(properties.parents),
        roots: textsIn(properties.roots),
        ...(frontend !== undefined && { frontend }),
        platforms: listIn(properties.platforms),
        ...(properties.elsewhere !== undefined && { elsewhere: textsIn(properties.elsewhere) }),
        ...(properties.behind !== undefined && { behind: textsIn(properties.behind) }),
        inputs: textsIn(properties.inputs),
        ...(inputHash !== undefined && { inputHash }),
        ...(rebuild !== undefined && { rebuild }),
        secrets: listIn(properties.secrets),
        smokeTests: textsIn(properties.smokeTests),
        ...(pin && { pin }),
        ...(maxSize !== undefined && { maxSize }),
    };
}

/** Returns the tags, with placeholders, that a resource of type `commandType` adds to a release, from its inputs. */
export const releaseTagsIn = ({ environment }: Properties = {}): readonly string[] =>
    (textsIn(environment).TAGS ?? "").split(" ").filter(Boolean);

/**
 * Build argument of every build of an image, but of no smoke test. No Dockerfile reads it: an input that changes with
 * the build makes the build's outputs unknown in a preview.
 */
export const inputHashArgument = "INPUT_HASH";

/** Whether a resource of type `dockerTypes.image` is a smoke test, from its inputs. */
export const isSmokeTest = ({ buildArgs }: Properties): boolean =>
    !(isRecord(buildArgs) && inputHashArgument in buildArgs);

/**
 * Whether a resource of type `dockerTypes.image` is pushed, from its inputs: smoke tests and images without a name have
 * no tag.
 */
export const isPublished = ({ tags }: Properties): boolean => listIn(tags).length > 0;

/**
 * Returns "repository@digest" of the last push of a resource of type `dockerTypes.image`; undefined if it pushed
 * nothing.
 *
 * @param state inputs and outputs, from a state or the engine's log
 */
export function pushedBy(
    state: { readonly inputs: Properties; readonly outputs: Properties } | undefined,
): string | undefined {
    const [tag] = [...listIn(state?.inputs.tags), ...listIn(state?.outputs.tags)];
    const digest = textIn(state?.outputs.digest) ?? "";
    return tag !== undefined && isDigest(digest) ? withDigest(repositoryOf(tag), digest) : undefined;
}

/** URL scheme of a build context that is an image. */
export const imageScheme = "docker-image://";

/**
 * Returns the named contexts of a build or smoke test that are images: by the name in the Dockerfile, the reference
 * that replaces it.
 */
export function namedImages({ context: main }: Properties): Texts {
    const named = isRecord(main) && isRecord(main.named) ? main.named : {};
    return Object.fromEntries(
        Object.entries(named).flatMap(([name, context]) => {
            const location = isRecord(context) ? textIn(context.location) : undefined;
            return location?.startsWith(imageScheme) ? [[name, location.slice(imageScheme.length)] as const] : [];
        }),
    );
}

/** Inputs of the component of workflow files. */
export interface WorkflowFilesInputs {
    readonly repository: string;
    /** The target branch of the files. */
    readonly branch: string;
    /**
     * By path, the hash of the text: for files in a pull request this is all that the state records. Only a list of
     * names in states written by an older version.
     */
    readonly files: Texts;
    /** Number of a pull request with these files that was closed without merging. */
    readonly declined?: number;
    /**
     * Whether the preview could not decide on their delivery: resources that it leaves out are not going to be deleted.
     */
    readonly isUndecided?: boolean;
}

/** Reads the inputs of the component of workflow files; undefined if the stack has no such component. */
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

/** Inputs of the component of a deployment: all of its settings except the key, because every plan contains a component's inputs. */
export type DeploymentInputs = Deployment;

const deploymentInputs = z.object({
    image: z.string(),
    host: z.string(),
    port: z.number(),
    user: z.string(),
    hostKey: z.string(),
    command: z.string(),
    health: z.object({ command: z.string(), attempts: z.number(), interval: z.number() }).optional(),
    timeout: z.number(),
});

/** Reads the inputs of a deployment's component; undefined for other inputs. */
export const readDeployment = (properties: Properties = {}): DeploymentInputs | undefined =>
    deploymentInputs.safeParse(properties).data as DeploymentInputs | undefined;

/** Returns the place of a deployment in words: "deploy@bot.example.org", with a port that is not SSH's own. */
export const deploymentPlace = ({ user, host, port }: Pick<DeploymentInputs, "user" | "host" | "port">): string =>
    `${user}@${host.includes(":") ? `[${host}]` : host}${port === 22 ? "" : `:${port}`}`;

/** The reader of a secret: workflows, jobs in an environment, workflows started by Dependabot, or codespaces. */
export type SecretReader = "actions" | `environment ${string}` | "dependabot" | "codespaces";

/** Inputs of the component of secrets and variables: names only, because every plan contains a component's inputs. */
export interface RepositorySettingsInputs {
    readonly repository: string;
    /** Readers by name of the secret. */
    readonly secrets: Readonly<Record<string, readonly SecretReader[]>>;
    /** Names of variables. */
    readonly variables: readonly string[];
    /** What `up` tells GitHub after an update; absent if nothing. */
    readonly announcements?: readonly ("dispatch" | "deployments")[];
}

/** A kind of resource on GitHub. */
export interface GitHubKind {
    readonly kind: "secret" | "variable" | "file" | "branch" | "pull request";
    /** The input that holds its name. */
    readonly nameInput: string;
    /** The reader of a secret; of a secret of an environment, `readerOf` returns it. */
    readonly reader?: Exclude<SecretReader, `environment ${string}`>;
}

const githubKinds = new Map<string, GitHubKind>([
    [githubTypes.actionsSecret, { kind: "secret", nameInput: "secretName", reader: "actions" }],
    [githubTypes.environmentSecret, { kind: "secret", nameInput: "secretName" }],
    [githubTypes.dependabotSecret, { kind: "secret", nameInput: "secretName", reader: "dependabot" }],
    [githubTypes.codespacesSecret, { kind: "secret", nameInput: "secretName", reader: "codespaces" }],
    [githubTypes.variable, { kind: "variable", nameInput: "variableName" }],
    [githubTypes.file, { kind: "file", nameInput: "file" }],
    [githubTypes.branch, { kind: "branch", nameInput: "branch" }],
    [githubTypes.pullRequest, { kind: "pull request", nameInput: "title" }],
]);

/** Returns the kind of a resource on GitHub, by its type; undefined for types that the program does not create. */
export const githubKind = (type: string): GitHubKind | undefined => githubKinds.get(type);

/** Returns the reader of a secret, from its type and inputs; undefined for other types. */
export function readerOf({ type, inputs }: Pick<GitHubResource, "type" | "inputs">): SecretReader | undefined {
    if (type !== githubTypes.environmentSecret) return githubKind(type)?.reader;
    return `environment ${textIn(inputs.environment) ?? ""}`;
}

/** A resource on GitHub, from a state or the engine's log. */
export interface GitHubResource {
    readonly urn: string;
    readonly type: string;
    readonly inputs: Properties;
    readonly outputs: Properties;
}

/** Returns the name of a resource on GitHub: for an open pull request "#" and its number. */
export function githubName({ urn, type, inputs, outputs }: GitHubResource): string {
    const { kind, nameInput = "" } = githubKind(type) ?? {};
    if (kind === "pull request" && typeof outputs.number === "number") return `#${outputs.number.toString()}`;
    return textIn(inputs[nameInput]) ?? textIn(outputs[nameInput]) ?? nameOf(urn);
}

/**
 * Returns the title of a resource on GitHub in messages: "secret A (dependabot)", "secret A (environment up)", "variable
 * CI_IMAGE", "pull request #7".
 */
export function githubTitle(resource: GitHubResource): string {
    const { kind } = githubKind(resource.type) ?? {};
    const reader = readerOf(resource) ?? "actions";
    const name = githubName(resource);
    return kind === undefined ? name : `${kind} ${name}${reader === "actions" ? "" : ` (${reader})`}`;
}
