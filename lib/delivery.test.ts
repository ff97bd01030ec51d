import { describe, expect, test } from "vitest";
import { type FoundFile, type PullRequest, byPullRequest, freshHead, replaceable, trailer } from "./delivery";

const files = { "a.yml": "# ours\nnew\n", "b.yml": "# ours\nb\n" };
const found = (texts: Readonly<Record<string, string>>, messages: readonly string[] = []) =>
    new Map<string, FoundFile>(Object.entries(texts).map(([path, text]) => [path, { text, messages }]));
const options = { adopt: false, where: "us/bot, branch main" };

describe("a file that is in the place of one of ours", () => {
    test("is replaced when it has our header", () => {
        expect(replaceable(files, found({ "a.yml": "# ours\nold\n" }), options)).toEqual(new Set(["a.yml"]));
    });

    test("is replaced when it lost our header, and a commit of ours had made it", () => {
        const edited = found({ "a.yml": "on: push\n" }, ["Edit", `Update a.yml [skip ci]\n\n${trailer}`]);
        expect(replaceable(files, edited, options)).toEqual(new Set(["a.yml"]));
    });

    test("is refused when it was never ours, with every such file and the way out", () => {
        const foreign = found({ "a.yml": "on: push\n", "b.yml": "name: B\n" }, ["Add CI"]);
        expect(() => replaceable(files, foreign, options)).toThrow(
            /us\/bot, branch main: .*a\.yml \(begins with "on: push"\), b\.yml \(begins with "name: B"\)[\s\S]*github\.adopt true/,
        );
    });

    test("is replaced all the same when it is to be adopted", () => {
        const foreign = found({ "a.yml": "on: push\n" });
        expect(replaceable(files, foreign, { ...options, adopt: true })).toEqual(new Set(["a.yml"]));
    });
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
        });
    });

    test("a pull request of somebody else is nothing to us", () => {
        expect(byPullRequest(files, old, [pull({ head: "feature", open: true })])).toEqual({
            by: "pull-request",
            head,
            removes: [],
        });
    });

    test("nothing is left to do when the branch has all files, even while a pull request is open", () => {
        expect(byPullRequest(files, found(files), [])).toEqual({ by: "nothing" });
        expect(byPullRequest(files, found(files), [pull({ open: true })])).toEqual({ by: "nothing" });
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

    test("what was merged and came back on the branch as it was is proposed again", () => {
        expect(byPullRequest(files, old, [pull({ merged: true })])).toEqual({ by: "pull-request", head, removes: [] });
    });
});
