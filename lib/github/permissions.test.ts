import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "../../tests/mocha";
import { packageRoot } from "../system/paths";
import {
    accesses,
    factsOf,
    permissionNames,
    permissions,
    permissionsFor,
    tokenPermissions,
    tokenText,
} from "./permissions";

const operations = readFileSync(path.join(packageRoot, "docs", "operations.md"), "utf8");

test("docs/operations.md has people give the token what this table says, and nothing else", () => {
    const [, chapter = ""] = operations.split("### 2. The token that writes to GitHub\n");
    const lines = (chapter.split("\n### ", 1)[0] ?? "").split("\n").filter((line) => line.startsWith("| "));
    const cells = lines.map((line) =>
        line
            .slice(1, -1)
            .split("|")
            .map((cell) => cell.trim()),
    );
    const wanted = tokenPermissions.map(factsOf);
    expect(cells.slice(2)).toEqual(
        wanted.map(({ title, level, because }) => [title, level === "write" ? "read and write" : "read", because]),
    );
});

test("what a run changes is what its token is given to write", () => {
    const needed = new Set(Object.values(permissionsFor).flat());
    const given = tokenPermissions.filter((name) => factsOf(name).level === "write");
    expect([...needed].sort()).toEqual([...given].sort());
});

test.each(Object.entries(accesses))(
    "%s are looked for where only a token for them can read",
    (_name, { kind, path: asked }) => {
        const [permission] = permissionsFor[kind];
        const reading = asked.includes("public-key") ? "/get-repo-public-key" : "/list-repo-variables";
        const operation = `${asked.split("/", 1)[0] ?? ""}${reading}`;
        expect(permissions[permission].opens).toHaveProperty([operation]);
        expect(permissions[permission].publicRead).toBe(false);
    },
);

test("an operation that several permissions open needs the same level of each", () => {
    const levels = new Map<string, Set<string>>();
    for (const name of permissionNames) {
        for (const [operation, level] of Object.entries(factsOf(name).opens)) {
            levels.set(operation, (levels.get(operation) ?? new Set()).add(level));
        }
    }
    expect([...levels].filter(([, found]) => found.size > 1)).toEqual([]);
});

test("what a token needs is told apart from what only some stacks need", () => {
    expect(tokenText()).toBe(
        "the repository permissions Contents, Workflows, Secrets, Variables: read and write, and where the stack's configuration " +
            "asks for them Pull requests, Dependabot secrets, Codespaces secrets, Deployments, Environments (a classic token: the scopes repo and workflow)",
    );
});
