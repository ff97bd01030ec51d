import type { Finding } from "./findings";
import { type Commands, quote } from "./repair";
import type { Deployment } from "./state";

/** A lock of a stack in a file backend. */
export interface StackLock {
    readonly pid: number;
    /** When it was taken, as Pulumi wrote it. */
    readonly since: string;
    readonly host: string;
    /** Whether its process ended without removing it: certain on this machine only. */
    readonly isDead: boolean;
}

function lockFinding({ pid, since, host, isDead }: StackLock, { stack, isLab }: Commands): Finding {
    const about = `stack ${stack}`;
    const who = `pid ${String(pid)} on ${host}, since ${since}`;
    if (!isDead) return { kind: "note", about, text: `it is locked (${who}): an update runs, or was killed elsewhere` };
    const text = `a killed update left its lock (${who})`;
    // In the lab the next `up` removes it.
    const command = `pulumi cancel --stack ${quote(stack)} --yes`;
    return { kind: "note", about, text, repair: isLab ? { by: "up" } : { by: "command", command } };
}

/**
 * What the state itself says of updates that were cut off. Neither is a difference: the next `up` deals with it.
 *
 * @param locks undefined where they can't be seen
 */
export function stackFindings(
    { pending }: Pick<Deployment, "pending">,
    locks: readonly StackLock[] | undefined,
    commands: Commands,
): Finding[] {
    const names = pending.map(({ name, operation }) => `${operation} ${name}`).join(", ");
    const cut: Finding = {
        kind: "note",
        about: `stack ${commands.stack}`,
        text: `an update was cut off while it was ${names}: that is done again`,
        repair: { by: "up" },
    };
    const unseen: Finding = {
        kind: "note",
        about: `stack ${commands.stack}`,
        text: "whether it is locked can't be seen on this backend",
    };
    return [
        ...(locks ? locks.map((lock) => lockFinding(lock, commands)) : [unseen]),
        ...(pending.length > 0 ? [cut] : []),
    ];
}
