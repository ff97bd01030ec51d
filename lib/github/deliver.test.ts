import { beforeEach, describe } from "mocha";
import { expect, onTestFinished, spyOn, stubEnv, test } from "../../tests/mocha";
import { InputError } from "../errors";
import { planDelivery, planGitHub } from "./deliver";
import { withoutGitHub } from "../engine/withoutGitHub";
import { openPullRequests, startTestStandIn } from "../../lab/github/testing";
import { network } from "../system/connections";

const anonymous = { owner: "us", repository: "bot", branch: "main", baseUrl: "https://github.example/" };
const target = { ...anonymous, token: "t" };
const files = { ".github/workflows/a.yml": "# ours\nnew\n" };
const text = (content: string) => ({
    type: "file",
    encoding: "base64",
    content: Buffer.from(content).toString("base64"),
});

/** GitHub's responses, by path below the repository; any other path returns 404. */
type Answers = Readonly<Record<string, unknown>>;
const repository: Answers = {
    "": { archived: false, full_name: "us/bot" },
    "/branches/main": { protected: false },
    "/actions/variables?per_page=1": { total_count: 0, variables: [] },
};
const contents = "/contents/.github/workflows/a.yml?ref=main";

/** The branch has a file that this program never wrote, and a leftover file that it no longer generates. */
const leftover = ".github/workflows/old.yml";
const withLeftover: Answers = {
    "/contents/.github/workflows?ref=main": ["a", "old", "theirs"].map((name) => ({
        ...{ type: "file", sha: "0" },
        path: `.github/workflows/${name}.yml`,
    })),
    [`/contents/${leftover}?ref=main`]: text("# ours\nold\n"),
    "/contents/.github/workflows/theirs.yml?ref=main": text("on: push\n"),
};

function serve(answers: Answers, headers: Record<string, string> = {}): void {
    const prefix = "https://github.example/api/v3/repos/us/bot";
    spyOn(network, "fetch").mockImplementation((url) => {
        const body = answers[url.href.slice(prefix.length)];
        const status = body === undefined ? 404 : 200;
        return Promise.resolve(Response.json(body ?? { message: "Not Found" }, { status, headers }));
    });
}

const wishes = {
    ...({ delivery: "direct", adopt: false, access: ["variables"], looking: false } as const),
    ...{ secrets: { A: { dependabot: true, codespaces: false } }, variables: 3 },
};
const plan = (delivery: "direct" | "pull-request" = "direct", adopt = false, looking = false) =>
    planDelivery(target, files, { ...wishes, delivery, adopt, looking });

describe("a token that can't do everything", () => {
    const narrow = () => {
        const limit = { "x-ratelimit-remaining": "60", "x-ratelimit-reset": "1800000000" };
        const headers = { "x-oauth-scopes": "repo, read:org", ...limit };
        serve({ ...repository, "/actions/variables?per_page=1": undefined }, headers);
    };
    const lacks = [
        /lacks the scope workflow[\s\S]*\(it has repo, read:org\)/,
        // 40 requests, plus those for the file, for the secret (twice) and for three variables.
        /60 more requests until 2027-01-15T08:00:00\.000Z; a run may need 73/,
        /this token may not use variables of us\/bot/,
    ];

    test("is good enough for who only looks, who is told what it lacks", async () => {
        narrow();
        expect((await plan("direct", false, true)).warnings).toEqual(
            lacks.map((lack) => expect.stringMatching(lack) as string),
        );
    });

    test("keeps an update from what it can't do, and from nothing else", async () => {
        narrow();
        expect((await plan()).refused.map(({ message, stops }) => [stops, message])).toEqual(
            ["files", "everything", "values"].map((stops, index) => [
                stops,
                expect.stringMatching(lacks[index] ?? /./) as string,
            ]),
        );
        serve(repository, { "x-ratelimit-remaining": "72", "x-ratelimit-reset": "1800000000" });
        expect((await plan()).refused[0]?.message).toMatch(/72 more requests .* may need 73/);
        serve(repository, { "x-ratelimit-remaining": "73", "x-ratelimit-reset": "1800000000" });
        expect(await plan()).toMatchObject({ warnings: [], refused: [] });
    });
});

