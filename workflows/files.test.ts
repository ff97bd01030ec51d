import { createHash } from "node:crypto";
import path from "node:path";
import { describe } from "mocha";
import { TextDocument } from "vscode-languageserver-textdocument";
import { parse } from "yaml";
import { openCheckout } from "../lib/context/checkout";
import { images } from "../images";
import { repositoryRoot } from "../lib/system/paths";
import { languageService } from "../tests/github/languageService";
import { expect, test } from "../tests/mocha";
import type { Job, Step } from "./document";
import { header, workflowFiles } from "./files";
import { workflowImages } from "./images";
import { pins } from "./pins";
import { staleWorkflows } from "./write";

interface Parsed {
    readonly name: string;
    readonly on: Readonly<Record<string, unknown>>;
    readonly permissions: unknown;
    readonly jobs: Readonly<Record<string, Job>>;
}

const files = workflowFiles(workflowImages(openCheckout(repositoryRoot), { images }), "main");
const workflows = Object.entries(files).filter(([file]) => file.startsWith(".github/workflows/"));
const parsed = new Map(workflows.map(([file, text]) => [path.basename(file), parse(text) as Parsed]));
const jobs = [...parsed].flatMap(([file, { jobs }]) =>
    Object.entries(jobs).map(([key, job]) => ({ where: `${file} ${key}`, job, steps: job.steps ?? [] })),
);
const steps = jobs.flatMap(({ where, steps }) =>
    steps.map((step: Step) => ({ where: `${where} ${step.name ?? ""}`, step })),
);

test("the checked-in files are what images.ts, the Dockerfiles and workflows/ say: else `npm run workflows`", () => {
    const { changed, removed } = staleWorkflows(repositoryRoot, { images });
    expect({ changed: Object.keys(changed), removed }).toEqual({ changed: [], removed: [] });
});

test("every file begins with the header that makes it ours", () => {
    expect(Object.values(files).filter((text) => !text.startsWith(`${header}\n`))).toEqual([]);
});

test("the workflows have the names and triggers that people and other workflows know them by", () => {
    const table = [...parsed].map(([file, { name, on }]) => [file, name, Object.keys(on).join(" ")]);
    expect(table).toEqual([
        ["build-base-image.yml", "Build Base Docker Image", "push workflow_dispatch"],
        ["ci-image.yml", "Build CI Docker Image", "push workflow_dispatch"],
        ["deploy.yml", "Deploy Discord Bot", "push workflow_run workflow_dispatch"],
        ["test.yml", "Testing Checks", "pull_request workflow_dispatch"],
        ["lint.yml", "Linting Checks", "pull_request workflow_dispatch"],
        ["review.yml", "Review", "pull_request schedule"],
    ]);
});

describe("GitHub's own language service", () => {
    const problems = async (text: string) => {
        const { validate } = await languageService();
        // The parser caches results by URL, so each text needs a unique URL.
        const address = `file:///.github/workflows/${createHash("sha256").update(text).digest("hex")}.yml`;
        const document = TextDocument.create(address, "yaml", 1, text);
        return (await validate(document)).map(({ message }) => message);
    };

    test.each(workflows)("finds nothing wrong with %s", async (_file, text) => {
        expect(await problems(text)).toEqual([]);
    });

    test.each([
        ["runs-on: ubuntu-latest", "run-on: ubuntu-latest"],
        ["github.run_id", "github.run_identity"],
        ["packages: write", "packages: all"],
        ["branches:", "branch:"],
    ])("finds what is wrong in a workflow with %s replaced by %s", async (right, wrong) => {
        const text = files[".github/workflows/deploy.yml"] ?? "";
        expect(text).toContain(right);
        expect(await problems(text.replaceAll(right, wrong))).not.toEqual([]);
    });
});

