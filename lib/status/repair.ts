import { quote } from "../system/shell";
import type { Finding, Repair } from "./findings";
import { typed } from "../system/commandLine";

/** Selects the commands in messages: the lab's npm scripts, or plain Pulumi for another stack. */
export interface Commands {
    readonly stack: string;
    readonly isLab: boolean;
    /** Whether CI updates the stack: its configuration file takes effect only on the branch that CI checks out. */
    readonly isCi: boolean;
}

type Replacement = Extract<Repair, { by: "replace" }>;

function up({ stack, isLab }: Commands, options: readonly string[]): string {
    if (!isLab) return ["pulumi up --stack", quote(stack), ...options].join(" ");
    return typed("up", ...options);
}

/**
 * Returns the options of a single `up` that replaces all these resources; the engine orders them by their dependencies.
 */
function replacing(repairs: readonly Replacement[]): string[] {
    const urns = new Set(repairs.flatMap(({ urn, from = [] }) => [...from, urn]));
    return [...urns].map((urn) => `--replace ${quote(urn)}`);
}

/**
 * Returns an `up` that replaces resources. If the registry must be restarted first, only the lab's registry can be
 * restarted here.
 */
function replace(commands: Commands, repairs: readonly Replacement[]): string {
    const restart = commands.isLab && repairs.some((repair) => repair.restart);
    return `${restart ? `${typed("down")} && ` : ""}${up(commands, replacing(repairs))}`;
}

const refreshing = (urns: readonly string[]) => ["--refresh", ...urns.map((urn) => `--target ${quote(urn)}`)];

/** Returns the shell command that performs a repair, to be run in the repository's root. */
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

/** Returns the smallest list of commands that repairs all drift, in order. */
export function repairAll(commands: Commands, findings: readonly Finding[]): string[] {
    const repairs = findings.flatMap(({ kind, repair }) => (kind === "drift" && repair ? [repair] : []));
    const replaced = repairs.filter((repair) => repair.by === "replace");
    const refreshed = repairs.flatMap((repair) => (repair.by === "refresh" ? [repair.urn] : []));
    return [
        ...repairs.flatMap((repair) => (repair.by === "command" ? [repair.command] : [])),
        // Refreshes come first: an `up` on a workflow file that was changed on GitHub fails.
        ...(refreshed.length > 0 ? [up(commands, refreshing(refreshed))] : []),
        ...(replaced.length > 0 ? [replace(commands, replaced)] : []),
        ...(replaced.length === 0 && repairs.some(({ by }) => by === "up") ? [up(commands, [])] : []),
    ];
}
