import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { loadDefinitions } from "../cli/definitions";
import { checkDisk, labNeeds } from "../lab/disk";
import { ensurePython } from "../lab/root/python";
import { store } from "../lab/servers/services";
import { ensurePackages } from "../lab/toolchain/packages";
import { CommandError } from "../lib/errors";
import { smokeDockerfile } from "../lib/hierarchy/smokeTests";
import { labPaths, repositoryRoot } from "../lib/system/paths";
import { isInterrupted, runAttached } from "../lib/system/process";

interface Totals {
    readonly passed: number;
    readonly failed: number;
}

const bin = (name: string) => path.join(repositoryRoot, "node_modules", ".bin", name);
const none: Totals = { passed: 0, failed: 0 };
const add = (totals: readonly Totals[]): Totals =>
    totals.reduce((sum, one) => ({ passed: sum.passed + one.passed, failed: sum.failed + one.failed }), none);

/** Prints a title and runs a command. Ctrl-C ends the command and cancels all later commands. */
async function runTitled(title: string, command: string, args: readonly string[]): Promise<number> {
    console.log(`\n== ${title}`);
    const code = await runAttached(command, args, process.env);
    if (isInterrupted()) throw new CommandError("interrupted");
    return code;
}

/** Runs a command that counts as a single test. */
async function step(title: string, command: string, args: readonly string[]): Promise<Totals> {
    const code = await runTitled(title, command, args);
    return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/** Runs a suite that writes a report and counts its tests. A missing report or a report without tests is a failure. */
async function suite(
    title: string,
    command: string,
    args: (report: string) => readonly string[],
    count: (report: string) => Totals,
): Promise<Totals> {
    const folder = mkdtempSync(path.join(tmpdir(), "layered-images-report-"));
    try {
        const report = path.join(folder, "report");
        const code = await runTitled(title, command, args(report));
        let totals: Totals;
        try {
            totals = count(readFileSync(report, "utf8"));
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

function countVitest(report: string): Totals {
    const result = JSON.parse(report) as { numPassedTests: number; numTotalTests: number; numFailedTestSuites: number };
    const failedTests = result.numTotalTests - result.numPassedTests;
    // A skipped test counts as failed: a test that cannot run does not show that the code works.
    return {
        passed: result.numPassedTests,
        failed: failedTests === 0 && result.numFailedTestSuites > 0 ? 1 : failedTests,
    };
}

function countJunit(report: string): Totals {
    const attribute = (name: string) => Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(report)?.[1]);
    const [tests, ...bad] = ["tests", "failures", "errors", "skipped"].map(attribute);
    const failed = bad.reduce((sum, one) => sum + one, 0);
    return { passed: (tests ?? NaN) - failed, failed };
}

/** Number of concurrent labs: each needs a core and about 300 MB of memory. */
const labsAtOnce = 2;

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

const vitest = (title: string, project: string, more: readonly string[] = []) =>
    suite(
        title,
        bin("vitest"),
        (report) => [
            "run",
            "--project",
            project,
            "--reporter=default",
            "--reporter=json",
            `--outputFile.json=${report}`,
            ...more,
        ],
        countVitest,
    );

const staticChecks = async (): Promise<Totals[]> => [
    await step("format", bin("prettier"), ["--check", "--log-level=warn", "."]),
    await step("lint", bin("eslint"), ["--max-warnings=0", "."]),
    await step("types", bin("tsc"), ["--project", "."]),
];

async function app(): Promise<Totals[]> {
    await ensurePackages();
    const python = await ensurePython(labPaths().cache);
    const program = (name: string) => path.join(path.dirname(python), name);
    const dockerfiles = Object.values(loadDefinitions(repositoryRoot).images).map(({ dockerfile }) => dockerfile);
    const module = (title: string, ...args: string[]) => step(`app: ${title}`, python, ["-m", ...args]);
    return [
        await step("Dockerfiles", program("hadolint"), [...dockerfiles, smokeDockerfile]),
        await step("workflows", program("zizmor"), ["--offline", "--no-progress", "--strict-collection", ".github"]),
        await module("lint", "ruff", "check", "app"),
        await module("format", "ruff", "format", "--check", "app"),
        await module("types", "mypy"),
        await suite("app: tests", python, (report) => ["-m", "pytest", "--quiet", `--junitxml=${report}`], countJunit),
    ];
}

function close(totals: readonly Totals[]): number {
    const { passed, failed } = add(totals);
    console.log(`\n${String(passed)} passed, ${String(failed)} failed`);
    return failed === 0 ? 0 : 1;
}

/** Runs every suite in sequence and prints the totals in the last line. Throws the errors of `checkRoom`. */
export async function runTests(): Promise<number> {
    await checkRoom();
    return close([
        ...(await staticChecks()),
        await vitest("unit tests", "unit"),
        await step("language host", "go", ["test", "-C", "lab/toolchain/pulumi-language-nodejs", "./..."]),
        await step("command provider", "go", ["test", "-C", "lab/toolchain/pulumi-resource-command", "./..."]),
        ...(await app()),
        await vitest("integration tests", "integration", [`--maxWorkers=${labsAtOnce.toString()}`]),
    ]);
}

/** Runs the fast tests with additional arguments for vitest. */
export const runUnitTests = (args: readonly string[]): Promise<number> =>
    runAttached(bin("vitest"), ["run", "--project", "unit", ...args], process.env);

/**
 * Size of a lab that builds this repository's hierarchy twice, and once more without cache, in GB: BuildKit's store,
 * archives, the registry.
 */
const realLab = 45;

/**
 * Runs the table of changes on this repository's images, with additional arguments for vitest.
 *
 * @throws CommandError if the disk does not have enough room
 */
export function runRealTests(args: readonly string[]): Promise<number> {
    const what = "this repository's images, built twice";
    checkDisk([{ folder: tmpdir(), what, gigabytes: realLab }], { variable: "TMPDIR" });
    const command = ["run", "--project", "real", "--reporter=verbose", ...args];
    return runAttached(bin("vitest"), command, process.env);
}

/** Runs lint, format and type checks and the fast tests. */
export async function runCheck(): Promise<number> {
    return close([...(await staticChecks()), await vitest("unit tests", "unit")]);
}
