import { randomInt } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { loadDefinitions } from "../definitions";
import { checkDisk, labNeeds } from "../lab/disk";
import { store } from "../lab/servers/services";
import { ensurePackages } from "../lab/toolchain/packages";
import { CommandError, InputError } from "../lib/errors";
import { smokeDockerfile } from "../lib/hierarchy/smokeTests";
import { labPaths, packageRoot } from "../lib/system/paths";
import { capture, isInterrupted, runAttached } from "../lib/system/process";
import { ensurePython } from "./python";
import type { Totals } from "./reporter";
import { seedVariable, shuffled } from "./shuffled";
import { choiceVariable, leftOutVariable } from "./thorough";

/** Folders whose tests need the lab, and take minutes. */
const labFolders = ["tests/integration", "tests/faults", "tests/oracle"];
/** Folder whose tests build this repository's own images, PyTorch and all. */
const realFolder = "tests/real";
/** Random faults, which only `npm run test:faults -- --fuzz` runs: nobody waits for them. */
const fuzzFile = "tests/fuzz/fuzz.test.ts";
/** A choice of its faults belongs to the integration tests; `npm run test:faults` and `npm run test:all` run all. */
const faultsFile = "tests/faults/suite/faults.test.ts";
/** Tests that need nothing but node_modules and yet take seconds: they start programs, or wait as long as a client of GitHub waits. */
const slow = [
    ...["cli/main.test.ts", "workflows/scripts.test.ts", "tests/architecture.test.ts"],
    ...["lib/github/api.test.ts", "lib/github/propose.test.ts", "cli/githubSetup.test.ts"],
];

/**
 * Number of concurrent labs: more than there are cores, because a lab often waits, for its servers, its disk and what a test waits for. Each
 * needs about 300 MB of memory.
 */
const labsAtOnce = availableParallelism() + 2;

/** The files that take longest, the longest first, in seconds of processor time: each takes one to five minutes. */
const longest = [
    ...["integration/changes", "integration/status", "integration/github", "faults/suite/faults"],
    ...["faults/github", "integration/githubPullRequest", "integration/review", "integration/hierarchy"],
    ...[
        "integration/registry",
        "integration/deployment",
        "integration/history",
        "integration/firstHour",
        "integration/cache",
    ],
].map((name) => `tests/${name}.test.ts`);

const isIn = (file: string, folder: string) => file.startsWith(`${folder}/`);
const isLab = (file: string) => slow.includes(file) || labFolders.some((folder) => isIn(file, folder));
const isReal = (file: string) => isIn(file, realFolder);

interface Suite {
    /** Returns whether a test file, relative to the repository's root, belongs to the suite. */
    readonly has: (file: string) => boolean;
    /** Minutes that a hook may take. A test may take a quarter of them. */
    readonly minutes: number;
    /** Options of mocha. */
    readonly options: readonly string[];
    /**
     * "shuffled": files, and the tests in each, run in another order each time, so that none leans on another. "longest first": the files
     * that take longest start first, then the others in the order of their sizes, by which time can be told roughly, so that none starts
     * late and runs alone at the end.
     */
    readonly order: "shuffled" | "longest first";
}

/** One file, whose tests go on where the one before ended. */
const alone = { minutes: 40, options: ["--no-parallel"], order: "longest first" } as const;

const suites = {
    unit: {
        has: (file) => !isLab(file) && !isReal(file) && file !== fuzzFile,
        minutes: 2,
        options: ["--jobs", availableParallelism().toString()],
        order: "shuffled",
    },
    integration: { has: isLab, minutes: 60, options: ["--jobs", labsAtOnce.toString()], order: "longest first" },
    faults: { has: (file) => file === faultsFile, ...alone },
    // The model does not know what a step that failed has built.
    fuzz: { has: (file) => file === fuzzFile, ...alone, options: [...alone.options, "--bail"] },
    // One file, which may take an hour: each of its tests is shown when it ends.
    real: { has: isReal, minutes: 240, options: ["--no-parallel", "--reporter", "spec"], order: "longest first" },
} as const satisfies Record<string, Suite>;

/** Returns all test files, relative to the repository's root. */
function testFiles(): string[] {
    const folders = ["bench", "cli", "components", "lab", "lib", "tests", "workflows"];
    const below = folders.flatMap((folder) =>
        readdirSync(path.join(packageRoot, folder), { recursive: true, encoding: "utf8" }).map(
            (name) => `${folder}/${name}`,
        ),
    );
    return [...readdirSync(packageRoot), ...below].filter((name) => name.endsWith(".test.ts")).sort();
}