/** The path of a generated file holds a file that this program never wrote. */
const withForeign: Answers = {
    ...repository,
    [contents]: text("on: push\n"),
    [history()]: [{ sha: "1", commit: { message: "Add CI" } }],
};

/** The problem on GitHub, and what it prevents in an update; undefined if the configuration is the problem. */
const wrong: readonly (readonly [string, Answers, RegExp, "files" | "values" | "everything" | undefined])[] = [
    [
        "a repository that is not there",
        {},
        /there is no repository us\/bot, or the token[\s\S]*github\.repository/,
        undefined,
    ],
    [
        "a branch that is not there",
        { "": repository[""] },
        /us\/bot has no branch main[\s\S]*github\.branch/,
        undefined,
    ],
    [
        "an archived one",
        { ...repository, "": { archived: true, full_name: "us/bot" } },
        /us\/bot is archived/,
        "everything",
    ],
    [
        "an answer that is none of GitHub's",
        { "": { hello: "world" } },
        /GitHub's response to "read the repository us\/bot" is invalid/,
        "everything",
    ],
    [
        "a token that may not see what is to be changed",
        { ...repository, "/actions/variables?per_page=1": undefined },
        /GITHUB_TOKEN: this token may not use variables of us\/bot \(variables\)/,
        "values",
    ],
    ["a file that was never ours", withForeign, /us\/bot, branch main: these files are in the way/, "files"],
];

describe("what is wrong on GitHub", () => {
    const planned = (looking: boolean) => planGitHub(target, files, { ...wishes, looking });

    test.each(wrong)("%s keeps an update from that alone, unless the configuration is wrong", async (...one) => {
        const [, answers, message, stops] = one;
        serve(answers);
        if (stops === undefined) {
            const refused = await planned(false).catch((error: unknown) => error);
            expect(refused).toBeInstanceOf(InputError);
            expect((refused as InputError).message).toMatch(message);
            return;
        }
        const { delivery, setsValues, warnings, errors } = await planned(false);
        expect({ delivers: delivery !== undefined, setsValues, warnings }).toEqual({
            delivers: stops === "values",
            setsValues: stops === "files",
            warnings: [],
        });
        expect(errors).toEqual([expect.stringMatching(message) as string]);
        expect(errors[0]).toMatch(/on GitHub are left as they are/);
    });

    test("is said in a preview, which plans the rest", async () => {
        serve(withForeign);
        const { delivery, setsValues, warnings, errors } = await planned(true);
        expect({ delivery, setsValues, errors }).toEqual({ delivery: { by: "unknown" }, setsValues: true, errors: [] });
        expect(warnings).toEqual([expect.stringContaining("these files are in the way") as string]);
    });
});

describe("without a token", () => {
    test.each<[string, NodeJS.ProcessEnv, RegExp]>([
        ["on a machine it can be exported", {}, /next: export GITHUB_TOKEN=<token>/],
        [
            "in a workflow it has to be made",
            { GITHUB_ACTIONS: "true" },
            /next: set the variable REPOSITORY_APP_CLIENT_ID .*: docs\/operations\.md, "The token that writes/,
        ],
    ])("an update fails and leaves all as it is: %s", async (_, env, next) => {
        stubEnv("GITHUB_ACTIONS", env.GITHUB_ACTIONS);
        const left = await planGitHub(anonymous, files, wishes);
        expect(left).toEqual({
            delivery: undefined,
            setsValues: false,
            warnings: [],
            errors: [expect.stringMatching(next) as string],
        });
        // If the engine is set to leave GitHub out, the program warns. The resources that it registers then are left
        // out, and no request asks for their removal.
        for (const [name, value] of Object.entries(withoutGitHub({}, []).env)) stubEnv(name, value);
        expect(await planGitHub(anonymous, files, wishes)).toEqual({
            delivery: undefined,
            setsValues: true,
            warnings: left.errors.map((error) => error.replace(", so GitHub can't be asked", "")),
            errors: [],
        });
    });
});

