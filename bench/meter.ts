import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fstatSync, openSync, readFileSync, readSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { builderAddress } from "../lab/servers/services";
import { CommandError } from "../lib/errors";
import { serversFolder } from "../lib/system/paths";
import { runningProcess } from "../lib/system/pidFiles";
import { capture, isInterrupted, run } from "../lib/system/process";
import type { TestLab } from "../tests/lab";
import { buildsIn, executedSteps } from "./builds";
import { countIn, countsInstructions, perfArguments } from "./instructions";
import { endedChildrenSeconds, serverSeconds, watchMemory } from "./processes";
import { trafficIn } from "./registryLog";

/** A command of a competitor. */
export interface Command {
    readonly command: string;
    readonly args: readonly string[];
    /** Its working folder. */
    readonly cwd: string;
}

/** What commands cost. */
export interface Usage {
    /** Seconds until the last command ended. */
    readonly wall: number;
    /** CPU seconds of the commands, of all that they started, of BuildKit with its build steps, and of the registry. */
    readonly cpu: number;
    /** Instructions that the same processes executed; absent where the machine does not count them. */
    readonly instructions?: number;
    /** Instructions of Dockerfiles that BuildKit executed. */
    readonly steps: number;
    /** Bytes that anybody got from the registry and gave to it. */
    readonly pulled: number;
    readonly pushed: number;
    /** The most memory, in bytes, that the commands and all that they started held together. */
    readonly memory: number;
    /** Size of BuildKit's store afterwards, in bytes. */
    readonly disk: number;
}

/** Returns what two pieces of work cost that were done one after the other. */
export function sum(first: Usage, second: Usage): Usage {
    const instructions =
        first.instructions === undefined || second.instructions === undefined
            ? {}
            : { instructions: first.instructions + second.instructions };
    return {
        wall: first.wall + second.wall,
        cpu: first.cpu + second.cpu,
        ...instructions,
        steps: first.steps + second.steps,
        pulled: first.pulled + second.pulled,
        pushed: first.pushed + second.pushed,
        memory: Math.max(first.memory, second.memory),
        disk: Math.max(first.disk, second.disk),
    };
}

/**
 * Returns what nothing costs.
 *
 * @param counts whether the machine counts instructions
 */
export const nothing = (counts: boolean): Usage => ({
    ...{ wall: 0, cpu: 0, steps: 0, pulled: 0, pushed: 0, memory: 0, disk: 0 },
    ...(counts && { instructions: 0 }),
});

/** Measures commands in a lab. */
export interface Meter {
    /** Whether the machine counts executed instructions. */
    readonly counts: boolean;
    /**
     * Runs commands at the same time and measures them together.
     *
     * @throws CommandError with the end of its output if one of them fails
     */
    readonly measure: (commands: readonly Command[]) => Promise<Usage>;
}

/** Longest time in seconds that a command may take, before it counts as failed. */
const longest = 3600;

/** Returns a file's text from a position on. */
function textFrom(file: string, start: number): string {
    const opened = openSync(file, "r");
    try {
        const buffer = Buffer.alloc(Math.max(0, fstatSync(opened).size - start));
        readSync(opened, buffer, 0, buffer.length, start);
        return buffer.toString();
    } finally {
        closeSync(opened);
    }
}

/** Waits until a process that `spawn` started has ended. */
const ended = (child: ChildProcess) =>
    new Promise<void>((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) resolve();
        else
            child
                .once("close", () => {
                    resolve();
                })
                .once("error", () => {
                    resolve();
                });
    });

