import { fn } from "jest-mock";
import { describe } from "mocha";
import { expect, spyOn, test } from "../../tests/mocha";
import type { Resource } from "../engine/state";
import type { blobReader } from "../registry/blobs";
import { type Manifest, RegistryError } from "../registry/manifest";
import { network } from "../system/connections";
import { askBlobs, askGitHub, askRegistries } from "./ask";
import { type Answer, exitCode } from "./findings";
import { compareGitHub, githubQuestions } from "./github";

test("a reference that stands in the state several times is asked for once", async () => {
    const asked: string[] = [];
    const read = (ref: string) => {
        asked.push(ref);
        return Promise.resolve(undefined);
    };
    const answers = await askRegistries(["ghcr.io/a:1", "ghcr.io/b:1", "ghcr.io/a:1"], {}, read);
    expect(asked).toEqual(["ghcr.io/a:1", "ghcr.io/b:1"]);
    expect([...answers.keys()]).toEqual(asked);
});

test("a registry that hangs holds up what was asked at once, and nothing after it", async () => {
    let asked = 0;
    const read = (ref: string) => {
        asked += 1;
        if (ref.startsWith("fine.example")) return Promise.resolve(undefined);
        return Promise.reject(new RegistryError("hangs.example", "no answer", true));
    };
    const refs = Array.from({ length: 100 }, (_, index) => `hangs.example/a:${index.toString()}`);
    const answers = await askRegistries([...refs, "fine.example/a:1"], {}, read);
    expect(asked).toBeLessThan(25);
    expect(refs.map((ref) => answers.get(ref))).toEqual(refs.map(() => ({ unknown: "no answer" })));
    expect(answers.get("fine.example/a:1")).toEqual({ found: undefined });
});

describe("blobs", () => {
    const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
    const blob = (letter: string) => ({ digest: digest(letter), size: 1 });
    const manifest = (letter: string, ...layers: string[]) => ({
        found: { digest: digest(letter), config: blob(letter), layers: layers.map(blob), platforms: {} },
    });
    const answers = new Map<string, Answer<Manifest>>([
        [`r.io/base@${digest("a")}`, manifest("a", "1", "2")],
        [`r.io/base@${digest("b")}`, manifest("b", "1")],
        [`r.io/app@${digest("c")}`, manifest("c", "1")],
        // A tag's manifest is looked up under its digest; a root's manifest is not managed here.
        ["r.io/base:latest", manifest("d", "1")],
        [`r.io/gone@${digest("e")}`, { found: undefined }],
        [`s.io/other@${digest("f")}`, { unknown: "refused" }],
    ]);
    /** Queries the registry through this function; returns the result of each query and the queries sent. */
    const ask = async (look: ReturnType<typeof blobReader>["look"]) => {
        const asked: string[] = [];
        let closed = false;
        const found = await askBlobs(answers, {}, () => ({
            look: (repository, of) => {
                asked.push(`${repository} ${of.slice("sha256:".length, "sha256:".length + 1)}`);
                return look(repository, of);
            },
            close: () => {
                closed = true;
                return Promise.resolve();
            },
        }));
        expect(closed).toBe(true);
        const blobs = [...found.values()].flatMap((one) =>
            "found" in one && one.found?.blobs ? [one.found.blobs] : [],
        );
        return { found, asked, blobs };
    };

    test("are looked at once in each repository, those of what is published", async () => {
        const { found, asked, blobs } = await ask(() => Promise.resolve("there"));
        expect(asked.sort()).toEqual([
            "r.io/app 1",
            "r.io/app c",
            ...["1", "2", "a", "b"].map((one) => `r.io/base ${one}`),
        ]);
        expect([...found.keys()]).toEqual([...answers.keys()]);
        expect(blobs).toEqual([{ lost: [] }, { lost: [] }, { lost: [] }]);
        expect(found.get("r.io/base:latest")).toEqual(answers.get("r.io/base:latest"));
    });

    test("that are lost are those of every manifest that has them, in that repository", async () => {
        const states = { "r.io/base": "lost", "r.io/app": "remembered" } as const;
        const { blobs } = await ask((repository, of) =>
            Promise.resolve(of === digest("1") ? states[repository as keyof typeof states] : "there"),
        );
        const lost = (remembered: boolean) => ({ lost: [{ digest: digest("1"), remembered }] });
        expect(blobs).toEqual([lost(false), lost(false), lost(true)]);
    });

    test("that can't be asked for are not known, and no difference", async () => {
        const { blobs } = await ask(() => Promise.reject(new RegistryError("r.io", "401 Unauthorized")));
        expect(blobs).toEqual(Array.from({ length: 3 }, () => ({ unknown: "401 Unauthorized" })));
    });
});

describe("what GitHub says is not there", () => {
    const target = { owner: "o", repository: "r", branch: "main", baseUrl: "https://api.github.com/", token: "t" };
    const resource = (type: string, inputs: Record<string, unknown>): Resource => ({
        ...{ urn: `urn:pulumi:ci::p::${type}::n`, type, inputs, outputs: {} },
    });
    const state = [
        resource("layered-images:components:WorkflowFiles", { repository: "r", branch: "main" }),
        resource("github:index/repositoryFile:RepositoryFile", { file: "a.yml", branch: "main", content: "" }),
        resource("github:index/actionsSecret:ActionsSecret", { secretName: "A" }),
        resource("github:index/actionsVariable:ActionsVariable", { variableName: "CI_IMAGE", value: "" }),
    ];
    /**
     * Returns the result if GitHub responds with 200 below these paths and with this status elsewhere, and the number
     * of requests.
     */
    const found = async (there: readonly string[], status = 404) => {
        const fetchMock = fn((url: URL) => {
            const path = url.href.replace("https://api.github.com/repos/o/r", "");
            return Promise.resolve(there.includes(path) ? Response.json({}) : new Response("{}", { status }));
        });
        spyOn(network, "fetch").mockImplementation(fetchMock);
        const findings = compareGitHub(state, await askGitHub(target, githubQuestions(state)));
        return { findings, code: exitCode(findings), asked: fetchMock.mock.calls.length };
    };

    test.each([404, 403])("is not known where the token can't see the repository (%i)", async (status) => {
        const { findings, code } = await found([], status);
        expect(code).toBe(1);
        expect(findings.map(({ kind }) => kind)).not.toContain("drift");
        if (status === 404)
            expect(findings[0]?.text).toMatch(/there is no repository o\/r, or the token .* can't see it/);
    });

    test("was deleted where the token can see the repository and may use such things", async () => {
        const { findings, code } = await found(["", "/actions/secrets/public-key", "/actions/variables?per_page=1"]);
        expect(code).toBe(2);
        expect(findings.map(({ kind, about }) => [kind, about])).toEqual([
            ["drift", "file a.yml"],
            ["drift", "secret A"],
            ["drift", "variable CI_IMAGE"],
        ]);
    });

    test("is not known where the token may not use such things", async () => {
        const { findings } = await found(["", "/actions/variables?per_page=1"]);
        expect(findings.map(({ kind, about }) => [kind, about])).toEqual([
            ["drift", "file a.yml"],
            ["drift", "variable CI_IMAGE"],
            ["unknown", "GitHub"],
        ]);
        expect(findings[2]?.text).toMatch(/this token may not use secrets of o\/r[\s\S]*\(wanted: secret A\)$/);
    });
});