/**
 * Returns a suite's test files, relative to the repository's root.
 *
 * @param paths files and folders to choose from, relative to the repository's root; all if there are none
 * @throws InputError if one of the paths has no test of the suite
 */
function filesOf(suite: Suite, paths: readonly string[] = []): string[] {
    const files = testFiles().filter((file) => suite.has(file));
    if (paths.length === 0) return files;
    const below = (given: string) => {
        const relative = path.relative(packageRoot, path.resolve(given));
        const found = files.filter((file) => file === relative || isIn(file, relative));
        if (found.length > 0) return found;
        throw new InputError({
            problem: `no test of this suite is at ${given}`,
            allowed: ["files and folders that have tests of the suite", "options of mocha, as --name=value"],
            next: `for a test that needs the lab: node_modules/.bin/mocha --timeout ${suites.integration.minutes * 60_000} <file>`,
        });
    };
    return [...new Set(paths.flatMap(below))];
}

const bin = (name: string) => path.join(packageRoot, "node_modules", ".bin", name);
const none: Totals = { passed: 0, failed: 0 };
const add = (totals: readonly Totals[]): Totals =>
    totals.reduce((sum, one) => ({ passed: sum.passed + one.passed, failed: sum.failed + one.failed }), none);

/** A command, its arguments, and variables for its environment. */
interface Command {
    readonly command: string;
    readonly args: readonly string[];
    readonly variables?: Readonly<Record<string, string>>;
}

/** Prints a title and runs a command. Ctrl-C ends the command and cancels all later commands. */
async function runTitled(title: string, { command, args, variables = {} }: Command): Promise<number> {
    console.log(`\n== ${title}`);
    const code = await runAttached(command, args, { ...process.env, ...variables });
    if (isInterrupted()) throw new CommandError("interrupted");
    return code;
}

/** Runs a command and prints a title and all its output when it ends, so that it can run beside others. */
async function runQuietly(title: string, { command, args }: Command): Promise<number> {
    const { failure, stdout, stderr } = await capture(command, args);
    console.log(
        [`\n== ${title}`, stdout, stderr, failure ?? ""]
            .map((text) => text.trimEnd())
            .join("\n")
            .trimEnd(),
    );
    return failure === undefined ? 0 : 1;
}

/** Part of a suite: it comes to totals. */
type Part = () => Promise<Totals>;

/** Returns a part that is one command, which counts as a single test. */
const step =
    (title: string, command: string, args: readonly string[]): Part =>
    async () => {
        const code = await runQuietly(title, { command, args });
        return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
    };

/** Runs parts that use one processor each, as many at a time as there are processors. */
async function together(parts: readonly Part[]): Promise<Totals> {
    const waiting = [...parts];
    const done: Totals[] = [];
    const lane = async () => {
        for (let part = waiting.shift(); part; part = waiting.shift()) done.push(await part());
    };
    await Promise.all(Array.from({ length: availableParallelism() }, lane));
    return add(done);
}

/** Runs a suite that writes a report and counts its tests. A missing report or a report without tests is a failure. */
async function suite(
    title: string,
    command: (report: string) => Command,
    count: (text: string, report: string) => Totals,
    run: (title: string, command: Command) => Promise<number> = runTitled,
): Promise<Totals> {
    const folder = mkdtempSync(path.join(tmpdir(), "layered-images-report-"));
    try {
        const report = path.join(folder, "report");
        const code = await run(title, command(report));
        let totals: Totals;
        try {
            totals = count(readFileSync(report, "utf8"), report);
        } catch {
            console.error(`${title}: no report was written`);
            return { passed: 0, failed: 1 };
        }
        // A suite that fails outside its tests (in a hook, by an unhandled error) must not count as passed.
        const silent = totals.failed === 0 && (code !== 0 || totals.passed === 0);
        return silent ? { ...totals, failed: 1 } : totals;
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
}

function countJunit(report: string): Totals {
    const attribute = (name: string) => Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(report)?.[1]);
    const [tests, ...bad] = ["tests", "failures", "errors", "skipped"].map(attribute);
    const failed = bad.reduce((sum, one) => sum + one, 0);
    return { passed: (tests ?? NaN) - failed, failed };
}

/** Peak size of an integration test's lab in the temporary folder, in GB. */
const testLab = 3;

