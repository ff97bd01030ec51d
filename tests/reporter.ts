import { writeFileSync } from "node:fs";
import path from "node:path";
import { type Hook, type MochaOptions, type Runnable, Runner, type Suite, type Test, reporters } from "mocha";
import { repositoryRoot } from "../lib/system/paths";

/** Numbers of tests. A test that did not run, or a file without tests, counts as failed. */
export interface Totals {
    readonly passed: number;
    readonly failed: number;
}

interface Options extends MochaOptions {
    readonly files?: readonly string[];
    readonly reporterOption?: { readonly output?: string };
}

const { EVENT_HOOK_END, EVENT_SUITE_END, EVENT_TEST_END, EVENT_TEST_FAIL } = Runner.constants;

const inWords = (milliseconds: number) =>
    milliseconds < 1000 ? `${milliseconds} ms` : `${(milliseconds / 1000).toFixed(1)} s`;

/**
 * Prints a line for each file, with the time that its tests and hooks took, and at the end every failure in full. With
 * `--reporter-option output=<file>` it writes the totals to a file, as JSON.
 *
 * mocha reports the events of a file together, when the file is done (`parallel` in .mocharc.yml).
 */
export default class FileReporter extends reporters.Base {
    /** The files that reported something. */
    private readonly seen = new Set<string>();
    private file = { name: "", tests: 0, failed: 0, milliseconds: 0 };

    constructor(
        runner: Runner,
        private readonly given: Options,
    ) {
        super(runner, given);
        const see = ({ file }: Runnable) => {
            if (file !== undefined) this.seen.add((this.file.name = file));
        };
        const spend = (runnable: Test | Hook) => {
            see(runnable);
            this.file.milliseconds += runnable.duration ?? 0;
        };
        runner.on(EVENT_HOOK_END, spend);
        runner.on(EVENT_TEST_END, (test) => {
            spend(test);
            this.file.tests++;
        });
        runner.on(EVENT_TEST_FAIL, (runnable: Runnable, error: Error) => {
            see(runnable);
            this.file.failed++;
            // A file that can't be loaded, or whose process ended: its own error does not name it.
            if (!("type" in runnable)) error.message = `${this.file.name}: ${error.message}`;
        });
        runner.on(EVENT_SUITE_END, (suite: Suite) => {
            if (suite.root) this.endFile();
        });
    }

    private endFile(): void {
        const { name, tests, failed, milliseconds } = this.file;
        const mark = failed > 0 ? reporters.Base.color("fail", "✗") : reporters.Base.color("checkmark", "✓");
        const failures = failed > 0 ? `, ${failed} failed` : "";
        console.log(
            `${mark} ${path.relative(repositoryRoot, name)}: ${tests} tests${failures}, ${inWords(milliseconds)}`,
        );
        this.file = { name: "", tests: 0, failed: 0, milliseconds: 0 };
    }

    override done(failures: number, end: (failures: number) => void): void {
        this.epilogue();
        const { files = [], grep, reporterOption: { output } = {} } = this.given;
        const empty = grep === undefined ? files.filter((file) => !this.seen.has(file)) : [];
        for (const file of empty) console.log(`${path.relative(repositoryRoot, file)} has no tests`);
        const failed = this.stats.failures + empty.length;
        if (output !== undefined)
            writeFileSync(output, JSON.stringify({ passed: this.stats.passes, failed } satisfies Totals));
        end(Math.max(failed, failures));
    }
}
