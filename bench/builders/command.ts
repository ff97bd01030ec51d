import { availableParallelism } from "node:os";
import path from "node:path";
import type { BuilderNode } from "../../lib/builders/settings";
import type { Platform } from "../../lib/platform";
import { run } from "../../lib/system/process";
import { type Engine, type Pairs, makePairs, startEngine } from "../../tests/engine";
import { type TestLab, makeRepository, projectFile, startTestLab } from "../../tests/lab";
import { installedProgram } from "../../tests/package";
import { writeTree } from "../../tests/writeTree";
import { median } from "../measure";
import { measured } from "../scale/command";
import { hierarchyFiles } from "../scale/hierarchies";

/** Options of `npm run bench -- builders`. */
export interface BuildersOptions {
    /** Number of images of the hierarchy that is planned. */
    readonly planned: number;
    /** Number of images, besides their base, of the hierarchy that is built. */
    readonly built: number;
    /** How long the build of each of them waits, in seconds. */
    readonly seconds: number;
    readonly json?: boolean;
}

/** What previews of one hierarchy cost: medians. */
export interface PlanCost {
    /** What the stack's setting `builder` is. */
    readonly builder: string;
    readonly images: number;
    readonly cpuSeconds: number;
    readonly megabytes: number;
}

/** A first `up` with one kind of builder. */
export interface FirstUp {
    readonly builder: string;
    /** How many operations the engine of Pulumi runs at once. */
    readonly operations: string;
    readonly wallSeconds: number;
}

/** All that one run measured. */
export interface BuildersResult {
    readonly plans: readonly PlanCost[];
    readonly ups: readonly FirstUp[];
    /** How many steps each engine executes at once. */
    readonly slots: number;
}

const platforms: readonly Platform[] = ["linux/amd64", "linux/arm64"];
const stack = "bench";

/** Number of operations that Pulumi runs at once by itself on this machine (`defaultParallel` in its `up`). An engine executes as many steps. */
const slots = 4 * availableParallelism();

/** Previews of each kind; the median is reported. */
const previews = 3;

/**
 * Returns the files of a repository whose images wait while they are built, as builds that download or compile elsewhere do: a base, and so
 * many images on it.
 *
 * @param seconds how long the build of each image waits
 */
export function waitingFiles(count: number, seconds: number): Readonly<Record<string, string>> {
    const base = "ghcr.io/waiting/base:latest";
    const keys = Array.from({ length: count }, (_one, index) => `image-${index.toString()}`);
    const definition = (key: string) => ({
        ...{ description: key, name: `ghcr.io/waiting/${key}:latest`, dockerfile: `${key}.Dockerfile`, platforms },
        registryCache: false,
    });
    const definitions = Object.fromEntries(["base", ...keys].map((key) => [key, definition(key)]));
    const dockerfiles = keys.flatMap((key): [string, string][] => [
        [`${key}.Dockerfile`, `FROM ${base}\nCOPY ${key}.txt /\nRUN sleep ${seconds.toString()}\n`],
        [`${key}.txt`, `${key}\n`],
    ]);
    return {
        "images.ts": `export const images = ${JSON.stringify(definitions, undefined, 4)};\n`,
        "base.Dockerfile": "FROM python:3.12-slim\nCOPY base.txt /\n",
        "base.txt": "base\n",
        ...Object.fromEntries(dockerfiles),
    };
}

/** Makes a repository with a stack of its own in the lab. Returns a function that sets its builder. */
async function makeProject(lab: TestLab, id: string, files: Readonly<Record<string, string>>) {
    const root = makeRepository(path.join(lab.paths.state, id), { ...files, "Pulumi.yaml": projectFile(id) });
    const setBuilder = (nodes?: readonly BuilderNode[]) => {
        const config = {
            [`${id}:registry`]: `${lab.instance.registry}/${id}`,
            [`${id}:platforms`]: platforms,
            [`${id}:roots`]: lab.instance.roots,
            ...(nodes && { [`${id}:builder`]: { driver: "remote", nodes } }),
        };
        // JSON is YAML. A salt of its own would be made by `stack init`, and nothing is encrypted here.
        writeTree(root, { [`Pulumi.${stack}.yaml`]: `${JSON.stringify({ config })}\n` });
    };
    await run("pulumi", ["stack", "init", stack, "--non-interactive"], { cwd: root, env: lab.env });
    return { root, setBuilder };
}

/** Measures first previews of a hierarchy, in turns without and with two engines, which do not even run. */
async function measurePlans(lab: TestLab, images: number): Promise<PlanCost[]> {
    const { root, setBuilder } = await makeProject(lab, "planned", hierarchyFiles("mixed", images, platforms));
    const nodes = platforms.map((platform, index) => ({
        endpoint: `tcp://127.0.0.1:${(index + 1).toString()}`,
        platforms: [platform],
    }));
    const kinds = [
        { builder: "none", nodes: undefined },
        { builder: "two engines", nodes },
    ] as const;
    const costs = kinds.map(({ builder }) => ({ builder, cpu: [] as number[], memory: [] as number[] }));
    for (let times = 0; times < previews; times++) {
        for (const [index, kind] of kinds.entries()) {
            setBuilder(kind.nodes);
            const { cpuSeconds, megabytes } = await measured(() =>
                run("pulumi", ["preview", "--stack", stack, "--non-interactive"], { cwd: root, env: lab.env }),
            );
            console.error(`preview of ${images.toString()} images, ${kind.builder}: ${cpuSeconds.toFixed(1)} s of CPU`);
            costs[index]?.cpu.push(cpuSeconds);
            costs[index]?.memory.push(megabytes);
        }
    }
    return costs.map(({ builder, cpu, memory }) => ({
        ...{ builder, images, cpuSeconds: median(cpu), megabytes: median(memory) },
    }));
}

