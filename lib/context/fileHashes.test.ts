import {
    appendFileSync,
    chmodSync,
    copyFileSync,
    existsSync,
    lstatSync,
    mkdirSync,
    readFileSync,
    readdirSync,
    renameSync,
    rmSync,
    statfsSync,
    utimesSync,
    writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { describe } from "mocha";
import { temporaryFolder } from "../../tests/tree";
import { expect, test } from "../../tests/mocha";
import { openFileHashes, readAllVariable } from "./fileHashes";
import { hashFile } from "./walk";

const index = (root: string): string => path.join(root, ".stage", "hashes");

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Longer than the age from which a file can be remembered. */
const settled = 80;

/** ext2 to ext4: the file system of the tests' folder, unless it is a tmpfs, where nothing is remembered. */
const isReliable = statfsSync(tmpdir()).type !== 0x01021994;

/** Asks for the hashes of all files in a folder, in a run of its own. */
function run(root: string, env: NodeJS.ProcessEnv = {}): Record<string, string> {
    const hashes = openFileHashes(root, env);
    const files = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isFile());
    const found = Object.fromEntries(files.map(({ name }) => [name, hashes.of(path.join(root, name))]));
    hashes.save();
    return found;
}

/** Returns the same without an index. */
const read = (root: string): Record<string, string> => run(root, { [readAllVariable]: "1" });

/** Replaces each hash in the index by one that no file has, and corrects the checksum: who gets it has not read the file. */
function poison(root: string): void {
    const hash = "0".repeat(64);
    const lines = readFileSync(index(root), "utf8").split("\n").slice(1);
    const entries = lines.map((line) => (line === "" ? "" : hash + line.slice(64))).join("\n");
    const folder = temporaryFolder();
    const file = path.join(folder, "entries");
    writeFileSync(file, entries);
    writeFileSync(index(root), `layered-images file hashes 1 ${hashFile(file)}\n${entries}`);
}

const isPoisoned = (hash: string | undefined): boolean => hash === "0".repeat(64);

/** A folder whose files an earlier run remembered, with a hash that is wrong. */
async function remembered(files: Readonly<Record<string, string>>): Promise<string> {
    const root = temporaryFolder();
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(root, name), text);
    await sleep(settled);
    run(root);
    poison(root);
    return root;
}

describe("a file that did not change", () => {
    test("is not read again", async () => {
        const root = await remembered({ a: "one", b: "two" });
        expect(Object.values(run(root)).map(isPoisoned)).toEqual([isReliable, isReliable]);
    });

    test("is read again if the index is turned off, and the index stays as it is", async () => {
        const root = await remembered({ a: "one" });
        const before = readFileSync(index(root), "utf8");
        expect(Object.values(read(root)).map(isPoisoned)).toEqual([false]);
        expect(readFileSync(index(root), "utf8")).toBe(before);
    });

    test("is known under the new path if a folder above it is renamed", async () => {
        const root = temporaryFolder();
        mkdirSync(path.join(root, "before"));
        writeFileSync(path.join(root, "before", "a"), "one");
        await sleep(settled);
        const first = openFileHashes(root, {});
        first.of(path.join(root, "before", "a"));
        first.save();
        poison(root);
        renameSync(path.join(root, "before"), path.join(root, "after"));
        expect(isPoisoned(openFileHashes(root, {}).of(path.join(root, "after", "a")))).toBe(isReliable);
    });
});

