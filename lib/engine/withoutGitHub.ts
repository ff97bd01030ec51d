import { guide } from "../system/guide";
import { inActions } from "../system/inActions";
import { namesTargets } from "./refresh";
import { componentTypes, githubPattern } from "./resources";

/**
 * Runs without a GitHub token, such as a new owner's first runs: they build the images and leave everything else
 * unchanged.
 */

/** Environment variable that informs the program that the engine excludes the resources on GitHub. */
const variable = "LAYERED_IMAGES_WITHOUT_GITHUB";

/** Options that exclude everything on GitHub: its resources stay in the state unchanged, and none are added. */
const exclusions = [githubPattern, `**${componentTypes.workflowFiles}**`].flatMap((pattern) => ["--exclude", pattern]);

/** Arguments and environment that leave GitHub out of a run. */
export interface LeftOut {
    /** Arguments to add to `pulumi up` or `pulumi preview`. */
    readonly args: readonly string[];
    /** Variables to add to its environment. */
    readonly env: Readonly<Record<string, string>>;
}

/**
 * Returns what a `pulumi up` or `pulumi preview` without a GitHub token needs to leave GitHub out; empty if it has a
 * token.
 *
 * @param env its environment
 * @param args its other arguments. If they name targets, other resources are not touched anyway, and the engine accepts
 *     no exclusions.
 */
export function withoutGitHub(env: NodeJS.ProcessEnv, args: readonly string[]): LeftOut {
    if (env.GITHUB_TOKEN) return { args: [], env: {} };
    return { args: namesTargets(args) ? [] : exclusions, env: { [variable]: "true" } };
}

/** Whether the engine leaves GitHub out of this run: the program then makes no decisions about resources on GitHub. */
export const isLeftOut = (env: NodeJS.ProcessEnv): boolean => env[variable] === "true";

/** Returns the advice for obtaining a token: in a workflow the user can't export a variable. */
export function tokenAdvice(env: NodeJS.ProcessEnv): string {
    return inActions(env)
        ? "set the variable REPOSITORY_APP_CLIENT_ID and the secret REPOSITORY_APP_KEY of a GitHub App, or the secret " +
              `REPOSITORY_TOKEN, in the environment up: ${guide("token")}`
        : `export GITHUB_TOKEN=<token> (${guide("token")})`;
}
