import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { before, describe } from "mocha";
import { parse } from "yaml";
import { invented, inventedFiles } from "../github/invented";
import { makeRepository } from "../lab";
import { expect, test } from "../mocha";
import { installedProgram, packPackage } from "../package";
import { temporaryFolder, writeTree } from "../tree";

/* The command `workflows` of the packed package, in a repository that installed it: TypeScript, and no file of this repository. */

before(packPackage);

const definitions = {
    "images.ts":
        'import type { ImageDefinitions } from "layered-images";\n' +
        `export const images: ImageDefinitions = ${JSON.stringify(invented.images)};\n`,
    "workflows.ts":
        'import type { WorkflowDefinitions } from "layered-images";\n' +
        `export const workflows: WorkflowDefinitions = ${JSON.stringify(invented.workflows)};\n`,
};

const adopted = (files: Readonly<Record<string, string>> = definitions) =>
    makeRepository(path.join(temporaryFolder(), "repository"), { ...inventedFiles, ...files });

/** Runs a command of the installed package. */
const run = (cwd: string, ...args: string[]): SpawnSyncReturns<string> =>
    spawnSync(process.execPath, [installedProgram, ...args], { cwd, encoding: "utf8" });

interface Step {
    readonly name: string;
    readonly run?: string;
    readonly with?: Readonly<Record<string, string>>;
}

test("the generated workflows install the package before they use it, and use nothing that the repository lacks", () => {
    const root = adopted();
    expect(run(root, "workflows")).toMatchObject({ status: 0, stderr: "" });
    expect(run(root, "workflows", "--check")).toMatchObject({ status: 0, stderr: "" });
    const folder = path.join(root, ".github", "workflows");
    const jobs = readdirSync(folder).flatMap((file) => {
        const workflow = parse(readFileSync(path.join(folder, file), "utf8")) as {
            jobs: Record<string, { steps: Step[] }>;
        };
        return Object.entries(workflow.jobs).map(([key, { steps }]) => ({ where: `${file} ${key}`, steps }));
    });
    const users = jobs.filter(({ where }) => where !== "harvest.yml harvest");
    expect(users.map(({ where }) => where).sort()).toEqual([
        ...["build", "cleanup", "comment", "drift", "lab", "review", "status"].map((key) => `review.yml ${key}`),
        ...["shop.yml", "soil.yml"].flatMap((file) => [`${file} releases`, `${file} review`, `${file} up`]),
    ]);
    for (const { where, steps } of users) {
        expect([where, steps.slice(0, 3).map(({ name }) => name)]).toEqual([
            where,
            ["Check out", "Set up Node.js", "Install the packages"],
        ]);
        const own = steps.slice(3).flatMap((step) => [step.run ?? [], step.with?.["go-version-file"] ?? []].flat());
        expect(own.length).toBeGreaterThan(0);
        for (const text of own) {
            expect(text).toMatch(/^npx layered-images |^node_modules\/layered-images\//);
            const [file] = /node_modules\/\S+/.exec(text) ?? [];
            if (file !== undefined) expect([file, existsSync(path.join(root, file))]).toEqual([file, true]);
        }
    }
});

test("versions that Dependabot wrote go into the repository's own pins.json", () => {
    const root = adopted();
    run(root, "workflows");
    const file = path.join(root, ".github/workflows/soil.yml");
    const text = readFileSync(file, "utf8").replace(/(?<=actions\/checkout@).*/, `${"d".repeat(40)} # v99.0.0`);
    writeTree(root, { ".github/workflows/soil.yml": text });
    expect(run(root, "workflows", "--take-pins")).toMatchObject({ status: 0, stdout: "actions/checkout v99.0.0\n" });
    expect(JSON.parse(readFileSync(path.join(root, "pins.json"), "utf8"))).toEqual({
        "actions/checkout": { version: "v99.0.0", commit: "d".repeat(40) },
    });
});

describe("a file that can't be loaded is one error of each command that needs it, and of no other:", () => {
    test.each<[string, Readonly<Record<string, string>>, string]>([
        [
            "an images.ts that throws",
            { "images.ts": 'throw new Error("no soil");\n' },
            "images.ts: it can't be loaded: no soil",
        ],
        [
            "an images.ts that does not compile",
            { "images.ts": "export const images = {;\n" },
            "images.ts: it can't be loaded: ",
        ],
        [
            "a workflows.ts that throws",
            { "workflows.ts": 'throw new Error("no rain");\n' },
            "workflows.ts: it can't be loaded: no rain",
        ],
        [
            "a workflows.ts that is wrong",
            { "workflows.ts": "export const workflows = { up: [1] };\n" },
            "workflows.ts: up[0]: is not an object",
        ],
    ])("%s", (_what, files, message) => {
        const root = adopted({ ...definitions, ...files });
        const refused = run(root, "workflows");
        expect(refused.stderr.startsWith(`error: ${message}`)).toBe(true);
        expect(refused.stderr).not.toMatch(/\n\s+at /);
        expect(refused.status).toBe(1);
        const env = { ...process.env, LAYERED_IMAGES_HOME: path.join(root, "home") };
        const status = spawnSync(process.execPath, [installedProgram, "lab", "status"], {
            cwd: root,
            env,
            encoding: "utf8",
        });
        expect(status).toMatchObject({ stderr: "", stdout: expect.stringMatching(/^registry +stopped/) as string });
    });
});
