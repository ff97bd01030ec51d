import { appendFileSync } from "node:fs";
import path from "node:path";
import { hostPlatform } from "../../lib/platform";
import { InputError } from "../../lib/errors";
import { run } from "../../lib/system/process";
import { descendants } from "../../lib/system/processTable";
import { configWith } from "../../tests/fixture";
import { type TestLab, makeRepository, projectFile, startTestLab } from "../../tests/lab";
import { endedChildrenSeconds, watchMemory } from "../processes";
import { type Shape, fileOf, hierarchyFiles, shapes } from "./hierarchies";

/** Options of `npm run bench -- scale`. */
export interface ScaleOptions {
    /** Numbers of images. */
    readonly images: readonly number[];
    /** Shapes, separated by commas. */
    readonly shapes: string;
    readonly json?: boolean;
}

/** The cost of one command: the engine, the program and the providers, without the builder and the registry. */
export interface Cost {
    readonly shape: Shape;
    readonly images: number;
    readonly command: string;
    readonly wallSeconds: number;
    readonly cpuSeconds: number;
    /** The most memory, in MB, that all of its processes held together. */
    readonly megabytes: number;
}

/** Measures `work`, which starts processes, without those that run already. */
export async function measured(
    work: () => Promise<unknown>,
): Promise<Pick<Cost, "wallSeconds" | "cpuSeconds" | "megabytes">> {
    const stopWatching = watchMemory(descendants(process.pid));
    const start = performance.now();
    const before = endedChildrenSeconds();
    let bytes = 0;
    try {
        await work();
    } finally {
        bytes = stopWatching();
    }
    return {
        wallSeconds: (performance.now() - start) / 1000,
        cpuSeconds: endedChildrenSeconds() - before,
        megabytes: bytes / 1e6,
    };
}

/** Measures the commands on one hierarchy, in the order in which they change it. */
async function measureHierarchy(
    lab: TestLab,
    shape: Shape,
    images: number,
    tell: (cost: Cost) => void,
): Promise<Cost[]> {
    const root = makeRepository(path.join(lab.paths.state, `${shape}-${images.toString()}`), {
        ...hierarchyFiles(shape, images),
        ...configWith(`  layered-images:platforms: ["${hostPlatform()}"]\n`),
        "Pulumi.yaml": projectFile(`${shape}-${images.toString()}`),
    });
    const env = lab.env;
    const pulumi = (...args: string[]) => run("pulumi", [...args, "--non-interactive"], { cwd: root, env });
    const up = () => pulumi("up", "--yes", "--skip-preview");
    const edit = (image: number) => {
        appendFileSync(path.join(root, fileOf(image)), "edited\n");
    };
    await pulumi("stack", "init", "local");
    const steps: readonly (readonly [command: string, work: () => Promise<unknown>])[] = [
        ["first preview", () => pulumi("preview")],
        ["first up", up],
        ["preview, nothing changed", () => pulumi("preview")],
        ["up, nothing changed", up],
        ["up, a leaf changed", () => (edit(images - 1), up())],
        ["preview, the root changed", () => (edit(0), pulumi("preview"))],
        ["up, the root changed", up],
    ];
    const costs: Cost[] = [];
    for (const [command, work] of steps) {
        const cost = { shape, images, command, ...(await measured(work)) };
        costs.push(cost);
        tell(cost);
    }
    return costs;
}

/**
 * Formats costs as a Markdown table. The last column is what each image costs in addition: the CPU seconds beyond those of the
 * smallest hierarchy of the same shape, by the images that it has more.
 */
export function table(costs: readonly Cost[]): string {
    const rows = costs.map(({ shape, images, command, wallSeconds, cpuSeconds, megabytes }) => {
        const smallest = costs
            .filter((one) => one.shape === shape && one.command === command)
            .reduce((least, one) => (one.images < least.images ? one : least));
        const growth = (cpuSeconds - smallest.cpuSeconds) / (images - smallest.images);
        return [
            shape,
            images.toString(),
            command,
            `${wallSeconds.toFixed(1)} s`,
            `${cpuSeconds.toFixed(1)} s`,
            `${megabytes.toFixed(0)} MB`,
            images === smallest.images ? "" : `${(growth * 1000).toFixed(0)} ms`,
        ];
    });
    const head = ["shape", "images", "command", "wall", "CPU", "memory", "CPU per additional image"];
    return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/**
 * Measures hierarchies of growing size through the real engine, in a separate lab, and prints a table or JSON (`Cost[]`). The images are
 * as small as images can be, so that a thousand of them can be built.
 *
 * @throws CommandError if a command fails
 */
export async function runScale({ images, shapes: wanted, json }: ScaleOptions): Promise<void> {
    const names = wanted.split(",");
    const unknown = names.find((name) => !shapes.some((shape) => shape === name));
    if (unknown !== undefined) {
        throw new InputError({
            problem: `"${unknown}" is not a shape of a hierarchy`,
            where: "--shapes",
            allowed: shapes,
        });
    }
    const lab = await startTestLab("host");
    try {
        const costs: Cost[] = [];
        for (const shape of shapes.filter((one) => names.includes(one))) {
            for (const count of images) {
                costs.push(
                    ...(await measureHierarchy(lab, shape, count, ({ command, cpuSeconds }) => {
                        console.error(
                            `${shape}, ${count.toString()} images: ${command}: ${cpuSeconds.toFixed(1)} s of CPU`,
                        );
                    })),
                );
            }
        }
        console.log(json ? JSON.stringify(costs, undefined, 2) : table(costs));
    } finally {
        await lab.close();
    }
}
