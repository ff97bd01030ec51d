import type { StackLock } from "../engine/locks";
import type { Deployment } from "../engine/state";
import type { Finding } from "./findings";
import { type Commands, quote } from "./repair";

function lockFinding(lock: StackLock, { stack, isLab }: Commands): Finding {
    const about = `stack ${stack}`;
    // In the lab the next `up` removes it.
    const command = `pulumi cancel --stack ${quote(stack)} --yes`;
    const repair = isLab ? ({ by: "up" } as const) : ({ by: "command", command } as const);
    if ("file" in lock) {
        const { file, reason, mayHold } = lock;
        const what = `pulumi refuses to update it because of a lock that can't be read: ${file} (${reason})`;
        if (mayHold.length === 0) return { kind: "note", about, text: what, repair };
        const who = `pid ${mayHold.join(", ")}`;
        return { kind: "note", about, text: `${what}. It stays while a pulumi runs that may hold it (${who})` };
    }
    const { pid, since, host, isDead } = lock;
    const who = `pid ${String(pid)} on ${host}, since ${since}`;
    if (!isDead) return { kind: "note", about, text: `it is locked (${who}): an update runs, or was killed elsewhere` };
    return { kind: "note", about, text: `a killed update left its lock (${who})`, repair };
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
