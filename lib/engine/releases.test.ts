import { execFileSync } from "node:child_process";
import { expect, test } from "../../tests/mocha";
import { tree } from "../../tests/tree";
import { keptReleases, momentOfPromotion, readReleases, releaseName, withPromoted } from "./releases";

const one = (digest: string, more: object = {}) => ({ release: `r-${digest}`, digest, ...more });
const when = () => ({ date: "2026-11-27T00:00:00.000Z", commit: "c" });
const never = () => {
    throw new Error("nothing moved");
};

test("a release that is promoted comes first, with its date and commit", () => {
    expect(withPromoted([one("a")], "a", one("b", { on: ["x"] }), when)).toEqual([
        one("b", { on: ["x"], ...when() }),
        one("a"),
    ]);
});

test("one that stays promoted changes nothing, and its date is not asked for", () => {
    const before = [one("b", when()), one("a")];
    expect(withPromoted(before, "b", one("b"), never)).toBe(before);
});

test("one that was promoted before releases were recorded has no date", () => {
    expect(withPromoted([], "a", one("a"), never)).toEqual([one("a")]);
});

test("one that is promoted again comes first again, once, with its new date", () => {
    const again = withPromoted([one("b"), one("a", { date: "2020" })], "b", one("a"), when);
    expect(again).toEqual([one("a", when()), one("b")]);
});

test("the state keeps a limited number, the newest", () => {
    const many = Array.from({ length: keptReleases }, (_, index) => one(`d${index.toString()}`));
    const after = withPromoted(many, "d0", one("new"), when);
    expect(after).toHaveLength(keptReleases);
    expect([after[0]?.digest, after.at(-1)?.digest]).toEqual(["new", `d${(keptReleases - 2).toString()}`]);
});

test.each<[string, unknown]>([
    ["no releases", {}],
    ["a text", { releases: "r-1" }],
    ["something else in the list", { releases: [{ tag: 1 }] }],
])("outputs with %s are no releases", (_name, outputs) => {
    expect(readReleases(outputs as Record<string, unknown>)).toEqual([]);
});

test("the name of a release depends on its builds and their order", () => {
    expect(releaseName(["a", "b"])).toMatch(/^r-[0-9a-f]{12}$/);
    expect(releaseName(["a", "b"])).not.toBe(releaseName(["b", "a"]));
});

test("a promotion has the time and, where there is one, the checkout's commit", () => {
    const root = tree({ a: "1" });
    expect(Object.keys(momentOfPromotion(root))).toEqual(["date"]);
    const git = (...args: string[]) =>
        execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@example.org", ...args], {
            cwd: root,
            encoding: "utf8",
        });
    git("init", "--quiet");
    git("commit", "--quiet", "--allow-empty", "--message", "one");
    expect(momentOfPromotion(root).commit).toBe(git("rev-parse", "HEAD").trim());
});
