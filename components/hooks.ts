import * as pulumi from "@pulumi/pulumi";
import { type Properties, isSmokeTest, listIn } from "../lib/engine/resources";
import { InputError } from "../lib/errors";
import type { Kind } from "../lib/github/permissions";
import { type DeliveryWay, existsAlready, nextAfterRefusal } from "../lib/github/refusals";
import type { PreparedImage, Root } from "../lib/hierarchy/prepare";
import { type BuildFiles, changedFiles, describeUncommitted, uncommittedFiles } from "../lib/hierarchy/uncommitted";
import { judge, refuseAll, tooLarge } from "../lib/policy/rules";
import { type PolicySettings, levelOf } from "../lib/policy/settings";
import { layerBytes } from "../lib/policy/sizes";
import { isPassing, isTransient, nextAfter, nextAfterTagging, refusesPushes } from "../lib/registry/failures";
import { RegistryError, onBuildTriggers, readManifest } from "../lib/registry/manifest";
import { parseReference } from "../lib/registry/references";
import type { RecordedWork } from "../lib/update/history";
import type { TimeLimits } from "../lib/update/timeLimits";
import { pinCommand } from "../lib/system/shell";
import { noteFailure } from "./failures";

/**
 * Removes from GitHub the object with the name of a resource that is about to be created, given the resource's inputs.
 */
export type MakeWay = (inputs: Readonly<Record<string, unknown>>) => Promise<void>;

/** Options of `refusalHook`. */
export interface RefusalOptions {
    /**
     * For objects that GitHub creates only once. An object that exists but is not in the state (created by hand, by a killed `up`, or
     * by a repeated request) is removed, and the resource is created again.
     */
    readonly makeWay?: MakeWay;
    /** How the component delivers files; by commits to the branch if undefined. */
    readonly way?: DeliveryWay;
}

/**
 * Returns the hook for changes that GitHub refuses. The provider's report contains no next step, so the hook logs it
 * once. Whether a token with read access may also write is unknown before it is used.
 *
 * @param name of the component, in whose program each kind's hook is registered once
 */
export function refusalHook(
    name: string,
    kind: Kind,
    { makeWay, way = "direct" }: RefusalOptions = {},
): pulumi.ResourceHookBinding {
    const cleared = new Set<string>();
    let isReported = false;
    const advise = new pulumi.ErrorHook(`say what to do when GitHub refuses ${kind} of ${name}`, async (failure) => {
        if (makeWay && failure.newInputs && existsAlready(failure.errors) && !cleared.has(failure.urn)) {
            cleared.add(failure.urn);
            try {
                await makeWay(failure.newInputs);
                await pulumi.log.info(`replaced ${kind} that was on GitHub and not in the state: ${failure.name}`);
                return true;
            } catch (error) {
                const reason = error instanceof Error ? error.message : String(error);
                await pulumi.log.error(`${failure.name} is on GitHub and not in the state, and stays there: ${reason}`);
                noteFailure(failure.urn);
                return false;
            }
        }
        noteFailure(failure.urn);
        const next = nextAfterRefusal(failure.errors, kind, way);
        if (next === undefined || isReported) return false;
        isReported = true;
        // After the hook returns, the engine may end the update and drop log messages that are still in transit.
        await pulumi.log.error(`GitHub refused ${kind}: next: ${next}`);
        return false;
    });
    return { onError: [advise] };
}

/** The functions that query registries. */
export interface Registries {
    readonly readManifest: typeof readManifest;
    readonly onBuildTriggers: typeof onBuildTriggers;
}

/** The parts of an image that decide which registries are queried. */
type RegistryChecks = Pick<PreparedImage, "key" | "roots" | "triggers">;

/**
 * Queries the image's registry: a missing trusted certificate or login would otherwise show only after minutes of
 * building.
 */
async function checkRegistry(name: string, registries: Registries): Promise<void> {
    try {
        await registries.readManifest(name, process.env);
    } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        const next = refusesPushes(error.reason, error.registry);
        if (next !== undefined) throw new InputError({ problem: error.message, next });
    }
}

/** Results of this run: each root and platform is queried once, for all images that use it. */
const knownTriggers = new Map<string, Promise<readonly string[]>>();

function triggersOf({ expanded, pin }: Root, platform: string, registries: Registries): Promise<readonly string[]> {
    const ref = pin ?? expanded;
    const question = `${ref} ${platform}`;
    const triggers = knownTriggers.get(question) ?? queryTriggers(expanded, ref, platform, registries);
    knownTriggers.set(question, triggers);
    return triggers;
}

