import type { Step } from "../engine/preview";
import { readImage } from "../engine/resources";
import { type Plans, decides, movedParents, parentsOf, type Action, actions, type PlatformPlan } from "./builds";
import {
    type Cause,
    buildCauses,
    endedCauses,
    imageCauses,
    parentCauses,
    placeCauses,
    settingCauses,
    testCauses,
    unique,
} from "./causes";
import { type Group, changes, isGone, platformOf } from "./groups";
import { type WorkInAnyCase, inAnyCase, runs } from "./inAnyCase";

/** What is pending for an image. */
export interface ImagePlan {
    /** Key in `images.ts`. */
    readonly image: string;
    /** Key of the image that it is built FROM; absent where that is a root. */
    readonly parent?: string;
    /** Keys of other images of ours that its Dockerfile takes files from; absent where there are none. */
    readonly copiesFrom?: readonly string[];
    /** Its root, as Dockerfiles write it; absent where it is built FROM an image of ours. */
    readonly root?: string;
    /** The most urgent of its platforms' actions. */
    readonly action: Action;
    readonly platforms: readonly PlatformPlan[];
    readonly causes: readonly Cause[];
    /** Of an image that is `maybe`: what is done although it may not be built. Absent where that is nothing. */
    readonly inAnyCase?: readonly WorkInAnyCase[];
    /** Where a platform is `maybe`: keys of the images whose digests decide, of which one is enough. */
    readonly dependsOn?: readonly string[];
}

/** A new image that has the files and Dockerfile of one that leaves: how the engine sees a changed key. */
function renamedFrom({ component }: Group, all: readonly Group[]): string | undefined {
    const content = ({ new: after, old: before }: Step) => {
        const { dockerfile = {}, inputs } = readImage((after ?? before)?.inputs);
        return JSON.stringify([dockerfile, inputs]);
    };
    return all.find((other) => isGone(other.component) && content(other.component) === content(component))?.image;
}

/** What only leaves the state of an image that stays: a platform of one that is never pushed, or smoke tests. */
function forgottenCauses({ component: { old: before, new: after }, builds, tests }: Group): Cause[] {
    const isTestGone = tests.some(isGone);
    const left = before && after && isTestGone ? testCauses(readImage(before.inputs), readImage(after.inputs)) : [];
    return [
        ...builds
            .filter(isGone)
            .map((step): Cause => ({ kind: "entry removed", of: "platform", name: platformOf(step) })),
        ...(isTestGone && left.length === 0 ? [{ kind: "smoke tests removed" } as const] : left),
    ];
}

function causesOf(group: Group, action: Action, all: readonly Group[]): Cause[] {
    const { component, builds, tests } = group;
    if (action === "unchanged") return forgottenCauses(group);
    if (action === "remove") return [{ kind: "no longer in images.ts" }];
    if (!component.old || !component.new) {
        const from = renamedFrom(group, all);
        return [from === undefined ? { kind: "first build" } : { kind: "image renamed", from }];
    }
    const [before, after] = [readImage(component.old.inputs), readImage(component.new.inputs)];
    const said = unique([
        ...builds.filter(changes).flatMap((step) => endedCauses(before, step)),
        ...imageCauses(before, after),
        ...builds.flatMap(buildCauses),
        ...builds.flatMap((step) => parentCauses(after, step)),
        ...(action === "rebuild"
            ? movedParents(group, all).map((parent) => ({ kind: "parent from elsewhere", parent }) as const)
            : []),
        ...placeCauses(group),
        ...(tests.some(changes) ? testCauses(before, after) : []),
    ]);
    if (said.length > 0) return said;
    if (builds.some((step) => step.op === "create")) return [{ kind: "first build" }];
    if (action === "retag") return [{ kind: "not promoted yet" }];
    if (action === "retest") return [{ kind: "not tested yet" }];
    if (action !== "rebuild") return [];
    const settings = unique(builds.flatMap((step) => settingCauses(before, step)));
    const names = [...new Set(builds.filter(changes).flatMap(({ reasons }) => reasons))];
    return settings.length > 0 || names.length === 0 ? settings : [{ kind: "properties changed", names }];
}

const anywayCause = (done: readonly WorkInAnyCase[]): Cause => ({
    kind: "in any case",
    tests: done.includes("test"),
    promotion: done.includes("promotion"),
});

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
    const { roots, frontend } = readImage((component.new ?? component.old)?.inputs);
    const [root] = Object.keys(roots).filter((one) => one !== frontend);
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
            ...(isLost ? [{ kind: "lost in the registry" } as const] : []),
            ...causesOf(group, action, all),
            ...(anyway.length > 0 ? [anywayCause(anyway)] : []),
            ...dependsOn.map((parent) => ({ kind: "parent decides", parent }) as const),
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
