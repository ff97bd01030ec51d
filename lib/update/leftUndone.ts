import type { EngineLog, EngineStep } from "../engine/log";
import { githubTitle, isGitHubs } from "../engine/resources";
import { type ImageOutcome, imageOutcomes } from "./outcomes";
import type { ImageStep } from "./steps";

const kinds = { build: "build", test: "smoke test", promotion: "promotion" } as const;

function failedStep({ kind, platform }: ImageStep): string {
    return `its ${kinds[kind]} failed${platform === undefined ? "" : ` on ${platform}`}`;
}

/** Whether an image has a build that is not promoted by now. */
function waits({ steps }: ImageOutcome): boolean {
    const isPublished = steps.some(({ kind, pushed }) => kind === "build" && pushed !== undefined);
    return isPublished && !steps.some(({ kind, result }) => kind === "promotion" && result === "succeeded");
}

function leftOf(outcome: ImageOutcome): string[] {
    const { image, steps } = outcome;
    // Platforms fail in any order.
    const failed = steps
        .filter(({ result }) => result === "failed")
        .map(failedStep)
        .sort();
    const waiting = waits(outcome) ? ["it was built and is not promoted"] : [];
    const unreached = outcome.outcome === "not reached" ? ["it was not built: something that it stands on failed"] : [];
    const said = [...failed, ...unreached, ...(unreached.length > 0 ? [] : waiting)];
    return said.length > 0 ? [`image ${image}: ${said.join("; ")}`] : [];
}

function onGitHub({ urn, type, before, after }: EngineStep): string {
    const { inputs = {}, outputs = {} } = after ?? before ?? {};
    return `GitHub: ${githubTitle({ urn, type, inputs, outputs })}`;
}

/** What an update that failed has left to do, a line for each image and each thing on GitHub. */
export function leftUndone(log: EngineLog): string[] {
    const refused = log.steps.filter((step) => isGitHubs(step) && step.result !== "succeeded");
    return [...imageOutcomes(log).flatMap(leftOf), ...new Set(refused.map(onGitHub))];
}

/** What a GitHub App's token lives, in seconds, less the moment that it is older than the update's command. */
const tokenLife = 3500;

/**
 * Whether an update failed for nothing but a token of a GitHub App that expired meanwhile: something on GitHub failed after the
 * token's time, and nothing else did. Another update with another token then finishes what is left.
 *
 * @param seconds since the token was made, at the least
 */
export function mayHaveExpired({ steps }: EngineLog, seconds: number): boolean {
    const failed = steps.filter(({ result }) => result === "failed");
    return seconds >= tokenLife && failed.length > 0 && failed.every(isGitHubs);
}