/**
 * Checks once, before the first suite, that the disk has room for all suites: a disk that fills up later makes every
 * test fail. If less than BuildKit's limit is free, BuildKit prunes its cache, and tests miss their cached steps.
 *
 * @throws CommandError if the disk has less room
 */
async function checkRoom(): Promise<void> {
    const paths = labPaths();
    mkdirSync(paths.cache, { recursive: true });
    const labs = { folder: tmpdir(), what: "the labs of the tests", gigabytes: labsAtOnce * testLab };
    const kept = { folder: tmpdir(), what: "what BuildKit leaves free", gigabytes: store.free };
    const needs = await labNeeds(paths, { known: undefined, renewRoot: false });
    checkDisk([...needs, labs, kept], {
        variable: "TMPDIR (for the labs) or LAYERED_IMAGES_HOME (for what they share)",
    });
}

/**
 * Returns the command that runs a suite with mocha. A shuffled suite takes its order from the environment variable
 * `TEST_SEED`, or from a new seed, which is printed.
 *
 * @param files relative to the repository's root
 */
function mocha({ minutes, options, order }: Suite, files: readonly string[], more: readonly string[]): Command {
    const seed = order === "shuffled" ? (process.env[seedVariable] ?? randomInt(1_000_000).toString()) : undefined;
    if (seed !== undefined) console.log(`order: ${seedVariable}=${seed}`);
    const place = (file: string) => (longest.includes(file) ? longest.indexOf(file) : longest.length);
    const size = (file: string) => statSync(path.join(packageRoot, file)).size;
    return {
        command: bin("mocha"),
        args: [
            "--timeout",
            (minutes * 60_000).toString(),
            ...options,
            ...more,
            ...(seed === undefined
                ? [...files].sort((a, b) => place(a) - place(b) || size(b) - size(a))
                : shuffled(files, seed)),
        ],
        variables: seed === undefined ? {} : { [seedVariable]: seed },
    };
}

const mochaSuite = (title: string, one: Suite, variables: Readonly<Record<string, string>> = {}) =>
    suite(
        title,
        (report) => {
            const command = mocha(one, filesOf(one), ["--reporter-option", `output=${report}`]);
            const more = { [leftOutVariable]: leftOutFile(report), ...variables };
            return { ...command, variables: { ...command.variables, ...more } };
        },
        (text, report) => {
            const list = leftOutFile(report);
            const leftOut = existsSync(list) ? readFileSync(list, "utf8").trim().split("\n").length : 0;
            if (leftOut > 0) console.log(`${title}: ${leftOut} more run in \`npm run test:all\``);
            return JSON.parse(text) as Totals;
        },
    );

/** Returns the file beside a report that names the tests that did not run. */
const leftOutFile = (report: string) => `${report}.left-out`;

/** What makes a suite run all its tests. */
const allTests = { [choiceVariable]: "all" } as const;

/** The longest first. */
const staticChecks = (): Part[] => [
    step("lint", bin("eslint"), ["--max-warnings=0", "."]),
    step("types", bin("tsc"), ["--project", "."]),
    step("format", bin("prettier"), ["--check", "--log-level=warn", "."]),
    step("documentation", bin("typedoc"), ["--emit", "none"]),
];

async function app(): Promise<Part[]> {
    await ensurePackages();
    const python = await ensurePython(labPaths().cache);
    const program = (name: string) => path.join(path.dirname(python), name);
    const dockerfiles = Object.values(loadDefinitions(packageRoot).images).map(({ dockerfile }) => dockerfile);
    const module = (title: string, ...args: string[]) => step(`app: ${title}`, python, ["-m", ...args]);
    return [
        step("Dockerfiles", program("hadolint"), [...dockerfiles, smokeDockerfile]),
        step("workflows", program("zizmor"), ["--offline", "--no-progress", "--strict-collection", ".github"]),
        module("lint", "ruff", "check", "app"),
        module("format", "ruff", "format", "--check", "app"),
        module("types", "mypy"),
        () =>
            suite(
                "app: tests",
                (report) => ({ command: python, args: ["-m", "pytest", "--quiet", `--junitxml=${report}`] }),
                countJunit,
                runQuietly,
            ),
    ];
}

function close(totals: readonly Totals[]): number {
    const { passed, failed } = add(totals);
    console.log(`\n${String(passed)} passed, ${String(failed)} failed`);
    return failed === 0 ? 0 : 1;
}

