import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { expect, test } from "../../tests/mocha";
import { temporaryFolder, writeTree } from "../../tests/tree";
import { openCheckout } from "../context/checkout";
import { readHierarchy } from "./prepare";
import { changedFiles, describeUncommitted, parseChanges, readUncommitted, uncommittedFiles } from "./uncommitted";

const identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
const git = (root: string, ...args: string[]) => execFileSync("git", [...identity, ...args], { cwd: root });

/** Creates a committed repository in a subfolder of a working tree, and returns its root. */
function committed(): string {
    const root = path.join(temporaryFolder(), "images");
    mkdirSync(root);
    writeTree(root, {
        "images.ts": "",
        ".gitignore": "generated.txt\n",
        "docker/Dockerfile": "FROM scratch\nCOPY app /app\nCOPY requirements.txt generated.txt /\nCOPY *.md /\n",
        "app/a.py": "",
        "app/old.py": "",
        "requirements.txt": "",
        "generated.txt": "",
        "README.md": "",
        "other/file": "",
    });
    git(path.dirname(root), "init", "--quiet");
    git(root, "add", ".");
    git(root, "commit", "--quiet", "--message", "first");
    return root;
}

function image(root: string) {
    const images = {
        app: { description: "", name: "ghcr.io/us/app:1", dockerfile: "docker/Dockerfile", platforms: ["linux/amd64"] },
    } as const;
    const settings = { platforms: "all", roots: {}, buildArgs: {} } as const;
    const [prepared] = readHierarchy(openCheckout(root), { images }, settings).images;
    if (!prepared) throw new Error("no image");
    return prepared;
}

const found = async (root: string) => uncommittedFiles(image(root), await changedFiles(root)).sort();

test("of an image's files those are named that are not as the commit has them", async () => {
    const root = committed();
    expect(await found(root)).toEqual([]);

    // Files that git ignores are generated, and nothing of `other` is in the image.
    writeTree(root, { "generated.txt": "new", "other/file": "new", "../beside": "" });
    expect(await found(root)).toEqual([]);

    writeTree(root, { "app/with a blank, and ü": "new", "requirements.txt": "new", "images.ts": "// new" });
    writeTree(root, { "docker/Dockerfile.dockerignore": "x\n", ".dockerignore": "x\n" });
    rmSync(path.join(root, "app/old.py"));
    git(root, "mv", "README.md", "MORE.md");
    expect(await found(root)).toEqual([
        ".dockerignore",
        "MORE.md",
        "app/old.py",
        "app/with a blank, and ü",
        "docker/Dockerfile.dockerignore",
        "images.ts",
        "requirements.txt",
    ]);
});

test("a context of its own is not the repository's root", () => {
    const changed = ["a/Dockerfile", "a/src/x", "src/x", "a/.dockerignore", ".dockerignore"];
    const definition = { dockerfile: "a/Dockerfile", context: "a" };
    const inputs = [{ path: "src/x", hash: "", executable: false }];
    const files = changed.map((file) => ({ path: file, isDeleted: false }));
    expect(uncommittedFiles({ definition, inputs, sources: [] }, files)).toEqual([
        "a/Dockerfile",
        "a/src/x",
        "a/.dockerignore",
    ]);
});

test("outside of git nothing is said", async () => {
    expect(await changedFiles(temporaryFolder(), { ...process.env, GIT_CEILING_DIRECTORIES: "/" })).toEqual([]);
    expect(await changedFiles(temporaryFolder(), { PATH: "/nowhere" })).toEqual([]);
});

test("git's letters and its paths from the root of the working tree are read", () => {
    const output = " M images/a\0?? images/b c\0D  images/d\0 D e\0R  images/f\0";
    expect(parseChanges(output, "images/")).toEqual([
        { path: "a", isDeleted: false },
        { path: "b c", isDeleted: false },
        { path: "d", isDeleted: true },
        { path: "f", isDeleted: false },
    ]);
    expect(parseChanges("", "")).toEqual([]);
});

test("what a warning names is read from the messages of an update; of many files ten are named", () => {
    const many = Array.from({ length: 12 }, (_one, index) => `f${index.toString()}`);
    const lines = [describeUncommitted("base", ["a", "b/c d"]), "something else", describeUncommitted("ci", many)];
    expect(lines[0]).toBe("image base is built from what is not committed: a, b/c d");
    expect(readUncommitted(lines)).toEqual(
        new Map([
            ["base", ["a", "b/c d"]],
            ["ci", [...many.slice(0, 10), "2 more"]],
        ]),
    );
});
