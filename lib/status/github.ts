import { changedSecrets } from "../engine/refresh";
import {
    githubKind,
    githubName,
    githubTitle,
    githubTypes,
    readWorkflowFiles,
    textIn as text,
} from "../engine/resources";
import type { Resource } from "../engine/state";
import { fileHash } from "../github/delivery";
import type { Access } from "../github/permissions";
import { type Answer, type Finding, unknownFindings } from "./findings";

/** The repository that the stack looks after, as its state has it. */
export interface DeployedRepository {
    readonly repository: string;
    /** Branch that workflow files are for. */
    readonly branch: string;
    /** Settings of the GitHub provider that the state has; others come from the environment. */
    readonly owner?: string;
    readonly baseUrl?: string;
}

/** The repository of a deployment; undefined where the stack makes images only. */
export function deployedRepository(resources: readonly Resource[]): DeployedRepository | undefined {
    const wanted = readWorkflowFiles(resources);
    if (!wanted) return undefined;
    const provider = resources.find(({ type }) => type === githubTypes.provider)?.inputs ?? {};
    const owner = text(provider.organization) ?? text(provider.owner);
    const baseUrl = text(provider.baseUrl);
    return {
        repository: wanted.repository,
        branch: wanted.branch,
        ...(owner !== undefined && { owner }),
        ...(baseUrl !== undefined && { baseUrl }),
    };
}

/** What GitHub is asked: a path below "repos/<owner>/<repository>/", which no other question has, and words for messages. */
export interface GitHubQuestion {
    readonly kind: "file" | "secret" | "variable" | "pull request";
    readonly path: string;
    /** "secret DISCORD_TOKEN" */
    readonly about: string;
    /** What the token must be allowed to use: without that, "not found" may mean that it can't see it. */
    readonly access?: Access;
}

/** A question about a resource. */
export interface ResourceQuestion extends GitHubQuestion {
    readonly urn: string;
}

/** The question what a branch has in a file's place. */
export function fileQuestion(file: string, branch: string): GitHubQuestion {
    const path = file.split("/").map(encodeURIComponent).join("/");
    return { kind: "file", about: `file ${file}`, path: `contents/${path}?ref=${encodeURIComponent(branch)}` };
}

function question(resource: Resource): ResourceQuestion[] {
    const { urn, type, inputs, outputs } = resource;
    const { kind, reader = "actions" } = githubKind(type) ?? {};
    const [name, about] = [githubName(resource), githubTitle(resource)];
    switch (kind) {
        case "secret": {
            const path = `${reader}/secrets/${encodeURIComponent(name)}`;
            return [{ urn, kind, about, path, access: reader === "actions" ? "secrets" : reader }];
        }
        case "variable":
            return [{ urn, kind, about, path: `actions/variables/${encodeURIComponent(name)}`, access: "variables" }];
        case "file":
            return [{ urn, ...fileQuestion(name, text(inputs.branch) ?? text(outputs.branch) ?? "main") }];
        case "pull request":
            return typeof outputs.number === "number"
                ? [{ urn, kind, about, path: `pulls/${outputs.number.toString()}` }]
                : [];
        default:
            return [];
    }
}

/** What GitHub is asked about resources, a question each. */
export const resourceQuestions = (resources: readonly Resource[]): ResourceQuestion[] => resources.flatMap(question);

/** What GitHub is asked, a question for each thing of ours there. */
export const githubQuestions = (resources: readonly Resource[]): GitHubQuestion[] => [
    ...resourceQuestions(resources),
    ...deliveredFiles(resources).map(({ file, branch }) => fileQuestion(file, branch)),
];

/** A workflow file that the branch should have and that the stack did not commit there itself: a pull request brings it. */
export interface DeliveredFile {
    readonly file: string;
    readonly branch: string;
    /** `fileHash` of its text. */
    readonly hash: string;
}

/** The files that pull requests bring; none in a state that an older version wrote, which has their names alone. */
export function deliveredFiles(resources: readonly Resource[]): DeliveredFile[] {
    const { files = {}, branch = "" } = readWorkflowFiles(resources) ?? {};
    const committed = resources.filter(({ type, inputs }) => type === githubTypes.file && inputs.branch === branch);
    return Object.entries(files).flatMap(([file, hash]) =>
        committed.some(({ inputs }) => inputs.file === file) ? [] : [{ file, branch, hash }],
    );
}

/** Number of the pull request with these files that was closed without merging, as the last update found it. */
export function declinedIn(resources: readonly Resource[]): string | undefined {
    const declined = readWorkflowFiles(resources)?.declined;
    return declined === undefined ? undefined : `#${declined.toString()}`;
}

/** What became of the pull request with the files: it waits, was declined (which one), is not known, or there is none any more. */
export type Proposal = "waits" | "over" | "not known" | { readonly declined: string };

/**
 * Compares the files that pull requests bring with what their branch has. While one waits, and where it was declined, the branch
 * has others by people's decision: an update changes nothing about that.
 */
export function compareDelivered(
    found: readonly (DeliveredFile & { readonly answer: Answer<OnGitHub> })[],
    proposal: Proposal,
): Finding[] {
    const differing = found.flatMap(({ file, branch, hash, answer }) => {
        if (!("found" in answer)) return [];
        const text = answer.found && "text" in answer.found ? answer.found.text : undefined;
        if (text !== undefined && fileHash(text) === hash) return [];
        const said = text === undefined ? `it is not on branch ${branch}` : `it was changed on branch ${branch}`;
        return [{ file, branch, said }];
    });
    const [first] = differing;
    if (!first || proposal === "not known") return [];
    if (proposal === "over") {
        return differing.map(({ file, said }) => ({
            kind: "drift",
            about: `file ${file}`,
            text: said,
            repair: { by: "up" },
        }));
    }
    const why =
        proposal === "waits"
            ? "until the pull request is merged"
            : `since pull request ${proposal.declined} with these was closed without merging`;
    const list = differing.map(({ file }) => file).join(", ");
    return [{ kind: "note", about: "workflow files", text: `branch ${first.branch} has others ${why}: ${list}` }];
}

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
    if (type === githubTypes.codespacesSecret) {
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
