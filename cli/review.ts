import { loadDefinitions } from "../definitions";
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
import type { DeploymentPlan } from "../lib/plan/deployments";
import type { ImagePlan } from "../lib/plan/images";
import { makePlan, withPublished, type Plan } from "../lib/plan/plan";
import type { RepositoryPlan } from "../lib/plan/repository";
import { type Published, lookUp } from "../lib/status/published";
import { maskedIn } from "../lib/system/mask";
import { repositoryRoot } from "../lib/system/paths";
import { type UpdateRecord, readHistory } from "../lib/update/history";
import { timeLimitWarnings } from "../workflows/timeLimits";
import { reportReview } from "./actions";
import { exit } from "./exitCodes";
import { openStack } from "./openStack";
import { type Form, writeOutput } from "./output";
import { onStackOfSettings } from "./stackOfSettings";

/** Options of `npm run review`, as parsed from the command line. */
export interface ReviewOptions {
    readonly format: Form;
    readonly output?: string;
    readonly stack?: string;
    /** Stack whose settings it has; a stack that does not exist is made for the review. */
    readonly settingsOf?: string;
    readonly expectNoChanges?: boolean;
    readonly refresh?: boolean;
}

/**
 * Returns the exit code of a review. With `--expect-no-changes` and `--refresh` the registry has to respond and must match the state. As
 * with `status`, a difference takes precedence over a missing response.
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

/** Width in columns of a table that is not written to a terminal. */
const defaultWidth = 100;
const minimumWidth = 40;

function render(form: Form, plan: Plan, history: readonly UpdateRecord[], toTerminal: boolean): string {
    switch (form) {
        case "markdown":
            return markdownForm(plan);
        case "json":
            return jsonForm(plan);
        case "html":
            return htmlForm(plan, history);
        case "table": {
            // A terminal of unknown width reports 0 columns.
            const width = Math.max(minimumWidth, (toTerminal && process.stdout.columns) || defaultWidth);
            // https://no-color.org
            return `${tableForm(plan, { width, colour: toTerminal && !process.env.NO_COLOR })}\n`;
        }
    }
}

/** Writes the text to the output file, or prints it if no file is given. */
function deliver(text: string, output: string | undefined): void {
    if (output === undefined) {
        process.stdout.write(text);
        return;
    }
    writeOutput("--output", output, text);
}

type KeyOfAny<T> = T extends unknown ? keyof T : never;

/** Properties of a plan with a fixed vocabulary, which must not be masked. */
const fixedWords: readonly (
    keyof ImagePlan | keyof RepositoryPlan | keyof DeploymentPlan | keyof PlatformPlan | KeyOfAny<Cause>
)[] = ["action", "kind", "platform", "inAnyCase", "of", "role"];

/** Awaits `work` and masks the secrets in the InputError with which it fails. */
async function withMaskedErrors<T>(work: Promise<T>, secrets: Promise<readonly string[]>): Promise<T> {
    try {
        return await work;
    } catch (error) {
        throw error instanceof InputError ? new InputError(maskedIn(error.input, await secrets)) : error;
    }
}

/** A review, with the stack's secrets masked. */
interface MadeReview {
    readonly plan: Plan;
    /** What the registry has; undefined if it was not asked. */
    readonly published: Published | undefined;
    readonly history: readonly UpdateRecord[];
}

/** Makes the review of an update of the stack. Throws the errors of `runReview`. */
async function makeReview(options: Pick<ReviewOptions, "stack" | "refresh" | "format">): Promise<MadeReview> {
    const engine = await openStack({ stack: options.stack, start: true, use: "review" });
    const refresh = options.refresh === true;
    const queryRegistries = async () => await lookUp(deployedImages(await exportStack(engine)), engine, refresh);
    const secretsRead = readSecrets(engine);
    // The rejection is handled below, after the preview.
    secretsRead.catch(() => undefined);
    // The registry is queried while the engine runs the preview: they are independent.
    const [previewed, published, history] = await Promise.all([
        withMaskedErrors(preview(engine), secretsRead),
        refresh || options.format === "html" ? queryRegistries() : undefined,
        readHistory(engine.stack, engine.env),
    ]);
    const secrets = await secretsRead;
    const made = makePlan({
        stack: engine.stack,
        preview: previewed,
        history,
        ...(refresh && published && { missing: published.missing }),
    });
    // The lab's stack is updated by no workflow.
    const limits = engine.isLab
        ? []
        : timeLimitWarnings(loadDefinitions(repositoryRoot()).workflows ?? {}, made.expected.most);
    const plan = { ...made, warnings: [...made.warnings, ...limits] };
    return {
        plan: maskedIn(published ? withPublished(plan, published) : plan, secrets, fixedWords),
        published,
        history,
    };
}

/** Returns the review of an update of the stack in Markdown. Throws the errors of `runReview`. */
export const reviewMarkdown = async (stack: string): Promise<string> =>
    markdownForm((await makeReview({ stack, format: "markdown" })).plan);

/**
 * Runs `npm run review`: shows what an update would do, and why. It builds and pushes nothing, and masks the stack's secrets. In GitHub
 * Actions the review is also added to the step's summary and outputs, in Markdown.
 *
 * @returns the exit code: 0, or 3 if the update would lose something permanently. With `--expect-no-changes`: 2 if changes are pending.
 *     With `--refresh` in addition: 2 if a promoted tag is missing or moved, and 1 if the registry did not respond
 * @throws InputError for bad input, and with the engine's error if the preview fails
 */
export async function runReview(options: ReviewOptions): Promise<number> {
    const { plan, published, history } = await onStackOfSettings(options, false, () => makeReview(options));
    const toTerminal = options.output === undefined && process.stdout.isTTY;
    deliver(render(options.format, plan, history, toTerminal), options.output);
    const code = exitCode(plan, published, options);
    reportReview(markdownForm(plan), code === exit.dangerous);
    return code;
}
