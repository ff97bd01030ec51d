import { afterEach, beforeEach, describe } from "mocha";
import { labToken } from "../../lab/github/defaults";
import { type TestStandIn, startTestStandIn } from "../../lab/github/testing";
import { expect, test } from "../../tests/mocha";
import { findFiles, findLeftovers, removeLeftovers } from "./files";

let github: TestStandIn;
beforeEach(async () => {
    github = await startTestStandIn();
});
afterEach(async () => {
    await github.remove();
});

const files = { ".github/workflows/a.yml": "# ours\na\n" };
const target = () => ({
    ...{ owner: "acme", repository: "tool", branch: "main" },
    ...{ baseUrl: `${github.url}/`, token: labToken },
});
const listed = async () => {
    const { body } = await github.repo("GET", "contents/.github/workflows");
    return (body as { name: string }[]).map(({ name }) => name);
};

test("a repository without workflows has no leftovers", async () => {
    expect(await findLeftovers(target(), files)).toEqual([]);
});

test("workflows that begin as ours do and are generated no longer are removed, and nothing else", async () => {
    const others = {
        "old.yml": "# ours\nold\n",
        "older.yaml": "# ours\n",
        "theirs.yml": "on: push\n",
        "a.md": "# ours\n",
    };
    const pushed = Object.entries(others).map(([name, text]) => [`.github/workflows/${name}`, text] as const);
    await github.control("POST", "repositories/acme/tool/push", { files: { ...files, ...Object.fromEntries(pushed) } });
    expect(await removeLeftovers(target(), files, { quiet: true })).toEqual([
        ".github/workflows/old.yml",
        ".github/workflows/older.yaml",
    ]);
    expect(await listed()).toEqual(["a.md", "a.yml", "theirs.yml"]);
    const commits = (await github.repo("GET", "commits")).body as { commit: { message: string } }[];
    expect(commits[0]?.commit.message).toBe(
        "Remove .github/workflows/older.yaml [skip ci]\n\nGenerated-by: layered-images",
    );
    expect(await removeLeftovers(target(), files, { quiet: true })).toEqual([]);
});

describe("a file in the place of one of ours that does not begin as ours do is", () => {
    const [file = "", text = ""] = Object.entries(files)[0] ?? [];
    const push = (content: string, message = "Change from outside") =>
        github.control("POST", "repositories/acme/tool/push", { message, files: { [file]: content } });
    const found = async () => (await findFiles(target(), files)).get(file);

    test("ours where people committed what we generate, and somebody pasted another over it, even twice", async () => {
        await push(text);
        await push("on: push\n");
        await push("on: pull_request\n");
        expect(await found()).toEqual({ text: "on: pull_request\n", ours: true });
    });

    test("ours where a commit of ours made it", async () => {
        await push("# an older header\n", "Update it\n\nGenerated-by: layered-images");
        await push("on: push\n");
        expect(await found()).toMatchObject({ ours: true });
    });

    test("somebody else's where it never was", async () => {
        await push("on: pull_request\n");
        await push("on: push\n");
        expect(await found()).toEqual({ text: "on: push\n", ours: false });
    });
});
