import { z } from "zod";

/** How often `bump` schedules a rebuild of an image, for what its Dockerfile downloads without naming a version. */
export const rebuildIntervals = ["daily", "weekly", "monthly"] as const;
export type RebuildInterval = (typeof rebuildIntervals)[number];

const day = 86_400_000;

/** Returns the ISO 8601 week of a date, such as "2026-W48": a week belongs to the year that has its Thursday. */
function weekOf(date: Date): string {
    const thursday = new Date(date.getTime() + (3 - ((date.getUTCDay() + 6) % 7)) * day);
    const year = thursday.getUTCFullYear();
    const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / day / 7) + 1;
    return `${year.toString().padStart(4, "0")}-W${week.toString().padStart(2, "0")}`;
}

/** Returns the period in UTC that contains a time: a day ("2026-11-27"), a week ("2026-W48") or a month ("2026-11"). */
export function periodOf(interval: RebuildInterval, date: Date): string {
    if (interval === "weekly") return weekOf(date);
    return date.toISOString().slice(0, interval === "daily" ? "2026-11-27".length : "2026-11".length);
}

const forms: readonly (readonly [RebuildInterval, RegExp])[] = [
    ["daily", /^\d{4}-\d\d-\d\d$/],
    ["weekly", /^\d{4}-W\d\d$/],
    ["monthly", /^\d{4}-\d\d$/],
];

/** Returns the interval to which a period belongs; undefined for a text that `periodOf` does not write. */
export const intervalOf = (period: string): RebuildInterval | undefined =>
    forms.find(([, form]) => form.test(period))?.[0];

/** `layered-images:rebuilds`: by image or entry with a matrix, the period of its last scheduled rebuild. It becomes part of a host name. */
export const rebuildsSchema = z.record(
    z.string(),
    z.string().regex(/^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38}[A-Za-z0-9])?$/, {
        error: "not a period such as 2026-W48, in quotes: up to 40 letters, digits and dashes",
    }),
);

/**
 * Returns the extra host ("name:address") that makes BuildKit run the instructions of a build again, once for each period. BuildKit
 * includes the names of extra hosts in the cache key of each RUN (ExecOp.CacheMap), but in no layer, history or configuration of the image,
 * so a build that downloads the same files has the same digest. The other instructions need nothing: BuildKit checks the content of ADD
 * and FROM in every build. The name can't exist (RFC 2606).
 */
export const rebuildHost = (period: string): string => `rebuild-${period.toLowerCase()}.invalid:127.0.0.1`;

/** Environment variable with the images that an update builds without cache: `up --rebuild` sets it for one update. */
export const uncachedVariable = "LAYERED_IMAGES_UNCACHED";

/** Splits a list of images that was typed: names separated by spaces or commas. */
export const namesIn = (text: string): string[] => text.split(/[\s,]+/).filter((key) => key !== "");

/** Returns the names of the images, as typed, that an update with this environment builds without cache. */
export const uncachedIn = (env: NodeJS.ProcessEnv): string[] => namesIn(env[uncachedVariable] ?? "");
