import { createHash } from "node:crypto";
import { TextDocument } from "vscode-languageserver-textdocument";
import { parse } from "yaml";
import { openCheckout } from "../lib/context/checkout";
import { expressions } from "../tests/github/expressions";
import { languageService } from "../tests/github/languageService";
import { expect, test } from "../tests/mocha";
import { tree } from "../tests/tree";
import type { PreviewDefinition } from "./definition";
import type { Workflow } from "./document";
import { workflowFiles } from "./files";
import { workflowProblems } from "./validate";

const settings = 'config:\n  images:channel: "{stack}"\n  images:buildsFrom: [ci]\n';
const images = {
    app: {
        description: "",
        name: "ghcr.io/owner/app",
        dockerfile: "Dockerfile",
        platforms: ["linux/amd64", "linux/arm64"],
    },
} as const;

/** Returns the text of the workflow of a repository with these settings of pull requests' stacks. */
function generated(preview: PreviewDefinition): string | undefined {
    const root = tree({
        Dockerfile: "FROM python:3.12-slim\nCOPY a.txt /\n",
        "a.txt": "",
        "Pulumi.yaml": "name: images\nruntime: nodejs\n",
        "Pulumi.preview.yaml": settings,
    });
    return workflowFiles(openCheckout(root), { images, workflows: { preview } })[
        `.github/workflows/${preview.file ?? "preview.yml"}`
    ];
}
const workflow = () => parse(generated({}) ?? "") as Workflow;

test("GitHub's own language service finds nothing wrong with the workflow", async () => {
    const text = generated({}) ?? "";
    const address = `file:///.github/workflows/${createHash("sha256").update(text).digest("hex")}.yml`;
    const { validate } = await languageService();
    expect(await validate(TextDocument.create(address, "yaml", 1, text))).toEqual([]);
});

test.each([
    ["a person of the repository who opens one", "opened", { type: "User", repo: "owner/name" }, ["up"]],
    ["a person of the repository who closes one", "closed", { type: "User", repo: "owner/name" }, ["remove"]],
    ["a fork that opens one", "opened", { type: "User", repo: "somebody/name" }, []],
    ["a fork that closes one", "closed", { type: "User", repo: "somebody/name" }, []],
    ["a bot", "synchronize", { type: "Bot", repo: "owner/name" }, []],
] as const)("of the jobs, %s starts those that may see its secrets", async (_who, action, { type, repo }, started) => {
    const { holds } = await expressions();
    const pull_request = { head: { repo: { full_name: repo } }, user: { type } };
    const event = { action, repository: { fork: false }, pull_request };
    const github = { event_name: "pull_request", repository: "owner/name", head_ref: "topic", event };
    const jobs = Object.entries(workflow().jobs).filter(([, job]) => holds(String(job.if), { github }));
    expect(jobs.map(([key]) => key)).toEqual(started);
});

test("runs of one pull request wait for each other, and its commands are for its own stack", () => {
    const { concurrency, jobs, on } = workflow();
    expect(concurrency).toEqual({
        group: "${{ github.workflow }}-${{ github.event.pull_request.number }}",
        "cancel-in-progress": false,
        queue: "max",
    });
    expect(on).toEqual({ pull_request: { types: ["opened", "synchronize", "reopened", "closed"] } });
    const commands = Object.values(jobs).map(({ environment, steps = [] }) => {
        const { run, env = {} } = steps.at(-1) ?? {};
        return [
            environment,
            / (\S+ -- .*)$/.exec(String(run))?.[1],
            Object.entries(env).find(([name]) => name === "PULUMI_STACK")?.[1],
        ];
    });
    const stack =
        "${{ vars.PULUMI_ORGANIZATION && format('{0}/pr-{1}', vars.PULUMI_ORGANIZATION, github.event.pull_request.number) || " +
        "format('pr-{0}', github.event.pull_request.number) }}";
    const environment = { name: "preview", deployment: false };
    expect(commands).toEqual([
        [environment, 'up -- --stack "$PULUMI_STACK" --settings-of preview', stack],
        [environment, 'remove-channel -- --stack "$PULUMI_STACK" --settings-of preview --yes', stack],
    ]);
});

test.each([
    ["no file", undefined],
    ["no channel", "config: {}\n"],
    ["one channel for all", "config:\n  images:channel: preview\n"],
])("settings with %s are refused", (_what, text) => {
    const root = tree({
        "Pulumi.yaml": "name: images\nruntime: nodejs\n",
        Dockerfile: "FROM python:3.12-slim\n",
        ...(text !== undefined && { "Pulumi.preview.yaml": text }),
    });
    expect(() => workflowFiles(openCheckout(root), { images, workflows: { preview: {} } })).toThrow(
        /^Pulumi\.preview\.yaml: .*\n.*\{stack\}/,
    );
});

test("its file, name and time limit are checked as those of the others", () => {
    const problems = (preview: PreviewDefinition) => workflowProblems({ images, workflows: { preview } });
    expect(problems({})).toEqual([]);
    expect(problems({ file: "images.yml" })).toEqual(['up[0]: the preview has the file "images.yml" too']);
    expect(problems({ minutes: 0 })).toEqual([expect.stringContaining("preview.minutes: is not between")]);
});
