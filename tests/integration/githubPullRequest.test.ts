import { rmSync } from "node:fs";
import path from "node:path";
import { after, before } from "mocha";
import type { StatusReport } from "../../lib/status/status";
import { configWith, fixtureWorkflows, lightFixture, workflowsFile } from "../fixture";
import { type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { type UpOutcome, changesOf, command, noChanges, reviewPlan, up } from "../stack";
import { type StandInRepository, standInRepository } from "../standIn";
import { writeTree } from "../tree";

/* Workflow files by pull request, with the real GitHub provider on the lab's stand-in, in consecutive rounds. */

const settings = `  layered-images:github:
    repository: cs24-1-bot
    delivery: pull-request
  github:writeDelayMs: "0"
  github:retryDelayMs: "10"
`;
const ciYml = ".github/workflows/ci-image.yml";
const lintYml = ".github/workflows/lint.yml";
const testYml = ".github/workflows/test.yml";

let lab: TestLab;
let program: string;
let github: StandInRepository;
before(async () => {
    lab = await startTestLab();
    const files = { ...lightFixture, ...workflowsFile(), ...configWith(settings) };
    program = makeRepository(path.join(lab.paths.state, "repository"), files);
    github = standInRepository(lab);
    await github.control("PATCH", github.where, { protected: ["main"] });
});
after(async () => {
    await lab.close();
});

/** Another user works on the repository through GitHub's API. */
async function api(method: string, where: string, body?: unknown): Promise<void> {
    const url = `${lab.env.GITHUB_BASE_URL ?? ""}api/v3/repos/cs24-1/cs24-1-bot/${where}`;
    const headers = { authorization: `Bearer ${lab.env.GITHUB_TOKEN ?? ""}` };
    const response = await fetch(url, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
    if (!response.ok) throw new Error(`${method} ${where}: ${response.status} ${await response.text()}`);
}

/** Number of the pull request that was opened last. */
const last = () => github.state().pulls.at(-1)?.number ?? 0;
const heads = () => Object.keys(github.state().branches).filter((branch) => branch !== "main");
/** Adds an input to the image `ci`, which changes the path filters of its workflow. */
const addInput = (name: string) => {
    writeTree(program, {
        [`requirements/${name}.txt`]: "# nothing\n",
        "docker/Dockerfile.ci": `${lightFixture["docker/Dockerfile.ci"] ?? ""}COPY requirements/${name}.txt /\n`,
    });
};
/** Changes workflows.ts to define all workflows except these checks. */
const generateWithout = (...left: readonly string[]) => {
    const checks = fixtureWorkflows.checks.filter(({ file }) => !left.includes(`.github/workflows/${file}`));
    expect(checks).toHaveLength(fixtureWorkflows.checks.length - left.length);
    writeTree(program, workflowsFile({ ...fixtureWorkflows, checks }));
};
const createdOn = ({ onGitHub }: UpOutcome, part: string) =>
    Object.entries(onGitHub).filter(([name, operation]) => name.includes(part) && operation === "create");
/** Returns the findings of `npm run status`. */
const status = async () => {
    const { code, stdout } = await command(lab, program, ["status", "--json"]);
    return { code, report: JSON.parse(stdout) as StatusReport };
};
const refreshFiles = () =>
    runIn(lab, program, "pulumi", ["refresh", "--yes", "--skip-preview", "--target", "**RepositoryFile::**"]);

test("a rule that lets nobody make the branch is told, with the ways around it", async () => {
    const rule = { by: "ruleset", branches: ["layered-images/*"], rules: { creations: true } };
    const main = { branches: ["main"], rules: { pullRequest: true } };
    await github.control("PATCH", github.where, { protections: [main, rule] });
    const { code, output } = await up(lab, program);
    expect(output).toMatch(
        /the rule "Restrict creations" refuses it: .*or exempt the branches layered-images\/\*\* from it/,
    );
    expect(code).toBe(1);
    expect(heads()).toEqual([]);
    await github.control("PATCH", github.where, { protections: [main] });
});

test("the files are proposed by one pull request, and nothing of them is on the protected branch", async () => {
    const outcome = await up(lab, program);
    expect(outcome).toMatchObject({ code: 0 });
    expect(outcome.output).toContain("waiting for #1 to be merged");
    expect(heads()).toEqual([expect.stringMatching(/^layered-images\/workflows-[0-9a-f]{12}$/)]);
    expect(github.file(ciYml, heads()[0])).toContain("name: Build CI Docker Image");
    expect(github.file(ciYml)).toBeUndefined();
});

test("while it waits the plan says so, and there is no diff", async () => {
    await refreshFiles();
    const preview = await runIn(lab, program, "pulumi", ["preview", "--expect-no-changes"]);
    expect(preview.output).toContain("waiting for #1 to be merged");
    expect(preview.code).toBe(0);
    expect(changesOf(await up(lab, program))).toEqual(noChanges);
    const { code, report } = await status();
    expect({ code, drift: report.findings.filter(({ kind }) => kind === "drift") }).toEqual({ code: 0, drift: [] });
    expect(report.findings.map(({ text }) => text)).toContainEqual(
        expect.stringMatching(/^branch main has other files until the pull request is merged: .*ci-image\.yml/),
    );
});

test("a review that could not ask GitHub shows nothing of what waits as deleted", async () => {
    // The number of requests that the program sends before it gives up; the provider's requests come later.
    await github.control("PUT", "outages", { count: 3 });
    const { repository, pending, warnings } = await reviewPlan(lab, program);
    await github.control("PUT", "outages", { count: 0 });
    expect(warnings).toEqual([expect.stringContaining("What is there is not known")]);
    expect({ repository, pending }).toEqual({ repository: [], pending: false });
});

test("a change goes into the same pull request, also that a file is generated no longer", async () => {
    expect(github.file(lintYml, heads()[0])).toBeDefined();
    addInput("first");
    generateWithout(lintYml);
    const { onGitHub } = await up(lab, program);
    const changed = Object.entries(onGitHub).filter(([name]) => name.startsWith("workflows-"));
    expect(changed.map(([name, operation]) => [name.replace(/^workflows-\w+-/, ""), operation]).sort()).toEqual([
        [ciYml, "update"],
        [lintYml, "delete"],
    ]);
    expect(heads()).toHaveLength(1);
    expect(github.file(ciYml, heads()[0])).toContain("requirements/first.txt");
    expect(github.file(lintYml, heads()[0])).toBeUndefined();
});

test("once it is merged and its branch deleted, there is nothing left to do", async () => {
    const [head = ""] = heads();
    await github.control("POST", `${github.where}/pulls/1/merge`);
    await api("DELETE", `git/refs/heads/${head}`);
    expect(heads()).toEqual([]);
    expect(github.file(ciYml)).toContain("requirements/first.txt");
    await refreshFiles();
    const { code, output } = await up(lab, program);
    expect(code).toBe(0);
    expect(output).not.toContain("waiting for");
    expect(github.file(ciYml)).toContain("requirements/first.txt");
    expect(changesOf(await up(lab, program))).toEqual(noChanges);
});

test("the next change is proposed by the next pull request, which removes what is generated no longer", async () => {
    generateWithout(lintYml, testYml);
    const outcome = await up(lab, program);
    expect(outcome.output).toContain(
        `generated no longer, and removed from branch main by the pull request: ${testYml}`,
    );
    expect(outcome.output).toContain("waiting for #2 to be merged");
    expect(createdOn(outcome, "pull-request")).toHaveLength(1);
    const [head = ""] = heads();
    expect(Object.keys(github.files(head))).toEqual(Object.keys(github.files()).filter((file) => file !== testYml));
    expect(github.state().pulls[1]?.body).toContain(testYml);
    expect(github.emptyCommits()).toEqual([]);
});

test("a pull request that was closed is a decision: the same is not proposed again", async () => {
    await api("PATCH", "pulls/2", { state: "closed" });
    const outcome = await up(lab, program);
    expect(outcome).toMatchObject({ code: 0 });
    expect(outcome.output).toContain("pull request #2 with just these files was closed without merging");
    expect(changesOf(await up(lab, program))).toEqual(noChanges);
});

test("one that was closed and is opened again is taken back", async () => {
    await api("PATCH", "pulls/2", { state: "open" });
    const outcome = await up(lab, program);
    expect(outcome).toMatchObject({ code: 0 });
    expect(outcome.output).toContain("waiting for #2 to be merged");
    expect(github.state().pulls).toHaveLength(2);
    expect(changesOf(await up(lab, program))).toEqual(noChanges);
});

test("a change that is taken back leaves the pull request with nothing to bring, and the next change uses it", async () => {
    const [head = ""] = heads();
    generateWithout(lintYml);
    const outcome = await up(lab, program);
    expect(outcome).toMatchObject({ code: 0 });
    expect(outcome.output).toContain("#2 has nothing left to bring to branch main: close it");
    expect(outcome.output).not.toContain("waiting for");
    expect(github.files(head)).toEqual(github.files());
    await refreshFiles();
    expect(changesOf(await up(lab, program))).toEqual(noChanges);

    addInput("third");
    rmSync(path.join(program, "requirements/first.txt"));
    const next = await up(lab, program);
    expect(next).toMatchObject({ code: 0 });
    expect(next.output).toContain("waiting for #2 to be merged");
    expect(github.file(ciYml, head)).toContain("requirements/third.txt");
});

test.thorough("one that an `up` opened without the state knowing is taken over, by a preview too", async () => {
    const { stdout } = await runIn(lab, program, "pulumi", ["stack", "--show-urns"]);
    const urn = /urn:\S+-pull-request\b/.exec(stdout)?.[0] ?? "";
    await runIn(lab, program, "pulumi", ["state", "delete", "--yes", urn]);
    const preview = await runIn(lab, program, "pulumi", ["preview"]);
    expect(preview.output).toContain("waiting for #2 to be merged");
    expect(preview.code).toBe(0);
    expect(await up(lab, program)).toMatchObject({ code: 0 });
    expect(changesOf(await up(lab, program))).toEqual(noChanges);
    expect(github.state().pulls).toHaveLength(2);
});

test.thorough("what was merged and then reverted is proposed again, by a pull request that brings it", async () => {
    const before = Object.fromEntries(Object.keys(github.files()).map((file) => [file, github.file(file) ?? null]));
    await github.control("POST", `${github.where}/pulls/2/merge`);
    const merged = github.files();
    expect((await up(lab, program)).output).not.toContain("waiting for");
    await github.control("POST", `${github.where}/push`, { files: before });
    expect(github.files()).not.toEqual(merged);
    const outcome = await up(lab, program);
    expect(outcome.output).toContain("waiting for #3 to be merged");
    await github.control("POST", `${github.where}/pulls/3/merge`);
    expect(github.files()).toEqual(merged);
    expect((await up(lab, program)).output).not.toContain("waiting for");
});

const deliver = (delivery: string) => {
    writeTree(program, configWith(settings.replace("delivery: pull-request", `delivery: ${delivery}`)));
};

test.thorough(
    "who goes from pull requests to commits is told of the one that is open, and going back uses it",
    async () => {
        generateWithout(lintYml, testYml);
        expect((await up(lab, program)).output).toContain("waiting for #4 to be merged");
        deliver("direct");
        await github.control("PATCH", github.where, { protected: [] });
        const direct = await up(lab, program);
        expect(direct).toMatchObject({ code: 0 });
        expect(direct.output).toContain("pull request #4 has older workflow files: close it");

        deliver("pull-request");
        generateWithout(lintYml);
        const back = await up(lab, program);
        expect(back).toMatchObject({ code: 0 });
        expect(back.output).toContain("waiting for #4 to be merged");
        await api("PATCH", "pulls/4", { state: "closed" });
    },
);

test("who goes from commits to pull requests loses no file, and has nothing else to do", async () => {
    await api("PATCH", `pulls/${last()}`, { state: "closed" });
    deliver("direct");
    await github.control("PATCH", github.where, { protected: [] });
    generateWithout();
    expect(await up(lab, program)).toMatchObject({ code: 0 });
    const committed = github.files();
    expect(Object.keys(committed)).toEqual(expect.arrayContaining([ciYml, lintYml, testYml]));

    await github.control("PATCH", github.where, { protected: ["main"] });
    deliver("pull-request");
    expect(await up(lab, program)).toMatchObject({ code: 0 });
    expect(github.files()).toEqual(committed);
    expect(changesOf(await up(lab, program))).toEqual(noChanges);
});

test.thorough(
    "what somebody changes on the branch afterwards is found by status, and proposed by the `up` that it names",
    async () => {
        const [ours, theirs] = [github.file(testYml), "on: push\n"];
        const before = last();
        expect((await status()).code).toBe(0);
        await github.control("POST", `${github.where}/push`, { files: { [testYml]: theirs, [lintYml]: null } });
        const { code, report } = await status();
        expect(code).toBe(2);
        expect(report.findings.filter(({ kind }) => kind === "drift")).toEqual([
            {
                kind: "drift",
                about: `file ${lintYml}`,
                text: "it is not on branch main",
                command: "npx layered-images up",
            },
            {
                kind: "drift",
                about: `file ${testYml}`,
                text: "it was changed on branch main",
                command: "npx layered-images up",
            },
        ]);
        expect(report.repairs).toEqual(["npx layered-images up"]);
        const repaired = await command(lab, program, ["up"]);
        expect(repaired).toMatchObject({ code: 0 });
        expect(last()).toBe(before + 1);
        expect(repaired.output).toContain(`waiting for #${last()} to be merged`);
        expect(await status()).toMatchObject({ code: 0 });
        await github.control("POST", `${github.where}/pulls/${last()}/merge`);
        expect(github.file(testYml)).toBe(ours);
        expect(await status()).toMatchObject({ code: 0 });
    },
);

test.thorough("ours goes on when 150 others were opened after it", async () => {
    addInput("fourth");
    expect((await up(lab, program)).output).toContain(`waiting for #${last()} to be merged`);
    const ours = last();
    for (let number = 1; number <= 150; number++) {
        const branch = `topic-${number.toString()}`;
        await github.control("POST", `${github.where}/push`, { branch, files: { "topic.txt": branch } });
        await api("POST", "pulls", { title: branch, head: branch, base: "main" });
    }
    addInput("fifth");
    const { code, output } = await up(lab, program);
    expect(output).toContain(`waiting for #${ours} to be merged`);
    expect(code).toBe(0);
    expect(
        github
            .state()
            .pulls.filter(({ head }) => head.startsWith("layered-images/"))
            .at(-1)?.number,
    ).toBe(ours);
    expect(github.emptyCommits()).toEqual([]);
});
