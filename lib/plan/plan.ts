import { type Preview, type Step, leftovers } from "../engine/preview";
import { dockerTypes, isPublished } from "../engine/resources";
import type { Published } from "../status/published";
import { type UpdateRecord, recordedDurations } from "../update/history";
import { openImages, planBuilds, type Action } from "./builds";
import { suspiciousArguments } from "./causes";
import { planDeployments, type DeploymentPlan } from "./deployments";
import { groups } from "./groups";
import { planImages, type ImagePlan } from "./images";
import { decidedSteps, movedImages, planRepository, hasWork, otherWork, type RepositoryPlan } from "./repository";

/**
 * Expected duration of an update, from recorded builds, tests and promotions along the chains of parents and children.
 */
export interface Expected {
    /** Seconds if no digest of a pending parent changes (cutoff). */
    readonly least: number;
    /** Seconds if the digests of all pending parents change. */
    readonly most: number;
    /** Pending images without a recorded build; they are not included in the seconds. */
    readonly unknown: readonly string[];
}

/** The changes that an update would make, with their causes. */
export interface Plan {
    readonly stack: string;
    /** In build order, parents first; images that leave the stack last. */
    readonly images: readonly ImagePlan[];
    readonly repository: readonly RepositoryPlan[];
    /** The deployments that change, by name. */
    readonly deployments: readonly DeploymentPlan[];
    readonly expected: Expected;
    /** Irreversible losses, one message per resource. */
    readonly dangers: readonly string[];
    readonly warnings: readonly string[];
    /** Whether an update would make any change. */
    readonly pending: boolean;
}

const certain: readonly Action[] = ["rebuild", "recreate"];
const possible: readonly Action[] = [...certain, "maybe"];

/** Returns the seconds of a smoke test or promotion; 0 if no duration is recorded. */
export type OtherSeconds = (kind: "test" | "promotion", image: string, platform?: string) => number;

/**
 * Returns the seconds of the longest chain of work. Platforms and siblings run in parallel; a child's build waits for
 * its parents' builds, a test for its build, and a promotion for the tests of all platforms and the parents'
 * promotions.
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
 * Returns the expected duration of an update, if no digest of a pending parent changes and if all of them change. Tests
 * and promotions are counted for every image that is built, although they take no time if its digest stays the same.
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
    "Remove it from the state: `pulumi stack export --file state.json`, delete the resource of this name with " +
    '"delete": true, `pulumi stack import --file state.json`';

/** A published digest that an update would remove from the registry. */
export interface Loss {
    /** The resource, and what makes it a loss. */
    readonly problem: string;
    readonly next: string;
}

/**
 * Returns the digests that an update would delete from the registry, with all their tags. Smoke tests are not in a
 * registry.
 */
export function lossesIn(steps: readonly Step[]): Loss[] {
    const pendingDeletions = new Set(leftovers(steps));
    const lost = steps.filter(
        ({ type, op, old: before }) =>
            (type === dockerTypes.image || type === dockerTypes.index) &&
            /delete|replace/.test(op) &&
            before?.retainOnDelete === false &&
            (type === dockerTypes.index || isPublished(before.inputs)),
    );
    // A replacement consists of several steps on one resource.
    const byUrn = new Map(lost.map((step) => [step.urn, step]));
    return [...byUrn.values()].map((step) => {
        const [what, thing] =
            step.type === dockerTypes.index ? ["the promoted tag of", "index"] : ["the build", "image"];
        const isLeft = pendingDeletions.has(step);
        const problem =
            `${isLeft || step.op === "delete" ? "deleting" : "replacing"} ${what} ${step.name}` +
            `${isLeft ? ", which an earlier update replaced," : ""} would remove its digest from the registry, with every ` +
            `tag on it: the state of this ${thing} does not say retainOnDelete`;
        return { problem, next: isLeft ? forgetting : retaining };
    });
}

/** The sources of a plan. */
export interface PlanSources {
    readonly stack: string;
    readonly preview: Preview;
    /** Earlier updates, newest first. */
    readonly history: readonly UpdateRecord[];
    /** `<repository>@<digest>` of builds that are missing from the registry; empty if the registry was not queried. */
    readonly missing?: ReadonlySet<string>;
}

/** The engine's warning on every stack without a repository on GitHub: the output is undefined on purpose. */
const expectedWarning = /^Undefined value \(\w+\) will not show as a stack output\.$/;

const warningsIn = ({ diagnostics }: Preview): string[] =>
    diagnostics
        .filter(({ severity }) => severity === "warning")
        .map(({ message }) => message.trim().replace(/^warning: /, ""))
        .filter((message) => !expectedWarning.test(message));

/**
 * Makes the plan from a preview and the recorded updates. Pure.
 */
export function makePlan({ stack, preview, history, missing = new Set() }: PlanSources): Plan {
    const steps = decidedSteps(preview.steps);
    const imageGroups = groups(steps);
    const builds = planBuilds(imageGroups, missing);
    const durations = recordedDurations(history);
    const images = planImages(imageGroups, builds).map((plan): ImagePlan => ({
        ...plan,
        platforms: plan.platforms.map((build) => {
            const seconds = durations({ kind: "build", image: plan.image, platform: build.platform });
            return seconds === undefined ? build : { ...build, seconds };
        }),
    }));
    const suspicious = steps
        .filter(({ type }) => type === dockerTypes.image)
        .flatMap(({ new: after, parent }) => suspiciousArguments(after).map((name) => `${name} of image ${parent}`));
    const masked = [...new Set(suspicious)].map(
        (argument) =>
            `build argument ${argument} looks like a secret and is not shown; everyone who can pull the image can read it`,
    );
    return {
        stack,
        images,
        repository: planRepository(steps, openImages(builds)),
        deployments: planDeployments(steps, movedImages(steps), openImages(builds)),
        expected: expectedTime(
            images,
            (kind, image, platform) => durations({ kind, image, ...(platform !== undefined && { platform }) }) ?? 0,
        ),
        dangers: lossesIn(steps).map(({ problem, next }) => `${problem}. ${next}`),
        warnings: [...new Set([...warningsIn(preview), ...masked, ...otherWork(steps)])],
        // The engine has no step for digests that the registry lost.
        pending: hasWork(steps) || images.some(({ action }) => action !== "unchanged"),
    };
}

/** Adds the sizes of published images and the warnings about them to a plan. */
export function withPublished(plan: Plan, { bytes, moved, before, unasked }: Published): Plan {
    return {
        ...plan,
        warnings: [...plan.warnings, ...moved, ...before, ...unasked],
        images: plan.images.map((image) => ({
            ...image,
            platforms: image.platforms.map((build) => {
                const size = bytes.get(`${image.image} ${build.platform}`);
                return size === undefined ? build : { ...build, bytes: size };
            }),
        })),
    };
}
