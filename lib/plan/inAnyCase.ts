import { listOf, type Step, sameWhereKnown } from "../engine/preview";
import { namedImages } from "../engine/resources";
import { digestOf } from "../registry/references";
import { type Group, changes, isGone, platformOf } from "./groups";

/** What is done to an image that may not be built. */
export type WorkInAnyCase = "test" | "promotion";

/** Tests that would run. */
export const runs = (test: Step): boolean => changes(test) && !isGone(test);

/** Digests by platform of what builds of an image pushed last; those that leave are left out. */
function builtDigests(builds: readonly Step[]): ReadonlyMap<string, string> {
    return new Map(
        builds.flatMap((step) => {
            const digest = step.old?.outputs.digest;
            return !isGone(step) && typeof digest === "string" ? [[platformOf(step), digest] as const] : [];
        }),
    );
}

/** Whether a resource is made anew, or differs in what is known before the update. */
const isCertain = ({ op, old: before, new: after }: Step): boolean =>
    op !== "update" || !before || !after || !sameWhereKnown(before.inputs, after.inputs);

/** What a test ran on last, by the state: one that failed has what it passed on before. */
function testedDigests({ old: before }: Step): string[] {
    return Object.values(namedImages(before?.inputs ?? {})).flatMap((ref) => digestOf(ref) ?? []);
}

/**
 * Whether the index of an image certainly becomes another, though none of its builds may get another digest: what was built last
 * is not promoted yet, or a platform comes or goes.
 */
export function hasOtherSources(group: Group): boolean {
    const { old: before, new: after } = group.index ?? {};
    if (!before || !after || !changes(group.index)) return false;
    // A build that is done again may come back to the digest that is promoted.
    const kept = group.builds.filter((step) => !changes(step));
    return !sameWhereKnown(before.inputs.sources, after.inputs.sources) || isUnpromoted(group, kept);
}

/** Whether these builds of an image pushed last what its index does not hold. */
function isUnpromoted({ index }: Group, builds: readonly Step[]): boolean {
    const promoted = index?.old ? listOf(index.old, "sources").map((source) => digestOf(source) ?? source) : [];
    return [...builtDigests(builds).values()].some((digest) => !promoted.includes(digest));
}

/** Whether the promoted tag moves whether or not builds are done: it is another, or what it points at is. */
const isPromotedAnyway = (group: Group): boolean =>
    group.index !== undefined &&
    changes(group.index) &&
    !isGone(group.index) &&
    (isCertain(group.index) || isUnpromoted(group, group.builds));

/**
 * What is done to an image whose builds wait for a parent's digest, whether or not they are done: tests that are others now, or
 * have not passed on what was built last, and its promotion. Only a build that comes back to what is promoted needs neither.
 */
export function inAnyCase(group: Group): WorkInAnyCase[] {
    const built = builtDigests(group.builds);
    const isTested = group.tests.filter(runs).some((test) => {
        const digest = built.get(platformOf(test));
        return isCertain(test) || (digest !== undefined && !testedDigests(test).includes(digest));
    });
    return [...(isTested ? (["test"] as const) : []), ...(isPromotedAnyway(group) ? (["promotion"] as const) : [])];
}
