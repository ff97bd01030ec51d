import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import type { Resource } from "../engine/state";
import { fileHash } from "../github/delivery";
import type { Answer } from "./findings";
import { type OnGitHub, compareGitHub, deployedRepository, githubQuestions } from "./github";

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
const environmentSecret = resource("github:index/actionsEnvironmentSecret:ActionsEnvironmentSecret", "of up", {
    inputs: { secretName: "TOKEN", environment: "up/eu" },
    outputs: { updatedAt: "2026-11-01 10:00:00 +0000 UTC" },
});
const variable = resource("github:index/actionsVariable:ActionsVariable", "variable", {
    inputs: { variableName: "CI_IMAGE", value: "ours" },
});
const pull = resource("github:index/repositoryPullRequest:RepositoryPullRequest", "pull", { outputs: { number: 7 } });

/** The path of the request for a resource. */
const pathOf = (known: Resource) => githubQuestions([known])[0]?.path ?? "";
const compare = (known: Resource, answer: Answer<OnGitHub>) =>
    compareGitHub([files, known], new Map([[pathOf(known), answer]])).map(({ kind, about, text, repair }) => ({
        kind,
        about,
        text,
        by: repair?.by,
    }));

test("each thing of ours has a question", () => {
    const all = [files, file("main"), secret("Actions"), secret("Dependabot"), environmentSecret, variable, pull];
    expect(githubQuestions(all).map(({ path }) => path)).toEqual([
        "contents/.github/workflows/a%20b.yml?ref=main",
        "actions/secrets/TOKEN",
        "dependabot/secrets/TOKEN",
        "environments/up%2Feu/secrets/TOKEN",
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
            [pathOf(pull), { found: { state, url: "https://github.com/o/r/pull/7" } }],
            [pathOf(file("proposed")), { found: undefined }],
        ]);
    expect(compareGitHub(all, answers("open")).map(({ kind, text }) => [kind, text])).toEqual([
        ["drift", "it was deleted on GitHub"],
        ["note", "it waits to be merged: https://github.com/o/r/pull/7"],
    ]);
    expect(compareGitHub(all, answers("merged")).map(({ kind }) => kind)).toEqual(["note"]);
});

describe("a file that a pull request brings, of which the state has a hash alone", () => {
    const paths = [".github/workflows/a.yml", ".github/dependabot.yml"] as const;
    const hashes = Object.fromEntries(paths.map((path) => [path, fileHash("ours\n")]));
    const component = (inputs: object = {}): Resource => ({
        ...files,
        inputs: { repository: "r", branch: "main", files: hashes, ...inputs },
    });
    const found = (text: string | undefined) => ({ found: text === undefined ? undefined : { text } });
    /** The findings if the branch has these texts as the contents of the files. */
    const compared = (resources: readonly Resource[], texts: readonly (string | undefined)[], pullState?: OnGitHub) =>
        compareGitHub(
            resources,
            new Map<string, Answer<OnGitHub>>([
                ...paths.map((path, at) => [`contents/${path}?ref=main`, found(texts[at])] as const),
                [pathOf(pull), { found: pullState }],
            ]),
        );
    const url = "https://github.com/o/r/pull/7";

    test("is asked for where no resource committed it", () => {
        const asked = (...more: Resource[]) => githubQuestions([component(), ...more]).map(({ path }) => path);
        expect(asked()).toEqual(paths.map((path) => `contents/${path}?ref=main`));
        const onBranch = (branch: string) => ({
            ...file(branch),
            inputs: { file: paths[0], branch, content: "ours\n" },
        });
        expect(asked(onBranch("main"))).toHaveLength(2);
        expect(asked(onBranch("proposed"))).toHaveLength(3);
        expect(githubQuestions([component({ files: [...paths] })])).toEqual([]);
    });

    test("is drift when somebody changed or deleted it, and the next `up` proposes it again", () => {
        expect(compared([component()], ["ours\n", "ours\n"])).toEqual([]);
        const repair = { by: "up" };
        expect(compared([component()], ["theirs\n", undefined])).toEqual([
            { kind: "drift", about: `file ${paths[0]}`, text: "it was changed on branch main", repair },
            { kind: "drift", about: `file ${paths[1]}`, text: "it is not on branch main", repair },
        ]);
    });

    test.each<[string, object, OnGitHub | undefined, string]>([
        ["waits", {}, { state: "open", url }, "until the pull request is merged"],
        ["was closed just now", {}, { state: "closed", url }, "since pull request #7 with these was closed"],
    ])("is a note while its pull request %s", (_what, inputs, pullState, said) => {
        const findings = compared([component(inputs), pull], [undefined, "theirs\n"], pullState);
        expect(findings.map(({ kind }) => kind)).toEqual(["note", "note"]);
        expect(findings[1]?.text).toBe(
            `branch main has other files ${said}${said.endsWith("closed") ? " without merging" : ""}: ${paths.join(", ")}`,
        );
    });

    test("is a note where the last update found its pull request declined", () => {
        expect(compared([component({ declined: 7 })], [undefined, "ours\n"])).toEqual([
            {
                kind: "note",
                about: "workflow files",
                text: `branch main has other files since pull request #7 with these was closed without merging: ${paths[0]}`,
            },
        ]);
    });

    test("is drift again once its pull request was merged, and nothing where that is not known", () => {
        const merged = compared([component(), pull], [undefined, "ours\n"], { state: "merged", url });
        expect(merged.map(({ kind, about }) => [kind, about])).toEqual([
            ["note", "pull request #7"],
            ["drift", `file ${paths[0]}`],
        ]);
        const answers = new Map<string, Answer<OnGitHub>>([
            [pathOf(pull), { unknown: "no answer" }],
            ...paths.map((path) => [`contents/${path}?ref=main`, found(undefined)] as const),
        ]);
        expect(compareGitHub([component(), pull], answers).map(({ kind }) => kind)).toEqual(["unknown"]);
    });
});

test("what could not be asked is told once for each reason", () => {
    const refused = { unknown: "this token may not read it" };
    const all = [files, variable, secret("Actions")];
    expect(compareGitHub(all, new Map(all.map((one) => [pathOf(one), refused])))).toEqual([
        {
            kind: "unknown",
            about: "GitHub",
            text: "this token may not read it (wanted: variable CI_IMAGE, secret TOKEN)",
        },
    ]);
});
