import { type Resource, nameOf } from "./state";

const fileType = "github:index/repositoryFile:RepositoryFile";
const pullType = "github:index/repositoryPullRequest:RepositoryPullRequest";
const variableType = "github:index/actionsVariable:ActionsVariable";
/** Kinds of secrets by the type of their resource. */
export const secretTypes: Readonly<Record<string, string>> = {
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

/** A property that is a text. */
export const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

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
