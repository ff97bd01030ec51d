import { chmodSync } from "node:fs";
import path from "node:path";
import { expect, test } from "../../tests/mocha";
import { temporaryFolder, writeTree } from "../../tests/tree";
import { findTools } from "./tools";

/** Finds the tools on a machine that has only these programs, as scripts. */
function find(programs: Readonly<Record<string, string>>) {
    const folder = temporaryFolder();
    const files = Object.entries(programs).map(([name, text]) => [name, `#!/bin/sh\n${text}\n`] as const);
    writeTree(folder, Object.fromEntries(files));
    for (const [name] of files) chmodSync(path.join(folder, name), 0o755);
    return findTools(folder, { PATH: folder });
}

const devcontainer = "echo 0.89.0";
const docker = 'case "$1" in context) echo away ;; *) echo 20.10.24 ;; esac';

test("the Dev Containers CLI builds with the builder of Docker's current context", async () => {
    expect(await find({ devcontainer, docker })).toMatchObject({
        cli: ["devcontainer"],
        env: { BUILDX_BUILDER: "away" },
    });
});

test.each<[string, Readonly<Record<string, string>>, RegExp]>([
    [
        "without the Dev Containers CLI",
        { docker },
        /neither in node_modules.*\s+next: npm install --save-dev .*@devcontainers\/cli/,
    ],
    ["without Docker", { devcontainer }, /Docker does not answer: .*ENOENT\s+next: install Docker/],
    [
        "while Docker's daemon is not running",
        { devcontainer, docker: "echo 'Is the docker daemon running?' >&2; exit 1" },
        /Docker does not answer: Is the docker daemon running\?\s+next: .*start it/,
    ],
    [
        "without buildx",
        { devcontainer, docker: 'case "$1" in buildx) exit 1 ;; *) echo 20.10.24 ;; esac' },
        /Docker has no buildx.*\s+next: install Docker's buildx plugin/,
    ],
])("%s, the next step is named", async (_, programs, message) => {
    await expect(find(programs)).rejects.toThrow(message);
});
