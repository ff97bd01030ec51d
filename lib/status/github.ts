import { changedSecrets } from "../engine/refresh";
import {
    githubKind,
    githubName,
    githubTitle,
    githubTypes,
    readWorkflowFiles,
    readerOf,
    textIn as text,
} from "../engine/resources";
import type { Resource } from "../engine/state";
import { fileHash } from "../github/delivery";
import { type Access, environmentIn } from "../github/permissions";
import { type Answer, type Finding, unknownFindings } from "./findings";

/** The repository that the stack manages, from its state. */
export interface DeployedRepository {
    readonly repository: string;
    /** Target branch of the workflow files. */
    readonly branch: string;
    /** Settings of the GitHub provider in the state; the other settings come from the environment. */
    readonly owner?: string;
    readonly baseUrl?: string;
}

/** Returns the repository of a deployment; undefined if the stack only builds images. */
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

/**
 * A query to GitHub: a path below "repos/<owner>/<repository>/", unique among the queries, and its subject for
 * messages.
 */
export interface GitHubQuestion {
    readonly kind: "file" | "secret" | "variable" | "pull request";
    readonly path: string;
    /** "secret DISCORD_TOKEN" */
    readonly about: string;
    /** The permission that the token needs: without it, "not found" may mean that the token can't see the resource. */
    readonly access?: Access;
}

/** A query about a resource. */
export interface ResourceQuestion extends GitHubQuestion {
    readonly urn: string;
}

/** Returns the query for the content of a file on a branch. */
function fileQuestion(file: string, branch: string): GitHubQuestion {
    const path = file.split("/").map(encodeURIComponent).join("/");
    return { kind: "file", about: `file ${file}`, path: `contents/${path}?ref=${encodeURIComponent(branch)}` };
}

