/* Reports the results of commands to GitHub Actions (docs.github.com, "Workflow commands for GitHub Actions"). */
import { randomUUID } from "node:crypto";
import { appendFileSync, writeSync } from "node:fs";
import type { StatusReport } from "../lib/status/status";
import type { promotedIn } from "../lib/update/promoted";
import { withoutSecrets } from "../lib/system/hidden";
import { inActions } from "../lib/system/inActions";
import { fenced } from "../lib/update/summary";

/** Escapes a value for a workflow command. */
const escaped = (text: string): string => text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");

/**
 * Returns the workflow command that makes GitHub replace this text with `***` in the rest of the job's log. GitHub masks line by line,
 * so every line of a multi-line value needs its mask.
 */
export const addMask = (text: string): string => `::add-mask::${escaped(text)}`;

/**
 * Makes GitHub mask texts in the rest of the job's log. The runner reads workflow commands from both streams, and standard output may be
 * redirected to a file.
 */
export function maskInLog(texts: readonly string[]): void {
    // As it is: this process masks what is written to the stream.
    for (const text of texts) writeSync(process.stderr.fd, `${addMask(text)}\n`);
}

/** Appends Markdown to the step's summary. Does nothing outside a GitHub Actions step. */
export function addSummary(markdown: string, env: NodeJS.ProcessEnv = process.env): void {
    if (env.GITHUB_STEP_SUMMARY) appendFileSync(env.GITHUB_STEP_SUMMARY, withoutSecrets(markdown));
}

/**
 * Maximum size in bytes of an output that a later job puts into a comment or an issue. GitHub accepts 65,536 characters, including the
 * text that the job adds around the output, and Linux limits an environment variable to 131,072 bytes.
 */
const longestOutput = 60_000;

/** Truncates a text to a number of bytes without splitting a UTF-8 character. */
export function cut(text: string, bytes: number): string {
    const whole = Buffer.from(text);
    if (whole.length <= bytes) return text;
    let end = bytes;
    // Bytes of the form 10xxxxxx continue a UTF-8 character.
    while (end > 0 && ((whole[end] ?? 0) & 0b1100_0000) === 0b1000_0000) end--;
    return whole.toString("utf8", 0, end);
}

/**
 * Formats an output for the file GITHUB_OUTPUT: a boolean as `name=value`, and a text between delimiters, because it may have several
 * lines.
 *
 * @param delimiter must not occur in the text, so it has to be unpredictable
 */
export function outputLines(name: string, value: string | boolean, delimiter = `end-${randomUUID()}`): string {
    if (typeof value === "boolean") return `${name}=${value.toString()}\n`;
    return `${name}<<${delimiter}\n${cut(withoutSecrets(value), longestOutput)}\n${delimiter}\n`;
}

/** Sets outputs of the step. Texts that are too long for a comment are truncated. Does nothing outside a GitHub Actions step. */
export function setOutputs(
    outputs: Readonly<Record<string, string | boolean>>,
    env: NodeJS.ProcessEnv = process.env,
): void {
    if (!env.GITHUB_OUTPUT) return;
    const lines = Object.entries(outputs).map(([name, value]) => outputLines(name, value));
    appendFileSync(env.GITHUB_OUTPUT, lines.join(""));
}

/** Maximum number of jobs of a matrix (docs.github.com, "Actions limits"). */
const longestMatrix = 256;

/** Returns the first entries of a list: as many as a matrix may have, and as an output holds whole as JSON. */
function fitting(entries: readonly unknown[]): readonly unknown[] {
    let kept = entries.slice(0, longestMatrix);
    while (Buffer.byteLength(JSON.stringify(kept)) > longestOutput) kept = kept.slice(0, -1);
    return kept;
}

/**
 * Reports what an update promoted to GitHub Actions: as the step's outputs `releases` and `builds`, JSON lists that later jobs read. They
 * hold at most 256 entries, the most that a matrix may have; a warning says so of longer lists.
 */
export function reportPromoted(promoted: ReturnType<typeof promotedIn>, env: NodeJS.ProcessEnv = process.env): void {
    if (!env.GITHUB_OUTPUT) return;
    const [releases, builds] = [fitting(promoted.releases), fitting(promoted.builds)];
    setOutputs({ releases: JSON.stringify(releases), builds: JSON.stringify(builds) }, env);
    const left = promoted.releases.length - releases.length + promoted.builds.length - builds.length;
    if (left > 0)
        console.log(
            `::warning::${left} of the promoted releases and builds did not fit into the outputs of this step.`,
        );
}

/**
 * Reports a review to GitHub Actions: in the step's summary, as its output `markdown`, and as an error annotation if the update would
 * lose something permanently.
 *
 * @param review the review in Markdown
 */
export function reportReview(review: string, isDangerous: boolean, env: NodeJS.ProcessEnv = process.env): void {
    addSummary(review, env);
    setOutputs({ markdown: review }, env);
    // The runner reads both streams. Standard output may be redirected to a file.
    if (isDangerous && inActions(env)) console.error("::error::The review found something dangerous; see its text.");
}

/**
 * Reports the comparison of the stack with reality to GitHub Actions: in the step's summary and, unless the verdict is unknown, as the
 * outputs `drift` (true or false) and `report`.
 *
 * @param report the report as text without colours
 */
export function reportStatus(
    report: string,
    verdict: StatusReport["verdict"],
    env: NodeJS.ProcessEnv = process.env,
): void {
    addSummary(`${fenced(report.trimEnd().split("\n"))}\n`, env);
    if (verdict !== "unknown") setOutputs({ drift: verdict === "drift", report }, env);
}
