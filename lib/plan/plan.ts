import { type Preview, type Step, leftovers } from "../engine/preview";
import { dockerTypes, isPublished } from "../engine/resources";
import type { Published } from "../status/published";
import { type UpdateRecord, recordedSeconds } from "../update/history";
import { openRepositories, planBuilds, type Action } from "./builds";
import { suspiciousArguments } from "./causes";
import { groups } from "./groups";
import { planImages, type ImagePlan } from "./images";
import { decidedSteps, planRepository, hasWork, otherWork, type RepositoryPlan } from "./repository";

/** Time that an update would take, from recorded builds, tests and promotions, along the chains of parents and children. */
export interface Expected {
    /** Seconds if no digest of a pending parent changes (cutoff). */
    readonly least: number;
    /** Seconds if all of them change. */
    readonly most: number;
    /** Images that are pending and have no recorded build; the seconds are without them. */
    readonly unknown: readonly string[];
}

/** What an update would do, and why. */
export interface Plan {
    readonly stack: string;
    /** In build order, parents first; those that leave the stack last. */
    readonly images: readonly ImagePlan[];
    readonly repository: readonly RepositoryPlan[];
    readonly expected: Expected;
    /** What would be lost for good. */
    readonly dangers: readonly string[];
    readonly warnings: readonly string[];
    /** Whether an update would change anything at all. */
    readonly pending: boolean;
}

const certain: readonly Action[] = ["rebuild", "recreate"];
const possible: readonly Action[] = [...certain, "maybe"];

/** Seconds that a smoke test or promotion takes; 0 where none was recorded. */
export type OtherSeconds = (kind: "test" | "promotion", image: string, platform?: string) => number;

/**
 * Seconds of the longest chain of work. Platforms and siblings run side by side; a child's build waits for its parents' builds,
 * a test for its build, and a promotion for the tests of all platforms and the parents' promotions.
 */
function longest(images: readonly ImagePlan[], counted: readonly Action[], other: OtherSeconds): number {
    const built = new Map<string, number>();
    const promoted = new Map<string, number>();
    for (const { image, parent = "", copiesFrom = [], action: whole, platforms, inAnyCase = [] } of images) {
        const parents = [parent, ...copiesFrom];
        const isTested = whole === "retest" || inAnyCase.includes("test");
        const tested = platforms.map(({ platform, action, seconds = 0 }) => {
            const start = Math.max(...parents.map((key) => built.get(`${key} ${platform}`) ?? 0));
            const isBuilt = counted.includes(action);
            const end = start + (isBuilt ? seconds : 0);
            built.set(`${image} ${platform}`, end);
            return end + (isBuilt || isTested ? other("test", image, platform) : 0);
        });
        const isTagged = whole === "retag" || inAnyCase.includes("promotion");
        const isPromoted = isTagged || platforms.some(({ action }) => counted.includes(action));
        const start = Math.max(0, ...tested, ...parents.map((key) => promoted.get(key) ?? 0));
        promoted.set(image, start + (isPromoted ? other("promotion", image) : 0));
    }
    return Math.max(0, ...promoted.values());
}

/**
 * The time that an update would take, if no digest of a pending parent changes and if all do. Tests and promotions count
 * wherever something is built; if its digest stays, they take no time either.
 */
export function expectedTime(images: readonly ImagePlan[], other: OtherSeconds = () => 0): Expected {
    const unknown = images.filter(({ platforms }) =>
        platforms.some(({ action, seconds }) => possible.includes(action) && seconds === undefined),
    );
    return {
        least: longest(images, certain, other),
        most: longest(images, possible, other),
        unknown: unknown.map(({ image }) => image),
    };
}

const retaining = "Run `pulumi up` on a commit that still has it as it was: that writes retainOnDelete into the state";
const forgetting =
    "Take it out of the state: `pulumi stack export --file state.json`, remove the resource of this name that says " +
    '"delete": true, `pulumi stack import --file state.json`';

