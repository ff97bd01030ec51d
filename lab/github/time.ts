/** The time as GitHub writes it: to the second. */
export const timestamp = (at = new Date()): string => `${at.toISOString().slice(0, 19)}Z`;

/** A timestamp that differs from the one before it, as a change a second later has. */
export function laterThan(before: string, at = new Date()): string {
    return timestamp(new Date(Math.max(at.getTime(), Date.parse(before) + 1000)));
}
