import "./lib/system/seldomUsed";
import * as pulumi from "@pulumi/pulumi";
import { devcontainerCommand } from "./components/devcontainer";
import { Deployment } from "./components/deployment";
import { deleteNothingAfterFailures, endsAtFailure, failAtEnd, inTurn, knownOutputs } from "./components/failures";
import { type FormerState, emptyState, readFormerState } from "./components/formerState";
import { ImageHierarchy } from "./components/imageHierarchy";
import { isBuiltFrom } from "./components/platformImage";
import { RepositorySettings } from "./components/repositorySettings";
import { stackBuilder } from "./components/stackBuilder";
import { readOtherStacks } from "./components/otherStacks";
import { WorkflowFiles } from "./components/workflowFiles";
import { type StackConfig, providerDockerHost, readConfig } from "./config";
import { loadDefinitions } from "./definitions";
import { askFrontends } from "./lab/frontends";
import { type Checkout, openCheckout } from "./lib/context/checkout";
import { stagedFolder } from "./lib/context/fileHashes";
import { readDevcontainer } from "./lib/devcontainer/file";
import { publishedMaking } from "./lib/devcontainer/making";
import { checkDockerHost, restoreDockerHost } from "./lib/engine/dockerHost";
import { stackOptions } from "./lib/engine/stacks";
import { asInputError } from "./lib/errors";
import { planGitHub } from "./lib/github/deliver";
import { removeLeftovers } from "./lib/github/files";
import { publishedVariables } from "./lib/github/names";
import { removeVariable } from "./lib/github/repository";
import { allImages, imagesToRebuild, keysOf } from "./lib/hierarchy/definition";
import { checkDeployments } from "./lib/hierarchy/deployments";
import { pinWarning } from "./lib/hierarchy/pins";
import { type Hierarchy, type PreparedImage, readHierarchy } from "./lib/hierarchy/prepare";
import { uncachedIn } from "./lib/hierarchy/rebuild";
import { judge, judged, refuseAll, violationsOf } from "./lib/policy/rules";
import { readHistory } from "./lib/update/history";
import { timeLimits } from "./lib/update/timeLimits";
import { stageHierarchy } from "./lib/hierarchy/staging";
import { hostPlatform } from "./lib/platform";
import { warningsOf } from "./lib/hierarchy/warnings";
import type { RepositoryDefinitions } from "./workflows/definition";
import { workflowFiles } from "./workflows/files";

/** Reads everything that the stack builds, and logs warnings about input that may be unintended. */
async function read(checkout: Checkout, definitions: RepositoryDefinitions, config: StackConfig): Promise<Hierarchy> {
    const withoutFrontends = readHierarchy(checkout, definitions, config);
    const images = await askFrontends(withoutFrontends.images, config.labRegistry);
    const hierarchy = { ...withoutFrontends, images };
    for (const warning of warningsOf(hierarchy, config.pinnedRoots)) void pulumi.log.warn(warning);
    return hierarchy;
}

/**
 * Refuses what the stack's policy does not allow, and warns of what it only advises against: before anything is built.
 *
 * @throws InputError with every violation of a mandatory rule
 */
function keepToPolicy({ images }: Hierarchy, { policy }: StackConfig): void {
    if (!policy) return;
    const { refused, advised } = judge(policy, images.map(judged).flatMap(violationsOf));
    for (const warning of advised) void pulumi.log.warn(warning);
    refuseAll(refused);
}

/**
 * Returns the keys of the images that this update builds without cache.
 *
 * @param promotes whether the stack promotes what it builds
 * @throws InputError for a name of no image that the stack builds
 */
function uncachedImages(definitions: RepositoryDefinitions, { images }: Hierarchy, promotes: boolean): string[] {
    const keys = images.map(({ key }) => key);
    const isBuilt = (name: string) => keysOf(definitions, name).some((key) => keys.includes(key));
    // A workflow names the same images to all of its stacks, and not every image is built for the platforms of each.
    const named = uncachedIn(process.env).filter((name) => promotes || name === allImages || isBuilt(name));
    return imagesToRebuild(definitions, named, { where: "up --rebuild", among: { keys, adjective: "built" } });
}

/** Warns of each pinned image, with the command that removes the pin where it is. */
function warnOfPins(
    images: readonly PreparedImage[],
    staged: ReturnType<typeof stageHierarchy>,
    former: FormerState,
    { pinnedIn }: StackConfig,
): void {
    for (const image of images) {
        const contexts = staged[image.key];
        if (!image.pin || !contexts) continue;
        const options = stackOptions(pinnedIn[image.key] ?? pulumi.getStack());
        void pulumi.log.warn(pinWarning(image.key, image.pin, !isBuiltFrom(former, image, contexts), options));
    }
}

/** Plans the changes on GitHub before any resource is created; undefined if the stack names no repository. */
async function decide(
    checkout: Checkout,
    definitions: RepositoryDefinitions,
    { images }: Hierarchy,
    { github }: StackConfig,
) {
    if (!github) {
        void pulumi.log.info("no repository on GitHub is configured (github.repository): images only");
        return undefined;
    }
    const files = workflowFiles(checkout, definitions);
    const published = images.filter(({ repository }) => repository !== undefined);
    const options = { variables: published.length, looking: pulumi.runtime.isDryRun() };
    const plan = await planGitHub(github, files, { ...github, ...options });
    for (const warning of plan.warnings) void pulumi.log.warn(warning);
    return { github, files, plan };
}

