import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { LabError, isInterrupted, onInterrupt } from "./process";

/**
 * Runs `work` while holding an exclusive lock on `file`, waiting for whoever holds it. The kernel's lock (flock) is
 * released even when a holder is killed.
 */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
    mkdirSync(path.dirname(file), { recursive: true });
    const holder = spawn("flock", ["--exclusive", file, "sh", "-c", "echo locked; exec cat"], {
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
            reject(new LabError(`flock (Debian package util-linux) could not be started: ${error.message}`));
        });
        holder.stdout.once("data", () => {
            resolve();
        });
        holder.once("close", () => {
            reject(new LabError(isInterrupted() ? "interrupted" : `the lock ${file} could not be taken`));
        });
    }).finally(() => {
        clearTimeout(waiting);
        // Who holds the lock keeps it while it cleans up.
        onInterrupt.removeEventListener("abort", giveUp);
    });
    try {
        return await work();
    } finally {
        holder.stdin.end();
        await ended;
    }
}
