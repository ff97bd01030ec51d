import { elapsed } from "../lab/progress";
import type { EngineLog } from "../lib/plan/engineLog";
import type { UpdateRecord } from "../lib/plan/history";
import { type ImageOutcome, type Outcome, imageOutcomes, savedSeconds } from "../lib/plan/imageOutcomes";
import type { ImageStep } from "../lib/plan/imageSteps";
import { size } from "../lib/plan/words";

/** Lines that are quoted of what failed, and characters of a line. */
const quoted = { lines: 30, width: 400 } as const;

const time = (seconds: number) => elapsed(seconds * 1000);

/** Text as it is: in a fence that is longer than any in it. */
function fenced(lines: readonly string[]): string {
    const longest = Math.max(2, ...lines.flatMap((line) => (line.match(/`+/g) ?? []).map((ticks) => ticks.length)));
    const fence = "`".repeat(longest + 1);
    return [fence, ...lines.slice(-quoted.lines).map((line) => line.slice(0, quoted.width)), fence].join("\n");
}

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

const kinds = { build: "build", test: "smoke test", promotion: "promotion" } as const;

function failure({ image, platform, kind, urn }: ImageStep, log: EngineLog, output: Output): string {
    const lines = log.told.get(urn) ?? [];
    const printed = output.get(urn);
    // The provider's error names the command that failed; of what that printed the engine's log can lack the end.
    const told = [
        ...(printed ?? []),
        ...lines.filter((one) => !printed || one.severity === "error").map(({ line }) => line),
    ]
        .map((line) => line.trimEnd())
        .filter((line) => line !== "");
    const where = platform === undefined ? "" : ` on ${platform}`;
    return `#### ${kinds[kind]} of image ${image}${where} failed\n\n${fenced(told.length > 0 ? told : ["it was cut off"])}`;
}

/** What failed steps printed, by URN. */
type Output = ReadonlyMap<string, readonly string[]>;

/** Errors that are not about a build, test or promotion that failed. */
function otherErrors(log: EngineLog, failures: readonly ImageStep[]): string[] {
    const known = new Set(failures.map(({ urn }) => urn));
    const told = [...log.told].filter(([urn]) => !known.has(urn)).flatMap(([, lines]) => lines);
    const errors = told.filter(({ severity, line }) => severity === "error" && !["", "update failed"].includes(line));
    return errors.length > 0 ? [`#### Other errors\n\n${fenced(errors.map(({ line }) => line))}`] : [];
}

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
 * @param output what failed builds and tests printed, by URN, where that is known better than from the log
 */
export function updateSummary(
    log: EngineLog,
    record: UpdateRecord,
    history: readonly UpdateRecord[],
    output: Output = new Map(),
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
        ...failures.map((step) => failure(step, log, output)),
        ...otherErrors(log, failures),
    ].join("\n\n");
}
