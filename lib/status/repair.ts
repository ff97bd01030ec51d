import type { Finding, Repair } from "./findings";

/** Whose commands are named: the lab's own, or plain Pulumi's for a stack. */
export interface Commands {
    readonly stack: string;
    readonly isLab: boolean;
    /** Whether CI runs the stack: what its file says counts once it is on the branch that CI checks out. */
    readonly isCi: boolean;
}

/** A word for a POSIX shell. */
export const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

function up({ stack, isLab }: Commands, options: readonly string[]): string {
    if (!isLab) return ["pulumi up --stack", quote(stack), ...options].join(" ");
    return ["npm run up", ...(options.length > 0 ? ["--", ...options] : [])].join(" ");
}

const replacing = (urns: readonly string[]) => urns.map((urn) => `--replace ${quote(urn)}`);
const refreshing = (urns: readonly string[]) => ["--refresh", ...urns.map((urn) => `--target ${quote(urn)}`)];

/** The command that repairs one thing, as a shell takes it in the repository's root. */
export function repairCommand(commands: Commands, repair: Repair): string {
    switch (repair.by) {
        case "replace":
            return up(commands, replacing([repair.urn]));
        case "refresh":
            return up(commands, refreshing([repair.urn]));
        case "up":
            return up(commands, []);
        case "command":
            return repair.command;
    }
}

/** The fewest commands that repair all drift, in order. */
export function repairAll(commands: Commands, findings: readonly Finding[]): string[] {
    const repairs = findings.flatMap(({ kind, repair }) => (kind === "drift" && repair ? [repair] : []));
    const urns = (by: "replace" | "refresh") =>
        repairs.flatMap((repair) => (repair.by === by ? [(repair as { urn: string }).urn] : []));
    const [replaced, refreshed] = [urns("replace"), urns("refresh")];
    return [
        ...repairs.flatMap((repair) => (repair.by === "command" ? [repair.command] : [])),
        // First what is only looked at and put right: an `up` over a workflow file that others changed fails.
        ...(refreshed.length > 0 ? [up(commands, refreshing(refreshed))] : []),
        ...(replaced.length > 0 ? [up(commands, replacing(replaced))] : []),
        ...(replaced.length === 0 && repairs.some(({ by }) => by === "up") ? [up(commands, [])] : []),
    ];
}
