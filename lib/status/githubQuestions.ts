import { fileType } from "../engine/refresh";
import type { Access } from "../github/repository";
import { workflowFilesType } from "../github/delivery";
import { deliveredFiles } from "./deliveredFiles";
import { type Resource, nameOf } from "../engine/state";

const pullType = "github:index/repositoryPullRequest:RepositoryPullRequest";
const variableType = "github:index/actionsVariable:ActionsVariable";
/** Kinds of secrets by the type of their resource. */
export const secretTypes: Readonly<Record<string, "actions" | "dependabot" | "codespaces">> = {
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
    const files = resources.find(({ type }) => type === workflowFilesType);
    const repository = text(files?.inputs.repository);
    if (repository === undefined) return undefined;
    const provider = resources.find(({ type }) => type === "pulumi:providers:github")?.inputs ?? {};
    const owner = text(provider.organization) ?? text(provider.owner);
    const baseUrl = text(provider.baseUrl);
    return {
        repository,
        branch: text(files?.inputs.branch) ?? "main",
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

function question({ urn, type, inputs, outputs }: Resource): ResourceQuestion[] {
    const name = (key: string) => text(inputs[key]) ?? text(outputs[key]) ?? nameOf(urn);
    const kind = secretTypes[type];
    if (kind !== undefined) {
        const secret = name("secretName");
        const about = `secret ${secret}${kind === "actions" ? "" : ` (${kind})`}`;
        const path = `${kind}/secrets/${encodeURIComponent(secret)}`;
        return [{ urn, kind: "secret", about, path, access: kind === "actions" ? "secrets" : kind }];
    }
    if (type === variableType) {
        const variable = name("variableName");
        const path = `actions/variables/${encodeURIComponent(variable)}`;
        return [{ urn, kind: "variable", about: `variable ${variable}`, path, access: "variables" }];
    }
    if (type === fileType) return [{ urn, ...fileQuestion(name("file"), name("branch")) }];
    if (type !== pullType || typeof outputs.number !== "number") return [];
    const number = String(outputs.number);
    return [{ urn, kind: "pull request", about: `pull request #${number}`, path: `pulls/${number}` }];
}

/** What GitHub is asked about resources, a question each. */
export const resourceQuestions = (resources: readonly Resource[]): ResourceQuestion[] => resources.flatMap(question);

/** What GitHub is asked, a question for each thing of ours there. */
export const githubQuestions = (resources: readonly Resource[]): GitHubQuestion[] => [
    ...resourceQuestions(resources),
    ...deliveredFiles(resources).map(({ file, branch }) => fileQuestion(file, branch)),
];
