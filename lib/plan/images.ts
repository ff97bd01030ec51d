import { buildCauses, layerCauses, parentCauses, promotionCauses, settingCauses, testCauses } from "./causes";
import { listOf, textsOf } from "./differences";
import { type Action, type Cause, type ImagePlan, type PlatformPlan, actions } from "./plan";
import { type Step, sameWhereKnown } from "./preview";

const layerType = "layered-images:components:ImageLayer";
const imageType = "docker-build:index:Image";
const indexType = "docker-build:index:Index";

/** The resources of one image. */
interface Group {
    readonly image: string;
    readonly layer: Step;
    readonly builds: readonly Step[];
    readonly tests: readonly Step[];
    readonly index: Step | undefined;
}

const changes = (step: Step | undefined): boolean => step !== undefined && step.op !== "same" && step.op !== "read";
const isGone = ({ op }: Step): boolean => op === "delete" || op === "discard";

/** The platform of a build or smoke test. */
const platformOf = ({ new: after, old: before }: Step): string => listOf(after ?? before, "platforms")[0] ?? "";

/** Every build of ours has this argument and no smoke test has (components/platformImage.ts). */
const isTest = ({ new: after, old: before }: Step): boolean => !("INPUT_HASH" in textsOf(after ?? before, "buildArgs"));

/** The resources of each image, in the order in which an update makes the images. */
function groups(steps: readonly Step[]): Group[] {
    return steps
        .filter(({ type }) => type === layerType)
        .map((layer) => {
            const own = steps.filter(({ parent, type }) => type === imageType && parent === layer.name);
            return {
                image: layer.name,
                layer,
                builds: own.filter((step) => !isTest(step)),
                tests: own.filter(isTest),
                index: steps.find(({ type, name }) => type === indexType && name === layer.name),
            };
        });
}

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

const unique = (causes: readonly Cause[]): Cause[] => [...new Set(causes)];

function causesOf(group: Group, action: Action, all: readonly Group[]): Cause[] {
    const { layer, builds, tests, index } = group;
    if (action === "unchanged") return [];
    if (action === "remove") return ["no longer in images.ts; what was published stays"];
    const { old: before, new: after } = layer;
    if (!before || !after) {
        const from = renamedFrom(group, all);
        return [from === undefined ? "first build" : `renamed from ${from}`];
    }
    const said = unique([
        ...layerCauses(before, after),
        ...builds.flatMap(buildCauses),
        ...builds.flatMap((step) => parentCauses(after, step)),
        ...(index ? promotionCauses(index) : []),
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

function planImage(group: Group, all: readonly Group[], missing: ReadonlySet<string>): ImagePlan {
    const { image, layer, builds, tests, index } = group;
    const isLost = ({ old: before }: Step) => {
        const digest = before?.outputs.digest;
        return typeof digest === "string" && missing.has(digest);
    };
    const platforms: PlatformPlan[] = builds.map((step) => {
        const action = buildAction(step);
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
    const pendingParent = parents.find((key) => all.find((one) => one.image === key)?.builds.some(changes));
    return {
        image,
        ...(parent === undefined ? root !== undefined && { root } : { parent }),
        ...(copiesFrom.length > 0 && { copiesFrom }),
        action,
        platforms,
        causes:
            action === "maybe"
                ? [...causes, ...(pendingParent === undefined ? [] : [`parent ${pendingParent}`])]
                : causes,
        ...(action === "maybe" && pendingParent !== undefined && { dependsOn: pendingParent }),
    };
}

/** Parents first, those that leave last; siblings by name. */
function inOrder(plans: readonly ImagePlan[]): ImagePlan[] {
    const depth = ({ parent }: ImagePlan, seen = 0): number => {
        const above = plans.find(({ image }) => image === parent);
        return above && seen < plans.length ? 1 + depth(above, seen + 1) : 0;
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