function question(resource: Resource): ResourceQuestion[] {
    const { urn, type, inputs, outputs } = resource;
    const { kind } = githubKind(type) ?? {};
    const [name, about] = [githubName(resource), githubTitle(resource)];
    switch (kind) {
        case "secret": {
            const reader = readerOf(resource) ?? "actions";
            const access = reader === "actions" ? "secrets" : reader;
            const environment = environmentIn(access);
            const place = environment === undefined ? reader : `environments/${encodeURIComponent(environment)}`;
            return [{ urn, kind, about, path: `${place}/secrets/${encodeURIComponent(name)}`, access }];
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

/** Returns the queries about resources, one per resource. */
const resourceQuestions = (resources: readonly Resource[]): ResourceQuestion[] => resources.flatMap(question);

/** Returns the queries to GitHub for everything that the stack manages there. */
export const githubQuestions = (resources: readonly Resource[]): GitHubQuestion[] => [
    ...resourceQuestions(resources),
    ...deliveredFiles(resources).map(({ file, branch }) => fileQuestion(file, branch)),
];

/** A workflow file that reaches the branch with a pull request, not with a commit of the stack. */
export interface DeliveredFile {
    readonly file: string;
    readonly branch: string;
    /** `fileHash` of its text. */
    readonly hash: string;
}

/** Returns the files in pull requests; empty for a state of an older version, which contains only their names. */
function deliveredFiles(resources: readonly Resource[]): DeliveredFile[] {
    const { files = {}, branch = "" } = readWorkflowFiles(resources) ?? {};
    const committed = resources.filter(({ type, inputs }) => type === githubTypes.file && inputs.branch === branch);
    return Object.entries(files).flatMap(([file, hash]) =>
        committed.some(({ inputs }) => inputs.file === file) ? [] : [{ file, branch, hash }],
    );
}

/**
 * Returns "#" and the number of the pull request with these files that was closed without merging, as of the last
 * update.
 */
function declinedIn(resources: readonly Resource[]): string | undefined {
    const declined = readWorkflowFiles(resources)?.declined;
    return declined === undefined ? undefined : `#${declined.toString()}`;
}

/** The state of the pull request with the files: open, declined (with its number), unknown, or no longer present. */
export type Proposal = "waits" | "over" | "not known" | { readonly declined: string };

/**
 * Compares the files in pull requests with their branch. While the pull request is open, or if it was declined, the
 * branch has other files by decision of the maintainers: an update does not change that.
 */
function compareDelivered(
    found: readonly (DeliveredFile & { readonly answer: Answer<OnGitHub> })[],
    proposal: Proposal,
): Finding[] {
    const differing = found.flatMap(({ file, branch, hash, answer }) => {
        if (!("found" in answer)) return [];
        const text = answer.found && "text" in answer.found ? answer.found.text : undefined;
        if (text !== undefined && fileHash(text) === hash) return [];
        const problem = text === undefined ? `it is not on branch ${branch}` : `it was changed on branch ${branch}`;
        return [{ file, branch, problem }];
    });
    const [first] = differing;
    if (!first || proposal === "not known") return [];
    if (proposal === "over") {
        return differing.map(({ file, problem }) => ({
            kind: "drift",
            about: `file ${file}`,
            text: problem,
            repair: { by: "up" },
        }));
    }
    const why =
        proposal === "waits"
            ? "until the pull request is merged"
            : `since pull request ${proposal.declined} with these was closed without merging`;
    const list = differing.map(({ file }) => file).join(", ");
    return [{ kind: "note", about: "workflow files", text: `branch ${first.branch} has other files ${why}: ${list}` }];
}

/**
 * GitHub's data on a resource: a file's text, a variable's value, the time of a secret's last change, a pull request's
 * state.
 */
export type OnGitHub =
    | { readonly text: string }
    | { readonly value: string }
    /** ISO 8601, UTC. */
    | { readonly updated: string }
    | { readonly state: "open" | "closed" | "merged"; readonly url: string };

/** Converts an ISO 8601 time into the format that the GitHub provider writes into the state: Go's Time.String. */
const providerTime = (iso: string): string => `${iso.slice(0, 10)} ${iso.slice(11, 19)} +0000 UTC`;

const drift = (about: string, text: string, by: "refresh" | "replace", urn: string): Finding => ({
    kind: "drift",
    about,
    text,
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
    const changed = `it was set by another user at ${found.updated}`;
    if (type === githubTypes.codespacesSecret) {
        return remoteUpdatedAt === outputs.updatedAt ? [] : [drift(about, changed, "refresh", urn)];
    }
    // The same comparison as after a refresh, but without a refresh: the state is not written.
    const changedUrns = changedSecrets([{ urn, type, outputs: { ...outputs, remoteUpdatedAt } }]);
    return changedUrns.map((changedUrn) => drift(about, changed, "replace", changedUrn));
}

/**
 * Returns the state of the pull request in the stack's state; without a pull request, the result of the last update.
 */
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
 * Compares the stack's resources on GitHub with their current state there.
 *
 * @param answers answers to `githubQuestions`, by path
 */
export function compareGitHub(
    resources: readonly Resource[],
    answers: ReadonlyMap<string, Answer<OnGitHub>>,
): Finding[] {
    const byUrn = new Map(resources.map((resource) => [resource.urn, resource]));
    const questions = resourceQuestions(resources);
    const proposal = proposalOf(resources, questions, answers);
    const branch = deployedRepository(resources)?.branch;
    const differences = questions.flatMap((asked) => {
        const [answer, resource] = [answers.get(asked.path), byUrn.get(asked.urn)];
        if (!answer || !resource || !("found" in answer)) return [];
        // A file of a closed or merged pull request is on a branch that is no longer needed.
        if (asked.kind === "file" && resource.inputs.branch !== branch && proposal !== "waits") return [];
        return compare(asked, resource, answer.found);
    });
    const delivered = deliveredFiles(resources).flatMap((deliveredFile) => {
        const answer = answers.get(fileQuestion(deliveredFile.file, deliveredFile.branch).path);
        return answer ? [{ ...deliveredFile, answer }] : [];
    });
    const failed = githubQuestions(resources).flatMap(({ path, about }) => {
        const answer = answers.get(path);
        return answer && "unknown" in answer ? [{ what: about, reason: answer.unknown }] : [];
    });
    return [...differences, ...compareDelivered(delivered, proposal), ...unknownFindings("GitHub", failed)];
}
