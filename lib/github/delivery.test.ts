import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { type FoundFile, type PullRequest, byPullRequest, foreignFiles, freshHead, pathsThere } from "./delivery";

const files = { "a.yml": "# ours\nnew\n", "b.yml": "# ours\nb\n" };
const found = (texts: Readonly<Record<string, string>>, ours = true) =>
    new Map<string, FoundFile>(Object.entries(texts).map(([path, text]) => [path, { text, ours }]));

test("files that were never ours are refused, with every one of them and the way out", () => {
    const foreign = found({ "a.yml": "on: push\n", "b.yml": "name: B\n" }, false);
    const refused = foreignFiles(new Map([...foreign, ...found({ "c.yml": "# ours\n" })]), "us/bot, branch main");
    expect(refused?.message).toMatch(
        /us\/bot, branch main: .*a\.yml \(begins with "on: push"\), b\.yml \(begins with "name: B"\)\n[\s\S]*github\.adopt true/,
    );
    expect(refused?.stops).toBe("files");
    expect(foreignFiles(found({ "c.yml": "# ours\n" }), "us/bot, branch main")).toBeUndefined();
});

test("a file is there when the branch has just its text", () => {
    expect(pathsThere(files, found({ "a.yml": "# ours\nold\n", "b.yml": files["b.yml"], "c.yml": "" }))).toEqual([
        "b.yml",
    ]);
});

describe("by pull request", () => {
    const old = found({ "a.yml": "# ours\nold\n", "b.yml": files["b.yml"] });
    const head = freshHead(files, old);
    const pull = (changes: Partial<PullRequest>): PullRequest => ({
        number: 7,
        head,
        open: false,
        merged: false,
        ...changes,
    });

    test("a change is proposed from a branch that is the same for the same change only", () => {
        expect(byPullRequest(files, old, [])).toEqual({ by: "pull-request", head, removes: [] });
        expect(head).toMatch(/^layered-images\/workflows-[0-9a-f]{12}$/);
        expect(freshHead({ ...files, "a.yml": "# ours\nnewer\n" }, old)).not.toBe(head);
        expect(freshHead(files, found({}))).not.toBe(head);
    });

    test("an open pull request of ours is kept up to date, whatever it began with", () => {
        const open = pull({ head: "layered-images/workflows-0123456789ab", open: true });
        expect(byPullRequest(files, old, [pull({}), open])).toEqual({
            by: "pull-request",
            head: open.head,
            removes: [],
            number: 7,
        });
    });

    test("nothing is left to do when the branch has all files", () => {
        expect(byPullRequest(files, found(files), [])).toEqual({ by: "nothing" });
    });

    test("an open pull request is kept up to date also then: what it had is old, and must not be merged", () => {
        const idle = { by: "pull-request", head, removes: [], number: 7, idle: true };
        expect(byPullRequest(files, found(files), [pull({ open: true })])).toEqual(idle);
    });

    test("what is on the branch and generated no longer is proposed for removal", () => {
        const leftover = found({ ...files, "old.yml": "# ours\nold\n" });
        const fresh = freshHead(files, leftover);
        expect(byPullRequest(files, leftover, [])).toEqual({ by: "pull-request", head: fresh, removes: ["old.yml"] });
        expect(fresh).not.toBe(freshHead(files, found(files)));
        expect(byPullRequest(files, leftover, [pull({ head: fresh })])).toEqual({ by: "nothing", declined: 7 });
    });

    test("what was closed without merging is not proposed again", () => {
        expect(byPullRequest(files, old, [pull({})])).toEqual({ by: "nothing", declined: 7 });
    });

    test("what was merged and came back on the branch as it was is proposed again, each time from another branch", () => {
        const merged = pull({ merged: true });
        const second = freshHead(files, old, [merged]);
        expect(second).not.toBe(head);
        expect(byPullRequest(files, old, [merged])).toEqual({ by: "pull-request", head: second, removes: [] });
        const closed = pull({ number: 8, head: second });
        expect(byPullRequest(files, old, [merged, closed])).toEqual({ by: "nothing", declined: 8 });
        const again = freshHead(files, old, [merged, pull({ number: 9, head: second, merged: true })]);
        expect([head, second]).not.toContain(again);
    });
});
