import { changedSecrets } from "../engine/changedSecrets";
import { type Proposal, compareDelivered, declinedIn, deliveredFiles } from "./deliveredFiles";
import { type Answer, type Finding, unknownFindings } from "./findings";
import {
    type ResourceQuestion,
    deployedRepository,
    fileQuestion,
    githubQuestions,
    resourceQuestions,
    secretTypes,
    text,
} from "./githubQuestions";
import type { Resource } from "../engine/state";

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

function compare({ urn, about, kind }: ResourceQuestion, resource: Resource, found: OnGitHub | undefined): Finding[] {
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

/** What became of the pull request that the state has; the last update's word where it has none. */
function proposalOf(
    resources: readonly Resource[],
    questions: readonly ResourceQuestion[],
    answers: ReadonlyMap<string, Answer<OnGitHub>>,
): Proposal {
    const pull = questions.find(({ kind }) => kind === "pull request");
    const declined = declinedIn(resources);
    if (!pull) return declined === undefined ? "over" : { declined };
    const answer = answers.get(pull.path);
    if (!answer || !("found" in answer)) return "not known";
    if (!answer.found || !("state" in answer.found)) return "over";
    const { state } = answer.found;
    return state === "open" ? "waits" : state === "merged" ? "over" : { declined: pull.about.replace(/^.* /, "") };
}

/**
 * Compares what the stack wrote to GitHub with what is there.
 *
 * @param answers by path, to `githubQuestions`
 */
export function compareGitHub(
    resources: readonly Resource[],
    answers: ReadonlyMap<string, Answer<OnGitHub>>,
): Finding[] {
    const byUrn = new Map(resources.map((one) => [one.urn, one]));
    const questions = resourceQuestions(resources);
    const proposal = proposalOf(resources, questions, answers);
    const branch = deployedRepository(resources)?.branch;
    const differences = questions.flatMap((asked) => {
        const [answer, resource] = [answers.get(asked.path), byUrn.get(asked.urn)];
        if (!answer || !resource || !("found" in answer)) return [];
        // A file of a pull request that is over lies on a branch that nobody needs any more.
        if (asked.kind === "file" && resource.inputs.branch !== branch && proposal !== "waits") return [];
        return compare(asked, resource, answer.found);
    });
    const delivered = deliveredFiles(resources).flatMap((one) => {
        const answer = answers.get(fileQuestion(one.file, one.branch).path);
        return answer ? [{ ...one, answer }] : [];
    });
    const failed = githubQuestions(resources).flatMap(({ path, about }) => {
        const answer = answers.get(path);
        return answer && "unknown" in answer ? [{ what: about, reason: answer.unknown }] : [];
    });
    return [...differences, ...compareDelivered(delivered, proposal), ...unknownFindings("GitHub", failed)];
}
