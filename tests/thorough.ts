import { appendFileSync } from "node:fs";

/* Which tests run: `npm test` leaves those out that it has no time for, `npm run test:all` runs all. */

/** Environment variable that is "all" where every test runs. */
export const choiceVariable = "LAYERED_IMAGES_TESTS";
/** Environment variable with a file to which the names of the tests are added that are left out. */
export const leftOutVariable = "LAYERED_IMAGES_LEFT_OUT";

/** Whether every test runs: in `npm run test:all`, and in a command that runs one suite wholly. */
export const isThorough = process.env[choiceVariable] === "all";

/** Notes the name of a test that does not run, so that none is left out in silence. */
export function leaveOut(name: string): void {
    const list = process.env[leftOutVariable];
    if (list !== undefined) appendFileSync(list, `${name}\n`);
}

/**
 * Returns the rows of a table that run: all but those with these names, which are a row's first value. In `npm run test:all` it is every row.
 *
 * @throws Error if the table has no row of a name
 */
export function except<R extends readonly [string, ...unknown[]]>(names: readonly string[], rows: readonly R[]): R[] {
    const unknown = names.filter((name) => rows.every(([row]) => row !== name));
    if (unknown.length > 0) throw new Error(`the table has no row of this name: ${unknown.join(", ")}`);
    if (isThorough) return [...rows];
    for (const name of names) leaveOut(name);
    return rows.filter(([name]) => !names.includes(name));
}
