import path from "node:path";
import fc from "fast-check";
import { after, before } from "mocha";
import { type Ignore, ignoring } from "../../lib/context/ignore";
import { InputError } from "../../lib/errors";
import { expect, test } from "../mocha";
import { ignoreFiles, trees } from "./arbitraries";
import { type Oracle, runs, startOracle } from "./oracle";

let oracle: Oracle;

before(async () => {
    oracle = await startOracle();
});

after(() => {
    oracle.stop();
});

interface Sent {
    readonly files: readonly string[];
    /** The entries of `files` that arrive without their content. */
    readonly empty: readonly string[];
}

const refuses = (check: () => void): boolean => {
    try {
        check();
        return false;
    } catch (error) {
        if (error instanceof InputError) return true;
        throw error;
    }
};

const above = (file: string): string[] => {
    const folder = path.posix.dirname(file);
    return folder === "." ? [] : [...above(folder), folder];
};

/** Returns whether a walk reaches a file: it skips ignored folders below which no path can be included again. */
const isReached = ({ ignores, mayReenter }: Ignore, file: string): boolean =>
    above(file).every((folder) => !ignores(folder) || mayReenter(folder));

function sentByUs(text: string, files: readonly string[]): Sent | undefined {
    let sent: Sent | undefined;
    refuses(() => {
        const ignore = ignoring(text);
        const left = files.filter((file) => !ignore.ignores(file)).sort();
        expect(left.filter((file) => !isReached(ignore, file))).toEqual([]);
        sent = {
            files: left,
            empty: left.filter((file) =>
                refuses(() => {
                    ignore.checkContent(file);
                }),
            ),
        };
    });
    return sent;
}

// Folders are not inputs, so the test does not compare them.
test("an ignore file leaves the files that BuildKit sends", async () => {
    await fc.assert(
        fc.asyncProperty(ignoreFiles, trees(), async (ignore, files) => {
            const { answer } = await oracle.ask<Sent>("ignore", { ignore, files });
            const expected = answer && { files: [...answer.files].sort(), empty: [...answer.empty].sort() };
            expect(sentByUs(ignore, files)).toEqual(expected);
        }),
        runs(6000),
    );
});
