import { suspiciousArguments } from "./causes";
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

/** An image or index that an update would delete in the registry: all tags of its digest go with it. */
function dangersOf(steps: readonly Step[]): string[] {
    return steps
        .filter(({ type, op }) => type.startsWith("docker-build:") && /delete|^replace/.test(op))
        .filter(({ old: before }) => before !== undefined && !before.retainOnDelete)
        .map(({ op, name, type }) => {
            const what = type.endsWith(":Index") ? "the promoted tag" : "the build";
            return (
                `${op} of ${name} would remove ${what} from the registry, with every tag on its digest: the state does not ` +
                "say retainOnDelete. Run `pulumi up` on the commit before this one first, which writes it there"
            );
        });
}

/**
 * What an update would do, and why: pure, from what the engine said and what was recorded.
 */
export function makePlan({ stack, preview, history, missing = new Set() }: PlanSources): Plan {
    const { steps, diagnostics } = preview;
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
        .flatMap(({ new: after, parent }) => suspiciousArguments(after).map((name) => `${parent}: ${name}`));
    const masked = [...new Set(suspicious)].map(
        (one) =>
            `build argument ${one} looks like a secret and is not shown; everybody who can pull the image can read it`,
    );
    const said = diagnostics.filter(({ severity }) => severity === "warning").map(({ message }) => message.trim());
    return {
        stack,
        images,
        repository,
        expected: expectedTime(images),
        dangers: dangersOf(steps),
        warnings: [...new Set([...said, ...masked])],
        pending: images.some(({ action }) => action !== "unchanged") || repository.length > 0,
    };
}
