import { listOf, type Step, sameWhereKnown } from "../engine/preview";
import { namedImages } from "../engine/resources";
import { digestOf } from "../registry/references";
import { type Group, changes, isGone, platformOf } from "./groups";

/** Work on an image that is done even if the image is not built. */
export type WorkInAnyCase = "test" | "promotion";

/** Whether a test would run. */
export const runs = (test: Step): boolean => changes(test) && !isGone(test);

/** Returns by platform the digests that builds of an image pushed last; removed builds are left out. */
function builtDigests(builds: readonly Step[]): ReadonlyMap<string, string> {
    return new Map(
        builds.flatMap((step) => {
            const digest = step.old?.outputs.digest;
            return !isGone(step) && typeof digest === "string" ? [[platformOf(step), digest] as const] : [];
        }),
    );
}

/** Whether a resource is created again, or differs in values that are known before the update. */
const isCertain = ({ op, old: before, new: after }: Step): boolean =>
    op !== "update" || !before || !after || !sameWhereKnown(before.inputs, after.inputs);

/**
 * Returns the digests on which a test last passed, from the state: a failed test keeps the digests of its last success.
 */
function testedDigests({ old: before }: Step): string[] {
    return Object.values(namedImages(before?.inputs ?? {})).flatMap((ref) => digestOf(ref) ?? []);
}

/**
 * Whether the index of an image certainly changes, even if none of its builds gets another digest: the last build is
 * not promoted yet, or a platform is added or removed.
 */
export function hasOtherSources(group: Group): boolean {
    const { old: before, new: after } = group.index ?? {};
    if (!before || !after || !changes(group.index)) return false;
    // A repeated build may result in the promoted digest again.
    const kept = group.builds.filter((step) => !changes(step));
    return !sameWhereKnown(before.inputs.sources, after.inputs.sources) || isUnpromoted(group, kept);
}

/** Whether the last push of these builds is missing from the image's index. */
function isUnpromoted({ index }: Group, builds: readonly Step[]): boolean {
    const promoted = index?.old ? listOf(index.old, "sources").map((source) => digestOf(source) ?? source) : [];
    return [...builtDigests(builds).values()].some((digest) => !promoted.includes(digest));
}

/** Whether the promotion changes whether or not builds are done: because of another tag, or other sources. */
const isPromotedAnyway = (group: Group): boolean =>
    group.index !== undefined &&
    changes(group.index) &&
    !isGone(group.index) &&
    (isCertain(group.index) || isUnpromoted(group, group.builds));

/**
 * Returns the work on an image whose builds depend on a parent's digest that is done whether or not it is built: tests
 * that changed or have not passed on the last build, and its promotion. Only a build that results in the promoted
 * digest again needs neither.
 */
export function inAnyCase(group: Group): WorkInAnyCase[] {
    const built = builtDigests(group.builds);
    const isTested = group.tests.filter(runs).some((test) => {
        const digest = built.get(platformOf(test));
        return isCertain(test) || (digest !== undefined && !testedDigests(test).includes(digest));
    });
    return [...(isTested ? (["test"] as const) : []), ...(isPromotedAnyway(group) ? (["promotion"] as const) : [])];
}
