import { fileType } from "../engine/refresh";
import type { Finding } from "./findings";
import { compareGitHub } from "./github";
import { workflowFilesType } from "../github/delivery";
import { deployedRepository, githubQuestions } from "./githubQuestions";
import type { Resource } from "../engine/state";
import { askGitHub } from "./ask";

/** Asks GitHub for what the stack wrote there, and compares. */
export async function githubFindings(resources: readonly Resource[], env: NodeJS.ProcessEnv): Promise<Finding[]> {
    const deployed = deployedRepository(resources);
    if (!deployed) return [{ kind: "note", about: "GitHub", text: "the stack has no repository there" }];
    const { GITHUB_ORGANIZATION, GITHUB_OWNER, GITHUB_BASE_URL, GITHUB_TOKEN } = env;
    const owner = [deployed.owner, GITHUB_ORGANIZATION, GITHUB_OWNER].find(Boolean);
    if (owner === undefined) {
        return [{ kind: "unknown", about: "GitHub", text: "neither the state nor GITHUB_OWNER says the owner" }];
    }
    const target = {
        ...deployed,
        owner,
        baseUrl: deployed.baseUrl ?? GITHUB_BASE_URL ?? "https://api.github.com/",
        ...(GITHUB_TOKEN && { token: GITHUB_TOKEN }),
    };
    return compareGitHub(resources, await askGitHub(target, githubQuestions(resources)));
}

/** Types of secrets and variables. */
const valueType = /^github:index\/(actions|dependabot|codespaces)/;

/** The component without the files that pull requests brought: no resource of the state's is about those. */
const withoutDelivered = (one: Resource): Resource =>
    one.type === workflowFilesType ? { ...one, inputs: { ...one.inputs, files: {} } } : one;

/**
 * Whether workflow files on GitHub are not, or may not be, what the state's resources say: an `up` may then fail without a refresh.
 * Nothing is asked where the stack has none. Where GitHub can't be asked the answer is no: the `up` says why.
 */
export async function filesDiffer(resources: readonly Resource[], env: NodeJS.ProcessEnv): Promise<boolean> {
    const files = resources.filter(({ type }) => type === fileType);
    if (files.length === 0) return false;
    // One that was refused is written again in any case, unless it was looked at and is there by now.
    if (files.some(({ initErrors }) => initErrors && initErrors.length > 0)) return true;
    const findings = await githubFindings(
        resources.filter(({ type }) => !valueType.test(type)).map(withoutDelivered),
        env,
    );
    return findings.some(({ repair }) => repair !== undefined);
}
