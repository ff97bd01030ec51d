import { fileType } from "../../lib/refresh";
import type { Finding } from "../../lib/status/findings";
import { compareGitHub } from "../../lib/status/github";
import { deployedRepository, githubQuestions } from "../../lib/status/githubQuestions";
import type { Resource } from "../../lib/status/state";
import { askGitHub } from "../ask";

/** Asks GitHub for what the stack wrote there, and compares. */
export async function githubFindings(resources: readonly Resource[], env: NodeJS.ProcessEnv): Promise<Finding[]> {
    const deployed = deployedRepository(resources);
    if (!deployed) return [{ kind: "note", about: "GitHub", text: "the stack has no repository there" }];
    const { GITHUB_OWNER, GITHUB_BASE_URL, GITHUB_TOKEN } = env;
    const owner = deployed.owner ?? GITHUB_OWNER;
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

/**
 * Whether workflow files on GitHub are not what the state says: an `up` may then fail without a refresh. Nothing is asked where
 * the stack has none. Where GitHub can't be asked the answer is no: the `up` says why.
 */
export async function filesDiffer(resources: readonly Resource[], env: NodeJS.ProcessEnv): Promise<boolean> {
    if (!resources.some(({ type }) => type === fileType)) return false;
    const findings = await githubFindings(
        resources.filter(({ type }) => !valueType.test(type)),
        env,
    );
    return findings.some(({ repair }) => repair !== undefined);
}
