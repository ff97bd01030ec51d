import { type ResourceState, type Step, listOf, textOf } from "../engine/preview";
import { readImage, releaseTagsIn } from "../engine/resources";
import { type Plans, decides, movedParents, parentsOf, type Action, actions, type PlatformPlan } from "./builds";
import {
    type Cause,
    buildCauses,
    listCauses,
    endedCauses,
    imageCauses,
    parentCauses,
    placeCauses,
    placeOf,
    stackCauses,
    settingCauses,
    testCauses,
    unique,
} from "./causes";
import { type Group, type GroupsByImage, changes, groupsByImage, isGone, platformOf } from "./groups";
import { type WorkInAnyCase, inAnyCase, runs } from "./inAnyCase";

/** The pending work of an image. */
export interface ImagePlan {
    /** Key in `images.ts`. */
    readonly image: string;
    /** Key of the image that it is built FROM; absent if its base image is a root. */
    readonly parent?: string;
    /** Keys of other images of the hierarchy that its Dockerfile copies files from; absent if it has none. */
    readonly copiesFrom?: readonly string[];
    /** Its root, as Dockerfiles write it; absent if it is built FROM an image of the hierarchy. */
    readonly root?: string;
    /** The most urgent of its platforms' actions. */
    readonly action: Action;
    readonly platforms: readonly PlatformPlan[];
    readonly causes: readonly Cause[];
    /** For a `maybe` image: the work that is done even if it is not built. Absent if empty. */
    readonly inAnyCase?: readonly WorkInAnyCase[];
    /** The release that replaces its builds: "r-<12 hex>"; absent if it is not pinned. */
    readonly pinned?: string;
    /** Whether a pinned image would be built without its pin, because the state has no build of what the checkout has. */
    readonly changedSincePinned?: boolean;
    /** For a `maybe` platform: keys of the images whose digests decide; a change of any of them is enough. */
    readonly dependsOn?: readonly string[];
}

/** Returns the files and Dockerfile of an image, as a text to compare. */
function contentOf({ component: { new: after, old: before } }: Group): string {
    const { dockerfile = {}, inputs } = readImage((after ?? before)?.inputs);
    return JSON.stringify([dockerfile, inputs]);
}

/** All images of a plan. */
interface All {
    readonly byImage: GroupsByImage;
    /**
     * The removed images by their files and Dockerfile. A new image that has the same was renamed: the engine sees a changed
     * key as a removal and an addition.
     */
    readonly removed: ReadonlyMap<string, string>;
}

/**
 * Returns the causes for resources that only leave the state: a platform of an image that is never pushed, smoke tests,
 * or tags of releases.
 */
function forgottenCauses(group: Group): Cause[] {
    const { builds, tests } = group;
    const { old: before, new: after } = group.component;
    const { elsewhere = {} } = readImage(after?.inputs);
    const isHere = (step: Step) => elsewhere[platformOf(step)] === undefined;
    const isTestGone = tests.filter(isHere).some(isGone);
    const changedTests =
        before && after && isTestGone ? testCauses(readImage(before.inputs), readImage(after.inputs)) : [];
    return [
        ...builds
            .filter((step) => isGone(step) && isHere(step))
            .map((step): Cause => ({ kind: "entry removed", of: "platform", name: platformOf(step) })),
        ...(before && after ? stackCauses(readImage(before.inputs), readImage(after.inputs)) : []),
        ...(isTestGone && changedTests.length === 0 ? [{ kind: "smoke tests removed" } as const] : changedTests),
        ...tagCauses(group),
    ];
}

/**
 * Returns the causes for tags that a release gets in addition, or gets no longer. A new release gets all of them, and needs no cause for
 * that.
 */
function tagCauses({ index, otherIndexes, commands }: Group): Cause[] {
    if (changes(index)) return [];
    const tagOf = (state: ResourceState | undefined) => (state ? textOf(state, "tag") : "");
    const moved = otherIndexes.filter(changes);
    const place = index?.new ? `${placeOf(tagOf(index.new))}:` : "";
    const named = (tag: string) => (place !== "" && tag.startsWith(place) ? tag.slice(place.length) : tag);
    const indexCauses = moved.flatMap((step) => {
        const [before, after] = [tagOf(step.old), isGone(step) ? "" : tagOf(step.new)].map(named);
        return listCauses("tag", before ? [before] : [], after ? [after] : []);
    });
    const commandCauses = commands.filter(changes).flatMap(({ old: was, new: is }) => {
        const [before = [], after = []] = [was, is].map((state) => releaseTagsIn(state?.inputs));
        const changed = listCauses("tag", before, after);
        return changed.length > 0 ? changed : listCauses("tag", [], after);
    });
    return unique([...indexCauses, ...commandCauses]);
}

/** Returns the causes for builds of other stacks that have another digest than the ones that are promoted, although the stack and the inputs are the same. */
function againCauses({ component, index }: Group): Cause[] {
    const [was, is] = [index?.old, index?.new].map((state) => (state ? listOf(state, "sources") : []));
    const { platforms, elsewhere = {} } = readImage(component.new?.inputs);
    if (was?.length !== platforms.length || is?.length !== platforms.length) return [];
    return platforms.flatMap((platform, at) => {
        const stack = elsewhere[platform];
        return stack === undefined || was[at] === is[at]
            ? []
            : { kind: "built again by another stack", platform, stack };
    });
}

/** Whether the state keeps no build of a pinned image for one of its platforms. */
function isOutdated({ component, builds }: Group): boolean {
    const { platforms, elsewhere = {} } = readImage(component.new?.inputs);
    return builds.filter((step) => !isGone(step)).length < platforms.length - Object.keys(elsewhere).length;
}

