import { namesTargets } from "./refresh";
import { componentTypes, githubPattern } from "./resources";

/* Runs that have no token for GitHub, which a new owner's first ones are: they make the images, and leave the rest alone. */

/** Tells the program that the engine was told to leave out what is on GitHub. */
const variable = "LAYERED_IMAGES_WITHOUT_GITHUB";

/** Everything on GitHub, in the engine's words: what the state has of it stays as it is, and nothing is added. */
const leftOut = [githubPattern, `**${componentTypes.workflowFiles}**`].flatMap((one) => ["--exclude", one]);

/** What leaves GitHub out of a run. */
export interface LeftOut {
    /** More arguments for `pulumi up` or `pulumi preview`. */
    readonly args: readonly string[];
    /** More of its environment. */
    readonly env: Readonly<Record<string, string>>;
}

/**
 * What a `pulumi up` or `pulumi preview` needs so that it leaves GitHub out where it has no token; nothing where it has one.
 *
 * @param env its environment
 * @param args its other arguments. Where they name targets nothing else is touched anyway, and the engine takes no exclusions.
 */
export function withoutGitHub(env: NodeJS.ProcessEnv, args: readonly string[]): LeftOut {
    if (env.GITHUB_TOKEN) return { args: [], env: {} };
    return { args: namesTargets(args) ? [] : leftOut, env: { [variable]: "true" } };
}

/** Whether the engine leaves GitHub out of this run: then nothing of it is decided here. */
export const isLeftOut = (env: NodeJS.ProcessEnv): boolean => env[variable] === "true";

/** Where a token comes from: nobody can export one in a workflow. */
export function tokenAdvice(env: NodeJS.ProcessEnv): string {
    const heading = 'docs/operations.md, "The token that writes to GitHub"';
    return env.GITHUB_ACTIONS === "true" ? `make one: ${heading}` : `export GITHUB_TOKEN=<token> (${heading})`;
}
