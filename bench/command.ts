import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import path from "node:path";
import { format, resolveConfig } from "prettier";
import { tools } from "../lab/toolchain/tools";
import { InputError } from "../lib/errors";
import { packageRoot } from "../lib/system/paths";
import { capture, isInterrupted, run } from "../lib/system/process";
import { elapsed } from "../lib/system/progress";
import { versionIn } from "../lib/system/versions";
import type { TestLab } from "../tests/lab";
import { writeTree } from "../tests/writeTree";
import { type Competitor, builders, floors } from "./competitors";
import { drawing } from "./drawing";
import { type BenchHierarchy, type Mark, lightHierarchy, torchHierarchy } from "./hierarchies";
import { emptyBuilder, startBenchLab } from "./lab";
import { type Bench, type Result, measureCase } from "./measure";
import { type Meter, makeMeter } from "./meter";
import { type Results, markdownResults, terminalTable, withResults } from "./report";
import { type Case, type Event, casesOf, scenarios } from "./scenarios";

/** Options of `npm run bench`. */
export interface BenchOptions {
    /** Runs of each case. */
    readonly runs?: number;
    /** Measures a few scenarios once. */
    readonly quick?: boolean;
    /** Events to measure, separated by commas; all by default. */
    readonly scenario?: string;
    /** Measures this repository's hierarchy with PyTorch. */
    readonly real?: boolean;
    /** Prints JSON instead of tables. */
    readonly json?: boolean;
}

/** Fewest runs of results that are published. */
const publishedRuns = 5;

const quickEvents: readonly Event[] = ["nothing", "requirements"];

/** What is measured. */
interface Selection {
    readonly cases: readonly Case[];
    readonly runs: number;
    /** Whether the results are complete enough to be written. */
    readonly isComplete: boolean;
}

/**
 * Returns what the options ask for.
 *
 * @throws InputError for an unknown scenario
 */
export function selection({ runs, quick = false, scenario }: BenchOptions): Selection {
    const known = scenarios.map(({ event }) => event);
    const names = scenario?.split(",").map((name) => name.trim());
    const unknown = names?.find((name) => !known.some((event) => event === name));
    if (unknown !== undefined) {
        throw new InputError({ problem: `--scenario: there is no scenario "${unknown}"`, allowed: known });
    }
    const events = (names as Event[] | undefined) ?? (quick ? quickEvents : undefined);
    const count = runs ?? (quick ? 1 : publishedRuns);
    return { cases: casesOf(events), runs: count, isComplete: events === undefined && count >= publishedRuns };
}

/** Publishes the lab's root with one more layer. Returns `<repository>@<digest>`. */
async function publishRoot({ paths, instance, env }: TestLab, { root }: BenchHierarchy, mark: Mark): Promise<string> {
    const folder = path.join(paths.state, "moved-root");
    const from = instance.roots[root] ?? "";
    const [repository = ""] = from.split("@");
    const text = `${mark.competitor}-${mark.run.toString()}`;
    writeTree(folder, { Dockerfile: `FROM ${from}\nRUN echo ${text} > /etc/moved\n` });
    const metadata = path.join(paths.state, "moved-root.json");
    const output = `type=image,push=true,oci-mediatypes=true,name=${repository}:${text.toLowerCase()}`;
    await run("buildx", ["build", "--provenance=false", "--metadata-file", metadata, "--output", output, folder], {
        env,
    });
    const { "containerimage.digest": digest } = JSON.parse(readFileSync(metadata, "utf8")) as Record<string, string>;
    return `${repository}@${digest ?? ""}`;
}

/** Returns the versions of this program and of what it measures. */
async function versionsIn({ env }: TestLab): Promise<Record<string, string>> {
    const ask = async (command: string, ...args: string[]) => {
        const { stdout, stderr } = await capture(command, args, { env });
        return versionIn(`${stdout}${stderr}`) ?? "unknown";
    };
    const { version } = JSON.parse(readFileSync(path.join(packageRoot, "package.json"), "utf8")) as { version: string };
    return {
        "layered-images": version,
        node: process.versions.node,
        pulumi: await ask("pulumi", "version"),
        "docker-build provider": tools.dockerBuild.version,
        // One that is built from source names no version of its own.
        buildkit: (await ask("buildctl", "--version")).replace(/^0\.0\.0.*/, tools.buildkit.version),
        buildx: await ask("buildx", "version"),
        "docker-registry": await ask("docker-registry", "--version"),
    };
}

