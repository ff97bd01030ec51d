import { chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { openCheckout } from "./checkout";
import { tree, writeTree } from "../../tests/tree";
import { type InputSource, collectInputs, readContext } from "./inputs";
import { matchesPath } from "./goPatterns";

const collect = (root: string, ...patterns: string[]) =>
    collectInputs(
        openCheckout(root),
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
            "which .dockerignore excludes\n  next: remove the source, or check the patterns in .dockerignore",
        );
    });
});

describe("sources of one instruction", () => {
    const instruction = (root: string, ...patterns: string[]) =>
        collectInputs(
            openCheckout(root),
            patterns.map((pattern) => ({ pattern, line: 2, instruction: "COPY" })),
            { dockerfile: "Dockerfile" },
        ).map((file) => file.path);

    test("a wildcard may match nothing, or nothing that .dockerignore leaves, also alone", () => {
        expect(instruction(tree(files), "a.txt", "yarn.lock*")).toEqual(["a.txt"]);
        expect(instruction(tree({ ...files, ".dockerignore": "**/*.txt" }), "*.md", "*.txt")).toEqual([]);
        expect(instruction(tree(files), "app/main.py", "app/*.md")).toEqual(["app/main.py"]);
        // BuildKit then receives nothing of app, and does not find the folder.
        expect(() => instruction(tree(files), "app/*.md")).toThrow(
            '"app/*.md", which BuildKit looks for in a folder that it does not receive',
        );
    });
});

describe("--exclude and --parents", () => {
    const collectOne = (source: { pattern: string; exclude?: string[]; include?: string }) =>
        collectInputs(openCheckout(tree(files)), [{ line: 2, instruction: "COPY", ...source }], {
            dockerfile: "D",
        }).map((file) => file.path);

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

    test("nothing left is an empty folder, or told where --parents needs something", () => {
        expect(collectOne({ pattern: "app", exclude: ["*"] })).toEqual(["app"]);
        expect(() => collectOne({ pattern: "", include: "app", exclude: ["**"] })).toThrow(
            '"app", which --exclude removes',
        );
    });
});

describe("folders", () => {
    test("one that is empty, or whose files are all ignored, is an input; one that something lies in is none of its own", () => {
        const root = tree({ "logs/.gitkeep": "", "app/a": "a", ".dockerignore": "logs/*\n.dockerignore" });
        mkdirSync(path.join(root, "empty"));
        const logs = { path: "logs", hash: "", executable: false, folder: true };
        expect(collect(root, "logs")).toEqual([logs]);
        expect(collect(root, ".").filter(({ folder }) => folder)).toEqual([{ ...logs, path: "empty" }, logs]);
        expect(paths(root, ".")).toEqual(["app/a", "empty", "logs"]);
    });

    test("one that is ignored itself is none, and its own ignored folders are none", () => {
        const root = tree({ "a/b/c": "", "d/e/f": "", "g/h": "", ".dockerignore": "a\nd/e\n.dockerignore" });
        expect(paths(root, ".")).toEqual(["d", "g/h"]);
        expect(() => paths(root, "a")).toThrow('"a", which .dockerignore excludes');
    });

    test("where a wildcard is looked for in one, it has to be there", () => {
        const root = tree({ "app/a": "a" });
        const sources = [
            { pattern: "app", exclude: ["*"], line: 2, instruction: "COPY" },
            { pattern: "app/*.md", line: 3, instruction: "COPY" },
        ];
        expect(collectInputs(openCheckout(root), sources, { dockerfile: "D" }).map((file) => file.path)).toEqual([
            "app",
        ]);
    });
});

test("a name or target of a link whose bytes are not UTF-8 is refused, unless it is ignored", () => {
    const root = tree({ "app/a.txt": "a" });
    const raw = (...bytes: number[]) =>
        Buffer.concat([Buffer.from(path.join(root, "app/caf")), Buffer.from(bytes), Buffer.from(".txt")]);
    writeFileSync(raw(0xe9), "latin1");
    writeFileSync(raw(0xc3, 0xa9), "utf8");
    expect(() => paths(root, "app")).toThrow(
        /COPY reads app\/caf\\xE9\.txt in "app": Pulumi's docker-build can't send a name that is not UTF-8/,
    );
    writeTree(root, { ".dockerignore": "app/caf?.txt\n.dockerignore" });
    expect(paths(root, "app")).toEqual(["app/a.txt"]);
    writeTree(root, { ".dockerignore": "app/caf[^é].txt\n.dockerignore" });
    expect(paths(root, "app")).toEqual(["app/a.txt", "app/café.txt"]);
    symlinkSync(Buffer.from([0x61, 0xff]), path.join(root, "app/link"));
    expect(() => paths(root, "app")).toThrow(/COPY reads app\/link, a link to a\\xFF in "app"/);
});

