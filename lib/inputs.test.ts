import { chmodSync, mkdirSync, symlinkSync, utimesSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { tree } from "../tests/tree";
import { collectInputs } from "./inputs";
import { matchesPath } from "./wildcards";

const collect = (root: string, ...patterns: string[]) =>
    collectInputs(
        root,
        patterns.map((pattern, index) => ({ pattern, line: index + 2, instruction: "COPY" })),
        { dockerfile: "Dockerfile" },
    );
const paths = (root: string, ...patterns: string[]) => collect(root, ...patterns).map((file) => file.path);

const files = {
    "a.txt": "a",
    "b.txt": "b",
    "app/main.py": "main",
    "app/lib/x.py": "x",
    "app/lib/x.pyc": "compiled",
    "other/y.py": "y",
};

describe("sources", () => {
    test.each<[string, string[], string[]]>([
        ["a file", ["a.txt"], ["a.txt"]],
        ["a leading slash or dot is the context's root", ["/a.txt", "./b.txt"], ["a.txt", "b.txt"]],
        ["nothing climbs out of the context", ["../a.txt"], ["a.txt"]],
        ["a folder with everything below", ["app/"], ["app/lib/x.py", "app/lib/x.pyc", "app/main.py"]],
        ["the whole context", ["."], Object.keys(files).sort()],
        ["a wildcard for files", ["*.txt"], ["a.txt", "b.txt"]],
        ["a wildcard does not cross folders", ["*/*.py"], ["app/main.py", "other/y.py"]],
        ["a wildcard for folders takes what is in them", ["o*"], ["other/y.py"]],
        ["a question mark and a class", ["?.txt", "[ac].txt"], ["a.txt", "b.txt"]],
        ["each file once", ["a.txt", "*.txt", "."], Object.keys(files).sort()],
    ])("%s", (_name, patterns, expected) => {
        expect(paths(tree(files), ...patterns)).toEqual(expected);
    });

    test("one that matches nothing is named with Dockerfile and line", () => {
        expect(() => paths(tree(files), "a.txt", "gone.txt")).toThrow(
            'Dockerfile:3: COPY reads "gone.txt", which matches no file',
        );
    });
});

describe(".dockerignore", () => {
    test("leaves files and folders out and lets exceptions in", () => {
        const root = tree({ ...files, ".dockerignore": "*\n!app\n**/*.pyc\n" });
        expect(paths(root, ".")).toEqual(["app/lib/x.py", "app/main.py"]);
    });

    test("one beside the Dockerfile wins", () => {
        const root = tree({ ...files, ".dockerignore": "app", "Dockerfile.dockerignore": "other\n*ignore" });
        expect(paths(root, ".")).toEqual(["a.txt", "app/lib/x.py", "app/lib/x.pyc", "app/main.py", "b.txt"]);
    });

    test("a source that it leaves out is told so", () => {
        const root = tree({ ...files, ".dockerignore": "app" });
        expect(() => paths(root, "app/main.py")).toThrow(
            "which .dockerignore leaves out\n  next: don't copy it, or look at what .dockerignore says about it",
        );
    });
});

describe("sources of one instruction", () => {
    const instruction = (root: string, ...patterns: string[]) =>
        collectInputs(
            root,
            patterns.map((pattern) => ({ pattern, line: 2, instruction: "COPY" })),
            { dockerfile: "Dockerfile" },
        ).map((file) => file.path);

    test("a wildcard may match nothing, or nothing that .dockerignore leaves, also alone", () => {
        expect(instruction(tree(files), "a.txt", "yarn.lock*")).toEqual(["a.txt"]);
        expect(instruction(tree({ ...files, ".dockerignore": "**/*.txt" }), "*.md", "*.txt")).toEqual([]);
        expect(instruction(tree(files), "app/main.py", "app/*.md")).toEqual(["app/main.py"]);
        // Nothing of app is sent then, and BuildKit misses the folder.
        expect(() => instruction(tree(files), "app/*.md")).toThrow('"app/*.md", which matches no file');
    });

    test("an empty folder is told so", () => {
        const root = tree(files);
        mkdirSync(path.join(root, "empty"));
        expect(() => instruction(root, "empty")).toThrow('"empty", which holds no file');
    });
});

describe("--exclude and --parents", () => {
    const collectOne = (source: { pattern: string; exclude?: string[]; include?: string }) =>
        collectInputs(tree(files), [{ line: 2, instruction: "COPY", ...source }], { dockerfile: "D" }).map(
            (file) => file.path,
        );

    test.each([
        ["counts from the folder", { pattern: "app", exclude: ["*.py"] }, ["app/lib/x.py", "app/lib/x.pyc"]],
        [
            "takes folders and exceptions",
            { pattern: "app", exclude: ["lib", "!lib/x.py"] },
            ["app/lib/x.py", "app/main.py"],
        ],
        ["does not touch a file that is named", { pattern: "a.txt", exclude: ["*.txt"] }, ["a.txt"]],
        ["** crosses folders", { pattern: "", include: "**/*.py" }, ["app/lib/x.py", "app/main.py", "other/y.py"]],
        [
            "--exclude counts from the pivot",
            { pattern: "app", include: "**/*.py", exclude: ["/lib", "main*"] },
            ["app/lib/x.py"],
        ],
        [
            "a leading slash of --exclude matches nothing",
            { pattern: "app", exclude: ["/lib", "#a"] },
            ["app/lib/x.py", "app/lib/x.pyc", "app/main.py"],
        ],
        ["** elsewhere does not", { pattern: "**/*.py" }, ["app/main.py", "other/y.py"]],
    ])("%s", (_name, source, expected) => {
        expect(collectOne(source)).toEqual(expected);
    });

    test("nothing left is told so", () => {
        expect(() => collectOne({ pattern: "app", exclude: ["*"] })).toThrow('"app", which --exclude leaves out');
    });
});

test("staged contexts, records of updates and empty folders are no inputs", () => {
    const root = tree({ "a.txt": "a", ".stage/base/x/context/a.txt": "a", ".updates/ci.json": "{}" });
    mkdirSync(path.join(root, "empty"));
    expect(paths(root, ".")).toEqual(["a.txt"]);
});

describe("what counts of a file", () => {
    test("content and executable bit do, mtime, umask and group bits do not", () => {
        const root = tree({ "a.txt": "a" });
        const file = path.join(root, "a.txt");
        const before = collect(root, "a.txt");
        utimesSync(file, 1, 1);
        chmodSync(file, 0o664);
        expect(collect(root, "a.txt")).toEqual(before);
        chmodSync(file, 0o600);
        expect(collect(root, "a.txt")).toEqual(before);
        chmodSync(file, 0o755);
        expect(collect(root, "a.txt")).toEqual(before.map((one) => ({ ...one, executable: true })));
    });

    test("a link inside a folder stays a link, one that is a source brings what it points to", () => {
        const root = tree({ "app/a.txt": "a", "b.txt": "b" });
        symlinkSync("a.txt", path.join(root, "app/link"));
        symlinkSync("b.txt", path.join(root, "link"));
        expect(collect(root, "app").find((file) => file.path === "app/link")?.symlink).toBe("a.txt");
        expect(paths(root, "link")).toEqual(["b.txt", "link"]);
    });

    test("a link on the way to a source is an input, and what it leads to", () => {
        const root = tree({ "real/a.txt": "a", "real/b.txt": "b" });
        symlinkSync("real", path.join(root, "link"));
        expect(paths(root, "link/a.txt")).toEqual(["link", "real/a.txt"]);
        symlinkSync("circle", path.join(root, "circle"));
        expect(() => paths(root, "circle/a")).toThrow("too many symbolic links");
    });

    test("a link on the way to a wildcard is an input, with what matches where it leads, and nothing without that", () => {
        const root = tree({ "real/[1]/a.txt": "a", "real/[1]/b.md": "b", ".dockerignore": "**/*.md" });
        symlinkSync("real", path.join(root, "link"));
        expect(paths(root, "link/\\[1]/*.txt")).toEqual(["link", "real/[1]/a.txt"]);
        expect(() => paths(root, "link/\\[1]/*.py")).toThrow('"link/\\[1]/*.py", which matches no file');
        expect(() => paths(root, "link/\\[1]/*.md")).toThrow("which .dockerignore leaves out");
        expect(() => paths(root, "gone/*.md")).toThrow("which matches no file");
    });

    test.each(["../outside", "/etc/passwd", "nowhere"])(
        "a link to %s is an input, and is refused as a source",
        (target) => {
            const root = tree({ "a.txt": "a" });
            symlinkSync(target, path.join(root, "link"));
            expect(collect(root, ".").find((file) => file.path === "link")?.symlink).toBe(target);
            expect(() => paths(root, "link")).toThrow(
                target === "nowhere" ? "matches no file" : `link is a symbolic link to ${target}, which is outside`,
            );
        },
    );
});

test("only the folders that may hold an input are read", () => {
    const root = tree({ "a.txt": "a", "node_modules/x/y": "y", ".dockerignore": "node_modules\n!other/z" });
    chmodSync(path.join(root, "node_modules"), 0o000);
    try {
        expect(paths(root, "a.txt", ".")).toEqual([".dockerignore", "a.txt"]);
    } finally {
        chmodSync(path.join(root, "node_modules"), 0o755);
    }
});

test.each([
    ["[a-c]x", "bx", true],
    ["[^a]", "b", true],
    ["[^a]", "a", false],
    ["[]a]", "]", undefined],
    ["a\\*b", "a*b", true],
    ["a\\*b", "axb", false],
    ["[\\]]", "]", true],
])("%s against %s is %s, as in Go's filepath.Match", (pattern, name, matches) => {
    expect(matchesPath(pattern, name)).toBe(matches);
});

test("a name without special characters matches itself and nothing else", () => {
    const name = fc.stringMatching(/^[\w. +()|$^{}-]{1,12}$/);
    fc.assert(
        fc.property(name, name, (a, b) => {
            expect(matchesPath(a, b)).toBe(a === b);
        }),
    );
});
