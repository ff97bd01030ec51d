/**
 * Updates that continue after failures: images that do not depend on a failed resource are still built, tested and
 * promoted.
 */

/**
 * Environment variable that informs the program that the engine continues after failures and considers every resource.
 */
const variable = "LAYERED_IMAGES_GOES_ON";

const partial = /^(-t.*|--(target|exclude).*)$/;

/** Arguments and environment that make a `pulumi up` continue after failures. */
export interface Continuing {
    readonly args: readonly string[];
    /** Variables to add to its environment. */
    readonly env: Readonly<Record<string, string>>;
}

/**
 * Returns what a `pulumi up` needs to continue after failures.
 *
 * @param args its other arguments. If they select resources, the program does not see the other resources although none
 *     of them failed, so the variable is left out; the engine then deletes nothing outside the selection anyway.
 */
export const continuing = (args: readonly string[]): Continuing => ({
    args: ["--continue-on-error"],
    env: args.some((arg) => partial.test(arg)) ? {} : { [variable]: "true" },
});

/** Whether the program runs in an update that continues after failures. */
export const continuesOnError = (env: NodeJS.ProcessEnv): boolean => env[variable] === "true";
