import { exportStack, preview } from "../lib/engine/pulumi";
import { readSecrets } from "../lib/engine/secrets";
import { deployedImages } from "../lib/engine/state";
import { InputError } from "../lib/errors";
import { htmlForm } from "../lib/forms/html";
import { jsonForm } from "../lib/forms/json";
import { markdownForm } from "../lib/forms/markdown";
import { tableForm } from "../lib/forms/table";
import type { PlatformPlan } from "../lib/plan/builds";
import type { Cause } from "../lib/plan/causes";
import type { ImagePlan } from "../lib/plan/images";
import { makePlan, withPublished, type Plan } from "../lib/plan/plan";
import type { RepositoryPlan } from "../lib/plan/repository";
import { type Published, lookUp } from "../lib/status/published";
import { maskedIn } from "../lib/system/mask";
import { type UpdateRecord, readHistory } from "../lib/update/history";
import { tellReview } from "./actions";
import { exit } from "./exitCodes";
import { openStack } from "./openStack";
import { writeOutput } from "./output";

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

/**
 * The exit code of a review. With `--expect-no-changes` and `--refresh` the registry has to answer, and to have what the state says.
 * As with `status`, a difference outweighs an answer that is missing.
 */
export function exitCode(
    { dangers, pending }: Pick<Plan, "dangers" | "pending">,
    published: Pick<Published, "moved" | "unasked"> | undefined,
    { expectNoChanges, refresh }: Pick<ReviewOptions, "expectNoChanges" | "refresh">,
): number {
    if (dangers.length > 0) return exit.dangerous;
    if (!expectNoChanges) return exit.done;
    const { moved, unasked } = (refresh ? published : undefined) ?? { moved: [], unasked: [] };
    if (pending || moved.length > 0) return exit.differs;
    return unasked.length > 0 ? exit.failed : exit.done;
}

/** Columns of a table that goes to no terminal. */
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
            // A terminal that does not know its width reports 0.
            const width = Math.max(narrowest, (toTerminal && process.stdout.columns) || usualWidth);
            // https://no-color.org
            return `${tableForm(plan, { width, colour: toTerminal && !process.env.NO_COLOR })}\n`;
        }
    }
}

/** Writes the text to the file that was asked for, or prints it. */
function deliver(text: string, output: string | undefined): void {
    if (output === undefined) {
        process.stdout.write(text);
        return;
    }
    writeOutput("--output", output, text);
}

type KeyOfAny<T> = T extends unknown ? keyof T : never;

/** Properties of a plan whose texts are fixed words of this program. */
const fixedWords: readonly (keyof ImagePlan | keyof RepositoryPlan | keyof PlatformPlan | KeyOfAny<Cause>)[] = [
    "action",
    "kind",
    "platform",
    "inAnyCase",
    "of",
    "role",
];

/** Waits for `work`, and takes the secrets out of the error where it fails. */
async function withMaskedErrors<T>(work: Promise<T>, secrets: Promise<readonly string[]>): Promise<T> {
    try {
        return await work;
    } catch (error) {
        throw error instanceof InputError ? new InputError(maskedIn(error.input, await secrets)) : error;
    }
}

/**
 * `npm run review`: shows what an update would do, and why. It builds and pushes nothing, and shows no secret of the stack. In GitHub
 * Actions the review also goes to the step, in Markdown.
 *
 * @returns the exit code: 0, or 3 where something would be lost for good. With `--expect-no-changes` 2 where something is
 *     pending; with `--refresh` as well, 2 for a promoted tag that is lost or moved, and 1 where the registry did not answer
 * @throws InputError for bad input, and with the engine's own error where the preview fails
 */
export async function runReview(options: ReviewOptions): Promise<number> {
    const form = options.format;
    const engine = await openStack({ stack: options.stack, start: true });
    const refresh = options.refresh === true;
    const ask = async () => await lookUp(deployedImages(await exportStack(engine)), engine, refresh);
    const reading = readSecrets(engine);
    // An error in reading them is reported when the preview has ended.
    reading.catch(() => undefined);
    // The registry answers while the engine previews: neither needs the other.
    const [found, published, history] = await Promise.all([
        withMaskedErrors(preview(engine), reading),
        refresh || form === "html" ? ask() : undefined,
        readHistory(engine.stack, engine.env),
    ]);
    const secrets = await reading;
    const plan = makePlan({
        stack: engine.stack,
        preview: found,
        history,
        ...(refresh && published && { missing: published.missing }),
    });
    const complete = maskedIn(published ? withPublished(plan, published) : plan, secrets, fixedWords);
    const toTerminal = options.output === undefined && process.stdout.isTTY;
    deliver(written(form, complete, history, toTerminal), options.output);
    const code = exitCode(plan, published, options);
    tellReview(markdownForm(complete), code === exit.dangerous);
    return code;
}
