import { suspiciousArguments } from "./causes";
import { listOf } from "./differences";
import { expectedTime } from "./expected";
import { type UpdateRecord, recordedSeconds } from "./history";
import { planImages } from "./images";
import type { ImagePlan, Plan } from "./plan";
import type { Preview, Step } from "./preview";
import { planRepository } from "./repository";

/** What a plan is made from. */
export interface PlanSources {
    readonly stack: string;
    readonly preview: Preview;
    /** Earlier updates, newest first. */
    readonly history: readonly UpdateRecord[];
    /** Digests that the registry was asked for and does not have; empty where it was not asked. */
    readonly missing?: ReadonlySet<string>;
}

/** What an update would delete in the registry: all tags of its digest go with it. A smoke test has nothing there. */
function dangersOf(steps: readonly Step[]): string[] {
    const lost = steps.filter(
        ({ type, op, old: before }) =>
            type.startsWith("docker-build:") &&
            /delete|replace/.test(op) &&
            before?.retainOnDelete === false &&
            (type.endsWith(":Index") || listOf(before, "tags").length > 0),
    );
    // A replacement is several steps on one resource.
    const byUrn = new Map(lost.map((step) => [step.urn, step]));
    return [...byUrn.values()].map(({ op, name, type }) => {
        const [what, thing] = type.endsWith(":Index") ? ["the promoted tag of", "index"] : ["the build", "image"];
        return (
            `${op === "delete" ? "deleting" : "replacing"} ${what} ${name} would remove its digest from the registry, with ` +
            `every tag on it: the state of this ${thing} does not say retainOnDelete. Run \`pulumi up\` on a commit that still ` +
            "has it as it was: that writes retainOnDelete into the state"
        );
    });
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
    const { steps } = preview;
    const images = planImages(steps, missing).map((plan): ImagePlan => ({
        ...plan,
        platforms: plan.platforms.map((one) => {
            const seconds = recordedSeconds(history, { image: plan.image, platform: one.platform });
            return seconds === undefined ? one : { ...one, seconds };
        }),
    }));
    const repository = planRepository(steps);
    const suspicious = steps
        .filter(({ type }) => type === "docker-build:index:Image")
        .flatMap(({ new: after, parent }) => suspiciousArguments(after).map((name) => `${name} of image ${parent}`));
    const masked = [...new Set(suspicious)].map(
        (one) =>
            `build argument ${one} looks like a secret and is not shown; everybody who can pull the image can read it`,
    );
    return {
        stack,
        images,
        repository,
        expected: expectedTime(images),
        dangers: dangersOf(steps),
        warnings: [...new Set([...warningsIn(preview), ...masked])],
        pending: images.some(({ action }) => action !== "unchanged") || repository.length > 0,
    };
}