/** Creates the planned resources on GitHub. */
function deliver(
    { github, files, plan }: NonNullable<Awaited<ReturnType<typeof decide>>>,
    refs: Readonly<Record<string, pulumi.Output<string>>>,
) {
    // Omitted resources must stay as they are: if the error were only logged, the engine would delete them.
    for (const error of plan.errors) failAtEnd(error);
    const variables = publishedVariables(refs);
    const settings =
        plan.setsValues &&
        new RepositorySettings("repository", {
            ...github,
            variables,
            removeVariable: (name: string) => removeVariable(github, name),
        });
    const workflows =
        plan.delivery &&
        new WorkflowFiles("workflows", {
            ...github,
            files,
            delivery: plan.delivery,
            removeLeftovers: (from, options) => removeLeftovers({ ...github, branch: from }, files, options),
        });
    return {
        done: [settings && settings.set, workflows?.delivered],
        outputs: { variables, pullRequest: workflows?.pullRequest },
    };
}

/**
 * Makes the SDK do without what nobody reads: for each resource and promise it takes a stack trace, and for each resource it sends the engine some twenty messages
 * that only `pulumi --debug` shows. Together they cost more than everything that this program does. With PULUMI_OPTION_DEBUG, Pulumi's variable for
 * that option, everything stays as it is.
 */
function lighten(): void {
    if (["true", "1"].includes(process.env.PULUMI_OPTION_DEBUG ?? "")) return;
    Error.stackTraceLimit = 0;
    Reflect.set(pulumi.log, "debug", () => Promise.resolve());
}

/**
 * Turns off the translation of stack traces to TypeScript, which ts-node and the engine's runner turn on: it costs a second and more. And Node.js 20.20 never
 * finishes printing an error whose translated trace contains `node_modules/@pulumi/resource.ts`: it looks for the end of the package's name
 * (markNodeModules in lib/internal/util/inspect.js).
 */
function leaveStackTraces(): void {
    // undefined is Node's own trace, although the types do not allow it.
    Reflect.set(Error, "prepareStackTrace", undefined);
}

/**
 * Reads, decides and stages, and only then creates resources: all decisions are made before the first resource exists.
 */
async function compose() {
    // The engine starts the program in the repository's root; all paths in the state are relative to it.
    const checkout = openCheckout(process.cwd());
    const definitions = loadDefinitions(checkout.root);
    const config = readConfig(checkout.root);
    const dockerHost = providerDockerHost();
    restoreDockerHost();
    const hierarchy = await read(checkout, definitions, config);
    keepToPolicy(hierarchy, config);
    const { promote: promotes = true, buildsFrom, platformStacks } = config;
    const uncached = uncachedImages(definitions, hierarchy, promotes);
    const decided = await decide(checkout, definitions, hierarchy, config);
    checkDeployments(config.deployments, hierarchy.images);
    const making = config.devcontainer ? publishedMaking(readDevcontainer(checkout), hierarchy.images) : undefined;
    // A preview needs the state only for pinned images, for builds of other stacks, and for a DOCKER_HOST.
    const isPinned = hierarchy.images.some(({ pin }) => pin !== undefined);
    const needsState = !pulumi.runtime.isDryRun() || isPinned || buildsFrom !== undefined || dockerHost !== "";
    const former = needsState ? await readFormerState() : emptyState;
    checkDockerHost(dockerHost, former.dockerHosts);
    const others = { platformStacks, buildsFrom, former, uncached };
    const { images: prepared, elsewhere } = await readOtherStacks(hierarchy.images, others);
    const staged = stageHierarchy(checkout, hierarchy, stagedFolder);
    warnOfPins(prepared, staged, former, config);
    const { secrets, policy } = config;
    lighten();
    // Images come first. Where every failure ends the update, those that nobody waits for come last.
    const isLast = ({ repository }: PreparedImage) => repository === undefined && endsAtFailure();
    // A preview builds nothing, so no recorded duration limits anything in it.
    const history = pulumi.runtime.isDryRun() ? [] : await readHistory(pulumi.getStack(), process.env, checkout.root);
    const limits = timeLimits(config.timeLimits ?? {}, history);
    const builder = config.builder && stackBuilder(config.builder, prepared);
    const args = { staged, secrets, uncached, limits, former, builder, elsewhere, promotes, policy };
    const images = new ImageHierarchy("images", { ...args, images: prepared.filter((one) => !isLast(one)) });
    await inTurn(images.done());
    const delivered = decided && deliver(decided, images.promotedRefs());
    await inTurn(delivered?.done);
    images.add({ ...args, images: prepared.filter(isLast) });
    for (const [name, settings] of Object.entries(config.deployments)) {
        const promotion = images.images[settings.image]?.promotion;
        // Checked above: an image that is pushed has one.
        if (promotion) new Deployment(name, { ...settings, promotion });
    }
    if (making) {
        const instance = builder?.instances.get(hostPlatform());
        devcontainerCommand({ making, images: images.images, builder: instance });
    }
    deleteNothingAfterFailures([images.outputs(), delivered?.done]);
    const outputs = { images: images.outputs(), builds: images.builds() };
    return knownOutputs({ ...outputs, ...(delivered && { github: delivered.outputs }) });
}

/**
 * Returns the Pulumi program for the repository whose root is the engine's working directory, to be exported by its index.ts. It reads the
 * repository's images.ts and workflows.ts itself, as the commands do. Its stack outputs are `images` (for each
 * image the promoted ref and digest, the digest of each platform, and the parent), `builds` (for each image and platform its ref, build tag and tests, and
 * the stack that built it), which other stacks read, and, if a repository on GitHub is configured, `github` (its variables, and the open pull
 * request). After a failed update, the outputs are those of the last successful update.
 *
 * Bad input ends the program with a message; only a fault of the program itself shows a stack trace.
 */
export const program = () => async () => {
    leaveStackTraces();
    try {
        return await compose();
    } catch (error) {
        const input = asInputError(error);
        throw input ? new pulumi.RunError(input.message) : error;
    }
};
