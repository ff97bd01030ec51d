import { changedSecrets } from "../changedSecrets";
import { type Answer, type Finding, unknownFindings } from "./findings";
import { type GitHubQuestion, deployedRepository, githubQuestions, secretTypes, text } from "./githubQuestions";
import type { Resource } from "./state";

/** What GitHub says of one thing: a file's text, a variable's value, when a secret was set, whether a pull request is open. */
export type OnGitHub =
    | { readonly text: string }
    | { readonly value: string }
    /** ISO 8601, UTC. */
    | { readonly updated: string }
    | { readonly state: "open" | "closed" | "merged"; readonly url: string };

/** ISO 8601 as the GitHub provider writes times into the state: Go's Time.String. */
const providerTime = (iso: string): string => `${iso.slice(0, 10)} ${iso.slice(11, 19)} +0000 UTC`;

const drift = (about: string, said: string, by: "refresh" | "replace", urn: string): Finding => ({
    kind: "drift",
    about,
    text: said,
    repair: { by, urn },
});

function compare({ urn, about, kind }: GitHubQuestion, resource: Resource, found: OnGitHub | undefined): Finding[] {
    if (found !== undefined && "state" in found) {
        if (found.state === "open") return [{ kind: "note", about, text: `it waits to be merged: ${found.url}` }];
        return [
            { kind: "note", about, text: `it was ${found.state}; the next \`up\` takes note`, repair: { by: "up" } },
        ];
    }
    if (kind === "pull request")
        return [{ kind: "note", about, text: "it is not there any more", repair: { by: "up" } }];
    if (found === undefined) return [drift(about, "it was deleted on GitHub", "refresh", urn)];
    const { inputs, type, outputs } = resource;
    if ("text" in found) {
        const same = found.text === inputs.content;
        return same ? [] : [drift(about, `it was changed on branch ${text(inputs.branch) ?? ""}`, "refresh", urn)];
    }
    if ("value" in found) {
        const same = found.value === inputs.value;
        return same ? [] : [drift(about, "it has another value than the one that we wrote", "refresh", urn)];
    }
    const remoteUpdatedAt = providerTime(found.updated);
    const changed = `it was set by somebody else at ${found.updated}`;
    if (secretTypes[type] === "codespaces") {
        return remoteUpdatedAt === outputs.updatedAt ? [] : [drift(about, changed, "refresh", urn)];
    }
    // The same comparison as after a refresh, without one: nothing is written into the state.
    const refreshed = changedSecrets([{ urn, type, outputs: { ...outputs, remoteUpdatedAt } }]);
    return refreshed.map((one) => drift(about, changed, "replace", one));
}

/**
 * Compares what the stack wrote to GitHub with what is there.
 *
 * @param answers by URN, to `githubQuestions`
 */
export function compareGitHub(
    resources: readonly Resource[],
    answers: ReadonlyMap<string, Answer<OnGitHub>>,
): Finding[] {
    const byUrn = new Map(resources.map((one) => [one.urn, one]));
    const questions = githubQuestions(resources);
    const failed: { what: string; reason: string }[] = [];
    // A file of a pull request that is over lies on a branch that nobody needs any more.
    const waits = questions.some(({ kind, urn }) => {
        const answer = answers.get(urn);
        return kind === "pull request" && answer !== undefined && "found" in answer && isOpen(answer.found);
    });
    const branch = deployedRepository(resources)?.branch;
    const differences = questions.flatMap((asked) => {
        const [answer, resource] = [answers.get(asked.urn), byUrn.get(asked.urn)];
        if (!answer || !resource) return [];
        if (asked.kind === "file" && resource.inputs.branch !== branch && !waits) return [];
        if ("found" in answer) return compare(asked, resource, answer.found);
        failed.push({ what: asked.about, reason: answer.unknown });
        return [];
    });
    return [...differences, ...unknownFindings("GitHub", failed)];
}

const isOpen = (found: OnGitHub | undefined): boolean =>
    found !== undefined && "state" in found && found.state === "open";