/** Returns a meter for the lab that `startBenchLab` started. */
export function makeMeter({ paths, env }: TestLab): Meter {
    const pidOf = (name: string) => {
        const server = runningProcess(serversFolder(paths), name);
        if (server) return server.pid;
        throw new CommandError(`the lab's ${name} does not run anymore: see ${serversFolder(paths)}/${name}.log`);
    };
    // An emptied builder is another process.
    const servers = () => ["buildkitd", "registry", "github"].map(pidOf);
    const serversSeconds = () => serverSeconds(pidOf("buildkitd")) + serverSeconds(pidOf("registry"));
    const counts = countsInstructions();
    const registryLog = path.join(serversFolder(paths), "registry.log");
    const scratch = (name: string) => path.join(paths.state, `bench-${name}`);
    const blobs = path.join(paths.state, "registry", "data", "docker", "registry", "v2", "blobs", "sha256");
    const sizeOf = (digest: string) => {
        const hex = digest.slice(digest.indexOf(":") + 1);
        return statSync(path.join(blobs, hex.slice(0, 2), hex, "data")).size;
    };
    /** Asks BuildKit for its records of builds: again if it does not answer, as it happens while it completes a record. */
    const buildctl = async (...args: string[]): Promise<string> => {
        for (let tries = 1; ; tries++) {
            const command = ["--addr", builderAddress(paths), "--timeout", "30", ...args];
            const { failure, stdout, stderr } = await capture("buildctl", command, { env });
            if (failure === undefined) return stdout;
            if (tries === 5) throw new CommandError(`buildctl ${args.join(" ")}: ${failure}\n${stderr.trim()}`);
            await sleep(1000);
        }
    };
    const listBuilds = async () => buildsIn(await buildctl("debug", "histories", "--format", "{{json .}}"));

    /** Waits until BuildKit and the registry have nothing left to do, at most ten seconds. */
    const settle = async () => {
        for (let tries = 0; tries < 40; tries++) {
            const before = serversSeconds();
            await sleep(250);
            if (serversSeconds() - before <= 0.01) return;
        }
    };

    /** Counts the instructions of the servers while `work` runs. */
    const withServersCounted = async (work: () => Promise<void>): Promise<number> => {
        const output = scratch("servers.perf");
        rmSync(output, { force: true });
        const target = ["--pid", ["buildkitd", "registry"].map(pidOf).join()];
        const perf = spawn("perf", perfArguments(output, target), { stdio: "ignore" });
        try {
            await work();
        } finally {
            perf.kill("SIGINT");
            await ended(perf);
        }
        return countIn(readFileSync(output, "utf8")) ?? 0;
    };

    const start = async ({ command, args, cwd }: Command, index: number): Promise<number> => {
        const log = scratch(`${index.toString()}.log`);
        const output = scratch(`${index.toString()}.perf`);
        for (const file of [log, output]) rmSync(file, { force: true });
        const counted = counts ? ["perf", ...perfArguments(output, ["--"])] : [];
        const limited = ["--kill-after=20", longest.toString(), ...counted, command, ...args];
        await run("timeout", limited, { cwd, env, log });
        return counts ? (countIn(readFileSync(output, "utf8")) ?? 0) : 0;
    };

    const measure = async (commands: readonly Command[]): Promise<Usage> => {
        await settle();
        const builds = new Set(await listBuilds());
        await settle();
        const before = {
            children: endedChildrenSeconds(),
            servers: serversSeconds(),
            log: statSync(registryLog).size,
        };
        const mostMemory = watchMemory(servers());
        const began = performance.now();
        let wall = 0;
        let instructions = 0;
        const work = async () => {
            const outcomes = await Promise.allSettled(commands.map(start));
            wall = (performance.now() - began) / 1000;
            for (const outcome of outcomes) {
                if (outcome.status === "rejected") throw outcome.reason;
                instructions += outcome.value;
            }
        };
        let memory = 0;
        try {
            if (counts) instructions += await withServersCounted(work);
            else await work();
        } finally {
            memory = mostMemory();
        }
        const children = endedChildrenSeconds() - before.children;
        await settle();
        const cpu = children + serversSeconds() - before.servers;
        const traffic = trafficIn(textFrom(registryLog, before.log), sizeOf);
        const steps = new Set<string>();
        for (const build of await listBuilds()) {
            if (builds.has(build)) continue;
            for (const step of executedSteps(await buildctl("debug", "logs", "--progress", "rawjson", build)))
                steps.add(step);
        }
        // It fails, after it has printed the sum, where BuildKit removes a file meanwhile.
        const { stdout } = await capture("du", ["-sk", path.join(paths.state, "buildkit", "root")]);
        if (isInterrupted()) throw new CommandError("interrupted");
        const usage = { wall, cpu, steps: steps.size, ...traffic, memory, disk: Number.parseInt(stdout, 10) * 1024 };
        return counts ? { ...usage, instructions } : usage;
    };
    return { counts, measure };
}
