import { spawnSync } from "node:child_process";
import { z } from "zod";
import { hash12 } from "../context/hash";
import type { Properties } from "./resources";

/* The releases of an image that its promotion keeps in the state: nothing else records them on every backend. */

/** A release that was promoted. */
const release = z.object({
    /** Its own tag: "r-<12 hex>". */
    release: z.string(),
    /** "sha256:…" of its index. */
    digest: z.string(),
    /** When it was promoted last: ISO 8601, UTC. Absent if it was promoted before updates recorded it. */
    date: z.string().optional(),
    /** The checkout's commit, 40 hex; absent if there was none, or like `date`. */
    commit: z.string().optional(),
    /** First 12 hex of the digests of the images that it was built on, by platform; absent if it was built on none, or like `date`. */
    on: z.array(z.string()).optional(),
});

/** A release that was promoted: its tag, digest, date and commit, and the images that it was built on. */
export interface PromotedBefore {
    readonly release: string;
    readonly digest: string;
    readonly date?: string;
    readonly commit?: string;
    readonly on?: readonly string[];
}

/**
 * Returns the tag of a release: "r-<12 hex>". Equal builds, in the same order, are the same release.
 *
 * @param digests of its builds
 */
export const releaseName = (digests: readonly string[]): string => `r-${hash12(digests)}`;

/** How many releases of an image the state keeps. Each takes some 200 bytes. */
export const keptReleases = 20;

/** Returns the releases in the outputs of a promotion's component, the newest first; empty if it has none. */
export const readReleases = ({ releases }: Properties = {}): readonly PromotedBefore[] =>
    (z.array(release).safeParse(releases).data ?? []) as PromotedBefore[];

/**
 * Returns the releases after a promotion, the newest first. A release that is promoted again comes first again, with its new date and commit;
 * one that stays promoted keeps its place and its date.
 *
 * @param before the releases before it
 * @param former the digest that the image's tag was promoted to before; undefined if there was none
 * @param now the promoted release
 * @param when returns date and commit; called only if the tag moves
 */
export function withPromoted(
    before: readonly PromotedBefore[],
    former: string | undefined,
    now: Pick<PromotedBefore, "release" | "digest" | "on">,
    when: () => Pick<PromotedBefore, "date" | "commit">,
): readonly PromotedBefore[] {
    const isKnown = before.some(({ digest }) => digest === now.digest);
    if (now.digest === former && isKnown) return before;
    const others = before.filter(({ digest }) => digest !== now.digest);
    return [{ ...now, ...(now.digest !== former && when()) }, ...others].slice(0, keptReleases);
}

/**
 * Returns the date of a promotion that happens now, and the checkout's commit.
 *
 * @param root of the checkout
 */
export function momentOfPromotion(root: string = process.cwd()): Pick<PromotedBefore, "date" | "commit"> {
    const { status, stdout } = spawnSync("git", ["rev-parse", "--verify", "HEAD"], { encoding: "utf8", cwd: root });
    return { date: new Date().toISOString(), ...(status === 0 && { commit: stdout.trim() }) };
}