async function queryTriggers(
    root: string,
    ref: string,
    platform: string,
    registries: Registries,
): Promise<readonly string[]> {
    const named = root === ref ? `root ${root}` : `root ${root} (${ref})`;
    const unknown = (why: string, next: string) =>
        new InputError({
            problem: `${named} may have ONBUILD instructions, which would use files that are not inputs: ${why}`,
            next: `${next}, or pin a copy of it that this machine can query: ${pinCommand(root)}`,
        });
    let triggers: readonly string[] | undefined;
    try {
        triggers = await registries.onBuildTriggers(ref, platform, process.env);
    } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        throw unknown(
            error.message,
            `give this machine access to it (a network that reaches ${error.registry}, docker login, its certificate in SSL_CERT_FILE)`,
        );
    }
    const { registry } = parseReference(ref);
    if (!triggers) throw unknown(`registry ${registry} does not have it, or not all of it`, "correct the reference");
    return triggers;
}

const indented = (lines: readonly string[], indent: string): string =>
    lines.map((line) => `\n${indent}${line}`).join("");

/** Returns the declaration of a root for `images.ts`. */
const declaration = (root: string, triggers: readonly string[]): string =>
    indented(
        [
            "export const roots: RootDefinitions = {",
            `    ${JSON.stringify(root)}: { onBuild: [${triggers.map((text) => JSON.stringify(text)).join(", ")}] },`,
            "};",
        ],
        "    ",
    );

/**
 * Refuses roots whose ONBUILD triggers differ from those declared in `images.ts`: files that undeclared triggers copy
 * would not be inputs, so the build would lack them and never notice their changes.
 *
 * @throws InputError with the root, its triggers and the declared ones, or with the reason why they can't be known
 */
async function checkRoots({ key, roots, triggers }: RegistryChecks, registries: Registries): Promise<void> {
    for (const root of roots) {
        const { expanded, pin } = root;
        const declared = (triggers[expanded] ?? []).map(({ text }) => text);
        for (const platform of root.from) {
            const actual = await triggersOf(root, platform, registries);
            if (JSON.stringify(actual) === JSON.stringify(declared)) continue;
            const has = actual.length === 0 ? " none" : indented(actual, "    ");
            const problem =
                declared.length === 0
                    ? `with files that are not inputs:${has}`
                    : `but images.ts declares other instructions. It has:${has}\n  images.ts declares:${indented(declared, "    ")}`;
            throw new InputError({
                problem:
                    `image ${key} is built from root ${expanded}${pin === undefined ? "" : ` (${pin})`}, whose ONBUILD would run in its ` +
                    `build for ${platform}, ${problem}`,
                next:
                    (actual.length === 0
                        ? `remove root ${expanded} from "roots" in images.ts`
                        : `declare it in images.ts, so that every Dockerfile built from it includes these instructions:` +
                          declaration(expanded, actual)) +
                    "\n  or use another image in FROM: another tag of the root, or an image that you build FROM the root and push, " +
                    "so that these instructions run only there",
            });
        }
    }
}

/** What the providers say of what they ended. A step or a request may say the same of a limit of its own. */
const deadline = "context deadline exceeded";

const minutesText = (minutes: number): string => `${minutes.toString()} minute${minutes === 1 ? "" : "s"}`;

const longerLimit = (kind: RecordedWork["kind"], minutes: number): string =>
    `pulumi config set --path timeLimits.${kind} ${(2 * minutes).toString()}`;

/**
 * How much later than its time limit a promotion is reported as one that can't be ended, in milliseconds. The provider ends tags that are
 * commands, and its own reading of a tag, but not buildx while that waits for the answer to a push (docker-build 0.0.22).
 */
const grace = 10_000;

/** Returns the error of what exceeded its time limit, with its next step; undefined for another failure. */
function lateAdvice(
    [newest = ""]: readonly string[],
    { what, kind, minutes }: { readonly what: string; readonly kind: RecordedWork["kind"]; readonly minutes: number },
): string | undefined {
    if (!newest.includes(deadline) || process.uptime() < minutes * 60) return undefined;
    return (
        `${what} did not end within its time limit of ${minutesText(minutes)}, and was ended: next: see above what it did last (a step that ` +
        `waits, a registry that does not answer); if it needs longer: ${longerLimit(kind, minutes)}`
    );
}

/** How long to wait before each repetition of a promotion that a registry refused for the moment, in seconds. */
const promotionWaits = [1, 2, 4, 8] as const;

