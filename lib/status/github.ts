import { changedSecrets } from "../changedSecrets";
import { type Answer, type Finding, unknownFindings } from "./findings";
import { type Resource, nameOf } from "./state";

const fileType = "github:index/repositoryFile:RepositoryFile";
const pullType = "github:index/repositoryPullRequest:RepositoryPullRequest";
const variableType = "github:index/actionsVariable:ActionsVariable";
/** Kinds of secrets by the type of their resource. */
const secretTypes: Readonly<Record<string, string>> = {
    "github:index/actionsSecret:ActionsSecret": "actions",
    "github:index/dependabotSecret:DependabotSecret": "dependabot",
    "github:index/codespacesSecret:CodespacesSecret": "codespaces",
};

/** The repository that the stack looks after, as its state has it. */
export interface DeployedRepository {
    readonly repository: string;
    /** Branch that workflow files are for. */
    readonly branch: string;
    /** Settings of the GitHub provider that the state has; others come from the environment. */
    readonly owner?: string;
    readonly baseUrl?: string;
}

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

/** The repository of a deployment; undefined where the stack makes images only. */
export function deployedRepository(resources: readonly Resource[]): DeployedRepository | undefined {
    const files = resources.find(({ type }) => type === "layered-images:components:WorkflowFiles");
    const repository = text(files?.inputs.repository);
    if (repository === undefined) return undefined;
    const provider = resources.find(({ type }) => type === "pulumi:providers:github")?.inputs ?? {};
    const [owner, baseUrl] = [text(provider.owner), text(provider.baseUrl)];
    return {
        repository,
        branch: text(files?.inputs.branch) ?? "main",
        ...(owner !== undefined && { owner }),
        ...(baseUrl !== undefined && { baseUrl }),
    };
}

/** What GitHub is asked about a resource: a path below "repos/<owner>/<repository>/", and words for messages. */
export interface GitHubQuestion {
    readonly urn: string;
    readonly kind: "file" | "secret" | "variable" | "pull request";
    readonly path: string;
    /** "secret DISCORD_TOKEN" */
    readonly about: string;
}

function question({ urn, type, inputs, outputs }: Resource): GitHubQuestion[] {
    const name = (key: string) => text(inputs[key]) ?? text(outputs[key]) ?? nameOf(urn);
    const kind = secretTypes[type];
    if (kind !== undefined) {
        const secret = name("secretName");
        const about = `secret ${secret}${kind === "actions" ? "" : ` (${kind})`}`;
        return [{ urn, kind: "secret", about, path: `${kind}/secrets/${encodeURIComponent(secret)}` }];
    }
    if (type === variableType) {
        const variable = name("variableName");
        const path = `actions/variables/${encodeURIComponent(variable)}`;
        return [{ urn, kind: "variable", about: `variable ${variable}`, path }];
    }
    if (type === fileType) {
        const path = name("file").split("/").map(encodeURIComponent).join("/");
        const about = `file ${name("file")}`;
        return [{ urn, kind: "file", about, path: `contents/${path}?ref=${encodeURIComponent(name("branch"))}` }];
    }
    if (type !== pullType || typeof outputs.number !== "number") return [];
    const number = String(outputs.number);
    return [{ urn, kind: "pull request", about: `pull request #${number}`, path: `pulls/${number}` }];
}

/** What GitHub is asked, a question for each thing of ours there. */
export const githubQuestions = (resources: readonly Resource[]): GitHubQuestion[] => resources.flatMap(question);

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
