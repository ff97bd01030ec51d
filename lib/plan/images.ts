import { buildCauses, endedCauses, layerCauses, parentCauses, settingCauses, testCauses } from "./causes";
import { listOf, textsOf } from "./differences";
import { type Group, changes, groups, isGone, platformOf } from "./groups";
import { moveOf, placeCauses } from "./places";
import { type Action, type Cause, type ImagePlan, type PlatformPlan, actions } from "./plan";
import { type Step, sameWhereKnown } from "./preview";

/** What happens to one build. Only what an update alone can know may make the difference between maybe and certain. */
function buildAction(step: Step): Action {
    if (isGone(step)) return "remove";
    if (!changes(step)) return "unchanged";
    const { old: before, new: after } = step;
    if (step.op !== "update" || !before || !after) return "rebuild";
    const onlyUnknown = sameWhereKnown(before.inputs, after.inputs);
    return onlyUnknown && !sameWhereKnown(after.inputs, before.inputs) ? "maybe" : "rebuild";
}

/** A new image that has the files and Dockerfile of one that leaves: how the engine sees a changed key. */
function renamedFrom({ layer }: Group, all: readonly Group[]): string | undefined {
    const content = ({ new: after, old: before }: Step) =>
        JSON.stringify([textsOf(after ?? before, "dockerfile"), textsOf(after ?? before, "inputs")]);
    return all.find((other) => isGone(other.layer) && content(other.layer) === content(layer))?.image;
}

/** Parents that are pushed to another repository than before: what stands on them is rebuilt, whatever their digest. */
const movedParents = ({ layer }: Group, all: readonly Group[]): string[] =>
    listOf(layer.new, "parents").filter((key) => all.some((group) => group.image === key && moveOf(group)));

const unique = (causes: readonly Cause[]): Cause[] => [...new Set(causes)];

function causesOf(group: Group, action: Action, all: readonly Group[]): Cause[] {
    const { layer, builds, tests } = group;
    if (action === "unchanged") return [];
    if (action === "remove") return ["no longer in images.ts; what was published stays"];
    const { old: before, new: after } = layer;
    if (!before || !after) {
        const from = renamedFrom(group, all);
        return [from === undefined ? "first build" : `renamed from ${from}`];
    }
    const said = unique([
        ...builds.filter(changes).flatMap((step) => endedCauses(before, step)),
        ...layerCauses(before, after),
        ...builds.flatMap(buildCauses),
        ...builds.flatMap((step) => parentCauses(after, step)),
        ...(action === "rebuild" ? movedParents(group, all).map((key) => `parent ${key} comes from elsewhere`) : []),
        ...placeCauses(group),
        ...(tests.some(changes) ? testCauses(before, after) : []),
    ]);
    if (said.length > 0) return said;
    if (builds.some((step) => step.op === "create")) return ["first build"];
    if (action === "retag") return ["what was built last is not promoted yet"];
    if (action === "retest") return ["its smoke tests have not passed yet"];
    if (action !== "rebuild") return [];
    const settings = unique(builds.flatMap((step) => settingCauses(before, step)));
    const reasons = unique(builds.filter(changes).flatMap(({ reasons: ones }) => ones));
    return settings.length > 0 || reasons.length === 0 ? settings : [`changed: ${reasons.join(", ")}`];
}

const mostUrgent = (found: readonly Action[]): Action =>
    actions.find((action) => found.includes(action)) ?? "unchanged";

/** Whether a build of the image `key` is open, on a platform where that leaves a build on top of it open. */
const decides = (key: string, platforms: readonly PlatformPlan[], all: readonly Group[]): boolean =>
    (all.find(({ image }) => image === key)?.builds ?? []).some(
        (step) =>
            changes(step) &&
            platforms.some(({ platform, action }) => action === "maybe" && platform === platformOf(step)),
    );

function planImage(group: Group, all: readonly Group[], missing: ReadonlySet<string>): ImagePlan {
    const { image, layer, builds, tests, index } = group;
    const isLost = ({ old: before }: Step) => {
        const digest = before?.outputs.digest;
        return typeof digest === "string" && missing.has(digest);
    };
    const hasMoved = moveOf(group) !== undefined || movedParents(group, all).length > 0;
    const platforms: PlatformPlan[] = builds.map((step) => {
        const open = buildAction(step);
        const action = open === "maybe" && hasMoved ? "rebuild" : open;
        return { platform: platformOf(step), action: action === "unchanged" && isLost(step) ? "recreate" : action };
    });
    platforms.sort((a, b) => (a.platform < b.platform ? -1 : 1));
    // A platform that leaves an image that stays changes its index, and is a cause.
    const own = isGone(layer)
        ? ["remove" as const]
        : platforms.map(({ action }) => action).filter((one) => one !== "remove");
    const built = mostUrgent(own);
    const rest = changes(index) ? "retag" : tests.some(changes) ? "retest" : "unchanged";
    const action = built === "unchanged" ? rest : built;
    const parents = listOf(layer.new ?? layer.old, "parents");
    const [root] = Object.keys(textsOf(layer.new ?? layer.old, "roots"));
    const [parent, ...copiesFrom] = parents;
    const causes = action === "recreate" ? ["the registry no longer has it"] : causesOf(group, action, all);
    const dependsOn = parents.filter((key) => decides(key, platforms, all));
    return {
        image,
        ...(parent === undefined ? root !== undefined && { root } : { parent }),
        ...(copiesFrom.length > 0 && { copiesFrom }),
        action,
        platforms,
        causes: [...causes, ...dependsOn.map((key) => `parent ${key}`)],
        ...(dependsOn.length > 0 && { dependsOn }),
    };
}

/** Parents first, those that leave last; of one depth by name. */
function inOrder(plans: readonly ImagePlan[]): ImagePlan[] {
    const depths = new Map<string, number>();
    const depth = ({ image, parent, copiesFrom = [] }: ImagePlan): number => {
        const known = depths.get(image);
        if (known !== undefined) return known;
        // The engine refuses a cycle; a state that somebody edited must not hang us.
        depths.set(image, 0);
        const above = plans.filter((one) => one.image === parent || copiesFrom.includes(one.image));
        const own = Math.max(0, ...above.map((one) => 1 + depth(one)));
        depths.set(image, own);
        return own;
    };
    const rank = (plan: ImagePlan) => (plan.action === "remove" ? plans.length : depth(plan));
    return [...plans].sort((a, b) => rank(a) - rank(b) || (a.image < b.image ? -1 : 1));
}

/**
 * What an update would do to each image.
 *
 * @param missing digests that the registry was asked for and does not have
 */
export function planImages(steps: readonly Step[], missing: ReadonlySet<string> = new Set()): ImagePlan[] {
    const all = groups(steps);
    return inOrder(all.map((group) => planImage(group, all, missing)));
}
