import { chmodSync } from "node:fs";
import path from "node:path";
import { stubEnv } from "./mocha";
import { tree } from "./tree";

/** Puts shell scripts, by program name, at the front of PATH until the test ends, and returns their folder. */
export function withPrograms(scripts: Readonly<Record<string, string>>): string {
    const folder = tree(
        Object.fromEntries(Object.entries(scripts).map(([name, text]) => [name, `#!/bin/sh\n${text}\n`])),
    );
    for (const name of Object.keys(scripts)) chmodSync(path.join(folder, name), 0o755);
    stubEnv("PATH", `${folder}:${process.env.PATH ?? ""}`);
    return folder;
}

/** Programs of a machine without the tools, but with a `go` that takes 0.05 s and logs its arguments in "$0.log". */
export const goAlone = {
    go: `test "$1" = env && echo go1.26.0 && exit
echo "$*" >> "$0.log"
sleep 0.05`,
    buildkitd: "exit 1",
    pulumi: "exit 1",
} as const;
