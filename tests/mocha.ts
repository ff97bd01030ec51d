import { format } from "node:util";
import { expect as plainExpect } from "expect";
import { type MockInstance, spyOn as jestSpyOn } from "jest-mock";
import { type Context, type RootHookObject, Suite, type Test, it } from "mocha";
import { seedVariable, shuffled } from "./shuffled";
import { isThorough, leaveOut } from "./thorough";

/* What mocha lacks: tables of tests, what is undone when a test ends, and `expect` with a message. */

type Row = readonly unknown[];

/** Returns the value at a path like `a.b` in an object, or undefined. */
const valueAt = (object: unknown, keys: string): unknown =>
    keys.split(".").reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], object);

/**
 * Returns the name of a row's test. `%s`, `%d`, `%i` and `%j` take the row's values in turn, as in `util.format`; `$key` takes a
 * property of a row that is an object.
 */
function nameOf(template: string, row: Row): string {
    const [first] = row;
    const places = template.match(/%[sdij]/g)?.length ?? 0;
    const name = format(template, ...row.slice(0, places));
    if (typeof first !== "object" || first === null || Array.isArray(first)) return name;
    return name.replace(/\$([\w.]+)/g, (_, keys: string) => String(valueAt(first, keys)));
}

/**
 * Defines a test that runs where it is written. Mocha runs all tests of a suite before the suites in it, and tests may depend on the order
 * in which they are written; so a test that follows a suite gets a suite of its own, which does not show in its name.
 */
function define(name: string, body: () => unknown): Test {
    const created = it(name, body);
    const { parent } = created;
    if (!parent || parent.suites.length === 0) return created;
    parent.tests.pop();
    const place = Suite.create(parent, "");
    place.titlePath = () => parent.titlePath();
    place.addTest(created);
    return created;
}

interface Each {
    <R extends readonly unknown[] | readonly [unknown]>(
        rows: readonly R[],
    ): (template: string, body: (...row: [...R]) => unknown) => void;
    <R>(rows: readonly R[]): (template: string, body: (row: R) => unknown) => void;
}

/** Defines a test for each row of a table. A row that is a list gives the test's arguments, any other row is the only argument. */
const each: Each =
    (rows: readonly unknown[]) =>
    (template: string, body: (...row: never[]) => unknown): void => {
        for (const row of rows) {
            const values: Row = Array.isArray(row) ? row : [row];
            define(nameOf(template, values), () => body(...(values as never[])));
        }
    };

/** Defines a test that only `npm run test:all` runs: what it shows on the real parts, another one shows too, or it takes minutes. */
const thorough = (name: string, body: () => unknown): void => {
    if (isThorough) define(name, body);
    else leaveOut(name);
};

/** Defines a test. `test.each` defines a test for each row of a table, `test.thorough` one that only `npm run test:all` runs. */
export const test = Object.assign(define, { each, thorough });

/** What to do when the running test ends, in reverse order; undefined while no test runs. */
let finishers: (() => unknown)[] | undefined;

/** Runs a function when the test ends, after its hooks. The functions of a test run in reverse order. */
export function onTestFinished(finish: () => unknown): void {
    if (!finishers) throw new Error("onTestFinished is for tests, and for hooks around each test");
    finishers.push(finish);
}

/** Gives an object's property a value until the test ends; undefined removes the property. */
function stub(object: object, name: string, value: unknown): void {
    const before = Object.getOwnPropertyDescriptor(object, name);
    if (value === undefined) Reflect.deleteProperty(object, name);
    else Reflect.set(object, name, value);
    onTestFinished(() => {
        if (before) Object.defineProperty(object, name, before);
        else Reflect.deleteProperty(object, name);
    });
}

/** Sets an environment variable until the test ends; undefined removes it. */
export const stubEnv = (name: string, value: string | undefined): void => {
    stub(process.env, name, value);
};

