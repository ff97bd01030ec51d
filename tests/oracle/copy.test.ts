import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stageContext } from "../../lib/context";
import { readDockerfile } from "../../lib/dockerfile";
import { InputError } from "../../lib/errors";
import { type InputFile, collectInputs } from "../../lib/inputs";
import { writeTree } from "../writeTree";
import { copySources, flagPatterns, plainNames, shortIgnoreFiles, trees } from "./arbitraries";
import { type Oracle, runs, startOracle } from "./oracle";

let oracle: Oracle;

beforeAll(async () => {
    oracle = await startOracle();
});

afterAll(() => {
    oracle.stop();
});

interface Image {
    /** Content by path. */
    readonly files: Readonly<Record<string, string>>;
}

/** The inputs, or why there are none. */
function collect(root: string, dockerfile: string): readonly InputFile[] | InputError {
    const file = "Dockerfile";
    try {
        const { sources } = readDockerfile(dockerfile, { path: file, platforms: ["linux/amd64"] });
        return collectInputs(root, sources, { dockerfile: file });
    } catch (error) {
        if (error instanceof InputError) return error;
        throw error;
    }
}

/** Whether a source may name several folders, whose files meet in one. */
const isWild = (dockerfile: string): boolean => /\["[^"]*[*?[][^"]*"/.test(dockerfile);

/** What a build finds only while it copies: a file and a folder that a wildcard brings to one place. */
const inCopying = "cannot replace to directory";

async function compare(files: readonly string[], ignore: string, dockerfile: string): Promise<void> {
    const root = mkdtempSync(path.join(tmpdir(), "layered-images-oracle-"));
    try {
        // Each file holds its own path, and the ignore file lies where no source finds it.
        writeTree(root, Object.fromEntries(files.map((file) => [file, file])));
        if (ignore !== "") writeTree(root, { "Dockerfile.dockerignore": `${ignore}\nDockerfile.dockerignore` });
        const asked = { context: root, ignore: `${ignore}\nDockerfile.dockerignore`, dockerfile };
        const { answer, error = "" } = await oracle.ask<Image>("copy", asked);
        const inputs = collect(root, dockerfile);
        const stage = (files: readonly InputFile[]) => {
            const request = { root, stageRoot: "staged", image: "x", inputHash: "0", files, dockerfile };
            const { context } = stageContext(request);
            return oracle.ask<Image>("copy", { ...asked, ignore: "", context: path.join(root, context) });
        };
        if (error.includes(inCopying)) {
            if (inputs instanceof InputError) throw inputs;
            expect((await stage(inputs)).error).toContain(inCopying);
            return;
        }
        // What BuildKit refuses we refuse.
        expect(answer === undefined && !(inputs instanceof InputError)).toBe(false);
        if (inputs instanceof InputError) {
            // What we refuse BuildKit refuses, or it copies no file (folders are no inputs), or one without its content.
            const contents = Object.values(answer?.files ?? {});
            expect(
                contents.filter((content) => content !== ""),
                inputs.message,
            ).toEqual([]);
            return;
        }
        const copied = Object.values(answer?.files ?? {}).sort();
        const paths = inputs.map((input) => input.path);
        // What several folders hold under one name overwrites each other.
        expect(isWild(dockerfile) ? paths.filter((file) => copied.includes(file)) : paths).toEqual(copied);
        expect((await stage(inputs)).answer?.files ?? {}).toEqual(answer?.files ?? {});
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
        return `FROM scratch\n${["COPY", ...flags, JSON.stringify([source, "/to/"])].join(" ")}\n`;
    });

test("COPY copies from the staged context what it copies from the original one", async () => {
    await fc.assert(fc.asyncProperty(trees(plainNames), shortIgnoreFiles, copies, compare), runs(250));
});