const pause = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/**
 * Returns the hook for the tags of an image in a repository. What a registry refuses for the moment (429, 5xx, a connection that broke)
 * is repeated a few times. After another failure, or the last repetition, the hook logs the next step, once. The outputs of a
 * tag that could not be moved look as before, and nothing depends on most tags, so only this hook knows of their failures.
 *
 * @param repository "registry/repository"
 * @param minutes the time limit of each
 * @param wait waits for this number of seconds
 */
export function tagHooks(
    key: string,
    repository: string,
    minutes: number,
    wait: (seconds: number) => Promise<void> = pause,
): pulumi.ResourceHookBinding {
    const { registry } = parseReference(repository);
    const repeated = new Map<string, number>();
    const running = new Map<string, NodeJS.Timeout>();
    const end = ({ urn }: Pick<pulumi.ResourceHookArgs, "urn">) => {
        clearTimeout(running.get(urn));
        running.delete(urn);
    };
    const begun = new pulumi.ResourceHook(`begin to publish image ${key} in ${repository}`, (resource) => {
        end(resource);
        const late = async () => {
            noteFailure(resource.urn);
            await pulumi.log.error(
                `image ${key}: publishing ${resource.name} did not end within its time limit of ${minutesText(minutes)}: ${registry} does not ` +
                    "answer, and the provider can't be told to stop waiting for it: next: when nothing else runs any more, interrupt the " +
                    `update twice, see that ${registry} answers, and run the same command again; if it only needs longer: ` +
                    longerLimit("promotion", minutes),
            );
        };
        running.set(resource.urn, setTimeout(() => void late(), minutes * 60_000 + grace).unref());
    });
    const ended = new pulumi.ResourceHook(`image ${key} is published in ${repository}`, end);
    let isReported = false;
    const advise = new pulumi.ErrorHook(
        `say what to do when image ${key} can't be published in ${repository}`,
        async ({ errors, urn, name }) => {
            end({ urn });
            const times = repeated.get(urn) ?? 0;
            const seconds = promotionWaits[times];
            // `errors` has the failures of all attempts, the newest first.
            if (seconds !== undefined && isPassing(errors.slice(0, 1))) {
                repeated.set(urn, times + 1);
                await pulumi.log.info(
                    `${name}: ${registry} refused it for the moment; it is repeated in ${seconds.toString()} s`,
                );
                await wait(seconds);
                return true;
            }
            noteFailure(urn);
            const late = lateAdvice(errors, { what: `publishing ${name}`, kind: "promotion", minutes });
            if (late !== undefined) await pulumi.log.error(`image ${key}: ${late}`);
            const next = late === undefined ? nextAfterTagging(errors.slice(0, 1), registry) : undefined;
            if (next === undefined || isReported) return false;
            isReported = true;
            // After the hook returns, the engine may end the update and drop log messages that are still in transit.
            await pulumi.log.error(`image ${key}: next: ${next}`);
            return false;
        },
    );
    const [before, after] = [[begun], [ended]];
    return { beforeCreate: before, beforeUpdate: before, afterCreate: after, afterUpdate: after, onError: [advise] };
}

/**
 * Returns the hooks that ask the registry for the sizes of an image's new builds before they become a release, where the stack's policy
 * limits them. They cost a request for each build, and nothing for an image without a budget, or without a new release.
 *
 * @param sizeOf `layerBytes`, or a substitute
 */
export function sizeHooks(
    { key, definition }: Pick<PreparedImage, "key" | "definition">,
    policy: PolicySettings | undefined,
    sizeOf: typeof layerBytes = layerBytes,
): pulumi.ResourceHook[] {
    const budget = definition.maxSize ?? policy?.maxSize;
    if (budget === undefined || levelOf(policy, "max-size") === "disabled") return [];
    const violationsIn = async (ref: string) => {
        const bytes = await sizeOf(ref);
        return bytes === undefined ? [] : tooLarge(key, { ref, bytes }, budget);
    };
    const check = async ({ urn, newInputs }: pulumi.ResourceHookArgs) => {
        const violations = await Promise.all(listIn(newInputs?.sources).map(violationsIn));
        const { refused, advised } = judge(policy, violations.flat());
        for (const warning of advised) await pulumi.log.warn(warning);
        if (refused.length > 0) noteFailure(urn);
        refuseAll(refused);
    };
    return [new pulumi.ResourceHook(`compare the size of image ${key} with its budget`, check)];
}