/** What an update would delete in the registry: all tags of its digest go with it. A smoke test has nothing there. */
export function dangersOf(steps: readonly Step[]): string[] {
    const left = new Set(leftovers(steps));
    const lost = steps.filter(
        ({ type, op, old: before }) =>
            (type === dockerTypes.image || type === dockerTypes.index) &&
            /delete|replace/.test(op) &&
            before?.retainOnDelete === false &&
            (type === dockerTypes.index || isPublished(before.inputs)),
    );
    // A replacement is several steps on one resource.
    const byUrn = new Map(lost.map((step) => [step.urn, step]));
    return [...byUrn.values()].map((step) => {
        const [what, thing] =
            step.type === dockerTypes.index ? ["the promoted tag of", "index"] : ["the build", "image"];
        const isLeft = left.has(step);
        return (
            `${isLeft || step.op === "delete" ? "deleting" : "replacing"} ${what} ${step.name}` +
            `${isLeft ? ", which an earlier update replaced," : ""} would remove its digest from the registry, with every ` +
            `tag on it: the state of this ${thing} does not say retainOnDelete. ${isLeft ? forgetting : retaining}`
        );
    });
}

/** What a plan is made from. */
export interface PlanSources {
    readonly stack: string;
    readonly preview: Preview;
    /** Earlier updates, newest first. */
    readonly history: readonly UpdateRecord[];
    /** `<repository>@<digest>` of builds that the registry was asked for and does not have; empty where it was not asked. */
    readonly missing?: ReadonlySet<string>;
}

/** What the engine says of every stack without a repository on GitHub: an output that is left out on purpose. */
const expectedWarning = /^Undefined value \(\w+\) will not show as a stack output\.$/;

const warningsIn = ({ diagnostics }: Preview): string[] =>
    diagnostics
        .filter(({ severity }) => severity === "warning")
        .map(({ message }) => message.trim().replace(/^warning: /, ""))
        .filter((message) => !expectedWarning.test(message));

/**
 * What an update would do, and why: pure, from what the engine said and what was recorded.
 */
export function makePlan({ stack, preview, history, missing = new Set() }: PlanSources): Plan {
    const steps = decidedSteps(preview.steps);
    const all = groups(steps);
    const builds = planBuilds(all, missing);
    const images = planImages(all, builds).map((plan): ImagePlan => ({
        ...plan,
        platforms: plan.platforms.map((one) => {
            const seconds = recordedSeconds(history, { kind: "build", image: plan.image, platform: one.platform });
            return seconds === undefined ? one : { ...one, seconds };
        }),
    }));
    const suspicious = steps
        .filter(({ type }) => type === dockerTypes.image)
        .flatMap(({ new: after, parent }) => suspiciousArguments(after).map((name) => `${name} of image ${parent}`));
    const masked = [...new Set(suspicious)].map(
        (one) =>
            `build argument ${one} looks like a secret and is not shown; everybody who can pull the image can read it`,
    );
    return {
        stack,
        images,
        repository: planRepository(steps, openRepositories(all, builds)),
        expected: expectedTime(
            images,
            (kind, image, platform) =>
                recordedSeconds(history, { kind, image, ...(platform !== undefined && { platform }) }) ?? 0,
        ),
        dangers: dangersOf(steps),
        warnings: [...new Set([...warningsIn(preview), ...masked, ...otherWork(steps)])],
        // What the registry lost is no step of the engine's.
        pending: hasWork(steps) || images.some(({ action }) => action !== "unchanged"),
    };
}

/** The plan with the sizes of what is published, and with what is to be said of it as warnings. */
export function withPublished(plan: Plan, { bytes, moved, before, unasked }: Published): Plan {
    return {
        ...plan,
        warnings: [...plan.warnings, ...moved, ...before, ...unasked],
        images: plan.images.map((image) => ({
            ...image,
            platforms: image.platforms.map((one) => {
                const known = bytes.get(`${image.image} ${one.platform}`);
                return known === undefined ? one : { ...one, bytes: known };
            }),
        })),
    };
}
