/**
 * How a stack is brought back in step with what was found.
 *
 * - `replace`: `up --replace <urn>`. It makes a thing anew from the program, whatever is there: what was lost in a registry,
 *   or is looked up there by name (an Index, which a refresh would let adopt a foreign digest). What it is made from and was lost
 *   too is made before it (`from`); a registry that remembers what it lost is started anew first (`restart`).
 * - `refresh`: `up --refresh --target <urn>`. It looks at the one thing and then puts it right: what GitHub tells in full.
 * - `up`: nothing beyond an `up`.
 * - `command`: any other, exactly as a shell takes it.
 */
export type Repair =
    | { readonly by: "replace"; readonly urn: string; readonly from?: readonly string[]; readonly restart?: boolean }
    | { readonly by: "refresh"; readonly urn: string }
    | { readonly by: "up" }
    | { readonly by: "command"; readonly command: string };

/** Something that was found when the state was compared with reality. */
export interface Finding {
    /** `drift`: they differ. `unknown`: it could not be asked. `note`: worth knowing, and no difference. */
    readonly kind: "drift" | "unknown" | "note";
    /** What it is about: "image base", "secret DISCORD_TOKEN", "registry ghcr.io". */
    readonly about: string;
    readonly text: string;
    readonly repair?: Repair;
}

/** What came of a question to a registry or GitHub: what is there (undefined: nothing), or why it is not known. */
export type Answer<T> = { readonly found: T | undefined } | { readonly unknown: string };

/** Exit codes of `npm run status`, for what was found: a difference outweighs what could not be asked. */
export function exitCode(findings: readonly Finding[]): 0 | 1 | 2 {
    const some = (kind: Finding["kind"]) => findings.some((finding) => finding.kind === kind);
    return some("drift") ? 2 : some("unknown") ? 1 : 0;
}

/**
 * What could not be asked, a finding for each reason instead of one for each question.
 *
 * @param failed what was wanted and why it is not known
 */
export function unknownFindings(
    about: string,
    failed: readonly { readonly what: string; readonly reason: string }[],
): Finding[] {
    const byReason = new Map<string, string[]>();
    for (const { what, reason } of failed) byReason.set(reason, [...(byReason.get(reason) ?? []), what]);
    return [...byReason].map(([reason, whats]) => ({
        kind: "unknown",
        about,
        text: `${reason} (wanted: ${[...new Set(whats)].join(", ")})`,
    }));
}