describe("the whole context", () => {
    const own = {
        "a.txt": "a",
        "data/big": "x".repeat(1000),
        "data/more": "x",
        "src/one": "12",
        ".git/HEAD": "",
        "packages/x/node_modules/y/z": "",
        "packages/x/main": "",
        ".stage/base/x/context/a.txt": "a",
        ".updates/ci.json": "{}",
        "Pulumi.yaml": "",
        "Pulumi.ci.yaml": "",
        "src/Pulumi.yaml": "",
        "package.json": "{}",
    };
    const inputs = ["a.txt", "data/big", "data/more", "package.json", "packages/x/main", "src/Pulumi.yaml", "src/one"];
    const swept = [".git", ".stage", ".updates", "Pulumi.ci.yaml", "Pulumi.yaml", "packages/x/node_modules"];
    const readOne = (source: Omit<InputSource, "line" | "instruction">) => {
        const all = readContext(openCheckout(tree(own)), [{ line: 2, instruction: "COPY", ...source }], {
            dockerfile: "D",
        });
        return { inputs: all.inputs.map((file) => file.path), broadCopies: all.broadCopies };
    };

    test.each<[string, Omit<InputSource, "line" | "instruction">]>([
        ["COPY . /", { pattern: "." }],
        ["a mount of it", { pattern: "./", mount: true }],
    ])("%s is read without what no Dockerfile names, and counted", (_name, source) => {
        const found = readOne(source);
        expect(found.inputs).toEqual(inputs);
        expect(found.broadCopies).toEqual({
            instructions: ["COPY in line 2"],
            files: 7,
            bytes: 1006,
            folders: [
                { name: "data", files: 2, bytes: 1001 },
                { name: "src", files: 2, bytes: 2 },
                { name: "packages", files: 1, bytes: 0 },
            ],
            omitted: swept,
        });
    });

    test("`COPY *` sweeps up the same", () => {
        expect(readOne({ pattern: "*" })).toMatchObject({
            inputs,
            broadCopies: { instructions: [], omitted: swept },
        });
    });

    test.each<[string, Omit<InputSource, "line" | "instruction">, string[]]>([
        ["itself", { pattern: ".git" }, [".git/HEAD"]],
        ["what is in it", { pattern: ".git/HEAD", mount: true }, [".git/HEAD"]],
        ["itself with the wildcard that makes it optional", { pattern: ".gi[t]" }, [".git/HEAD"]],
        ["a stack's file among others", { pattern: "*.yaml" }, ["Pulumi.ci.yaml", "Pulumi.yaml"]],
        ["a folder that holds it", { pattern: "packages/x" }, ["packages/x/main", "packages/x/node_modules/y/z"]],
        ["it behind any folders", { pattern: "", include: "**/node_modules/y" }, ["packages/x/node_modules/y/z"]],
        ["a record of ours", { pattern: ".updates/ci.json" }, [".updates/ci.json"]],
    ])("what a Dockerfile names is read: %s", (_name, source, expected) => {
        expect(readOne(source)).toEqual({ inputs: expected, broadCopies: undefined });
    });

    test.each([".*", "?*", "**", "[.]*"])("%s names nothing", (pattern) => {
        expect(readOne({ pattern }).inputs.filter((file) => file.startsWith("."))).toEqual([]);
    });
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
        expect(paths(root, "link/[[]1]/*.txt")).toEqual(["link", "real/[1]/a.txt"]);
        expect(() => paths(root, "link/*/*.py")).toThrow(
            "which BuildKit looks for in a folder that it does not receive",
        );
        expect(() => paths(root, "gone/*.md")).toThrow("which matches no file");
    });

    test.each([
        ["../outside", "outside"],
        ["/etc/passwd", "etc/passwd"],
        ["nowhere", "nowhere"],
    ])("a link to %s is an input, and as a source it leads to %s in the context", (target, inContext) => {
        const root = tree({ "a.txt": "a" });
        symlinkSync(target, path.join(root, "link"));
        expect(collect(root, ".").find((file) => file.path === "link")?.symlink).toBe(target);
        for (const pattern of ["link", "lin*"]) {
            expect(() => paths(root, pattern)).toThrow(
                `which leads through the symbolic link link to ${target}, which is not in the build context`,
            );
        }
        writeTree(root, { [inContext]: "there" });
        expect(paths(root, "link")).toEqual([inContext, "link"].sort());
    });

    test("two sources behind one link are refused as BuildKit does, which goes behind a link once", () => {
        const root = tree({ "real/a": "a", "real/b": "b" });
        symlinkSync("real", path.join(root, "link"));
        expect(() => paths(root, "link/a", "link/b")).toThrow(
            'Dockerfile:3: COPY reads "link/b", which BuildKit does not find, because another source leads through',
        );
        expect(paths(root, "link/a", "real/b")).toEqual(["link", "real/a", "real/b"]);
    });
});

test("sources that BuildKit takes for patterns are refused, with what to write", () => {
    const root = tree({ "!a": "a", "[1]/b": "b" });
    expect(() => paths(root, "!a")).toThrow("start it with another character ([!]a matches !a)");
    expect(paths(root, "[!]a")).toEqual(["!a"]);
    // BuildKit receives no file, and a wildcard may match nothing.
    expect(paths(root, "!*")).toEqual([]);
    expect(() => paths(root, "!*", "*")).toThrow("[!]a matches !a");
    const mount = { pattern: "[1]", mount: true, line: 2, instruction: "RUN" } as const;
    expect(() => collectInputs(openCheckout(root), [mount], { dockerfile: "D" })).toThrow(
        "mount the folder that contains it",
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

test.each([
    ["too long", "a".repeat(300)],
    ["one that nothing can have", "a\0b"],
    ["too long, with wildcards", `${"*".repeat(300)}b`],
])("a name that is %s is one that is not there", (_name, pattern) => {
    const root = tree(files);
    if (pattern.includes("*")) expect(paths(root, pattern)).toEqual([]);
    else expect(() => paths(root, pattern)).toThrow(/matches no file/);
});

test("a context that is a file is refused", () => {
    const options = { dockerfile: "Dockerfile", context: "a.txt" };
    expect(() => readContext(openCheckout(tree(files)), [], options)).toThrow(
        "the build context a.txt is not a folder",
    );
});