function history(): string {
    return "/commits?path=.github%2Fworkflows%2Fa.yml&sha=main&per_page=100";
}

describe("a delivery by commits", () => {
    test("replaces nothing where nothing is", async () => {
        serve(repository, { "x-oauth-scopes": "repo, workflow" });
        expect(await plan()).toEqual({ delivery: { by: "commits", there: [] }, warnings: [], refused: [] });
    });

    test("replaces files of ours, also one whose header somebody removed", async () => {
        serve({ ...repository, [contents]: text("# ours\nold\n") });
        const ours = { by: "commits", there: [] };
        expect((await plan()).delivery).toEqual(ours);
        const message = "Update it\n\nGenerated-by: layered-images";
        serve({ ...repository, [contents]: text("on: push\n"), [history()]: [{ sha: "1", commit: { message } }] });
        expect((await plan()).delivery).toEqual(ours);
    });

    test("says which files of ours it removes, and leaves those of others", async () => {
        serve({ ...repository, ...withLeftover });
        expect((await plan()).warnings).toEqual([
            `generated no longer, and removed from branch main by an update: ${leftover}`,
        ]);
    });

    test("warns of a pull request of ours that is still open, where the token may see it", async () => {
        const open = (ref: string) => ({
            ...{ number: 3, state: "open", merged_at: null },
            head: { ref, repo: { full_name: "us/bot" } },
        });
        const list = "/pulls?base=main&state=open&per_page=100";
        serve({ ...repository, [list]: [open("layered-images/workflows-1"), open("feature")] });
        expect((await plan()).warnings).toEqual([expect.stringContaining("pull request #3 has older workflow files")]);
        serve(repository);
        expect((await plan()).warnings).toEqual([]);
    });

    test("warns of a protected branch and offers a pull request, where there is something to commit", async () => {
        const guarded = { ...repository, "/branches/main": { protected: true } };
        serve(guarded);
        expect((await plan()).warnings).toEqual([expect.stringContaining("github.delivery pull-request")]);
        serve({ ...guarded, [contents]: text("# ours\nnew\n") });
        expect(await plan()).toEqual({
            delivery: { by: "commits", there: [".github/workflows/a.yml"] },
            warnings: [],
            refused: [],
        });
    });
});

