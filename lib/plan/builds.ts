import { type Step, sameWhereKnown } from "../engine/preview";
import { pushedBy, readImage } from "../engine/resources";
import { moveOf } from "./causes";
import { type Group, type GroupsByImage, changes, groupsByImage, isGone, platformOf } from "./groups";

/**
 * The action of an update on an image. *rebuild*: certainly built. *maybe*: built only if its parent's digest changes.
 * *recreate*: the registry lost it, an update after a refresh builds it again. *retag*: only the promoted tag moves.
 * *retest*: only its smoke tests run. *remove*: it leaves the stack; its published digests stay. *unchanged*: not
 * built, tagged or tested; if it has a cause, some of its resources leave the state.
 */
export type Action = "rebuild" | "maybe" | "recreate" | "retag" | "retest" | "remove" | "unchanged";

/** The actions, the most urgent first. */
export const actions: readonly Action[] = ["rebuild", "recreate", "maybe", "remove", "retag", "retest", "unchanged"];

/** The plan of an image for one platform. */
export interface PlatformPlan {
    readonly platform: string;
    readonly action: Action;
    /** Seconds of the longest of its recent builds; absent if no build is recorded. */
    readonly seconds?: number;
    /** Compressed bytes of the published image; absent if the registry was not queried. */
    readonly bytes?: number;
}

/** Returns the keys of an image's parents and of the images that it copies files from, the FROM image first. */
export const parentsOf = ({ component }: Group): readonly string[] =>
    readImage((component.new ?? component.old)?.inputs).parents;

/** Returns the parents whose repository changed: their children are rebuilt even if the digest stays the same. */
export const movedParents = ({ component }: Group, all: GroupsByImage): string[] =>
    readImage(component.new?.inputs).parents.filter((key) => all.get(key)?.some(moveOf));

/**
 * Returns the action on a build. It is "maybe" only if the inputs differ solely in values that only an update can
 * determine.
 */
function buildAction(step: Step): Action {
    if (isGone(step)) return "remove";
    if (!changes(step)) return "unchanged";
    const { old: before, new: after } = step;
    if (step.op !== "update" || !before || !after) return "rebuild";
    const onlyUnknown = sameWhereKnown(before.inputs, after.inputs);
    return onlyUnknown && !sameWhereKnown(after.inputs, before.inputs) ? "maybe" : "rebuild";
}

/** By image, the platforms that it is built for. */
export type Plans = ReadonlyMap<string, readonly PlatformPlan[]>;

/** Whether the digest of a build, on which children may depend, can change. */
const isOpen = ({ action }: PlatformPlan): boolean => ["rebuild", "recreate", "maybe"].includes(action);

/** Whether builds of the parent determine if builds of the child, for the same platform, are done. */
export const decides = (parent: readonly PlatformPlan[], child: readonly PlatformPlan[]): boolean =>
    parent.some(
        (build) =>
            isOpen(build) && child.some(({ platform, action }) => action === "maybe" && platform === build.platform),
    );

/**
 * Returns the keys of the images with a build whose digest may change.
 *
 * @param plans the result of `planBuilds`
 */
export const openImages = (plans: Plans): ReadonlySet<string> =>
    new Set([...plans].flatMap(([image, platforms]) => (platforms.some(isOpen) ? [image] : [])));

/**
 * Plans the builds of each image. Those of a pinned image are never built: what the state keeps of them has no effect.
 *
 * @param missing `<repository>@<digest>` of builds that the registry lost: an update after a refresh builds them, and
 *     then perhaps their children, which the engine does not report yet
 * @returns by image, its platforms sorted by name
 */
export function planBuilds(all: readonly Group[], missing: ReadonlySet<string>): Plans {
    const plans = new Map<string, readonly PlatformPlan[]>();
    const byImage = groupsByImage(all);
    const plan = (group: Group): readonly PlatformPlan[] => {
        const planned = plans.get(group.image);
        if (planned) return planned;
        // The engine refuses a cycle; a state that was edited by hand must not cause an endless recursion.
        plans.set(group.image, []);
        const { pin, platforms: built } = readImage(group.component.new?.inputs);
        if (pin) {
            const platforms = built.map((platform) => ({ platform, action: "unchanged" }) as const);
            plans.set(group.image, platforms);
            return platforms;
        }
        const parents = parentsOf(group)
            .flatMap((key) => byImage.get(key) ?? [])
            .flatMap(plan)
            .filter(isOpen);
        const hasMoved = moveOf(group) !== undefined || movedParents(group, byImage).length > 0;
        const platforms = group.builds.map((step): PlatformPlan => {
            const [platform, stepAction] = [platformOf(step), buildAction(step)];
            const action = stepAction === "maybe" && hasMoved ? "rebuild" : stepAction;
            const isSettled = action === "rebuild" || action === "remove";
            if (!isSettled && missing.has(pushedBy(step.old) ?? "")) return { platform, action: "recreate" };
            const hasOpenParent = parents.some((parent) => parent.platform === platform);
            return { platform, action: action === "unchanged" && hasOpenParent ? "maybe" : action };
        });
        platforms.sort((a, b) => (a.platform < b.platform ? -1 : 1));
        plans.set(group.image, platforms);
        return platforms;
    };
    all.forEach(plan);
    return plans;
}
