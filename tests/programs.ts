import { chmodSync } from "node:fs";
import path from "node:path";
import { onTestFinished, vi } from "vitest";
import { tree } from "./tree";

/** Puts programs, shell scripts by name, in front of PATH until the test ends; returns their folder. */
export function withPrograms(scripts: Readonly<Record<string, string>>): string {
    const folder = tree(
        Object.fromEntries(Object.entries(scripts).map(([name, text]) => [name, `#!/bin/sh\n${text}\n`])),
    );
    for (const name of Object.keys(scripts)) chmodSync(path.join(folder, name), 0o755);
    vi.stubEnv("PATH", `${folder}:${process.env.PATH ?? ""}`);
    onTestFinished(() => {
        vi.unstubAllEnvs();
    });
    return folder;
}

/** A machine with a Go that takes a moment and notes in "$0.log" what it builds, and with none of the tools themselves. */
export const goAlone = {
    go: `test "$1" = env && echo go1.26.0 && exit
echo "$*" >> "$0.log"
sleep 0.05`,
    buildkitd: "exit 1",
    pulumi: "exit 1",
} as const;
