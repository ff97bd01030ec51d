import type { UpdateRecord } from "../lib/plan/history";
import { makePlan } from "../lib/plan/makePlan";
import type { Plan } from "../lib/plan/plan";
import { deployedImages } from "../lib/status/state";
import { exportStack, openEngine, preview } from "./engine";
import { htmlForm } from "./forms/html";
import { jsonForm } from "./forms/json";
import { markdownForm } from "./forms/markdown";
import { tableForm } from "./forms/table";
import { readHistory } from "./history";
import { writeOutput } from "./output";
import { lookUp, withSizes } from "./published";

/** The forms that a review is written in. */
export const forms = ["table", "markdown", "json", "html"] as const;
export type Form = (typeof forms)[number];

/** Options of `npm run review`, as the command line has them. */
export interface ReviewOptions {
    readonly format: Form;
    readonly output?: string;
    readonly stack?: string;
    readonly expectNoChanges?: boolean;
    readonly refresh?: boolean;
}

/** Exit codes of a review. */
const exit = { done: 0, pending: 2, dangerous: 3 } as const;

/** Width of a line where nobody says how wide the terminal is. */
const usualWidth = 100;
const narrowest = 40;

function written(form: Form, plan: Plan, history: readonly UpdateRecord[], toTerminal: boolean): string {
    switch (form) {
        case "markdown":
            return markdownForm(plan);
        case "json":
            return jsonForm(plan);
        case "html":
            return htmlForm(plan, history);
        case "table": {
            // A terminal that does not know its width says 0.
            const width = Math.max(narrowest, (toTerminal && process.stdout.columns) || usualWidth);
            // https://no-color.org
            return `${tableForm(plan, { width, colour: toTerminal && !process.env.NO_COLOR })}\n`;
        }
    }
}

/** Writes the text where it was asked for. */
function deliver(text: string, output: string | undefined): void {
    if (output === undefined) {
        process.stdout.write(text);
        return;
    }
    writeOutput("--output", output, text);
}

/**
 * `npm run review`: says what an update would do, and why. It builds and pushes nothing.
 *
 * @returns the exit code: 0; 2 where something is pending and `--expect-no-changes` was said; 3 where something would be
 *     lost for good
 * @throws InputError for bad input, and with the engine's own error where the preview fails
 */
export async function runReview(options: ReviewOptions): Promise<number> {
    const form = options.format;
    const engine = await openEngine({ stack: options.stack, start: true });
    const found = await preview(engine);
    const history = await readHistory(engine.stack, engine.env);
    const looksInto = options.refresh === true || form === "html";
    const published = looksInto ? await lookUp(deployedImages(await exportStack(engine)), engine.env) : undefined;
    const plan = makePlan({
        stack: engine.stack,
        preview: found,
        history,
        ...(options.refresh && published && { missing: published.missing }),
    });
    const complete = published ? withSizes(plan, published) : plan;
    const toTerminal = options.output === undefined && process.stdout.isTTY;
    deliver(written(form, complete, history, toTerminal), options.output);
    if (plan.dangers.length > 0) return exit.dangerous;
    return plan.pending && options.expectNoChanges ? exit.pending : exit.done;
}
