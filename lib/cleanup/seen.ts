import { readFileSync } from "node:fs";
import { z } from "zod";
import { replaceFile } from "../system/files";
import type { StoredManifest } from "../registry/retention";
import { historyFile } from "../update/history";

/* Registries do not tell when a manifest was pushed, and its own date says nothing, because builds are reproducible. So the first sight of
   it counts, which is later and keeps it longer. */

const schema = z.record(z.string(), z.record(z.string(), z.number()));

/** When manifests were first seen: milliseconds since 1970, by digest, by "registry/repository". */
export type Seen = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Returns the path of the file with the dates, beside the recorded updates of the stack. Parameters as of `historyFile`. */
export const seenFile = (stack: string, env: NodeJS.ProcessEnv, root: string): string =>
    historyFile(stack, env, root).replace(/\.json$/, ".seen.json");

/** Reads the dates. Those of a file that is missing or damaged are not known, so everything is as if first seen now. */
export function readSeen(file: string): Seen {
    try {
        return schema.parse(JSON.parse(readFileSync(file, "utf8")));
    } catch {
        return {};
    }
}

/** Writes the dates. Manifests that are gone are no longer in them. */
export const writeSeen = (file: string, seen: Seen): void => {
    replaceFile(file, `${JSON.stringify(seen, null, 1)}\n`);
};

/**
 * Completes the dates of manifests: of those without one, when they were first seen.
 *
 * @param dates of the same repository
 * @param now milliseconds since 1970
 */
export const withDates = (
    manifests: readonly StoredManifest[],
    dates: Seen[string] | undefined,
    now: number,
): StoredManifest[] =>
    manifests.map((manifest) => ({
        ...manifest,
        since: manifest.since ?? Math.min(dates?.[manifest.digest] ?? now, now),
    }));

/** Returns the dates to write down for these manifests. */
export const datesOf = (manifests: readonly StoredManifest[]): Seen[string] =>
    Object.fromEntries(
        manifests.flatMap(({ digest, since }) => (since === undefined ? [] : [[digest, since] as const])),
    );
