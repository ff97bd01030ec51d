/**
 * The repair that brings the stack and reality back in step.
 *
 * - `replace`: `up --replace <urn>`. It creates a resource again from the program, regardless of its current state: for
 *   resources that a registry lost, or that are looked up there by name (an Index, which would adopt a foreign digest
 *   in a refresh). Lost sources of the resource are created before it (`from`); a registry that still reports lost
 *   blobs as present is restarted first (`restart`).
 * - `refresh`: `up --refresh --target <urn>`. It reads a single resource and then restores it: for resources whose
 *   content GitHub returns completely.
 * - `up`: a plain `up`.
 * - `command`: another command, in shell syntax.
 */
export type Repair =
    | { readonly by: "replace"; readonly urn: string; readonly from?: readonly string[]; readonly restart?: boolean }
    | { readonly by: "refresh"; readonly urn: string }
    | { readonly by: "up" }
    | { readonly by: "command"; readonly command: string };

/** A result of the comparison between the state and reality. */
export interface Finding {
    /** `drift`: they differ. `unknown`: the query failed. `note`: information that is not a difference. */
    readonly kind: "drift" | "unknown" | "note";
    /** The subject: "image base", "secret DISCORD_TOKEN", "registry ghcr.io". */
    readonly about: string;
    readonly text: string;
    readonly repair?: Repair;
}

/** The answer of a registry or GitHub: the object (undefined if it does not exist), or the reason why it is unknown. */
export type Answer<T> = { readonly found: T | undefined } | { readonly unknown: string };

/** Returns the exit code of `npm run status` for these findings: a difference takes precedence over a failed query. */
export function exitCode(findings: readonly Finding[]): 0 | 1 | 2 {
    const some = (kind: Finding["kind"]) => findings.some((finding) => finding.kind === kind);
    return some("drift") ? 2 : some("unknown") ? 1 : 0;
}

/**
 * Returns the findings for failed queries, one per reason instead of one per query.
 *
 * @param failed the subject of each query and the reason of its failure
 */
export function unknownFindings(
    about: string,
    failed: readonly { readonly what: string; readonly reason: string }[],
): Finding[] {
    const byReason = new Map<string, string[]>();
    for (const { what, reason } of failed) byReason.set(reason, [...(byReason.get(reason) ?? []), what]);
    return [...byReason].map(([reason, subjects]) => ({
        kind: "unknown",
        about,
        text: `${reason} (wanted: ${[...new Set(subjects)].join(", ")})`,
    }));
}
