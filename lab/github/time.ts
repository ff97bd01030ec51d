/** Formats the time as GitHub does, with a resolution of one second. */
export const timestamp = (at = new Date()): string => `${at.toISOString().slice(0, 19)}Z`;

/** Returns a timestamp that differs from the previous one, like the time of a change one second later. */
export function laterThan(before: string, at = new Date()): string {
    return timestamp(new Date(Math.max(at.getTime(), Date.parse(before) + 1000)));
}
