import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before } from "mocha";
import { readState } from "../../lab/github/store";
import { type TestStandIn, startTestStandIn } from "../../lab/github/testing";
import { expect, spyOn, test } from "../../tests/mocha";
import { temporaryFolder, tree } from "../../tests/tree";
import { type Announcements, type UntoldPlace, keepUntold, readUntold, tell } from "./announcements";

let github: TestStandIn;
before(async () => {
    github = await startTestStandIn();
});
after(async () => {
    await github.remove();
});

const release = (image: string) => ({
    ...{ image, ref: `ghcr.io/acme/${image}@sha256:${"1".repeat(64)}`, release: "r-111111111111" },
});
const news: Announcements = {
    dispatches: [release("bot"), release("web")],
    records: [
        { ...release("bot"), environment: "host", state: "success", description: "it runs" },
        { ...release("web"), environment: "web" },
    ],
};
const nothing: Announcements = { dispatches: [], records: [] };
const placeIn = (root: string): UntoldPlace => ({ stack: "organization/acme/ci", env: {}, root });
const fileIn = (root: string) => path.join(root, ".updates", "ci.untold.json");
/** What the stand-in was told since the last call. */
const toldSoFar = (() => {
    let [events, records] = [0, 0];
    return () => {
        const { dispatches = [], deployments = [] } = readState(github.file).repositories["acme/tool"] ?? {};
        const images = dispatches.slice(events).map(({ payload }) => (payload as { image: string }).image);
        const environments = deployments.slice(records).map(({ environment }) => environment);
        [events, records] = [dispatches.length, deployments.length];
        return { images, environments };
    };
})();

test("what a token that expired could not tell is kept, told with the next token, and then forgotten", async () => {
    const root = temporaryFolder();
    const place = placeIn(root);
    const refused = await tell({ ...github.target, token: "expired" }, news);
    expect(refused.isTokenRefused).toBe(true);
    expect(refused.left).toHaveLength(4);
    for (const line of refused.left)
        expect(line).toMatch(/it expired or was revoked; make another .*; the next `up` tries again/);
    expect(toldSoFar()).toEqual({ images: [], environments: [] });

    keepUntold(place, refused.untold);
    expect(readUntold(place)).toEqual(news);
    expect(readFileSync(fileIn(root), "utf8")).not.toContain(github.target.token);
    const told = await tell(github.target, readUntold(place));
    expect(told).toEqual({ untold: nothing, left: [], isTokenRefused: false });
    expect(toldSoFar()).toEqual({ images: ["bot", "web"], environments: ["host", "web"] });

    keepUntold(place, told.untold);
    expect([existsSync(fileIn(root)), readUntold(place)]).toEqual([false, nothing]);
});

test("of several only those stay that GitHub refuses, each time with their next step", async () => {
    const lost = { ...release("web"), environment: "web", commit: "0".repeat(40) };
    const first = await tell(github.target, { ...news, records: [...news.records.slice(0, 1), lost] });
    expect(toldSoFar()).toEqual({ images: ["bot", "web"], environments: ["host"] });
    const again = await tell(github.target, first.untold);
    expect(again).toEqual(first);
    expect(again).toEqual({
        untold: { dispatches: [], records: [lost] },
        left: [expect.stringMatching(/^GitHub: deployment record for web: .*422: .*; mend what GitHub names/)],
        isTokenRefused: false,
    });
    expect(toldSoFar()).toEqual({ images: [], environments: [] });
});

test("without a token all of it stays, which is said once", async () => {
    const { owner, repository, branch, baseUrl } = github.target;
    for (const target of [undefined, { owner, repository, branch, baseUrl }]) {
        const result = await tell(target, news);
        expect(result).toEqual({
            untold: news,
            left: [expect.stringMatching(/^GitHub: nothing was told of bot, web: GITHUB_TOKEN is not set; the next/)],
            isTokenRefused: false,
        });
    }
});

test("a stack that tells nothing writes no file", () => {
    const root = temporaryFolder();
    keepUntold(placeIn(root), nothing);
    expect(existsSync(path.join(root, ".updates"))).toBe(false);
});

test("a file that can't be written is a warning", () => {
    const said = spyOn(console, "error").mockReturnValue();
    const root = tree({ ".updates": "a file" });
    keepUntold(placeIn(root), news);
    expect(said.mock.calls.flat().join()).toMatch(/^warning: what GitHub was not told could not be kept .*: E/);
});