/** Edits that leave as much as possible as it was. */
const edits: Readonly<Record<string, (file: string) => void>> = {
    "another content of the same size": (file) => {
        writeFileSync(file, readFileSync(file, "utf8").replace(/^./, "X"));
    },
    "another content of the same size, with the old time": (file) => {
        const { atime, mtime } = lstatSync(file);
        writeFileSync(file, readFileSync(file, "utf8").replace(/^./, "Y"));
        utimesSync(file, atime, mtime);
    },
    "more content": (file) => {
        appendFileSync(file, "more");
    },
    "another mode": (file) => {
        chmodSync(file, (lstatSync(file).mode & 0o777) ^ 0o100);
    },
    "another inode with another content of the same size and time": (file) => {
        const { atime, mtime } = lstatSync(file);
        copyFileSync(file, `${file}.new`);
        writeFileSync(`${file}.new`, readFileSync(file, "utf8").replace(/^./, "Z"));
        utimesSync(`${file}.new`, atime, mtime);
        renameSync(`${file}.new`, file);
    },
    "a removed file whose inode another one may get": (file) => {
        const text = readFileSync(file, "utf8");
        rmSync(file);
        writeFileSync(file, text.replace(/^./, "W"));
    },
    "the name of another file": (file) => {
        renameSync(file, `${file}.moved`);
        writeFileSync(file, "in its place");
    },
};

test.each(Object.entries(edits))("a changed file is read: %s", async (_name, edit) => {
    const root = await remembered({ a: "one" });
    edit(path.join(root, "a"));
    const hashes = run(root);
    expect(Object.values(hashes).map(isPoisoned)).toEqual(Object.keys(hashes).map(() => false));
    expect(hashes).toEqual(read(root));
});

test("after any edits between any runs, a run finds the hashes that reading every file gives", async () => {
    const names = ["a", "b", "c"];
    const step = fc.oneof(
        { weight: 3, arbitrary: fc.tuple(fc.constantFrom(...names), fc.constantFrom(...Object.keys(edits))) },
        { weight: 2, arbitrary: fc.constant("run" as const) },
        { weight: 1, arbitrary: fc.constant("wait" as const) },
    );
    await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), async (steps) => {
            const root = temporaryFolder();
            for (const name of names) writeFileSync(path.join(root, name), `the content of ${name}`);
            for (const one of steps) {
                if (one === "wait") await sleep(settled);
                else if (one === "run") expect(run(root)).toEqual(read(root));
                else edits[one[1]]?.(path.join(root, one[0]));
            }
            expect(run(root)).toEqual(read(root));
        }),
        { numRuns: 60 },
    );
}).timeout(60_000);

test("a file that changed just now is not remembered: its next change could leave its times as they are", () => {
    const root = temporaryFolder();
    writeFileSync(path.join(root, "a"), "one");
    run(root);
    expect(existsSync(index(root))).toBe(false);
});

test("a file that changes while it is read is not remembered", async () => {
    const root = await remembered({ a: "one" });
    const hashes = openFileHashes(root, {});
    const file = path.join(root, "a");
    writeFileSync(file, "two");
    await sleep(settled);
    hashes.of(file);
    writeFileSync(file, "one");
    hashes.save();
    expect(run(root)).toEqual(read(root));
});

test.each<[string, (file: string) => void]>([
    [
        "a changed byte",
        (file) => {
            writeFileSync(
                file,
                readFileSync(file, "utf8")
                    .replace(/0(?=\n|$)/, "1")
                    .replace("000 ", "001 "),
            );
        },
    ],
    [
        "a missing end",
        (file) => {
            writeFileSync(file, readFileSync(file).subarray(0, -3));
        },
    ],
    [
        "nothing",
        (file) => {
            writeFileSync(file, "");
        },
    ],
    [
        "another format",
        (file) => {
            writeFileSync(file, "{}\n{}\n");
        },
    ],
    [
        "a folder in its place",
        (file) => {
            rmSync(file);
            mkdirSync(file);
        },
    ],
    [
        "write permission for others",
        (file) => {
            chmodSync(file, 0o666);
        },
    ],
])("an index with %s is ignored", async (_what, damage) => {
    const root = await remembered({ a: "one", b: "two" });
    damage(index(root));
    const hashes = run(root);
    expect(Object.values(hashes).map(isPoisoned)).toEqual([false, false]);
});

test("what a run did not ask for is forgotten", async () => {
    const root = await remembered({ a: "one", b: "two" });
    const hashes = openFileHashes(root, {});
    hashes.of(path.join(root, "a"));
    hashes.save();
    expect(readFileSync(index(root), "utf8").trim().split("\n")).toHaveLength(isReliable ? 2 : 1);
});
