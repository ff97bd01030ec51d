/* Updates that go on past failures: what has nothing to do with one is built, tested and promoted all the same. */

/** Tells the program that the engine goes on, and that it looks at everything. */
const variable = "LAYERED_IMAGES_GOES_ON";

const partial = /^(-t.*|--(target|exclude).*)$/;

/** What makes a `pulumi up` go on past failures. */
export interface Continuing {
    readonly args: readonly string[];
    /** More of its environment. */
    readonly env: Readonly<Record<string, string>>;
}

/**
 * What a `pulumi up` needs so that it goes on past failures.
 *
 * @param args its other arguments. Where they name what is looked at, the rest is not known to the program, without having failed;
 *     the engine then deletes nothing else anyway.
 */
export const continuing = (args: readonly string[]): Continuing => ({
    args: ["--continue-on-error"],
    env: args.some((one) => partial.test(one)) ? {} : { [variable]: "true" },
});

/** Whether the program runs in an update that goes on past failures. */
export const goesOn = (env: NodeJS.ProcessEnv): boolean => env[variable] === "true";
