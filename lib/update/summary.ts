import type { EngineLog } from "../engine/log";
import type { Mask } from "../system/mask";
import { size, elapsed } from "../system/progress";
import { type DeploymentOutcome, deploymentOutcomes } from "./deployments";
import { failedOutput } from "./failedBuilds";
import type { UpdateRecord } from "./history";
import { leftUndone } from "./leftUndone";
import { type ImageOutcome, type Outcome, imageOutcomes, savedSeconds } from "./outcomes";
import type { RecordedUpdate } from "./record";
import { type ImageStep, stepText } from "./steps";

/** Limits of quotations: lines of a failure, of a successful deployment, and of the end of the output, and characters per line. */
const quoted = { failure: 30, deployment: 10, end: 100, width: 400 } as const;

/** The output of an update, which may contain secrets. */
export interface Printed {
    /** By URN, the output of failed builds and tests, if it is more complete than in the engine's log. */
    readonly output?: ReadonlyMap<string, readonly string[]>;
    /** The complete output of `pulumi up`, line by line. */
    readonly lines?: readonly string[];
    /** Masks the secrets in a line. */
    readonly mask: Mask;
}

/** Masks a line, then truncates it: in the reverse order a part of a secret could remain. */
type Quote = (lines: readonly string[], most: number) => string;

