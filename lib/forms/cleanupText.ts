import type { PlaceReport, RemovableEntry, RemovalReport } from "../cleanup/cleanup";
import { size } from "../system/progress";
import { shortDigest } from "../registry/references";

/** What `gc` found and did: what `--json` prints. */
export interface CleanupReport {
    readonly stack: string;
    /** Newest releases of each image that are kept, and the days for which every release is kept. */
    readonly keepReleases: number;
    readonly keepDays: number;
    readonly repositories: readonly PlaceReport[];
    /** What was removed, by repository; absent if nothing was to be removed (no `--yes`). */
    readonly removals?: readonly RemovalReport[];
    /** Bytes that the lab's registry took less on disk afterwards; absent for other registries, whose storage is their own. */
    readonly freedOnDisk?: number;
}

const day = 24 * 60 * 60 * 1000;

const counted = (number: number, one: string, many = `${one}s`): string => `${number} ${number === 1 ? one : many}`;

/** Formats an age: "today", "1 day", "45 days". */
function age(since: string | undefined, now: number): string {
    if (since === undefined) return "";
    const days = Math.floor((now - Date.parse(since)) / day);
    return days < 1 ? "today" : counted(days, "day");
}

const bytesOf = (entries: readonly RemovableEntry[]): number => entries.reduce((sum, { bytes }) => sum + bytes, 0);

const titles = ["image", "what", "tags", "digest", "age", "size"];

/** The names of the images in a repository, or the repository's if none is published there. */
const nameOf = ({ images, repository }: PlaceReport): string => images.join(", ") || repository;

const rowsOf = (place: PlaceReport, now: number): string[][] =>
    place.removable.map(({ kind, tags, digest, since, bytes }) => [
        nameOf(place),
        kind,
        tags.join(" "),
        shortDigest(`@${digest}`),
        age(since, now),
        size(bytes),
    ]);

function tableLines(rows: readonly (readonly string[])[]): string[] {
    const widths = titles.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
    return rows.map((row) =>
        row
            .map((cell, at) =>
                at === titles.length - 1 ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0),
            )
            .join("  ")
            .trimEnd(),
    );
}

/** Summarises a repository: what is kept and why, and what can go. */
function placeLine(place: PlaceReport): string {
    const { repository, manifests, kept, removable, problem } = place;
    if (problem !== undefined) return `${repository}: nothing is removed, because its content is not known: ${problem}`;
    const reasons = new Map<string, number>();
    for (const [reason, count] of Object.entries(kept)) {
        const group = reason.startsWith("tag ") ? "tagged by others" : reason;
        reasons.set(group, (reasons.get(group) ?? 0) + count);
    }
    const why = [...reasons].map(([reason, count]) => `${count} ${reason}`).join(", ");
    const number = counted(manifests, "manifest");
    const keeps = manifests - removable.length;
    return `${repository}: ${number}, ${keeps} kept${why === "" ? "" : ` (${why})`}, ${removable.length} removable, ${size(bytesOf(removable))}`;
}

/**
 * Renders what may be removed: a line for each manifest, then for each repository what is kept and why.
 *
 * @param now milliseconds since 1970
 */
export function cleanupText({ stack, keepReleases, keepDays, repositories }: CleanupReport, now: number): string {
    const rows = repositories.flatMap((place) => rowsOf(place, now));
    const all = repositories.flatMap(({ removable }) => removable);
    return [
        ...(rows.length > 0 ? [...tableLines([titles, ...rows]), ""] : []),
        ...repositories.map(placeLine),
        "",
        `stack ${stack}: ${counted(all.length, "manifest")} removable, ${size(bytesOf(all))}; kept besides what is in use: ` +
            `${counted(keepReleases, "release")} of each image, and those of ${counted(keepDays, "day")}`,
        "",
    ].join("\n");
}

/** Renders what was removed. */
export function removalText({ removals = [], freedOnDisk }: CleanupReport): string {
    const total = removals.reduce((sum, { removed }) => sum + removed.length, 0);
    const lines = removals.flatMap(({ repository, spared, refused, problem }) => [
        ...(spared.length > 0
            ? [`${repository}: ${counted(spared.length, "manifest")} kept, because something names it by now`]
            : []),
        ...refused.map(({ digest, reason }) => `${repository}@${shortDigest(`@${digest}`)} stays: ${reason}`),
        ...(problem === undefined ? [] : [`${repository}: the removal ended early: ${problem}`]),
    ]);
    const disk = freedOnDisk === undefined ? "" : `, ${size(freedOnDisk)} freed on disk`;
    return [...lines, `removed ${counted(total, "manifest")}${disk}`, ""].join("\n");
}
