import { quote } from "../system/shell";
import type { Finding, Repair } from "./findings";

/** Whose commands are named: the lab's own, or plain Pulumi's for a stack. */
export interface Commands {
    readonly stack: string;
    readonly isLab: boolean;
    /** Whether CI runs the stack: what its file says counts once it is on the branch that CI checks out. */
    readonly isCi: boolean;
}

type Replacement = Extract<Repair, { by: "replace" }>;

function up({ stack, isLab }: Commands, options: readonly string[]): string {
    if (!isLab) return ["pulumi up --stack", quote(stack), ...options].join(" ");
    return ["npm run up", ...(options.length > 0 ? ["--", ...options] : [])].join(" ");
}

/** Options of one `up` that replaces all of these; the engine goes by what stands on what. */
function replacing(repairs: readonly Replacement[]): string[] {
    const urns = new Set(repairs.flatMap(({ urn, from = [] }) => [...from, urn]));
    return [...urns].map((urn) => `--replace ${quote(urn)}`);
}

/** An `up` that replaces; where the registry has to be started anew first, the lab's is. Another one is not ours to start. */
function replace(commands: Commands, repairs: readonly Replacement[]): string {
    const restart = commands.isLab && repairs.some((one) => one.restart);
    return `${restart ? "npm run down && " : ""}${up(commands, replacing(repairs))}`;
}

const refreshing = (urns: readonly string[]) => ["--refresh", ...urns.map((urn) => `--target ${quote(urn)}`)];

/** The command that repairs one thing, as a shell takes it in the repository's root. */
export function repairCommand(commands: Commands, repair: Repair): string {
    switch (repair.by) {
        case "replace":
            return replace(commands, [repair]);
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
    const replaced = repairs.filter((repair) => repair.by === "replace");
    const refreshed = repairs.flatMap((repair) => (repair.by === "refresh" ? [repair.urn] : []));
    return [
        ...repairs.flatMap((repair) => (repair.by === "command" ? [repair.command] : [])),
        // First what is only looked at and put right: an `up` over a workflow file that others changed fails.
        ...(refreshed.length > 0 ? [up(commands, refreshing(refreshed))] : []),
        ...(replaced.length > 0 ? [replace(commands, replaced)] : []),
        ...(replaced.length === 0 && repairs.some(({ by }) => by === "up") ? [up(commands, [])] : []),
    ];
}
