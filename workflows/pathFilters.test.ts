import { existsSync, readdirSync, rmSync, rmdirSync, symlinkSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe } from "mocha";
import { openCheckout } from "../lib/context/checkout";
import { InputError } from "../lib/errors";
import type { ImageDefinition } from "../lib/hierarchy/definition";
import { passes } from "../tests/github/paths";
import { expect, test } from "../tests/mocha";
import { tree, writeTree } from "../tests/tree";
import { workflowImages } from "./images";
import { pathFilters } from "./pathFilters";

const imageIn = (root: string, changes: Partial<ImageDefinition> = {}) => {
    const one = { description: "one", dockerfile: "Dockerfile", platforms: ["linux/amd64"], ...changes } as const;
    const [image] = workflowImages(openCheckout(root), { images: { one } });
    if (!image) throw new Error("there is no image");
    return image;
};
/** Returns the filter of an image with this Dockerfile, without the patterns that all images share. */
const filter = (text: string, files: Readonly<Record<string, string>> = {}, changes: Partial<ImageDefinition> = {}) => {
    const image = imageIn(tree({ Dockerfile: `FROM a\n${text}`, ...files }), changes);
    const always = ["images.ts", "Pulumi.ci.yaml", "Dockerfile", "Dockerfile.dockerignore", ".dockerignore"];
    return pathFilters([image]).filter((pattern) => !always.includes(pattern));
};

describe("a filter has", () => {
    test.each<[string, string, Readonly<Record<string, string>>, string[]]>([
        ["a file as it is", "COPY a.txt /", { "a.txt": "" }, ["a.txt"]],
        ["a folder with all that may come into it", "COPY app /app", { "app/a": "" }, ["app/**"]],
        ["a wildcard as a wildcard, of files and folders", "COPY r*.txt /", { "r.txt": "" }, ["r*.txt", "r*.txt/**"]],
        ["* for ?, which GitHub reads otherwise", "COPY ?.txt /", { "a.txt": "" }, ["*.txt", "*.txt/**"]],
        ["* for a class of characters", "COPY [ab][c-e].txt /", { "ac.txt": "" }, ["*.txt", "*.txt/**"]],
        ["everything below for a class that may hold a slash", "COPY x/[ab][^c].txt /", { "x/a/.txt": "" }, ["x/**"]],
        ["** for any depth only where BuildKit does", "COPY x/** /", { "x/a": "" }, ["x/*", "x/*/**"]],
        ["** of COPY --parents", "COPY --parents x/**/a /", { "x/y/a": "" }, ["x/**/a", "x/**/a/**"]],
        ["everything for the whole context", "COPY . /", { a: "" }, ["**"]],
        ["only the folder for what lies in it too", "COPY app app/a /", { "app/a": "" }, ["app/**"]],
        ["special characters escaped", "RUN --mount=source=c++/x!,target=/x true", { "c++/x!": "" }, ["c\\+\\+/x\\!"]],
        [
            "a folder whose files are all ignored with what makes it be there",
            "COPY logs /logs",
            { "logs/.gitkeep": "", ".dockerignore": "logs/*" },
            ["logs/**"],
        ],
        ["nothing for what comes from the network or a stage", "ADD https://a.example/x /\nCOPY --from=b /x /", {}, []],
    ])("%s", (_name, text, files, expected) => {
        expect(filter(text, files)).toEqual(expected);
    });

    test("paths from the repository's root for a context below it, and that context's .dockerignore", () => {
        const files = { "sub+/a.txt": "", "sub+/.dockerignore": "b" };
        expect(filter("COPY a.txt /", files, { context: "sub+" })).toEqual(["sub\\+/.dockerignore", "sub\\+/a.txt"]);
    });

    test("links and what they lead to", () => {
        const root = tree({ Dockerfile: "FROM a\nCOPY app /app\nCOPY link absolute /x", "real/a": "", "app/a": "" });
        symlinkSync("real", path.join(root, "link"));
        symlinkSync("../gone", path.join(root, "app/dangling"));
        symlinkSync("/real", path.join(root, "absolute"));
        expect(pathFilters([imageIn(root)])).toEqual(expect.arrayContaining(["absolute", "app/**", "link", "real/**"]));
        expect(passes(pathFilters([imageIn(root)]), ["gone"])).toBe(false);
    });

    test("both files that may decide what is left out, although neither is there yet", () => {
        const patterns = pathFilters([imageIn(tree({ Dockerfile: "FROM a\nCOPY a /", a: "" }))]);
        expect(patterns).toEqual(expect.arrayContaining([".dockerignore", "Dockerfile.dockerignore"]));
    });
});

