/** Whether this runs in a job of GitHub Actions. */
export const inActions = (env: NodeJS.ProcessEnv): boolean => env.GITHUB_ACTIONS === "true";

/** A value in a workflow command. */
const escaped = (text: string): string => text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");

/**
 * Line that makes GitHub show `***` in the job's log wherever this text stands after it (docs.github.com, "Workflow commands for
 * GitHub Actions", add-mask). GitHub masks line by line: of a value with several each has to be said.
 */
export const addMask = (text: string): string => `::add-mask::${escaped(text)}`;
