import { isCompiled } from "./paths";

/**
 * Returns a command of this project as the user types it: `npm run lab -- start` in a checkout of the project, which has npm scripts, and
 * `npx layered-images lab start` in any other repository.
 *
 * @param args arguments of the command
 */
export function typed(command: string, ...args: readonly string[]): string {
    if (isCompiled) return ["npx", "layered-images", command, ...args].join(" ");
    return ["npm", "run", command, ...(args.length > 0 ? ["--", ...args] : [])].join(" ");
}

/** Like `typed`, for a command whose standard output is used: npm prints nothing of its own. */
export const typedSilently = (command: string, ...args: readonly string[]): string =>
    typed(command, ...args).replace("npm run", "npm run --silent");