/** Removes a file as git does: with the folders that become empty. */
function removeFile(root: string, file: string): void {
    rmSync(path.join(root, file), { force: true });
    for (let folder = path.dirname(file); folder !== "."; folder = path.dirname(folder)) {
        const at = path.join(root, folder);
        if (existsSync(at) && readdirSync(at).length === 0) rmdirSync(at);
    }
}

test("no push that changes an image's inputs fails to start its workflow", () => {
    const names = [
        "a.txt",
        "b.txt",
        "c++.txt",
        "app/x.py",
        "app/sub/y.py",
        "app/sub/deep/y.py",
        "[1]/q",
        "lib/!z",
        "other",
        "logs/.gitkeep",
        "logs/kept/.gitkeep",
    ];
    const sources = [
        "a.txt",
        "*.txt",
        "?.txt",
        "[ab].txt",
        "app",
        "./app/",
        "app/*",
        "app/*/y.py",
        "/lib",
        "c++.txt",
        "logs",
        "l*",
        "[[]1]",
        "app[^a]x.py",
        ".",
    ];
    const instructions = [
        ...sources.map((source) => `COPY ${source} /to/`),
        "COPY --parents app/**/y.py /to/",
        "COPY --exclude=**/x.py app /to/",
        "RUN --mount=type=bind,source=logs,target=/x true",
        "COPY --parents l*/kept /to/",
        'COPY ["lib/!z", "/to/"]',
    ];
    const ignores = ["", "**/deep", "app/sub\n!app/sub/y.py", "*\n!app\n!a.txt", "logs/*", "**/.gitkeep"];
    const read = (root: string, context: string) => {
        try {
            return imageIn(root, context === "" ? {} : { context });
        } catch (error) {
            if (error instanceof InputError) return undefined;
            throw error;
        }
    };
    let staleCases = 0;
    const property = fc.property(
        fc.subarray(names, { minLength: names.length - 2 }),
        fc.array(fc.constantFrom(...instructions), { minLength: 1, maxLength: 2 }),
        fc.constantFrom(...ignores),
        fc.constantFrom("", "sub+"),
        fc.constantFrom(...names),
        fc.constantFrom("write", "remove"),
        (present, lines, ignore, context, changed, how) => {
            const at = (name: string) => path.posix.join(context, name);
            const files = Object.fromEntries(present.map((name) => [at(name), "before"]));
            const root = tree({ Dockerfile: `FROM a\n${lines.join("\n")}\n`, [at(".dockerignore")]: ignore, ...files });
            const before = read(root, context);
            if (how === "write") writeTree(root, { [at(changed)]: "after" });
            else removeFile(root, at(changed));
            const after = read(root, context);
            const isStale = before?.inputHash !== after?.inputHash;
            staleCases += Number(isStale);
            // GitHub reads the pushed commit's workflow. The push must match with or without the output of `npm run workflows`.
            const filters = [before, after].flatMap((image) => (image ? [pathFilters([image])] : []));
            const missing = filters.filter((patterns) => isStale && !passes(patterns, [at(changed)]));
            expect(missing).toEqual([]);
        },
    );
    fc.assert(property, { numRuns: 200 });
    expect(staleCases).toBeGreaterThan(10);
});
