import { elapsed } from "../system/progress";
import type { EngineLog } from "../engine/log";
import type { UpdateRecord } from "./history";
import { type ImageOutcome, type Outcome, imageOutcomes, savedSeconds } from "./outcomes";
import { leftUndone } from "./leftUndone";
import { size } from "../forms/words";
import type { Mask } from "../system/mask";
import { failedOutput } from "./failedOutput";
import { type Printed, quotations } from "./quotations";
import type { RecordedUpdate } from "./record";

const time = (seconds: number) => elapsed(seconds * 1000);

const count = (outcomes: readonly ImageOutcome[], outcome: Outcome): string => {
    const names = outcomes.filter((one) => one.outcome === outcome).map(({ image }) => image);
    return `${names.length.toString()} ${outcome}${names.length > 0 ? ` (${names.join(", ")})` : ""}`;
};

/** "built" and what that led to. */
function happened({ outcome, moved, steps }: ImageOutcome): string {
    const published = steps.some(({ pushed }) => pushed !== undefined);
    const isPromoted = steps.some(({ kind, result }) => kind === "promotion" && result === "succeeded");
    const waits = published && !isPromoted ? ", not promoted" : "";
    switch (outcome) {
        case "built":
            return `built${published ? (moved ? ", another digest" : ", the digest that it had") : ""}${waits}`;
        case "cut off":
            return `cut off: no digest that it stands on moved${waits}`;
        case "removed":
            return "removed from the stack; what was published stays";
        default:
            return `${outcome}${waits}`;
    }
}

function row(outcome: ImageOutcome, record: UpdateRecord): string {
    const own = record.images.filter(({ image, operation }) => image === outcome.image && operation !== "delete");
    const builds = own.filter(({ kind }) => kind === "build");
    const sizes = builds.flatMap(({ bytesPushed }) => bytesPushed ?? []);
    const took = builds
        .map(({ platform = "", seconds }) => `${platform} ${time(seconds)}`)
        .sort()
        .join(", ");
    const pushed = sizes.length > 0 ? size(sum(sizes)) : "";
    return `| ${outcome.image} | ${happened(outcome)} | ${took} | ${pushed} |`;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

function saved(outcomes: readonly ImageOutcome[], history: readonly UpdateRecord[]): string {
    const { seconds, unknown } = savedSeconds(outcomes, history);
    const rest = unknown > 0 ? `; of ${unknown.toString()} more no duration is recorded` : "";
    return (
        `${time(seconds)} of building were saved (an estimate: what the builds that were not needed took when they were ` +
        `last done${rest}).`
    );
}

/**
 * What an update did, for the summary of a workflow run: GitHub's Markdown.
 *
 * @param history the updates before it, newest first
 * @param printed what it printed; nothing is quoted of an update that succeeded
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
    const said: Outcome[] = ["built", "cut off", "unchanged"];
    const rare = (["failed", "not reached", "removed"] as const).filter((one) =>
        outcomes.some(({ outcome }) => outcome === one),
    );
    return [
        `### The update ${record.result} after ${time(record.seconds)}`,
        `${[...said, ...rare].map((outcome) => count(outcomes, outcome)).join(", ")}.`,
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
        ...left(log, printed.mask),
        ...quotations(log, failures, printed),
    ].join("\n\n");
}

function left(log: EngineLog, mask: Mask): string[] {
    const undone = log.result === "succeeded" ? [] : leftUndone(log);
    return undone.length > 0 ? [`#### Left to do\n\n${undone.map((line) => `- ${mask(line)}`).join("\n")}`] : [];
}

/**
 * What is said of an update in the summary of a workflow run: GitHub's Markdown.
 *
 * @param recorded undefined where it came to no resource
 * @param printed what it printed, and what masks it
 * @param env of the update
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
