import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { after, before } from "mocha";
import { openCheckout } from "../../lib/context/checkout";
import { collectInputs } from "../../lib/context/inputs";
import type { InputFile } from "../../lib/context/walk";
import { stageContext } from "../../lib/context/stage";
import { readDockerfile } from "../../lib/dockerfile/read";
import { InputError } from "../../lib/errors";
import { expect, test } from "../mocha";
import { writeTree } from "../writeTree";
import {
    type Entry,
    contexts,
    copySources,
    flagPatterns,
    mountSources,
    plainNames,
    shortIgnoreFiles,
    trees,
} from "./arbitraries";
import { isThorough } from "../thorough";
import { type Oracle, runs, startOracle } from "./oracle";

let oracle: Oracle;

before(async () => {
    oracle = await startOracle();
});

after(() => {
    oracle.stop();
});

interface Image {
    /** Content by path. */
    readonly files: Readonly<Record<string, string>>;
    /** Target by path. */
    readonly links: Readonly<Record<string, string>>;
    readonly folders: readonly string[];
}

/** Returns the inputs, or the error that refuses the Dockerfile or its context. */
function collect(root: string, dockerfile: string): readonly InputFile[] | InputError {
    const file = "Dockerfile";
    try {
        const { sources } = readDockerfile(dockerfile, { path: file, platforms: ["linux/amd64"] });
        return collectInputs(openCheckout(root), sources, { dockerfile: file });
    } catch (error) {
        if (error instanceof InputError) return error;
        throw error;
    }
}

/** Writes the entries of a context; the content of each file is its path. */
function writeContext(root: string, entries: Readonly<Record<string, Entry>>): void {
    for (const [file, entry] of Object.entries(entries)) {
        const at = path.join(root, file);
        mkdirSync(path.dirname(at), { recursive: true });
        if (entry === "folder") mkdirSync(at);
        else if (entry === "file") writeFileSync(at, file);
        else symlinkSync(entry.target, at);
    }
}

/**
 * Errors that a build reports only while it copies: a wildcard copies a file and a folder to the same place, or the two
 * conflict.
 */
const inCopying = /cannot replace to directory|cannot copy to non-directory/;

/** Number of cases by kind, so that the suite fails if it hardly tries a kind. */
const seen = { built: 0, refused: 0, links: 0, emptyFolders: 0 };

async function compare(entries: Readonly<Record<string, Entry>>, ignore: string, dockerfile: string): Promise<void> {
    const root = mkdtempSync(path.join(tmpdir(), "layered-images-oracle-"));
    try {
        // The ignore file ignores itself, so that no source finds it.
        writeContext(root, entries);
        if (ignore !== "") writeTree(root, { "Dockerfile.dockerignore": `${ignore}\nDockerfile.dockerignore` });
        const asked = { context: root, ignore: `${ignore}\nDockerfile.dockerignore`, dockerfile };
        const { answer, error = "" } = await oracle.ask<Image>("copy", asked);
        const inputs = collect(root, dockerfile);
        const stage = (files: readonly InputFile[]) => {
            const request = { root, stageRoot: "staged", image: "x", inputHash: "0", files, dockerfile };
            const { context } = stageContext(request);
            return oracle.ask<Image>("copy", { ...asked, ignore: "", context: path.join(root, context) });
        };
        if (inCopying.test(error)) {
            if (inputs instanceof InputError) return;
            expect((await stage(inputs)).error).toMatch(inCopying);
            return;
        }
        if (inputs instanceof InputError) {
            seen.refused += 1;
            if (answer === undefined) return;
            // If the program refuses a case, BuildKit refuses it too, or copies a file without its content, or has the
            // file only because of another source.
            if (inputs.message.includes("reads as a pattern")) expect(dockerfile).toMatch(/to0[^]*to1/);
            else expect(Object.values(answer.files), inputs.message).toContain("");
            return;
        }
        // The program refuses every case that BuildKit refuses.
        expect(answer, error).toBeDefined();
        if (answer === undefined) return;
        const read = new Set(
            inputs.filter(({ symlink, folder }) => symlink === undefined && !folder).map((input) => input.path),
        );
        const copied = new Set(Object.values(answer.files));
        // Files with the same name in several folders overwrite each other; every other input file is also copied.
        if (/\["[^"]*[*?[][^"]*"/.test(dockerfile)) expect([...copied].filter((file) => !read.has(file))).toEqual([]);
        else expect([...read].sort()).toEqual([...copied].sort());
        expect((await stage(inputs)).answer).toEqual(answer);
        seen.built += 1;
        seen.links += Number(inputs.some(({ symlink }) => symlink !== undefined));
        seen.emptyFolders += Number(inputs.some(({ folder }) => folder));
    } finally {
        rmSync(root, { recursive: true, force: true });
    }
}

const copies = fc
    .record({
        source: copySources,
        exclude: fc.array(flagPatterns, { maxLength: 2 }),
        parents: fc.boolean(),
    })
    .map(({ source, exclude, parents }) => {
        const flags = [...(parents ? ["--parents"] : []), ...exclude.map((pattern) => `--exclude=${pattern}`)];
        return (to: string) => ["COPY", ...flags, JSON.stringify([source, `/${to}/`])].join(" ");
    });

const mounts = mountSources.map((source) => (to: string) => `RUN --mount=source=${source},target=/${to} ["x"]`);

const dockerfiles = fc
    .array(fc.oneof({ weight: 4, arbitrary: copies }, { weight: 1, arbitrary: mounts }), { minLength: 1, maxLength: 2 })
    .map((all) => ["FROM scratch", ...all.map((one, index) => one(`to${index}`)), ""].join("\n"));

const filesAlone = trees(plainNames).map((files) => Object.fromEntries(files.map((file) => [file, "file" as const])));

test("a build reads from the staged context what it reads from the original one, and refuses the same", async () => {
    const context = fc.oneof(filesAlone, contexts);
    await fc.assert(fc.asyncProperty(context, shortIgnoreFiles, dockerfiles, compare), runs(isThorough ? 1000 : 400));
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(10);
});
