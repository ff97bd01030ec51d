import { type Step, sameWhereKnown } from "../engine/preview";
import { pushedBy, readImage } from "../engine/resources";
import { repositoryOf } from "../registry/references";
import { moveOf } from "./causes";
import { type Group, changes, isGone, platformOf } from "./groups";

/**
 * What an update would do to an image. *rebuild*: certainly built. *maybe*: built only if its parent's digest changes.
 * *recreate*: the registry lost it, an update after a refresh builds it again. *retag*: only the promoted tag moves.
 * *retest*: only its smoke tests run. *remove*: it leaves the stack; what was published stays. *unchanged*: nothing is built,
 * tagged or tested; with a cause, the state forgets something of it.
 */
export type Action = "rebuild" | "maybe" | "recreate" | "retag" | "retest" | "remove" | "unchanged";

/** The actions, the most urgent first. */
export const actions: readonly Action[] = ["rebuild", "recreate", "maybe", "remove", "retag", "retest", "unchanged"];

/** One image for one platform. */
export interface PlatformPlan {
    readonly platform: string;
    readonly action: Action;
    /** Seconds that the longest of its last builds took; absent where none was recorded. */
    readonly seconds?: number;
    /** Compressed bytes of what is published; absent where the registry was not asked. */
    readonly bytes?: number;
}

/** Keys of the images that one takes from, the one that it is built FROM first. */
export const parentsOf = ({ component }: Group): readonly string[] =>
    readImage((component.new ?? component.old)?.inputs).parents;

/** Parents that are pushed to another repository than before: what stands on them is rebuilt, whatever their digest. */
export const movedParents = ({ component }: Group, all: readonly Group[]): string[] =>
    readImage(component.new?.inputs).parents.filter((key) => all.some((group) => group.image === key && moveOf(group)));

/** What happens to one build. Only what an update alone can know may make the difference between maybe and certain. */
function buildAction(step: Step): Action {
    if (isGone(step)) return "remove";
    if (!changes(step)) return "unchanged";
    const { old: before, new: after } = step;
    if (step.op !== "update" || !before || !after) return "rebuild";
    const onlyUnknown = sameWhereKnown(before.inputs, after.inputs);
    return onlyUnknown && !sameWhereKnown(after.inputs, before.inputs) ? "maybe" : "rebuild";
}

const repositoriesOf = (ref: string | undefined): string[] => (ref === undefined ? [] : [repositoryOf(ref)]);

/** By image, the platforms that it is built for. */
export type Plans = ReadonlyMap<string, readonly PlatformPlan[]>;

/** Whether a digest that others may stand on can become another. */
const isOpen = ({ action }: PlatformPlan): boolean => ["rebuild", "recreate", "maybe"].includes(action);

/** Whether a build of one image decides whether those of another, for the same platform, are done. */
export const decides = (parent: readonly PlatformPlan[], child: readonly PlatformPlan[]): boolean =>
    parent.some(
        (one) => isOpen(one) && child.some(({ platform, action }) => action === "maybe" && platform === one.platform),
    );

/**
 * Where images are pushed of which a build may get another digest.
 *
 * @param plans as `planBuilds` makes them
 */
export function openRepositories(all: readonly Group[], plans: Plans): ReadonlySet<string> {
    const open = all.filter(({ image }) => plans.get(image)?.some(isOpen));
    return new Set(open.flatMap(({ builds }) => builds.flatMap(({ old: before }) => repositoriesOf(pushedBy(before)))));
}

/**
 * What an update would do with the builds of each image.
 *
 * @param missing `<repository>@<digest>` of builds that the registry lost: an update that knows builds them, and then perhaps
 *     what stands on them, of which the engine says nothing yet
 * @returns by image, the platforms by name
 */
export function planBuilds(all: readonly Group[], missing: ReadonlySet<string>): Plans {
    const plans = new Map<string, readonly PlatformPlan[]>();
    const plan = (group: Group): readonly PlatformPlan[] => {
        const known = plans.get(group.image);
        if (known) return known;
        // The engine refuses a cycle; a state that somebody edited must not hang us.
        plans.set(group.image, []);
        const below = all
            .filter(({ image }) => parentsOf(group).includes(image))
            .flatMap(plan)
            .filter(isOpen);
        const hasMoved = moveOf(group) !== undefined || movedParents(group, all).length > 0;
        const own = group.builds.map((step): PlatformPlan => {
            const [platform, said] = [platformOf(step), buildAction(step)];
            const action = said === "maybe" && hasMoved ? "rebuild" : said;
            const isSettled = action === "rebuild" || action === "remove";
            if (!isSettled && missing.has(pushedBy(step.old) ?? "")) return { platform, action: "recreate" };
            const isOnOpen = below.some((one) => one.platform === platform);
            return { platform, action: action === "unchanged" && isOnOpen ? "maybe" : action };
        });
        own.sort((a, b) => (a.platform < b.platform ? -1 : 1));
        plans.set(group.image, own);
        return own;
    };
    all.forEach(plan);
    return plans;
}
