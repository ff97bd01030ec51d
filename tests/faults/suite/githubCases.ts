import type { Reaction } from "../../interposer";
import { runIn } from "../../lab";
import { expect } from "../../mocha";
import { standInRepository } from "../../standIn";
import {
    type Case,
    type Matches,
    type Play,
    type Scene,
    failed,
    kill,
    killed,
    killing,
    nothing,
    reacting,
    strike,
    writes,
} from "./plays";
import { onGitHub } from "./world";

/* GitHub that refuses, hangs and breaks off: for workflow files that are committed, and for those that are proposed. */

/** Makes each kind of write on GitHub necessary. */
const changes = {
    contents: ({ repository, fresh }: Scene) => {
        repository.write(
            "workflows.ts",
            repository.read("workflows.ts").replace(/Build Images[^"]*/, `Build Images ${fresh()}`),
        );
    },
    secrets: async ({ world, repository, fresh }: Scene) => {
        const set = ["config", "set", "--stack", "local", "--secret", "--path", "repositorySecrets.OTHER", fresh()];
        const { code, output } = await runIn(world.lab, repository.root, "pulumi", set);
        expect(code, output).toBe(0);
    },
    variables: ({ repository, fresh }: Scene) => {
        repository.write("leaf.txt", `${fresh()}\n`);
    },
} as const;

/** A write by each way of delivery: a variable where files are committed, and a commit where they are proposed. */
const struck = [
    { on: "hub", kind: "variables", what: "the change of a variable" },
    { on: "proposing", kind: "contents", what: "a commit for the pull request" },
] as const;

/** Both ways of delivery, for what strikes before anything is written. */
const ways = [
    { on: "hub", suffix: "" },
    { on: "proposing", suffix: ", with a pull request" },
] as const;

/** Refusals of a write; docs/operations.md words them. */
const refusals = struck.flatMap(({ on, kind, what }) =>
    [401, 403, 404, 409, 422, 429, 500].map((status): Case => ({
        name: `GitHub answers ${status.toString()} to ${what}`,
        on,
        change: changes[kind],
        play: reacting("github", writes(kind), {
            kind: "answer",
            status,
            body: { message: `refused with ${status.toString()}` },
            headers: status === 429 ? { "retry-after": "1" } : {},
        }),
        code: failed,
        says: /\bnext: /,
    })),
);

const kills = (["contents", "secrets", "variables"] as const).flatMap((kind) =>
    (["before", "after"] as const).map((when): Case => ({
        name: `kill -9 of the engine ${when} GitHub has done a write (${kind})`,
        on: "hub",
        change: changes[kind],
        play: strike("github", writes(kind), when, kill("engine")),
        code: killed,
    })),
);

/** Merges what is proposed, if anything is, so that the next change needs another branch and another pull request. */
async function startAgain(scene: Scene): Promise<void> {
    const github = standInRepository(scene.world.lab, onGitHub(scene.repository));
    const open = github.state().pulls.find(({ state }) => state === "open");
    if (open) await github.control("POST", `${github.where}/pulls/${open.number.toString()}/merge`);
    changes.contents(scene);
}

/** Matches the creation of something below the API's path of a repository. */
const creates =
    (what: string): Matches =>
    ({ method, path: where }) =>
        method === "POST" && where.endsWith(what);

const killsOfPullRequests = [
    ["made the branch of a pull request", "/git/refs"],
    ["opened a pull request", "/pulls"],
].map(([what = "", where = ""]): Case => ({
    name: `kill -9 of the engine after GitHub has ${what}`,
    on: "proposing",
    change: startAgain,
    play: strike("github", creates(where), "after", kill("engine")),
    code: killed,
}));

/** Runs an update while a rule of the repository holds for some branches. */
const ruled =
    (branch: string, rules: object): Play =>
    async ({ world, repository, run }) => {
        const github = standInRepository(world.lab, onGitHub(repository));
        const protect = (protections: readonly object[]) => github.control("PATCH", github.where, { protections });
        await protect([{ by: "ruleset", branches: [branch], rules }]);
        const met = await run(["up"]);
        await protect([]);
        return met;
    };

/** GitHub is asked before an update changes anything there: without an answer, everything there stays as it is. */
const leftAsItIs = /on GitHub are left as they are: GitHub can't be asked/;
const notUnderstood =
    /on GitHub are left as they are: GitHub's response to "read the repository \S+" is invalid[^]*next: /;
const silences: readonly (readonly [what: string, matches: Matches, reaction: Reaction, says: RegExp])[] = [
    ["accepts connections and never answers", () => true, { kind: "hold" }, leftAsItIs],
    ["cuts every answer", ({ method }) => method === "GET", { kind: "halve" }, leftAsItIs],
    [
        "answers with something else",
        ({ method }) => method === "GET",
        { kind: "answer", status: 200, body: {} },
        notUnderstood,
    ],
];

/** What GitHub refuses, holds back and cuts. */
export const githubCases: readonly Case[] = [
    ...kills,
    ...killsOfPullRequests,
    {
        name: "kill -9 of the GitHub provider at the change of a variable",
        on: "hub",
        play: strike("github", writes("variables"), "after", kill("GitHub provider")),
        code: killed,
    },
    {
        name: "kill -9 of the stand-in for GitHub at the change of a variable",
        on: "hub",
        play: strike("github", writes("variables"), "before", killing("github")),
        code: failed,
    },
    ...refusals,
    {
        name: "a rule of the branch refuses a workflow file",
        on: "hub",
        change: changes.contents,
        play: ruled("main", { pullRequest: true }),
        code: failed,
        says: /next: the rule "Require a pull request before merging" refuses it/,
    },
    {
        name: "a rule refuses a commit for the pull request",
        on: "proposing",
        change: changes.contents,
        play: ruled("layered-images/*", { updates: true }),
        code: failed,
        says: /next: the rule "Restrict who can push, or Restrict updates" refuses it: .*exempt the branches/,
    },
    ...silences.flatMap(([what, matches, reaction, says]) =>
        ways.map(({ on, suffix }): Case => ({
            name: `GitHub ${what}${suffix}`,
            on,
            change: changes.contents,
            play: reacting("github", matches, reaction),
            code: failed,
            says,
        })),
    ),
    ...struck.map(({ on, kind, what }): Case => ({
        name: `GitHub never answers ${what}`,
        lacking: "a limit of the GitHub provider (6.13.0) below twenty minutes, after which it says so",
        on,
        change: changes[kind],
        play: reacting("github", writes(kind), { kind: "hold" }),
        code: failed,
        says: /GitHub refused .*: next: GitHub can't be reached from here/,
    })),
    ...[...struck, { on: "hub", kind: "contents", what: "a commit" } as const].map(({ on, kind, what }): Case => ({
        name: `GitHub does ${what}, and its answer is lost`,
        on,
        change: changes[kind],
        play: strike("github", writes(kind), "after", nothing),
        code: [0, ...failed],
    })),
];
