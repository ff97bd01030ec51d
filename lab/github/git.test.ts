import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { before } from "mocha";
import { expect, test } from "../../tests/mocha";
import { addBlob, addCommit, changedPaths, history } from "./git";
import { mergeBase } from "./representPull";
import { sealedBoxReady } from "./sealedBox";
import { seedRepository } from "./seed";
import { emptyState } from "./store";

before(() => sealedBoxReady);

test("blobs, trees and commits have the names that git gives them", () => {
    const folder = mkdtempSync(path.join(tmpdir(), "git-names-"));
    try {
        const texts = { "b.txt": "b\n", "b/c.txt": "é\n", "b-d/e/f.txt": "", "README.md": "# tool\n" };
        for (const [name, text] of Object.entries(texts)) {
            mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
            writeFileSync(path.join(folder, name), text);
        }
        const env = {
            PATH: process.env.PATH,
            HOME: folder,
            GIT_AUTHOR_NAME: "Ada",
            GIT_AUTHOR_EMAIL: "ada@example.com",
            GIT_AUTHOR_DATE: "2026-01-02T03:04:05Z",
            GIT_COMMITTER_NAME: "Bob",
            GIT_COMMITTER_EMAIL: "bob@example.com",
            GIT_COMMITTER_DATE: "2026-01-02T03:04:06Z",
        };
        const git = (args: string[], input = "") =>
            execFileSync("git", args, { cwd: folder, env, input }).toString().trim();
        git(["init", "--quiet"]);
        git(["add", "."]);
        const tree = git(["write-tree"]);
        const repository = seedRepository(emptyState(), "acme", "tool");
        const files = Object.fromEntries(
            Object.entries(texts).map(([name, text]) => [name, addBlob(repository, Buffer.from(text))]),
        );
        const commit = addCommit(repository, {
            parents: [],
            message: "Subject\n\nBody",
            author: { name: "Ada", email: "ada@example.com", date: "2026-01-02T03:04:05Z" },
            committer: { name: "Bob", email: "bob@example.com", date: "2026-01-02T03:04:06Z" },
            files,
        });
        expect(commit.tree).toBe(tree);
        expect(commit.sha).toBe(git(["commit-tree", tree], "Subject\n\nBody"));
    } finally {
        rmSync(folder, { recursive: true });
    }
});

test("a history holds each commit once, also behind a merge", () => {
    const repository = seedRepository(emptyState(), "acme", "tool");
    const start = repository.branches.main ?? "";
    const author = { name: "Ada", email: "ada@example.com", date: "2026-01-02T03:04:05Z" };
    const next = (message: string, ...parents: string[]) =>
        addCommit(repository, { parents, message, author, files: {} }).sha;
    const [left, right] = [next("left", start), next("right", start)];
    const merge = next("merge", left, right);
    expect(history(repository, merge).map((commit) => commit.sha)).toEqual([merge, left, right, start]);
});

test("the best commit that two have in common is the one that git finds", () => {
    const repository = seedRepository(emptyState(), "acme", "tool");
    const start = repository.branches.main ?? "";
    const author = { name: "Ada", email: "ada@example.com", date: "2026-01-02T03:04:05Z" };
    const next = (message: string, ...parents: string[]) =>
        addCommit(repository, { parents, message, author, files: {} }).sha;
    const best = (one: string, other: string) => mergeBase(repository, one, other)?.sha;
    const topic = next("topic", next("earlier", start));
    const main = next("revert", next("merge", start, topic));
    // Along the parents, the first common commit is `start`; the merged commit descends from it.
    expect([best(main, topic), best(topic, main)]).toEqual([topic, topic]);
    expect(best(main, next("more", topic))).toBe(topic);
    expect(best(main, next("aside", start))).toBe(start);
    expect(best(main, main)).toBe(main);
});

test("paths that differ are those added, changed and removed", () => {
    expect(changedPaths({ a: "1", b: "1", c: "1" }, { a: "1", b: "2", d: "1" })).toEqual(["b", "c", "d"]);
});
