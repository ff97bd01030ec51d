/** Returns whether the process runs in a GitHub Actions job, where nobody can export a variable, log in or answer. */
export const inActions = (env: NodeJS.ProcessEnv): boolean => env.GITHUB_ACTIONS === "true";