/** Returns the cause of a pin that an image has, or had. */
function pinCauses(group: Group): Cause[] {
    const { old: before, new: after } = group.component;
    const [from, to] = [before, after].map((state) => readImage(state?.inputs).pin?.release);
    if (to !== undefined) return [{ kind: "pinned", to, changed: isOutdated(group) }];
    return from === undefined ? [] : [{ kind: "no longer pinned", from }];
}

function causesOf(group: Group, action: Action, all: All): Cause[] {
    const { component, builds, tests } = group;
    if (action === "remove") return [{ kind: "no longer in images.ts" }];
    const pins = pinCauses(group);
    // The inputs of a pinned image have no effect.
    if (pins.some(({ kind }) => kind === "pinned")) return [...pins, ...tagCauses(group)];
    if (action === "unchanged") return [...pins, ...forgottenCauses(group)];
    if (pins.length > 0 && action === "retag") return pins;
    if (!component.old || !component.new) {
        const from = all.removed.get(contentOf(group));
        // Everything of it is there already.
        const others = builds.length === 0 ? stackCauses(readImage(), readImage(component.new?.inputs)) : [];
        if (others.length > 0 && from === undefined) return others;
        return [from === undefined ? { kind: "first build" } : { kind: "image renamed", from }];
    }
    // An update that failed early writes the component before it builds anything: what changed since then is no cause.
    // What another stack built before was there, without a resource of this stack.
    const { elsewhere: taken = {} } = readImage(component.old.inputs);
    const isNew = (step: Step) => step.op === "create" && taken[platformOf(step)] === undefined;
    const isFirst = builds.length > 0 && builds.every(isNew);
    if (isFirst) return pins.length > 0 ? [...pins, { kind: "changed while pinned" }] : [{ kind: "first build" }];
    const [before, after] = [readImage(component.old.inputs), readImage(component.new.inputs)];
    const visible = unique([
        ...pins,
        ...builds.filter(changes).flatMap((step) => endedCauses(before, step)),
        ...imageCauses(before, after),
        ...builds.flatMap(buildCauses),
        ...builds.flatMap((step) => parentCauses(after, step)),
        ...(action === "rebuild"
            ? movedParents(group, all.byImage).map((parent) => ({ kind: "parent from elsewhere", parent }) as const)
            : []),
        ...placeCauses(group),
        ...stackCauses(before, after),
        ...(tests.some(changes) ? testCauses(before, after) : []),
        ...tagCauses(group),
    ]);
    if (visible.length > 0) return visible;
    // An update that failed built it for another platform.
    if (builds.some((step) => step.op === "create")) return [{ kind: "first build" }];
    if (action === "retag") {
        const again = againCauses(group);
        return again.length > 0 ? again : [{ kind: "not promoted yet" }];
    }
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

function planImage(group: Group, all: All, plans: Plans): ImagePlan {
    const { image, component, tests, index, otherIndexes, commands } = group;
    const platforms = plans.get(image) ?? [];
    // The removal of a single platform is not an action of the image: it changes the index and is listed as a cause.
    const buildActions = isGone(component)
        ? ["remove" as const]
        : platforms.map((platform) => platform.action).filter((buildAction) => buildAction !== "remove");
    const built = mostUrgent(buildActions);
    const rest =
        changes(index) || [...otherIndexes, ...commands].some(runs)
            ? "retag"
            : tests.some(runs)
              ? "retest"
              : "unchanged";
    const action = built === "unchanged" ? rest : built;
    const { pin } = readImage(component.new?.inputs);
    const { roots, frontend } = readImage((component.new ?? component.old)?.inputs);
    const [root] = Object.keys(roots).filter((name) => name !== frontend);
    const [parent, ...copiesFrom] = parentsOf(group);
    const isLost = platforms.some((platform) => platform.action === "recreate");
    const anyway = action === "maybe" ? inAnyCase(group) : [];
    const dependsOn = parentsOf(group).filter((key) => decides(plans.get(key) ?? [], platforms));
    return {
        image,
        ...(parent === undefined ? root !== undefined && { root } : { parent }),
        ...(copiesFrom.length > 0 && { copiesFrom }),
        action,
        platforms,
        ...(pin && { pinned: pin.release, ...(isOutdated(group) && { changedSincePinned: true }) }),
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

/** Sorts parents first, removed images last; images of the same depth by name. */
function inOrder(plans: readonly ImagePlan[]): ImagePlan[] {
    const depths = new Map<string, number>();
    const byImage = new Map(plans.map((plan) => [plan.image, plan]));
    const depth = ({ image, parent, copiesFrom = [] }: ImagePlan): number => {
        const computed = depths.get(image);
        if (computed !== undefined) return computed;
        // The engine refuses a cycle; a state that was edited by hand must not cause an endless recursion.
        depths.set(image, 0);
        const parents = [...(parent === undefined ? [] : [parent]), ...copiesFrom].flatMap(
            (key) => byImage.get(key) ?? [],
        );
        const imageDepth = Math.max(0, ...parents.map((plan) => 1 + depth(plan)));
        depths.set(image, imageDepth);
        return imageDepth;
    };
    const rank = (plan: ImagePlan) => (plan.action === "remove" ? plans.length : depth(plan));
    return [...plans].sort((a, b) => rank(a) - rank(b) || (a.image < b.image ? -1 : 1));
}

/**
 * Plans each image.
 *
 * @param plans the plans of their builds
 */
export function planImages(groups: readonly Group[], plans: Plans): ImagePlan[] {
    const gone = groups.filter(({ component }) => isGone(component));
    // Of several removed images with the same content, the first is the last to be set.
    const removed = new Map(gone.reverse().map((group) => [contentOf(group), group.image]));
    const all = { byImage: groupsByImage(groups), removed };
    return inOrder(groups.map((group) => planImage(group, all, plans)));
}
