import { openRepositories, planBuilds } from "./builds";
import { suspiciousArguments } from "./causes";
import { dangersOf } from "./dangers";
import { expectedTime } from "./expected";
import { groups } from "./groups";
import { type UpdateRecord, recordedSeconds } from "../update/history";
import { planImages } from "./images";
import type { ImagePlan, Plan } from "./plan";
import type { Preview } from "../engine/preview";
import { decidedSteps, planRepository } from "./repository";
import { hasWork, otherWork } from "./work";

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
        .filter(({ type }) => type === "docker-build:index:Image")
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
