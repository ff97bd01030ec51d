import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { CommandError } from "../errors";
import { isInterrupted, onInterrupt } from "./process";

/** Exit code of `flock` when it gave up waiting; neither flock nor its command uses it otherwise. */
const stillHeld = 75;

/**
 * Runs `work` while holding an exclusive lock on `file`, after waiting for the current holder. The kernel releases this kind of lock
 * (flock) even if its holder is killed.
 *
 * @param patience seconds to wait before `work` runs without the lock, with a message; without it the wait has no limit
 * @throws CommandError if the lock can't be taken, or the wait is interrupted
 */
export async function withLock<T>(file: string, work: () => Promise<T>, patience?: number): Promise<T> {
    mkdirSync(path.dirname(file), { recursive: true });
    const wait = patience === undefined ? [] : ["--wait", String(patience), "--conflict-exit-code", String(stillHeld)];
    const holder = spawn("flock", ["--exclusive", ...wait, file, "sh", "-c", "echo locked; exec cat"], {
        stdio: ["pipe", "pipe", "inherit"],
        detached: true,
    });
    const ended = new Promise<void>((resolve) => holder.on("close", resolve));
    const waiting = setTimeout(() => {
        console.error(`waiting for another run to finish (it holds ${file}) …`);
    }, 1000);
    const giveUp = () => holder.kill();
    onInterrupt.addEventListener("abort", giveUp);
    await new Promise<void>((resolve, reject) => {
        holder.on("error", (error) => {
            reject(
                new CommandError(
                    `flock (Debian package util-linux) could not be started: ${error.message}`,
                    "install it: sudo apt-get install util-linux",
                ),
            );
        });
        holder.stdout.once("data", () => {
            resolve();
        });
        holder.once("close", (code) => {
            if (code === stillHeld) {
                console.error("not waiting for it any longer");
                resolve();
                return;
            }
            if (isInterrupted()) reject(new CommandError("interrupted"));
            else
                reject(new CommandError(`the lock ${file} could not be taken`, "check that its folder can be written"));
        });
    }).finally(() => {
        clearTimeout(waiting);
        // From here on an interrupt must not release the lock: the holder may still be cleaning up.
        onInterrupt.removeEventListener("abort", giveUp);
    });
    try {
        return await work();
    } finally {
        holder.stdin.end();
        await ended;
    }
}
