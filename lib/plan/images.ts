import { textOf, textsOf, type Step } from "../engine/preview";
import { type Plans, decides, movedParents, parentsOf } from "./builds";
import { buildCauses, endedCauses, imageCauses, parentCauses, settingCauses, testCauses, placeCauses } from "./causes";
import { type Group, changes, isGone, platformOf } from "./groups";
import { inAnyCase, inAnyCaseCauses, runs } from "./inAnyCase";
import { type Action, type Cause, type ImagePlan, actions } from "./plan";

/** A new image that has the files and Dockerfile of one that leaves: how the engine sees a changed key. */
function renamedFrom({ component }: Group, all: readonly Group[]): string | undefined {
    const content = ({ new: after, old: before }: Step) =>
        JSON.stringify([textsOf(after ?? before, "dockerfile"), textsOf(after ?? before, "inputs")]);
    return all.find((other) => isGone(other.component) && content(other.component) === content(component))?.image;
}

const unique = (causes: readonly Cause[]): Cause[] => [...new Set(causes)];

/** What only leaves the state of an image that stays: a platform of one that is never pushed, or smoke tests. */
function forgottenCauses({ component: { old: before, new: after }, builds, tests }: Group): Cause[] {
    const left = before && after && tests.some(isGone) ? testCauses(before, after) : [];
    return [
        ...builds.filter(isGone).map((step) => `platform ${platformOf(step)} removed`),
        ...(tests.some(isGone) && left.length === 0 ? ["smoke test removed"] : left),
    ];
}

function causesOf(group: Group, action: Action, all: readonly Group[]): Cause[] {
    const { component, builds, tests } = group;
    if (action === "unchanged") return forgottenCauses(group);
    if (action === "remove") return ["no longer in images.ts; what was published stays"];
    const { old: before, new: after } = component;
    if (!before || !after) {
        const from = renamedFrom(group, all);
        return [from === undefined ? "first build" : `renamed from ${from}`];
    }
    const said = unique([
        ...builds.filter(changes).flatMap((step) => endedCauses(before, step)),
        ...imageCauses(before, after),
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

function planImage(group: Group, all: readonly Group[], plans: Plans): ImagePlan {
    const { image, component, tests, index } = group;
    const platforms = plans.get(image) ?? [];
    // A platform that leaves an image that stays changes its index, and is a cause.
    const own = isGone(component)
        ? ["remove" as const]
        : platforms.map(({ action }) => action).filter((one) => one !== "remove");
    const built = mostUrgent(own);
    const rest = changes(index) ? "retag" : tests.some(runs) ? "retest" : "unchanged";
    const action = built === "unchanged" ? rest : built;
    const said = component.new ?? component.old;
    const [root] = Object.keys(textsOf(said, "roots")).filter((one) => !said || one !== textOf(said, "frontend"));
    const [parent, ...copiesFrom] = parentsOf(group);
    const isLost = platforms.some((one) => one.action === "recreate");
    const anyway = action === "maybe" ? inAnyCase(group) : [];
    const dependsOn = parentsOf(group).filter((key) => decides(plans.get(key) ?? [], platforms));
    return {
        image,
        ...(parent === undefined ? root !== undefined && { root } : { parent }),
        ...(copiesFrom.length > 0 && { copiesFrom }),
        action,
        platforms,
        causes: [
            ...(isLost ? ["the registry no longer has it"] : []),
            ...causesOf(group, action, all),
            ...inAnyCaseCauses(anyway),
            ...dependsOn.map((key) => `parent ${key}`),
        ],
        ...(anyway.length > 0 && { inAnyCase: anyway }),
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
 * @param plans of their builds
 */
export const planImages = (all: readonly Group[], plans: Plans): ImagePlan[] =>
    inOrder(all.map((group) => planImage(group, all, plans)));