/** Returns Markdown that shows lines verbatim: in a fence that is longer than every fence in the lines. */
export function fenced(lines: readonly string[]): string {
    const ticks = lines.flatMap((line) => (line.match(/`+/g) ?? []).map(({ length }) => length));
    const fence = "`".repeat(Math.max(2, ...ticks) + 1);
    return [fence, ...lines, fence].join("\n");
}

const fencing =
    (mask: Mask): Quote =>
    (lines, most) =>
        fenced(lines.slice(-most).map((line) => mask(line).trimEnd().slice(0, quoted.width)));

function failure(step: ImageStep, log: EngineLog, output: Printed["output"], quote: Quote) {
    const { image, platform, urn } = step;
    const messages = log.messages.get(urn) ?? [];
    const printed = output?.get(urn);
    // The provider's error names the failed command, but the engine's log can lack the end of that command's output.
    const lines = [
        ...(printed ?? []),
        ...messages.filter(({ severity }) => !printed || severity === "error").map(({ line }) => line),
    ].filter((line) => line.trim() !== "");
    const where = platform === undefined ? "" : ` on ${platform}`;
    const quotation = quote(lines.length > 0 ? lines : ["it was cut off"], quoted.failure);
    return `#### ${stepText(step)} of image ${image}${where} failed\n\n${quotation}`;
}

function deploymentFailure({ deployment, image, host, output }: DeploymentOutcome, quote: Quote): string {
    const lines = output.filter((line) => line.trim() !== "");
    const quotation = quote(lines.length > 0 ? lines : ["it was cut off"], quoted.failure);
    return `#### Deployment ${deployment} of image ${image} to ${host} failed\n\n${quotation}`;
}

/** Returns the errors that do not concern a failed build, test, promotion or deployment. */
function otherErrors(log: EngineLog, failures: readonly { readonly urn: string }[], quote: Quote): string[] {
    const failedUrns = new Set(failures.map(({ urn }) => urn));
    const messages = [...log.messages].filter(([urn]) => !failedUrns.has(urn)).flatMap(([, lines]) => lines);
    const errors = messages.filter(
        ({ severity, line }) => severity === "error" && !["", "update failed"].includes(line),
    );
    return errors.length > 0
        ? [
              `#### Other errors\n\n${quote(
                  errors.map(({ line }) => line),
                  quoted.failure,
              )}`,
          ]
        : [];
}

/** Returns the last lines of the output, collapsed. */
function end(lines: readonly string[], quote: Quote): string[] {
    if (lines.length === 0) return [];
    return [`<details><summary>The end of the log</summary>\n\n${quote(lines, quoted.end)}\n\n</details>`];
}

/**
 * Quotes the output of a failed update in GitHub's Markdown, with the secrets of the stack masked.
 *
 * @param log undefined if the update reached no resource
 * @returns a section per failure, for other errors, and for the end of the output; empty for a successful update
 */
export function quotations(
    log: EngineLog | undefined,
    failures: readonly ImageStep[],
    { output, lines = [], mask }: Printed,
): string[] {
    if (log?.result === "succeeded") return [];
    const quote = fencing(mask);
    const deployments = log ? deploymentOutcomes(log).filter(({ outcome }) => outcome === "failed") : [];
    return [
        ...(log ? failures.map((step) => failure(step, log, output, quote)) : []),
        ...deployments.map((one) => deploymentFailure(one, quote)),
        ...(log ? otherErrors(log, [...failures, ...deployments], quote) : []),
        ...end(lines, quote),
    ];
}

const time = (seconds: number) => elapsed(seconds * 1000);

const count = (outcomes: readonly ImageOutcome[], outcome: Outcome): string => {
    const names = outcomes.filter((entry) => entry.outcome === outcome).map(({ image }) => image);
    return `${names.length.toString()} ${outcome}${names.length > 0 ? ` (${names.join(", ")})` : ""}`;
};

/** Describes the outcome for an image: "built", for example, and whether its digest changed and was promoted. */
function happened({ outcome, moved, steps, pinned, elsewhere, ...image }: ImageOutcome): string {
    const published = steps.some(({ pushed }) => pushed !== undefined);
    const waits = image.waits ? ", not promoted" : "";
    const by = elsewhere.length > 0 ? `, built by stack ${elsewhere.join(" and ")}` : "";
    switch (outcome) {
        case "built":
            return `built${published ? (moved ? ", another digest" : ", the digest that it had") : ""}${waits}`;
        case "cut off":
            return `cut off: no digest that it needs changed${waits}`;
        case "removed":
            return "removed from the stack; what was published stays";
        default:
            return `${outcome}${by}${waits}${pinned === undefined ? "" : `, pinned to ${pinned}`}`;
    }
}

function row(outcome: ImageOutcome, record: UpdateRecord): string {
    const imageRecords = record.images.filter(
        ({ image, operation }) => image === outcome.image && operation !== "delete",
    );
    const builds = imageRecords.filter(({ kind }) => kind === "build");
    const sizes = builds.flatMap(({ bytesPushed }) => bytesPushed ?? []);
    const took = builds
        .map(({ platform = "", seconds }) => `${platform} ${time(seconds)}`)
        .sort()
        .join(", ");
    const pushed = sizes.length > 0 ? size(sum(sizes)) : "";
    return `| ${outcome.image} | ${happened(outcome)} | ${took} | ${pushed} |`;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

function saved(outcomes: readonly ImageOutcome[], history: readonly UpdateRecord[]): string {
    const { seconds, unknown } = savedSeconds(outcomes, history);
    const rest = unknown > 0 ? `; of ${unknown.toString()} more no duration is recorded` : "";
    return (
        `${time(seconds)} of building were saved (an estimate: what the builds that were not needed took when they were ` +
        `last done${rest}).`
    );
}

/**
 * Summarizes an update for the summary of a workflow run, in GitHub's Markdown.
 *
 * @param history earlier updates, newest first
 * @param printed its output; a successful update is not quoted
 */
export function updateSummary(
    log: EngineLog,
    record: UpdateRecord,
    history: readonly UpdateRecord[],
    printed: Printed,
): string {
    const outcomes = imageOutcomes(log);
    const builds = record.images.filter(({ kind, operation }) => kind === "build" && operation !== "delete");
    const failures = outcomes.flatMap(({ steps }) => steps).filter(({ result }) => result === "failed");
    const pushed = builds.flatMap(({ bytesPushed }) => bytesPushed ?? []);
    const unasked = builds.some(
        ({ digestMoved, bytesPushed }) => digestMoved !== undefined && bytesPushed === undefined,
    );
    const common: Outcome[] = ["built", "cut off", "unchanged"];
    const rare = (["failed", "not reached", "removed"] as const).filter((candidate) =>
        outcomes.some(({ outcome }) => outcome === candidate),
    );
    return [
        `### The update ${record.result} after ${time(record.seconds)}`,
        `${[...common, ...rare].map((outcome) => count(outcomes, outcome)).join(", ")}.`,
        [
            `Builds took ${time(sum(builds.map(({ seconds }) => seconds)))} in all; ${saved(outcomes, history)}`,
            `${size(sum(pushed))} were pushed${unasked ? ", and what the registry could not be asked about" : ""}.`,
        ].join(" "),
        ...(outcomes.length > 0
            ? [
                  ["| image | what happened | builds | pushed |", "|---|---|---|---|"]
                      .concat(outcomes.map((outcome) => row(outcome, record)))
                      .join("\n"),
              ]
            : []),
        ...deployed(log, printed.mask),
        ...remaining(log, printed.mask),
        ...quotations(log, failures, printed),
    ].join("\n\n");
}

/** Returns a section for each release that was deployed, with the end of what its commands wrote. */
function deployed(log: EngineLog, mask: Mask): string[] {
    const quote = fencing(mask);
    return deploymentOutcomes(log)
        .filter(({ outcome }) => outcome === "deployed")
        .map(({ deployment, image, host, said, output }) => {
            const lines = output.filter((line) => line.trim() !== "");
            const quotation = lines.length > 0 ? [quote(lines, quoted.deployment)] : [];
            const runs = said === undefined ? [] : [mask(`${said}.`)];
            return [`#### Deployed: ${deployment} (image ${image}) to ${host}`, ...runs, ...quotation].join("\n\n");
        });
}

function remaining(log: EngineLog, mask: Mask): string[] {
    const undone = log.result === "succeeded" ? [] : leftUndone(log);
    return undone.length > 0 ? [`#### Left to do\n\n${undone.map((line) => `- ${mask(line)}`).join("\n")}`] : [];
}

/**
 * Returns the text for an update in the summary of a workflow run, in GitHub's Markdown.
 *
 * @param recorded undefined if the update reached no resource
 * @param printed its output, and the mask for its secrets
 * @param env environment of the update
 */
export async function summaryOf(
    recorded: RecordedUpdate | undefined,
    printed: Omit<Printed, "output">,
    env: NodeJS.ProcessEnv,
): Promise<string> {
    if (!recorded) {
        const quoted = quotations(undefined, [], printed);
        return ["### The update failed before it came to any resource", ...quoted].join("\n\n");
    }
    const { log, record, history } = recorded;
    const output = await failedOutput({ env, root: process.cwd(), log, mask: printed.mask });
    return updateSummary(log, record, history, { ...printed, output });
}