describe("permissions", () => {
    test("are none for a workflow, and for each job just what it needs", () => {
        expect([...parsed.values()].map(({ permissions }) => permissions)).toEqual([...parsed].map(() => ({})));
        const writing = jobs.map(({ where, job }) => {
            const granted = Object.entries(job.permissions ?? {}).filter(([, level]) => level === "write");
            return [where, granted.map(([scope]) => scope).join(" ")];
        });
        expect(Object.fromEntries(writing)).toEqual({
            "build-base-image.yml up": "packages id-token",
            "build-base-image.yml review": "id-token",
            "ci-image.yml up": "packages id-token",
            "ci-image.yml review": "id-token",
            "deploy.yml up": "packages id-token",
            "deploy.yml review": "id-token",
            "test.yml test": "",
            "lint.yml lint": "",
            "review.yml review": "id-token",
            "review.yml comment": "pull-requests",
            "review.yml lab": "",
            "review.yml status": "id-token",
            "review.yml drift": "issues",
        });
    });

    test("jobs that run the code of forks and bots have no secret, no environment and no token but to pull their image", () => {
        const exposed = jobs.filter(({ where }) => /test|lint|lab/.test(where)).map(({ job }) => job);
        expect(exposed.map(({ container }) => typeof container)).toEqual(["object", "object", "undefined"]);
        for (const { container, ...job } of exposed) {
            const { credentials, ...rest } = (container ?? {}) as Record<string, unknown>;
            expect(JSON.stringify([job, rest])).not.toMatch(/secrets|github\.token|GITHUB_TOKEN|id-token/);
            expect(JSON.stringify(credentials ?? {})).not.toContain("secrets");
            expect(job).not.toHaveProperty("environment");
        }
    });

    test("only jobs of the environment `up` ask Pulumi Cloud for more than to read, and for no shorter time than they have", () => {
        const logins = jobs.flatMap(({ job, steps }) => {
            const { with: inputs } = steps.find(({ id }) => id === "pulumi-login") ?? {};
            return inputs ? [{ job, inputs: inputs as Record<string, string | number> }] : [];
        });
        const ofReview = logins.filter(({ job }) => (job.environment as { name: string }).name === "review");
        expect([logins.length, ofReview.length]).toEqual([8, 4]);
        for (const { job, inputs } of logins) {
            const [type, scope] = ofReview.some((one) => one.job === job)
                ? [
                      "${{ vars.PULUMI_REVIEW_TEAM && 'team' || 'organization' }}",
                      "${{ vars.PULUMI_REVIEW_TEAM && format('team:{0}', vars.PULUMI_REVIEW_TEAM) || '' }}",
                  ]
                : ["organization", undefined];
            expect(inputs["requested-token-type"]).toBe(`urn:pulumi:token-type:access_token:${type}`);
            expect(inputs.scope).toBe(scope);
            expect(inputs["token-expiration"]).toBe(Number(job["timeout-minutes"]) * 60);
        }
    });

    test("jobs that may write to pull requests or issues check out main's scripts", () => {
        const refs = ["comment", "drift"].map((key) => parsed.get("review.yml")?.jobs[key]?.steps?.[0]?.with);
        const main = { ref: "main", "sparse-checkout": "workflows/scripts" };
        expect(refs).toEqual([1, 2].map(() => ({ ...main, "persist-credentials": false })));
    });

    test("the comment is written of a review that failed, too, and is told the commit and the run", () => {
        const comment = parsed.get("review.yml")?.jobs.comment;
        expect(comment?.if).toBe("${{ !cancelled() && needs.review.result != 'skipped' }}");
        expect(comment?.steps?.at(-1)?.env).toMatchObject({
            SHA: "${{ github.event.pull_request.head.sha }}",
            RUN: expect.stringContaining("/actions/runs/${{ github.run_id }}") as string,
        });
    });

    test("recorded updates are kept where those before them were not lost", () => {
        const named = (name: string) => steps.filter(({ step }) => step.name === name).map(({ step }) => step);
        const kept = named("Keep the recorded updates").map((step) => step.if);
        expect(kept).toEqual([1, 2, 3].map(() => "${{ !cancelled() && steps.history.outputs.lost != 'true' }}"));
        expect(new Set(named("Get the recorded updates").map(({ id }) => id))).toEqual(new Set(["history"]));
    });
});

describe("every job", () => {
    test("ends by itself", () => {
        expect(jobs.filter(({ job }) => typeof job["timeout-minutes"] !== "number").map(({ where }) => where)).toEqual(
            [],
        );
    });

    test("leaves no token in its checkout", () => {
        const checkouts = steps.filter(({ step }) => step.uses?.startsWith("actions/checkout@"));
        expect(
            checkouts.filter(({ step }) => (step.with as Record<string, unknown>)["persist-credentials"] !== false),
        ).toEqual([]);
        expect(checkouts).toHaveLength(jobs.length);
    });

    test("uses actions by a commit of pins.ts, with the version as a comment", () => {
        const known = Object.values(pins).map(
            ({ action, commit, version }) => `uses: ${action}@${commit} # ${version}`,
        );
        const lines = workflows.flatMap(([, text]) => text.match(/uses: .+/g) ?? []);
        expect(
            lines.filter((line) => !known.some((one) => line === one || line.startsWith(`${one} # zizmor:`))),
        ).toEqual([]);
        expect(Object.values(pins).filter(({ commit }) => !/^[0-9a-f]{40}$/.test(commit))).toEqual([]);
        expect(known.filter((one) => !lines.some((line) => line.startsWith(one)))).toEqual([]);
    });

    test("hands nothing to a shell but through its environment", () => {
        expect(steps.filter(({ step }) => step.run?.includes("${{")).map(({ where }) => where)).toEqual([]);
    });

    test("gives a linter's exception with its reason", () => {
        const ignores = workflows.flatMap(([, text]) => text.match(/zizmor: ignore.*/g) ?? []);
        expect(ignores.length).toBeGreaterThan(0);
        expect(ignores.filter((one) => !/^zizmor: ignore\[[a-z-]+\] \w.{20,}/.test(one))).toEqual([]);
    });
});

