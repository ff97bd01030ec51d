import { expect, test } from "vitest";
import type { Answer } from "./findings";
import { type OnGitHub, compareGitHub } from "./github";
import { deployedRepository, githubQuestions } from "./githubQuestions";
import type { Resource } from "./state";

const resource = (type: string, name: string, rest: Partial<Resource>): Resource => ({
    urn: `urn:pulumi:ci::p::${type}::${name}`,
    type,
    inputs: {},
    outputs: {},
    ...rest,
});
const files = resource("layered-images:components:WorkflowFiles", "workflows", {
    inputs: { repository: "r", branch: "main" },
});
const file = (branch: string) =>
    resource("github:index/repositoryFile:RepositoryFile", `file-${branch}`, {
        inputs: { file: ".github/workflows/a b.yml", branch, content: "on: push\n" },
    });
const secret = (kind: "Actions" | "Dependabot" | "Codespaces") =>
    resource(`github:index/${kind.toLowerCase()}Secret:${kind}Secret`, kind, {
        inputs: { secretName: "TOKEN" },
        outputs: { updatedAt: "2026-11-01 10:00:00 +0000 UTC" },
    });
const variable = resource("github:index/actionsVariable:ActionsVariable", "variable", {
    inputs: { variableName: "CI_IMAGE", value: "ours" },
});
const pull = resource("github:index/repositoryPullRequest:RepositoryPullRequest", "pull", { outputs: { number: 7 } });

const compare = (known: Resource, answer: Answer<OnGitHub>) =>
    compareGitHub([files, known], new Map([[known.urn, answer]])).map(({ kind, about, text, repair }) => ({
        kind,
        about,
        text,
        by: repair?.by,
    }));

test("each thing of ours has a question", () => {
    const all = [files, file("main"), secret("Actions"), secret("Dependabot"), variable, pull];
    expect(githubQuestions(all).map(({ path }) => path)).toEqual([
        "contents/.github/workflows/a%20b.yml?ref=main",
        "actions/secrets/TOKEN",
        "dependabot/secrets/TOKEN",
        "actions/variables/CI_IMAGE",
        "pulls/7",
    ]);
});

test("the repository is the one in the state, and there is none where the stack makes images only", () => {
    expect(deployedRepository([files])).toEqual({ repository: "r", branch: "main" });
    expect(deployedRepository([variable])).toBeUndefined();
});

test("what is as we wrote it gives no finding", () => {
    expect(compare(file("main"), { found: { text: "on: push\n" } })).toEqual([]);
    expect(compare(variable, { found: { value: "ours" } })).toEqual([]);
    for (const kind of ["Actions", "Dependabot", "Codespaces"] as const) {
        expect(compare(secret(kind), { found: { updated: "2026-11-01T10:00:00Z" } })).toEqual([]);
    }
});

test("what was changed or deleted is looked at and put right", () => {
    expect(compare(file("main"), { found: { text: "on: pull_request\n" } })).toMatchObject([
        { kind: "drift", about: "file .github/workflows/a b.yml", by: "refresh" },
    ]);
    expect(compare(variable, { found: { value: "theirs" } })).toMatchObject([{ kind: "drift", by: "refresh" }]);
    for (const one of [file("main"), variable, secret("Actions"), secret("Codespaces")]) {
        expect(compare(one, { found: undefined })).toMatchObject([{ kind: "drift", by: "refresh" }]);
    }
});

test("a secret that somebody else set is replaced; the provider sees a codespaces secret by itself", () => {
    const later = { found: { updated: "2026-11-01T10:00:01Z" } };
    expect(compare(secret("Actions"), later)).toMatchObject([{ kind: "drift", about: "secret TOKEN", by: "replace" }]);
    expect(compare(secret("Dependabot"), later)).toMatchObject([{ about: "secret TOKEN (dependabot)", by: "replace" }]);
    expect(compare(secret("Codespaces"), later)).toMatchObject([{ by: "refresh" }]);
});

test("an open pull request waits, and files on its branch count only while it does", () => {
    const all = [files, file("proposed"), pull];
    const answers = (state: "open" | "merged") =>
        new Map<string, Answer<OnGitHub>>([
            [pull.urn, { found: { state, url: "https://github.com/o/r/pull/7" } }],
            [file("proposed").urn, { found: undefined }],
        ]);
    expect(compareGitHub(all, answers("open")).map(({ kind, text }) => [kind, text])).toEqual([
        ["drift", "it was deleted on GitHub"],
        ["note", "it waits to be merged: https://github.com/o/r/pull/7"],
    ]);
    expect(compareGitHub(all, answers("merged")).map(({ kind }) => kind)).toEqual(["note"]);
});

test("what could not be asked is told once for each reason", () => {
    const refused = { unknown: "this token may not read it" };
    const all = [files, variable, secret("Actions")];
    expect(compareGitHub(all, new Map(all.map(({ urn }) => [urn, refused])))).toEqual([
        {
            kind: "unknown",
            about: "GitHub",
            text: "this token may not read it (wanted: variable CI_IMAGE, secret TOKEN)",
        },
    ]);
});