describe("a delivery by pull request", () => {
    const open = "/pulls?base=main&state=open&per_page=100";
    const ours = /^\/pulls\?base=main&state=all&head=us%3A(layered-images%2Fworkflows-[0-9a-f]{12})&per_page=100$/;
    const headIn = (key: string) => decodeURIComponent(ours.exec(key)?.[1] ?? "");
    let requested: string[];
    const pull = {
        number: 3,
        state: "open",
        merged_at: null,
        head: { ref: "layered-images/workflows-1", repo: { full_name: "us/bot" } },
    };
    const servePulls = (
        pulls: readonly unknown[],
        more: Answers = {},
        fromHead: (key: string) => unknown[] = () => [],
    ) => {
        serve(
            new Proxy<Answers>(
                { ...repository, ...more, [open]: pulls },
                {
                    get: (all, key: string) => {
                        requested.push(key);
                        return ours.test(key) ? fromHead(key) : all[key];
                    },
                },
            ),
        );
    };
    beforeEach(() => {
        requested = [];
    });

    test("goes on with the open one of ours", async () => {
        servePulls([pull]);
        const proposed = { by: "pull-request", head: pull.head.ref, removes: [], number: 3 };
        expect((await plan("pull-request")).delivery).toEqual({ ...proposed, there: [], starts: true });
        expect(requested.filter((key) => ours.test(key))).toEqual([]);
    });

    test.each([
        ["its branch has just this file, and the target branch another", true, "new", "old", true],
        ["its branch has another file, and the target branch just this one", true, "old", "new", false],
        ["its branch will be made from one that has just this file", false, undefined, "new", true],
        ["its branch will be made from one that has another file", false, undefined, "old", false],
    ])("knows that nothing is to be committed, or something: %s", async (_, exists, onHead, onBase, isThere) => {
        const version = (one: string) => text(`# ours\n${one}\n`);
        servePulls([pull], {
            [contents]: version(onBase),
            ...(exists && { [`/git/ref/heads/${pull.head.ref}`]: {} }),
            ...(onHead !== undefined && {
                [contents.replace("main", encodeURIComponent(pull.head.ref))]: version(onHead),
            }),
        });
        expect((await plan("pull-request")).delivery).toMatchObject({
            there: isThere ? Object.keys(files) : [],
            starts: !exists,
        });
    });

    test("warns of an older one that was opened again beside it", async () => {
        servePulls([pull, { ...pull, number: 2 }]);
        expect((await plan("pull-request")).warnings).toEqual([expect.stringContaining("pull request #2 has older")]);
    });

    test("looks for one that was merged from the same branch, and from those after it", async () => {
        const merged: number[] = [];
        servePulls([], {}, (key) => {
            if (merged.length === 2) return [];
            merged.push(merged.length + 4);
            const ref = headIn(key);
            return [
                { ...pull, number: merged.at(-1), state: "closed", merged_at: "2026", head: { ...pull.head, ref } },
            ];
        });
        expect(await plan("pull-request")).toMatchObject({ delivery: { by: "pull-request" } });
        const asked = requested.filter((key) => ours.test(key));
        expect(new Set(asked).size).toBe(3);
    });

    test.each([
        ["closed with files to bring is a decision", 1, { by: "nothing", declined: 2 }],
        ["closed because it had nothing left to bring is none", 0, { by: "pull-request", head: pull.head.ref }],
    ])("one that was %s", async (_, changed, delivery) => {
        let head = "";
        servePulls([], { "/pulls/2": { changed_files: changed } }, (key) => {
            head = headIn(key);
            return [{ ...pull, number: 2, state: "closed", head: { ...pull.head, ref: head } }];
        });
        const planned = await plan("pull-request");
        expect(planned.delivery).toMatchObject("head" in delivery ? { ...delivery, head } : delivery);
    });

    test("proposes the removal of a file of ours that is generated no longer, and says so", async () => {
        servePulls([], { ...withLeftover, [contents]: text("# ours\nnew\n") });
        expect(await plan("pull-request")).toMatchObject({
            delivery: { by: "pull-request", removes: [leftover] },
            warnings: [`generated no longer, and removed from branch main by the pull request: ${leftover}`],
        });
    });

    test("does not take one from a fork for ours", async () => {
        servePulls([{ ...pull, head: { ...pull.head, repo: { full_name: "them/bot" } } }]);
        const { delivery } = await plan("pull-request");
        expect(delivery).toMatchObject({ by: "pull-request", head: expect.stringMatching(/-[0-9a-f]{12}$/) as string });
    });
});

test("ours is found among 150 open pull requests, whichever was opened first", async () => {
    const github = await startTestStandIn();
    onTestFinished(() => github.remove());
    const ours = "layered-images/workflows-0123456789ab";
    const others = Array.from({ length: 150 }, (_, index) => `topic-${index.toString()}`);
    github.store.update((draft) => {
        const repository = draft.repositories["acme/tool"];
        if (repository) openPullRequests(repository, [ours, ...others]);
    });
    const { target: acme } = github;
    const asked = { ...wishes, secrets: {}, access: [] };
    const proposed = await planDelivery(acme, files, { ...asked, delivery: "pull-request" });
    expect(proposed.delivery).toMatchObject({ by: "pull-request", head: ours, number: 1 });
    const committed = await planDelivery(acme, files, asked);
    expect(committed.warnings).toEqual([expect.stringContaining("pull request #1 has older workflow files")]);
});