test("every `up` waits in one group, is never cancelled, and checks out main afterwards; elsewhere nothing is promoted", () => {
    const ups = jobs.filter(({ where }) => where.endsWith(" up"));
    expect(ups).toHaveLength(3);
    for (const { job, steps } of ups) {
        expect(job.if).toBe("github.ref == 'refs/heads/main'");
        expect(job.concurrency).toEqual({
            group: "${{ github.ref == 'refs/heads/main' && 'pulumi-up' || github.run_id }}",
            "cancel-in-progress": false,
        });
        expect(steps[0]?.with).toMatchObject({ ref: "main" });
    }
    const promoting = steps
        .filter(({ step }) => step.run?.startsWith("npm run --silent up "))
        .map(({ where }) => where);
    expect(promoting).toHaveLength(6);
    expect(promoting.every((where) => where.includes(" up "))).toBe(true);
});

test("an `up` during which the App's token may have expired is finished with another one", () => {
    for (const { steps } of jobs.filter(({ where }) => where.endsWith(" up"))) {
        const later = steps.slice(steps.findIndex(({ id }) => id === "up"));
        const [up, token, finish] = later.map((step) => ({ ...step, env: step.env as Record<string, string> }));
        expect(up?.env).toMatchObject({
            GITHUB_TOKEN: "${{ steps.app-token.outputs.token || secrets.REPOSITORY_TOKEN }}",
            RENEWABLE: "${{ steps.app-token.outputs.token != '' && 'true' || '' }}",
        });
        expect([token?.uses, finish?.run]).toEqual([steps.find(({ id }) => id === "app-token")?.uses, up?.run]);
        expect([token?.if, finish?.if]).toEqual(Array(2).fill("steps.up.outputs.again == 'true'"));
        expect(finish?.env.GITHUB_TOKEN).toBe(`\${{ steps.${token?.id ?? ""}.outputs.token }}`);
        const added = Object.keys(up?.env ?? {}).filter((name) => !(name in (finish?.env ?? {})));
        expect(added.sort()).toEqual(["REFRESH", "RENEWABLE"]);
    }
});

test("jobs that look at a pull request check the generated files first, before a secret or an hour is spent", () => {
    const looking = jobs.filter(({ where }) => / (review|lab)$/.test(where));
    const runs = looking.map(({ steps }) => steps.findIndex(({ run }) => run?.endsWith("workflows -- --check")));
    expect(looking.map(({ where }) => where)).toContain("review.yml lab");
    expect(runs).toEqual(looking.map(() => 2));
});

test("tests and linters run in the published image, with the requirements of the pull request, the base's included", () => {
    for (const [file, job] of [
        ["test.yml", "test"],
        ["lint.yml", "lint"],
    ] as const) {
        const { container, steps = [] } = parsed.get(file)?.jobs[job] ?? {};
        expect(container).toMatchObject({ image: "${{ vars.CI_IMAGE || 'ghcr.io/cs24-1/cs24-1-bot-ci:latest' }}" });
        for (const name of ["-uv", "-torch", "", "-dev"]) {
            expect(steps[1]?.run).toContain(`--requirement requirements/requirements${name}.txt`);
        }
    }
});

test("dependabot looks after actions, npm, requirements and every folder with a Dockerfile", () => {
    const { updates } = parse(files[".github/dependabot.yml"] ?? "") as { updates: Record<string, unknown>[] };
    expect(updates.map((one) => [one["package-ecosystem"], one.directories ?? one.directory])).toEqual([
        ["github-actions", "/"],
        ["npm", "/"],
        ["uv", "/requirements"],
        ["docker", ["/.devcontainer", "/docker"]],
    ]);
});

test("an image that a workflow is about and images.ts lacks is refused with those that there are", () => {
    const others = workflowImages(openCheckout(repositoryRoot), { images }).filter(({ key }) => key !== "ci");
    expect(() => workflowFiles(others, "main")).toThrow(/image "ci"[\s\S]*allowed: base, bot, devcontainer/);
});
