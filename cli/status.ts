import { statusHtml } from "../lib/forms/statusHtml";
import { statusText } from "../lib/forms/statusText";
import { type StatusReport, readStatus } from "../lib/status/status";
import { tellStatus } from "./actions";
import { exit } from "./exitCodes";
import { openStack } from "./openStack";
import { writeOutput } from "./output";

/** Options of `npm run status`. */
export interface StatusOptions {
    /** The stack; the lab's by default. */
    readonly stack?: string;
    /** Print JSON (`StatusReport`) instead of text. */
    readonly json?: boolean;
    /** File for an HTML page, in addition to what is printed. */
    readonly html?: string;
}

/** Exit codes by verdict. */
const codes: Readonly<Record<StatusReport["verdict"], number>> = {
    "in step": exit.done,
    unknown: exit.failed,
    drift: exit.differs,
};

/**
 * `npm run status`: compares a stack with reality and prints what was found; in GitHub Actions it also goes to the step.
 *
 * @returns 0 in step, 1 could not tell, 2 drift
 * @throws InputError for an unknown stack or a page that can't be written, CommandError when the state can't be read
 */
export async function runStatus({ stack, json, html }: StatusOptions): Promise<number> {
    const report = await readStatus(await openStack({ stack, start: false }));
    const colour = process.stdout.isTTY && !process.env.NO_COLOR;
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : statusText(report, colour));
    tellStatus(statusText(report, false), report.verdict);
    if (html !== undefined) writeOutput("--html", html, statusHtml(report));
    return codes[report.verdict];
}
