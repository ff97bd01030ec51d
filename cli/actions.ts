/* What commands tell GitHub Actions about their work (docs.github.com, "Workflow commands for GitHub Actions"). */
import { randomUUID } from "node:crypto";
import { appendFileSync } from "node:fs";
import type { StatusReport } from "../lib/status/status";
import { fenced } from "../lib/update/summary";

/** Whether this runs in a job of GitHub Actions. */
export const inActions = (env: NodeJS.ProcessEnv): boolean => env.GITHUB_ACTIONS === "true";

/** A value in a workflow command. */
const escaped = (text: string): string => text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");

/**
 * The line that makes GitHub show `***` in the job's log instead of this text from now on. GitHub masks line by line: each line
 * of a value with several needs a mask.
 */
export const addMask = (text: string): string => `::add-mask::${escaped(text)}`;

/** Adds Markdown to the summary of the step; does nothing outside of one. */
export function addSummary(markdown: string, env: NodeJS.ProcessEnv = process.env): void {
    if (env.GITHUB_STEP_SUMMARY) appendFileSync(env.GITHUB_STEP_SUMMARY, markdown);
}

/**
 * Bytes of an output that a later job takes into a comment or an issue: GitHub takes 65,536 characters, of which some are added
 * around it, and Linux hands 131,072 bytes to a program as one variable.
 */
const longestOutput = 60_000;

/** The beginning of a text, of this many bytes at most. No character is cut into pieces. */
export function cut(text: string, bytes: number): string {
    const whole = Buffer.from(text);
    if (whole.length <= bytes) return text;
    let end = bytes;
    // Bytes of this form continue a character of UTF-8.
    while (end > 0 && ((whole[end] ?? 0) & 0b1100_0000) === 0b1000_0000) end--;
    return whole.toString("utf8", 0, end);
}

/**
 * An output as GITHUB_OUTPUT takes it: `name=value`, and a text between delimiters, because it may have lines.
 *
 * @param delimiter stands in no text that somebody could have written
 */
export function outputLines(name: string, value: string | boolean, delimiter = `end-${randomUUID()}`): string {
    if (typeof value === "boolean") return `${name}=${value.toString()}\n`;
    return `${name}<<${delimiter}\n${cut(value, longestOutput)}\n${delimiter}\n`;
}

/** Sets outputs of the step, texts of which are cut where they are too long for a comment; does nothing outside of a step. */
export function setOutputs(
    outputs: Readonly<Record<string, string | boolean>>,
    env: NodeJS.ProcessEnv = process.env,
): void {
    if (!env.GITHUB_OUTPUT) return;
    const lines = Object.entries(outputs).map(([name, value]) => outputLines(name, value));
    appendFileSync(env.GITHUB_OUTPUT, lines.join(""));
}

/**
 * Tells GitHub about a review: the step's summary, its output `markdown`, and an error where something would be lost for good.
 *
 * @param review in Markdown
 */
export function tellReview(review: string, isDangerous: boolean, env: NodeJS.ProcessEnv = process.env): void {
    addSummary(review, env);
    setOutputs({ markdown: review }, env);
    // The runner reads both streams, and standard output may be a file.
    if (isDangerous && inActions(env)) console.error("::error::The review found something dangerous; it says what.");
}

/**
 * Tells GitHub what a comparison of the stack with reality found: the step's summary and, where it could be made, the outputs
 * `drift` (true or false) and `report`.
 *
 * @param report as it is printed
 */
export function tellStatus(
    report: string,
    verdict: StatusReport["verdict"],
    env: NodeJS.ProcessEnv = process.env,
): void {
    addSummary(`${fenced(report.trimEnd().split("\n"))}\n`, env);
    if (verdict !== "unknown") setOutputs({ drift: verdict === "drift", report }, env);
}