/** Reports on stderr what is measured: on a terminal in one line, otherwise in a line each. */
function teller(total: number): (text: string) => void {
    const start = Date.now();
    let done = 0;
    return (text) => {
        const line = `[${(++done).toString()}/${total.toString()}, ${elapsed(Date.now() - start)}] ${text}`;
        process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${line}` : `${line}\n`);
    };
}

/**
 * Prepares competitors and has each bring its images up to date for the first time.
 *
 * @returns those that succeeded; the failures of the others are reported
 */
async function prepared(
    competitors: readonly Competitor[],
    meter: Meter,
    tell: (text: string) => void,
): Promise<Competitor[]> {
    const ready: Competitor[] = [];
    for (const competitor of competitors) {
        tell(`first build: ${competitor.name}`);
        try {
            await competitor.prepare();
            const everything = scenarios.find(({ event }) => event === "cold") ?? { event: "cold", changed: [] };
            for (const commands of competitor.commands(everything)) await meter.measure(commands);
            ready.push(competitor);
        } catch (error) {
            if (isInterrupted()) throw error;
            console.error(
                `\n${competitor.name} is left out: ${error instanceof Error ? error.message : String(error)}`,
            );
        }
    }
    return ready;
}

/** Writes a file as this repository formats it. */
async function writeFormatted(file: string, text: string): Promise<void> {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, await format(text, { ...(await resolveConfig(file)), filepath: file }));
}

/** Writes results.json and the drawing, and for the light hierarchy, which everybody can measure, the page that shows them. */
async function publish(results: Results): Promise<void> {
    const at = (...names: string[]) => path.join(packageRoot, ...names);
    const suffix = results.hierarchy === "light" ? "" : `-${results.hierarchy}`;
    const rounded = (_: string, value: unknown) =>
        typeof value === "number" ? Math.round(value * 1000) / 1000 : value;
    await writeFormatted(at("bench", `results${suffix}.json`), JSON.stringify(results, rounded, 2));
    writeFileSync(at("docs", `performance${suffix}.svg`), `${drawing(results)}\n`);
    if (suffix !== "") return;
    const page = at("docs", "performance.md");
    const picture = "![Seconds until all images are up to date, by scenario](performance.svg)";
    const shown = `${picture}\n\n${markdownResults(results)}`;
    await writeFormatted(page, withResults(readFileSync(page, "utf8"), shown));
}

/**
 * Measures what it costs to keep a hierarchy up to date with this program, its peers and the floors, side by side in a lab of its own, and
 * prints a table for each scenario, or `Results` as JSON. A complete run also writes bench/results.json, the drawing and the results in
 * docs/performance.md.
 *
 * @returns whether everything could be measured
 * @throws InputError for an unknown scenario
 * @throws CommandError if the lab can't be started, or when it is interrupted; nothing that it started is left
 */
export async function runBench(options: BenchOptions): Promise<boolean> {
    const { cases, runs, isComplete } = selection(options);
    const hierarchy = options.real ? torchHierarchy() : lightHierarchy();
    const lab = await startBenchLab();
    try {
        const meter = makeMeter(lab);
        const all = [...builders(lab, hierarchy), ...floors(lab, hierarchy)];
        const ready = await prepared(all, meter, teller(all.length));
        const counts = cases.map((one) => ready.filter((competitor) => competitor.takesPart(one)).length);
        const tell = teller(runs * counts.reduce((sum, count) => sum + count, 0));
        const bench: Bench = {
            meter,
            tell,
            competitors: ({ event }, number) =>
                event === "cold" ? builders(lab, hierarchy, `-${number.toString()}`) : ready,
            emptyBuilder: () => emptyBuilder(lab),
            newRoot: (mark) => publishRoot(lab, hierarchy, mark),
        };
        const results: Result[] = [];
        for (const one of cases) {
            const result = await measureCase(bench, one, runs);
            results.push(result);
            if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
            if (!options.json) console.log(`${terminalTable(result)}\n`);
        }
        const everything: Results = {
            date: new Date().toISOString().slice(0, 10),
            hierarchy: hierarchy.name,
            machine: {
                cores: availableParallelism(),
                memoryGB: Math.round(totalmem() / 1e9),
                countsInstructions: meter.counts,
            },
            versions: await versionsIn(lab),
            results,
        };
        if (options.json) console.log(JSON.stringify(everything, undefined, 2));
        if (!meter.counts) console.error("note: this machine does not count executed instructions (perf stat)");
        if (isComplete) await publish(everything);
        else
            console.error(
                `note: nothing was written: only all scenarios with ${publishedRuns.toString()} runs or more are`,
            );
        const failed = results.some(({ outcomes }) => outcomes.some(({ failure }) => failure !== undefined));
        return ready.length === all.length && !failed;
    } finally {
        await lab.close();
    }
}