/** Returns what a build or smoke test is, from its inputs, with its time limit. */
function workOf(key: string, inputs: Properties = {}, limits: TimeLimits) {
    const kind = isSmokeTest(inputs) ? "test" : "build";
    const [platform = ""] = listIn(inputs.platforms);
    const what = `its ${kind === "test" ? "smoke test" : "build"} for ${platform}`;
    return { what, kind, minutes: limits({ image: key, platform, kind }) } as const;
}

/** How often a push that conflicted with another push is repeated. */
const repetitions = 2;

/**
 * Returns the hooks around the build of an image. Before the build, they query the image's registry and those of its
 * roots, once. After a failure, they log the next step, or repeat a push that conflicted with another push. They cost
 * nothing for an image that is not built.
 *
 * @param limits the time limits of its builds and smoke tests
 * @param before further hooks before the build
 */
export function buildHooks(
    image: RegistryChecks & Pick<PreparedImage, "repository" | "unreadable">,
    limits: TimeLimits,
    registries: Registries = { readManifest, onBuildTriggers },
    before: readonly pulumi.ResourceHook[] = [],
): pulumi.ResourceHookBinding {
    const { key, repository, roots, unreadable } = image;
    const registry = repository === undefined ? undefined : parseReference(repository).registry;
    const repeated = new Map<string, number>();
    const advise = new pulumi.ErrorHook(
        `say what to do when image ${key} can't be built`,
        async ({ errors, urn, name, newInputs }) => {
            const times = repeated.get(urn) ?? 0;
            if (isTransient(errors.slice(0, 1)) && times < repetitions) {
                repeated.set(urn, times + 1);
                // The builder's store has the result of the build, so that only the push is repeated.
                await pulumi.log.info(
                    `${name}: the push conflicted with another push of the same layer, and is repeated`,
                );
                return true;
            }
            noteFailure(urn);
            const late = lateAdvice(errors, workOf(key, newInputs, limits));
            const next = late === undefined ? nextAfter(errors.slice(0, 1), registry) : undefined;
            if (late !== undefined) await pulumi.log.error(`image ${key}: ${late}`);
            // After the hook returns, the engine may end the update and drop log messages that are still in transit.
            if (next !== undefined) await pulumi.log.error(`image ${key}: next: ${next}`);
            return false;
        },
    );
    const hasChecks = repository !== undefined || unreadable !== undefined || roots.some(({ from }) => from.length > 0);
    if (!hasChecks) return { ...beforehand(before), onError: [advise] };
    const runChecks = async () => {
        if (unreadable !== undefined) throw new InputError({ problem: unreadable });
        if (repository !== undefined) await checkRegistry(repository, registries);
        await checkRoots(image, registries);
    };
    let checks: Promise<void> | undefined;
    const check = new pulumi.ResourceHook(`ask the registries of image ${key}`, () => (checks ??= runChecks()));
    return { ...beforehand([check, ...before]), onError: [advise] };
}

/** Returns the hooks in the places where the engine calls them before a build. */
export const beforehand = (hooks: readonly pulumi.ResourceHook[]): pulumi.ResourceHookBinding =>
    hooks.length === 0 ? {} : { beforeCreate: [...hooks], beforeUpdate: [...hooks] };

/**
 * Returns the hook that makes and checks the stack's builder, once, before the first build or smoke test of a run. It can't be a resource:
 * the builder is on a machine, while the state is shared by all machines.
 *
 * @param ready makes and checks it
 */
export function builderHook(ready: () => Promise<void>): pulumi.ResourceHook {
    let checked: Promise<void> | undefined;
    return new pulumi.ResourceHook("make and check the builder", () => (checked ??= ready()));
}

/** The uncommitted files of the checkout: git is asked once in a run, before the first build. */
let changes: ReturnType<typeof changedFiles> | undefined;

/**
 * Returns the hooks that warn, once, before an image is built from files that are not committed. They cost nothing if the image is not
 * built. An image that is never pushed needs none: nobody else gets it.
 *
 * @param ask returns the uncommitted files of the checkout
 */
export function uncommittedHooks(
    image: BuildFiles & Pick<PreparedImage, "key" | "repository">,
    ask: () => ReturnType<typeof changedFiles> = () => (changes ??= changedFiles(process.cwd())),
): pulumi.ResourceHook[] {
    if (image.repository === undefined) return [];
    let warned: Promise<void> | undefined;
    const warn = async () => {
        const files = uncommittedFiles(image, await ask());
        if (files.length > 0) await pulumi.log.warn(describeUncommitted(image.key, files));
    };
    return [new pulumi.ResourceHook(`say what of image ${image.key} is not committed`, () => (warned ??= warn()))];
}