/** Watches or replaces a method until the test ends, as jest's `spyOn` does. */
export const spyOn = ((object: never, method: never): unknown => {
    const spy: MockInstance = jestSpyOn(object, method);
    onTestFinished(() => {
        spy.mockRestore();
    });
    return spy;
}) as typeof jestSpyOn;

/** Throws an error again, with a message in front of its own. */
function explain(error: unknown, message: string): never {
    if (error instanceof Error) {
        // The stack is made when it is first read, from the message of that moment.
        const { message: before, stack = "" } = error;
        error.message = `${message}\n\n${before}`;
        error.stack = stack.replace(before, () => error.message);
    }
    throw error;
}

/** Returns matchers whose errors begin with a message. */
const explained = <T extends object>(matchers: T, message: string): T =>
    new Proxy(matchers, {
        get(target, key) {
            const found: unknown = Reflect.get(target, key);
            if (typeof found !== "function") return explained(found as object, message);
            return (...args: unknown[]): unknown => {
                try {
                    const result: unknown = Reflect.apply(found, target, args);
                    return result instanceof Promise
                        ? result.catch((error: unknown) => explain(error, message))
                        : result;
                } catch (error) {
                    return explain(error, message);
                }
            };
        },
    });

type PlainExpect = typeof plainExpect;

/** Methods that return a pattern for a value. `unknown` can stand for the type of that value. */
type Patterns = "any" | "anything" | "arrayContaining" | "objectContaining" | "stringContaining" | "stringMatching";

type Expect = Omit<PlainExpect, Patterns> &
    Record<Patterns, (expected?: unknown) => unknown> &
    (<T>(actual: T, message?: string) => ReturnType<typeof plainExpect<T>>);

/** jest's `expect`. If it fails, the message stands in front of the difference. */
export const expect = Object.assign(
    (actual: unknown, message?: string) =>
        message === undefined ? plainExpect(actual) : explained(plainExpect(actual), message),
    plainExpect,
) as Expect;

/**
 * Repeats a check until it passes.
 *
 * @param check throws, or rejects, as long as it does not hold
 * @param options milliseconds: `timeout` until the last error is thrown, `interval` between two attempts
 */
export async function eventually(
    check: () => unknown,
    { timeout = 1000, interval = 50 }: { readonly timeout?: number; readonly interval?: number } = {},
): Promise<void> {
    const end = Date.now() + timeout;
    for (;;) {
        try {
            await check();
            return;
        } catch (error) {
            if (Date.now() >= end) throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, interval));
    }
}

/** Puts a suite's tests, and the suites within it, into the order of a seed. */
function shuffle(suite: Suite, seed: string): void {
    suite.tests = shuffled(suite.tests, seed);
    suite.suites = shuffled(suite.suites, seed);
    for (const one of suite.suites) shuffle(one, seed);
}

// A worker writes what it covered when it ends. That may take longer than the second after which mocha ends it.
if (process.env.NODE_V8_COVERAGE !== undefined && process.env.MOCHA_WORKER_ID !== undefined) {
    process.on("SIGTERM", () => undefined);
}

const rethrow = (reason: unknown): never => {
    throw reason;
};

export const mochaHooks: RootHookObject = {
    beforeAll(this: Context) {
        // mocha removes these listeners after each file, and ignores unhandled rejections without one.
        process.on("unhandledRejection", rethrow);
        const root = this.test?.parent;
        if (!root) throw new Error("the hook has no suite");
        // A hook may prepare what many tests use: the first lab on a machine builds its toolchain.
        root.eachTest((test) => {
            if (test.timeout() === root.timeout()) test.timeout(root.timeout() / 4);
        });
        const seed = process.env[seedVariable];
        if (seed !== undefined) shuffle(root, seed);
    },
    beforeEach() {
        finishers = [];
    },
    async afterEach() {
        const last = finishers ?? [];
        finishers = undefined;
        for (const finish of last.reverse()) await finish();
    },
};
