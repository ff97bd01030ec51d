import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Lab } from "../lab/lab";
import { type EngineLog, parseEngineLog } from "../lib/engine/log";
import { labStack, stackFile } from "../lib/engine/stacks";
import { makePlan } from "../lib/plan/plan";
import { readPreview } from "../lib/engine/preview";
import { type Review, jsonForm, reviewSchema } from "../lib/forms/json";
import { backendFolder } from "../lib/system/paths";
import { type Outcome, type TestLab, runIn } from "./lab";
import { expect } from "./mocha";
import { installedProgram } from "./package";

/**
 * The outcome of an `up`: the engine's operation for each changed resource, by name. Releases are left out: there is a new one whenever
 * the tag of an image moves.
 */
export interface UpOutcome extends Outcome {
    readonly operations: Readonly<Record<string, string>>;
    /** Operations on resources on GitHub, by name. */
    readonly onGitHub: Readonly<Record<string, string>>;
    /** The engine's log; undefined if the engine reached no resource. */
    readonly log: EngineLog | undefined;
}

interface EngineEvent {
    readonly resOutputsEvent?: {
        readonly metadata: { readonly op: string; readonly urn: string; readonly type: string };
    };
}

/** Runs `pulumi up` and reads the operations on images, indexes and GitHub from the engine's event log. */
export async function up(lab: Lab, program: string, ...args: string[]): Promise<UpOutcome> {
    const folder = mkdtempSync(path.join(tmpdir(), "layered-images-events-"));
    try {
        const log = path.join(folder, "events");
        const command = [
            "up",
            "--yes",
            "--skip-preview",
            "--non-interactive",
            "--color",
            "never",
            "--event-log",
            log,
            ...args,
        ];
        const outcome = await runIn(lab, program, "pulumi", command);
        const text = existsSync(log) ? readFileSync(log, "utf8") : "";
        const lines = text.split("\n").filter(Boolean);
        const done = lines.flatMap((line) => (JSON.parse(line) as EngineEvent).resOutputsEvent?.metadata ?? []);
        const changed = (provider: string) =>
            Object.fromEntries(
                done
                    .filter(({ op, type }) => op !== "same" && type.startsWith(provider))
                    .map(({ op, urn }) => [urn.split("::").at(-1) ?? "", op]),
            );
        const read = parseEngineLog(text);
        const images = Object.entries(changed("docker-build:")).filter(([name]) => !name.endsWith("@release"));
        return { ...outcome, operations: Object.fromEntries(images), onGitHub: changed("github:"), log: read };
    } finally {
        rmSync(folder, { recursive: true });
    }
}

/** Returns the changes of an `up` for an exact comparison: toMatchObject accepts any object for an empty object. */
export const changesOf = ({ code, operations, onGitHub }: UpOutcome) => ({ code, operations, onGitHub });
/** The changes of an `up` that had nothing to do. */
export const noChanges = { code: 0, operations: {}, onGitHub: {} };

/** A resource of the exported state. */
export interface StateResource {
    readonly urn: string;
    readonly type: string;
    readonly inputs: Readonly<Record<string, unknown>>;
    readonly outputs: Readonly<Record<string, unknown>>;
    readonly retainOnDelete?: boolean;
    /** Whether it was replaced, and waits for its deletion: `exportState` leaves it out. */
    readonly delete?: boolean;
    readonly dependencies?: readonly string[];
}

/**
 * Returns the resources of the stack's state, from its file in the lab's backend, which holds what `pulumi stack export` prints: each run
 * of `pulumi` takes most of a second. Without a stack there are none.
 */
async function resourcesOf(lab: Lab, program: string): Promise<readonly StateResource[]> {
    const file = stackFile(backendFolder(lab.paths), labStack, program);
    if (!existsSync(file)) return [];
    const { checkpoint } = JSON.parse(await readFile(file, "utf8")) as {
        checkpoint: { latest?: { resources?: readonly StateResource[] } };
    };
    return checkpoint.latest?.resources ?? [];
}

/** Returns the images and indexes of the state, by name. */
export async function exportState(lab: Lab, program: string): Promise<Record<string, StateResource>> {
    const own = (await resourcesOf(lab, program)).filter((one) => !one.delete && one.type.startsWith("docker-build:"));
    return Object.fromEntries(own.map((resource) => [resource.urn.split("::").at(-1) ?? "", resource]));
}

/** An image in the stack's output `images`. */
export interface ImageOutput {
    readonly ref: string | null;
    readonly digest: string | null;
    readonly platforms: Readonly<Record<string, string>>;
    readonly parent: string | null;
}

/** Returns the stack's output `images`: what `pulumi stack output images --json` prints. */
export async function imageOutputs(lab: Lab, program: string): Promise<Record<string, ImageOutput>> {
    const stack = (await resourcesOf(lab, program)).find(({ type }) => type === "pulumi:pulumi:Stack");
    if (stack?.outputs.images === undefined) throw new Error(`the stack of ${program} has no output images`);
    return stack.outputs.images as Record<string, ImageOutput>;
}

/** The outcome of `npm run review`. */
export interface ReviewOutcome extends Outcome {
    /** The printed plan; undefined if stdout is empty. */
    readonly plan: Review | undefined;
}

/** Runs a command of the project as `npm run` does: of the lab, only its location is in the environment. */
export function command(lab: TestLab, program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const started = { ...lab, env: { ...process.env, ...lab.variables, ...env } };
    return runIn(started, program, process.execPath, ["--eval", commandScript(args)]);
}

/** Returns JavaScript for `node --eval` that runs a command of the installed package in the working directory. */
export const commandScript = (args: readonly string[]): string =>
    `const program = require("node:path").resolve(${JSON.stringify(installedProgram)});
    process.argv = [process.execPath, program, ...${JSON.stringify(args)}];
    void import(program);`;

/** Has the installed package write a repository's workflow files, and returns all files below .github: texts by path. */
export async function generatedFiles(lab: TestLab, program: string): Promise<Record<string, string>> {
    const { code, output } = await command(lab, program, ["workflows"]);
    expect(code, output).toBe(0);
    const entries = readdirSync(path.join(program, ".github"), { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => path.join(parentPath, name));
    return Object.fromEntries(files.map((file) => [path.relative(program, file), readFileSync(file, "utf8")]));
}

/** Runs `npm run review -- --format json` and parses its output. */
export async function review(lab: TestLab, program: string, ...args: string[]): Promise<ReviewOutcome> {
    const outcome = await command(lab, program, ["review", "--format", "json", ...args]);
    if (outcome.stdout === "") return { ...outcome, plan: undefined };
    return { ...outcome, plan: reviewSchema.parse(JSON.parse(outcome.stdout)) };
}

/** Returns the review of an update of the stack in its current state. */
export async function reviewPlan(lab: Lab, program: string, ...args: string[]): Promise<Review> {
    const preview = ["preview", "--json", "--show-sames", "--show-replacement-steps", ...args];
    const { code, stdout, output } = await runIn(lab, program, "pulumi", preview);
    // A preview that fails halfway still prints the steps up to the failure.
    expect(code, output).toBe(0);
    return reviewSchema.parse(
        JSON.parse(jsonForm(makePlan({ stack: "local", preview: readPreview(stdout), history: [] }))),
    );
}
