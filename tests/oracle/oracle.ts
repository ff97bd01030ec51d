import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { withLock } from "../../lib/system/lock";
import { packageRoot } from "../../lib/system/paths";

/** The result of BuildKit's code for a case: an answer, or the error that refuses the case. */
export type Answer<T> =
    { readonly answer: T; readonly error?: undefined } | { readonly error: string; readonly answer?: undefined };

/** The running Go program, whose source is next to this file. */
export interface Oracle {
    readonly ask: <T>(mode: string, request: unknown) => Promise<Answer<T>>;
    readonly stop: () => void;
}

/**
 * Returns the number of cases of a differential suite and its seed. ORACLE_RUNS sets another number of cases,
 * ORACLE_SEED another seed.
 */
export const runs = (usual: number) => ({
    numRuns: Number(process.env.ORACLE_RUNS ?? usual),
    seed: Number(process.env.ORACLE_SEED ?? 20_261_126),
});

const failed = (child: ChildProcess) =>
    new Error(`the oracle ended (${String(child.exitCode ?? child.signalCode)}); its own message stands above`);

/** One program for all suites: linking it takes seconds. */
const program = path.join(packageRoot, "node_modules", ".cache", "layered-images-oracle", "oracle");

/** Builds and starts the oracle, which processes the cases in sequence. */
export async function startOracle(): Promise<Oracle> {
    const source = path.join(packageRoot, "tests", "oracle");
    mkdirSync(path.dirname(program), { recursive: true });
    // Go links it anew only if it is not of these sources.
    await withLock(`${program}.lock`, () =>
        promisify(execFile)("go", ["build", "-C", source, "-buildvcs=false", "-o", program, "."]),
    );
    const child = spawn(program, { stdio: ["pipe", "pipe", "inherit"] });
    const waiting: { readonly resolve: (line: string) => void; readonly reject: (error: Error) => void }[] = [];
    createInterface(child.stdout).on("line", (line) => waiting.shift()?.resolve(line));
    child.on("exit", () => {
        for (const { reject } of waiting.splice(0)) reject(failed(child));
    });
    return {
        ask: async <T>(mode: string, request: unknown) => {
            if (child.exitCode !== null) throw failed(child);
            const line = await new Promise<string>((resolve, reject) => {
                waiting.push({ resolve, reject });
                child.stdin.write(`${JSON.stringify({ mode, case: request })}\n`);
            });
            return JSON.parse(line) as Answer<T>;
        },
        stop: () => {
            child.stdin.end();
        },
    };
}
