import { statusHtml } from "../lib/forms/statusHtml";
import { statusText } from "../lib/forms/statusText";
import { type StatusReport, readStatus } from "../lib/status/status";
import { reportStatus } from "./actions";
import { exit } from "./exitCodes";
import { openStack } from "./openStack";
import { writeOutput } from "./output";

/** Options of `npm run status`. */
export interface StatusOptions {
    /** Name of the stack; the lab's stack by default. */
    readonly stack?: string;
    /** Print JSON (`StatusReport`) instead of text. */
    readonly json?: boolean;
    /** File for an HTML page, in addition to the printed report. */
    readonly html?: string;
}

/** Exit code for each verdict. */
const codes: Readonly<Record<StatusReport["verdict"], number>> = {
    "in step": exit.done,
    unknown: exit.failed,
    drift: exit.differs,
};

/**
 * Runs `npm run status`: compares a stack with the registry and GitHub and prints a report. In GitHub Actions the report is also added
 * to the step's summary and outputs.
 *
 * @returns exit code: 0 in step, 1 could not be determined, 2 drift
 * @throws InputError for an unknown stack or an HTML file that can't be written
 * @throws CommandError if the state can't be read
 */
export async function runStatus({ stack, json, html }: StatusOptions): Promise<number> {
    const report = await readStatus(await openStack({ stack, start: false }));
    const colour = process.stdout.isTTY && !process.env.NO_COLOR;
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : statusText(report, colour));
    reportStatus(statusText(report, false), report.verdict);
    if (html !== undefined) writeOutput("--html", html, statusHtml(report));
    return codes[report.verdict];
}
