import { describe } from "mocha";
import { parse } from "yaml";
import { openCheckout } from "../../lib/context/checkout";
import { packageRoot } from "../../lib/system/paths";
import { run } from "../../lib/system/process";
import { workflowImages } from "../../workflows/images";
import { staleWorkflows } from "../../workflows/write";
import { expect, test } from "../mocha";
import { passes } from "./paths";
import { readFiles } from "./reading";
import { ours } from "./world";

/* What workflows.ts of this repository makes. What holds for every repository is in workflows/files.test.ts. */

const { workflows, jobs } = readFiles(ours);
const images = workflowImages(openCheckout(packageRoot), ours.definitions);

test("the checked-in files are what images.ts, workflows.ts and the Dockerfiles say: else `npm run workflows`", () => {
    const { changed, removed } = staleWorkflows(packageRoot, ours.definitions);
    expect({ changed: Object.keys(changed), removed }).toEqual({ changed: [], removed: [] });
});

test("the workflows have the names and triggers that people and other workflows know them by", () => {
    const table = [...workflows].map(([file, { name, on }]) => [file, name, Object.keys(on).join(" ")]);
    expect(table).toEqual([
        ["build-base-image.yml", "Build Base Docker Image", "push workflow_dispatch"],
        ["ci-image.yml", "Build CI Docker Image", "push workflow_dispatch"],
        ["deploy.yml", "Deploy Discord Bot", "push workflow_run workflow_dispatch"],
        ["test.yml", "Testing Checks", "pull_request merge_group workflow_dispatch"],
        ["lint.yml", "Linting Checks", "pull_request merge_group workflow_dispatch"],
        ["review.yml", "Review", "pull_request merge_group schedule"],
    ]);
});

test("no job has more permissions to write than this", () => {
    const writing = jobs.map(({ where, job }) => {
        const granted = Object.entries(job.permissions ?? {}).filter(([, level]) => level === "write");
        return [where, granted.map(([scope]) => scope).join(" ")];
    });
    expect(Object.fromEntries(writing)).toEqual({
        "build-base-image.yml up": "packages id-token",
        "build-base-image.yml releases": "id-token attestations",
        "build-base-image.yml sbom": "id-token attestations",
        "build-base-image.yml review": "id-token",
        "ci-image.yml up": "packages id-token",
        "ci-image.yml releases": "id-token attestations",
        "ci-image.yml sbom": "id-token attestations",
        "ci-image.yml review": "id-token",
        "deploy.yml up": "packages id-token",
        "deploy.yml releases": "id-token attestations",
        "deploy.yml sbom": "id-token attestations",
        "deploy.yml review": "id-token",
        "test.yml test": "",
        "lint.yml lint": "",
        "review.yml review": "id-token",
        "review.yml comment": "pull-requests",
        "review.yml lab": "",
        "review.yml bump": "id-token",
        "review.yml status": "id-token",
        "review.yml drift": "issues",
    });
});

test("tests and linters run in the CI image, with all requirements that it and its parents install", () => {
    const lineage = images.filter(({ key }) => ["base", "ci"].includes(key));
    const inputs = lineage.flatMap((image) => image.inputs.map((input) => input.path));
    const requirements = inputs.filter((file) => file.endsWith(".txt"));
    expect(requirements).toHaveLength(4);
    for (const key of ["test", "lint"]) {
        const { container, steps = [] } = workflows.get(`${key}.yml`)?.jobs[key] ?? {};
        expect(container).toMatchObject({ image: "${{ vars.CI_IMAGE || 'ghcr.io/cs24-1/cs24-1-bot-ci:latest' }}" });
        const installed = [...(steps[1]?.run ?? "").matchAll(/--requirement (\S+)/g)].map(([, file]) => file);
        expect(installed.sort()).toEqual(requirements.sort());
    }
});

test("dependabot looks after actions, npm, requirements and every folder with a Dockerfile", () => {
    const { updates } = parse(ours.files[".github/dependabot.yml"] ?? "") as { updates: Record<string, unknown>[] };
    expect(updates.map((one) => [one["package-ecosystem"], one.directories ?? one.directory])).toEqual([
        ["github-actions", "/"],
        ["npm", "/"],
        ["uv", "/requirements"],
        ["docker", ["/.devcontainer", "/docker"]],
    ]);
});

describe("the workflow", () => {
    const filterOf = (file: string) => (workflows.get(file)?.on.push as { paths?: string[] }).paths;

    test.each([
        ["base", "build-base-image.yml"],
        ["ci", "ci-image.yml"],
    ])("of %s starts on pushes of its inputs and tests, and of no other file there is", async (key, file) => {
        const image = images.find((one) => one.key === key);
        const inputs = image?.inputs.map((input) => input.path) ?? [];
        const tests = image?.tests?.scripts ?? [];
        const settings = ["images.ts", "Pulumi.ci.yaml", ".dockerignore", image?.definition.dockerfile];
        const repository = (await run("git", ["ls-files"], { cwd: packageRoot })).trim().split("\n");
        const starting = repository.filter((one) => passes(filterOf(file) ?? [], [one]));
        expect(inputs.length).toBeGreaterThan(0);
        expect(starting.sort()).toEqual([...inputs, ...tests, ...settings].sort());
    });

    test("that deploys starts on every push, so that a filter that misses something costs nothing", () => {
        expect(filterOf("deploy.yml")).toBeUndefined();
    });
});