/**
 * Runs every suite in sequence and prints the totals in the last line. Throws the errors of `checkRoom`.
 *
 * @param all whether the tests of `test.thorough`, and all faults, run too
 */
export async function runTests({ all = false }: { readonly all?: boolean } = {}): Promise<number> {
    await checkRoom();
    return close([
        await together([
            ...staticChecks(),
            step("language host", "go", ["test", "-C", "lab/toolchain/pulumi-language-nodejs", "./..."]),
            step("command provider", "go", ["test", "-C", "lab/toolchain/pulumi-resource-command", "./..."]),
            ...(await app()),
        ]),
        await mochaSuite("unit tests", suites.unit),
        await mochaSuite("integration tests", suites.integration, all ? allTests : {}),
    ]);
}

/** Options of mocha whose value may stand in the next argument, because people write them so. */
const takesText = ["-g", "--grep", "-f", "--fgrep"];

/** Splits arguments into paths of tests and options of mocha. */
function splitArguments(args: readonly string[]): { readonly paths: string[]; readonly options: string[] } {
    const isPath = (arg: string, index: number) => !arg.startsWith("-") && !takesText.includes(args[index - 1] ?? "");
    return { paths: args.filter(isPath), options: args.filter((arg, index) => !isPath(arg, index)) };
}

/**
 * Runs fast tests.
 *
 * @param args files and folders of tests (default: all), options of mocha, and `--coverage`, which prints a summary of the covered
 *     lines and writes a report to `coverage/`
 * @throws InputError if a path has no fast test
 */
export function runUnitTests(args: readonly string[]): Promise<number> {
    const { paths, options } = splitArguments(args.filter((arg) => arg !== "--coverage"));
    const { command, args: rest, variables } = mocha(suites.unit, filesOf(suites.unit, paths), options);
    const env = { ...process.env, ...variables };
    if (!args.includes("--coverage")) return runAttached(command, rest, env);
    const reports = ["--reporter=text-summary", "--reporter=lcov"];
    const own = [
        "--all",
        "--include=**/*.ts",
        "--exclude=**/*.test.ts",
        "--exclude=**/testing.ts",
        "--exclude={tests,bench}/**",
    ];
    return runAttached(bin("c8"), [...reports, ...own, command, ...rest], env);
}

/**
 * Size of a lab that builds this repository's hierarchy twice, and once more without cache, in GB: BuildKit's store,
 * archives, the registry.
 */
const realLab = 45;

/**
 * Runs the table of changes on this repository's images.
 *
 * @param args options of mocha
 * @throws CommandError if the disk does not have enough room
 */
export function runRealTests(args: readonly string[]): Promise<number> {
    const what = "this repository's images, built twice";
    checkDisk([{ folder: tmpdir(), what, gigabytes: realLab }], { variable: "TMPDIR" });
    const { command, args: all } = mocha(suites.real, filesOf(suites.real), args);
    return runAttached(command, all, process.env);
}

/** Options of the tests of faults. */
export interface FaultOptions {
    /** Whether random hierarchies meet random faults, instead of the table of faults. */
    readonly fuzz?: boolean;
    /** Number of random steps. */
    readonly steps: number;
    /** What the steps are made from; a new number by default, which is printed. */
    readonly seed?: number;
}

/**
 * Tests what happens when something fails: the whole table of faults, which also writes docs/reliability.md, or random ones. Prints the
 * totals in the last line.
 */
export async function runFaultTests({ fuzz, steps, seed = randomInt(1_000_000) }: FaultOptions): Promise<number> {
    if (!fuzz) return close([await mochaSuite("faults", suites.faults, allTests)]);
    console.log(`again: npm run test:faults -- --fuzz --steps ${steps} --seed ${seed}`);
    const variables = { LAYERED_IMAGES_FUZZ_STEPS: steps.toString(), LAYERED_IMAGES_FUZZ_SEED: seed.toString() };
    return close([await mochaSuite("random faults", suites.fuzz, variables)]);
}

/** Writes the documentation of what the package exports to `docs/api`. Returns the exit code of TypeDoc. */
export const runDocs = (): Promise<number> => runAttached(bin("typedoc"), [], process.env);

/** Runs lint, format, type and documentation checks and the fast tests. */
export async function runCheck(): Promise<number> {
    return close([await together(staticChecks()), await mochaSuite("unit tests", suites.unit)]);
}