/** A kind of builder: its engines, each with what it builds, and the environment of `up`. */
interface Kind {
    readonly builder: string;
    readonly operations: string;
    readonly engines: readonly (readonly Platform[])[];
    readonly env: Readonly<Record<string, string>>;
}

const each = platforms.map((platform) => [platform]);
const kinds: readonly Kind[] = [
    { builder: "one engine for both platforms", operations: slots.toString(), engines: [platforms], env: {} },
    {
        ...{
            builder: "an engine for each platform",
            operations: `${slots.toString()}, as Pulumi by itself`,
            engines: each,
        },
        env: { PULUMI_PARALLEL: slots.toString() },
    },
    { builder: "an engine for each platform", operations: (2 * slots).toString(), engines: each, env: {} },
];

/** Measures a first `up` of a new stack on engines that start empty. */
async function measureUp(
    lab: TestLab,
    { builder, operations, engines, env }: Kind,
    {
        id,
        files,
        pairs,
    }: { readonly id: string; readonly files: Readonly<Record<string, string>>; readonly pairs: Pairs },
): Promise<FirstUp> {
    const { root, setBuilder } = await makeProject(lab, id, files);
    const started: { readonly built: readonly Platform[]; readonly engine: Engine }[] = [];
    // One after the other, so that each finds a port that is free.
    for (const [index, built] of engines.entries()) {
        const folder = path.join(lab.paths.state, `${id}-engine-${index.toString()}`);
        started.push({ built, engine: await startEngine(lab, folder, { platforms: built, pairs, slots }) });
    }
    try {
        const [cert, key] = pairs.client;
        setBuilder(
            started.map(({ built, engine: { endpoint } }) => ({
                ...{ endpoint, platforms: built, tls: { ca: pairs.ca, cert, key } },
            })),
        );
        const { wallSeconds } = await measured(() =>
            run(process.execPath, [installedProgram, "up", "--stack", stack], {
                cwd: root,
                env: { ...lab.env, ...env },
            }),
        );
        console.error(`first up, ${builder}, operations at once: ${operations}: ${wallSeconds.toFixed(0)} s`);
        return { builder, operations, wallSeconds };
    } finally {
        await Promise.all(started.map(({ engine }) => engine.kill()));
    }
}

/** Returns rows as a Markdown table. */
const tableOf = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
    [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

/** Formats what a run measured as two Markdown tables; each ratio is to the first row. */
export function table({ plans, ups, slots: atOnce }: BuildersResult): string {
    const to = (value: number, first = NaN) => (value / first).toFixed(2);
    return [
        tableOf(
            ["setting `builder`", "images", "first preview: CPU", "to none", "memory", "to none"],
            plans.map(({ builder, images, cpuSeconds, megabytes }) => [
                ...[builder, images.toString(), `${cpuSeconds.toFixed(1)} s`, to(cpuSeconds, plans[0]?.cpuSeconds)],
                ...[`${megabytes.toFixed(0)} MB`, to(megabytes, plans[0]?.megabytes)],
            ]),
        ),
        tableOf(
            [
                `builder, ${atOnce.toString()} steps at once an engine`,
                "operations at once",
                "first up: wall",
                "to one engine",
            ],
            ups.map(({ builder, operations, wallSeconds }) => [
                ...[builder, operations, `${wallSeconds.toFixed(0)} s`, to(wallSeconds, ups[0]?.wallSeconds)],
            ]),
        ),
    ].join("\n\n");
}

/**
 * Measures what a builder of two engines costs a plan, and what it spares a first update, in a separate lab, and prints tables or JSON
 * (`BuildersResult`). The engines are on this machine and share its processors, so what is built waits instead of computing.
 *
 * @throws CommandError if a command fails
 */
export async function runBuilders({ planned, built, seconds, json }: BuildersOptions): Promise<void> {
    const lab = await startTestLab();
    try {
        const plans = await measurePlans(lab, planned);
        const pairs = await makePairs(path.join(lab.paths.state, "tls"));
        const ups: FirstUp[] = [];
        for (const [index, kind] of kinds.entries()) {
            const made = { id: `built-${index.toString()}`, files: waitingFiles(built, seconds), pairs };
            ups.push(await measureUp(lab, kind, made));
        }
        const result: BuildersResult = { plans, ups, slots };
        console.log(json ? JSON.stringify(result, undefined, 2) : table(result));
    } finally {
        await lab.close();
    }
}
