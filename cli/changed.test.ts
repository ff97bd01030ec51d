import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe } from "mocha";
import { run } from "../lib/system/process";
import { inventedFiles } from "../tests/github/invented";
import { expect, stubEnv, test } from "../tests/mocha";
import { tree, writeTree } from "../tests/tree";
import { runChanged } from "./changed";

const image = (key: string, more = "") =>
    `${key}: { description: "it", name: "registry.example/orchard/${key}:stable", dockerfile: "images/${key}.Dockerfile", platforms: ["linux/amd64"]${more} },`;
const imagesFile = (...entries: string[]) => `export const images = { ${entries.join("\n")} };\n`;
const entries = [image("soil"), image("greenhouse"), image("shop")];

/** A repository with one commit. */
async function orchard(): Promise<string> {
    const root = tree({ ...inventedFiles, "images.ts": imagesFile(...entries), "test.sh": "true\n" });
    await run("git", ["init", "--quiet"], { cwd: root });
    await commit(root);
    return root;
}

async function commit(root: string): Promise<void> {
    await run("git", ["add", "--all"], { cwd: root });
    const who = ["-c", "user.name=a", "-c", "user.email=a@b.test"];
    await run("git", [...who, "commit", "--quiet", "--allow-empty", "--message", "more"], { cwd: root });
}

/** Commits files over the first commit, and compares with it. */
async function changedBy(files: Readonly<Record<string, string>>, root?: string): Promise<string[]> {
    const changed = root ?? (await orchard());
    writeTree(changed, files);
    await commit(changed);
    return runChanged(changed, "HEAD^1");
}

const below = "stands on one of them, and is built if the digest of its parent changes";

describe("the images that change are", () => {
    test.each<[string, Readonly<Record<string, string>>, readonly string[]]>([
        ["none, if no image reads a file", { "README.md": "apples" }, ["no image changes, so nothing would be built"]],
        [
            "none, after a comment in a Dockerfile",
            { "images/shop.Dockerfile": `# Sells.\n${inventedFiles["images/shop.Dockerfile"] ?? ""}` },
            ["no image changes, so nothing would be built"],
        ],
        ["the one that reads a file", { "glass.txt": "thick" }, ["greenhouse changes"]],
        [
            "a parent with all that stands on it",
            { "soil/clay.txt": "" },
            ["soil changes", `greenhouse ${below}`, `shop ${below}`],
        ],
        [
            "a new one",
            {
                "images.ts": imagesFile(...entries, image("barn")),
                "images/barn.Dockerfile": "FROM debian:13\nCOPY glass.txt /\n",
            },
            ["barn is new"],
        ],
        [
            "one with another smoke test",
            { "images.ts": imagesFile(image("soil"), image("greenhouse", ', smokeTest: "test.sh"'), image("shop")) },
            ["greenhouse changes"],
        ],
    ])("%s", async (_what, files, expected) => {
        expect(await changedBy(files)).toEqual(expected);
    });

    test("all, if the definitions of the earlier commit can't be read", async () => {
        const root = await orchard();
        await changedBy({ "images.ts": 'throw new Error("no rain");\n' }, root).catch(() => undefined);
        expect(await changedBy({ "images.ts": imagesFile(...entries) }, root)).toEqual([
            "soil is new",
            "greenhouse is new",
            "shop is new",
        ]);
    });
});

test("the comparison tells GitHub, and leaves the checkout and its index as they are", async () => {
    const root = await orchard();
    const [output, summary] = [path.join(root, "output"), path.join(root, "summary")];
    stubEnv("GITHUB_OUTPUT", output);
    stubEnv("GITHUB_STEP_SUMMARY", summary);
    await changedBy({ "glass.txt": "thick" }, root);
    await runChanged(root, "HEAD");
    expect(readFileSync(output, "utf8")).toBe("changed=true\nchanged=false\n");
    expect(readFileSync(summary, "utf8")).toContain("- greenhouse changes\n");
    expect(existsSync(path.join(root, "files"))).toBe(false);
    expect((await run("git", ["status", "--porcelain"], { cwd: root })).trim().split("\n").sort()).toEqual([
        "?? output",
        "?? summary",
    ]);
});

test("an unknown commit is one error that says what is missing", async () => {
    await expect(runChanged(await orchard(), "nowhere")).rejects.toThrow(
        /git has no commit nowhere here\n.*shallow clone/,
    );
});
