import type { EngineLog, EngineStep } from "../engine/log";
import { githubTitle, isGitHubs, readUrn } from "../engine/resources";
import { deploymentsLeft } from "./deployments";
import { type ImageOutcome, imageOutcomes } from "./outcomes";
import { type ImageStep, stepText } from "./steps";

function failedStep(step: ImageStep): string {
    const { platform } = step;
    return `its ${stepText(step)} failed${platform === undefined ? "" : ` on ${platform}`}`;
}

function leftOf(outcome: ImageOutcome): string[] {
    const { image, steps, waits, elsewhere } = outcome;
    // Platforms fail in any order.
    const failed = steps
        .filter(({ result }) => result === "failed")
        .map(failedStep)
        .sort();
    const by = elsewhere.length > 0 ? ` by stack ${elsewhere.join(" and ")}` : "";
    const waiting = waits ? [`it was built${by} and is not promoted`] : [];
    const unreached = outcome.outcome === "not reached" ? ["it was not built: an image that it needs failed"] : [];
    const reasons = [...failed, ...unreached, ...(unreached.length > 0 ? [] : waiting)];
    return reasons.length > 0 ? [`image ${image}: ${reasons.join("; ")}`] : [];
}

function onGitHub({ urn, type, before, after }: EngineStep): string {
    const { inputs = {}, outputs = {} } = after ?? before ?? {};
    return `GitHub: ${githubTitle({ urn, type, inputs, outputs })}`;
}

/**
 * Whether the GitHub provider could not begin, or refused an input, such as after its token was lost: the engine then reports an error
 * for a resource without a step, and ends the update.
 */
function endedOnGitHub({ steps, messages }: EngineLog): boolean {
    const reached = new Set(steps.map(({ urn }) => urn));
    return [...messages].some(
        ([urn, lines]) =>
            isGitHubs({ type: readUrn(urn).types.at(-1) ?? "" }) &&
            !reached.has(urn) &&
            lines.some(({ severity }) => severity === "error"),
    );
}

/** Returns the remaining work after a failed update, one line per image, per deployment and per resource on GitHub. */
export function leftUndone(log: EngineLog): string[] {
    const refused = log.steps.filter((step) => isGitHubs(step) && step.result !== "succeeded");
    const unreached = endedOnGitHub(log) ? ["GitHub: secrets, variables and files that the update did not reach"] : [];
    return [
        ...imageOutcomes(log).flatMap(leftOf),
        ...deploymentsLeft(log),
        ...new Set(refused.map(onGitHub)),
        ...unreached,
    ];
}

/**
 * Lifetime of a GitHub App's token in seconds, less a margin for the time between its creation and the update's
 * command.
 */
const tokenLife = 3500;

/**
 * Whether an update failed only because its GitHub App token expired during the update: a resource on GitHub, or an
 * announcement, failed after the token's lifetime, and no other resource failed. An update with a new token then
 * completes the remaining work.
 *
 * @param seconds minimum age of the token
 * @param isRefused whether GitHub refused the token when it was told of the update
 */
export function mayHaveExpired(log: EngineLog, seconds: number, isRefused: boolean): boolean {
    const failed = log.steps.filter(({ result }) => result === "failed");
    const isGitHubsFault = failed.length > 0 || endedOnGitHub(log) || isRefused;
    return seconds >= tokenLife && isGitHubsFault && failed.every(isGitHubs);
}
