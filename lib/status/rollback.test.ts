import { expect, test } from "../../tests/mocha";
import type { PromotedBefore } from "../engine/releases";
import type { Manifest } from "../registry/manifest";
import type { Answer } from "./findings";
import type { Held } from "./imageStatus";
import type { ImageReleases } from "./releases";
import { type CompleteRelease, type IncompleteRelease, findFollowers, findRelease, refusal } from "./rollback";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const short = (digit: string) => digit.repeat(12);
const platforms = { "linux/amd64": digest("1"), "linux/arm64": digest("2") };
const release: PromotedBefore = { release: "r-0123456789ab", digest: digest("a"), commit: "c" };
const at = (one: string) => `ghcr.io/us/base@${one}`;
const layers = [{ digest: digest("f"), size: 1 }];
const held = (more: Partial<Held> = {}): Answer<Held> => ({
    found: { digest: digest("1"), layers, platforms: {}, ...more },
});

/** Looks a release up in a registry that has it, but for these answers. */
async function look(changes: Readonly<Record<string, Answer<Held>>>, wanted = Object.keys(platforms)) {
    const answers: Readonly<Record<string, Answer<Held>>> = {
        [at(digest("a"))]: held({ platforms }),
        [at(digest("1"))]: held({ blobs: { lost: [] } }),
        [at(digest("2"))]: held({ blobs: { lost: [] } }),
        ...changes,
    };
    const asked = (refs: readonly string[]) => new Map(refs.map((ref) => [ref, answers[ref] ?? { found: undefined }]));
    return await findRelease(
        "ghcr.io/us/base",
        release,
        wanted,
        {},
        {
            askRegistries: (refs) => Promise.resolve(asked(refs) as Map<string, Answer<Manifest>>),
            askBlobs: (found) => Promise.resolve(asked([...found.keys()])),
        },
    );
}

test("a release that is complete has the digests of the platforms that the stack builds, and no others", async () => {
    expect(await look({})).toEqual({ ...release, platforms });
    expect(await look({ [at(digest("2"))]: { found: undefined } }, ["linux/amd64"])).toEqual({
        ...release,
        platforms: { "linux/amd64": digest("1") },
    });
});

test.each<[string, Readonly<Record<string, Answer<Held>>>, RegExp, boolean?]>([
    ["is gone", { [at(digest("a"))]: { found: undefined } }, /no longer has it/],
    [
        "lacks a platform",
        { [at(digest("a"))]: held({ platforms: { "linux/amd64": digest("1") } }) },
        /not for linux\/arm64/,
    ],
    ["lost the image of a platform", { [at(digest("2"))]: { found: undefined } }, /its image for linux\/arm64/],
    [
        "lost a layer",
        { [at(digest("2"))]: held({ blobs: { lost: [{ digest: digest("f"), remembered: false }] } }) },
        /lost parts of its image for linux\/arm64: sha256:f/,
    ],
    ["can't be asked for", { [at(digest("a"))]: { unknown: "no network" } }, /no network/, true],
    ["has layers that can't be asked for", { [at(digest("1"))]: held({ blobs: { unknown: "slow" } }) }, /slow/, true],
])("one that %s is refused", async (_name, changes, problem, unknown) => {
    const found = (await look(changes)) as IncompleteRelease;
    expect(found.problem).toMatch(problem);
    expect(found.unknown).toBe(unknown);
    const { message } = refusal("base", release.release, found, "npm run releases");
    expect(message).toContain(release.release);
    expect(message).toContain(unknown === true ? "give this machine access" : "npm run releases");
});

/** Releases of an image, the newest first: name, digest, and what it was built on. */
const releases = (
    image: string,
    parents: readonly string[],
    ...all: [digit: string, ...on: string[]][]
): ImageReleases => ({
    ...{
        image,
        parents,
        repository: `ghcr.io/us/${image}`,
        platforms: ["linux/amd64"],
        current: digest(all[0]?.[0] ?? ""),
    },
    releases: all.map(([digit, ...on]) => ({ release: `r-${short(digit)}`, digest: digest(digit), on: on.map(short) })),
});
const complete = (_image: ImageReleases, one: PromotedBefore): Promise<CompleteRelease> =>
    Promise.resolve({ release: one.release, digest: one.digest, platforms: { "linux/amd64": one.digest } });
/** base is at 2 and goes back to 1; a release has the digest of its build, which is enough here. */
const base = releases("base", [], ["2"], ["1"]);
const pinned = { image: "base", platforms: { "linux/amd64": digest("1") } };
const follow = async (
    images: readonly ImageReleases[],
    options: {
        only?: boolean;
        pins?: Parameters<typeof findFollowers>[4];
        find?: typeof complete;
        more?: readonly { image: string; parents: readonly string[] }[];
    } = {},
) => {
    const all = [base, ...images];
    const builds = Object.fromEntries(all.map(({ image, current }) => [image, [current]]));
    const { pins, stay, rebuilt } = await findFollowers(
        pinned,
        [...all, ...(options.more ?? [])],
        all,
        builds,
        options.pins ?? {},
        options.only ?? false,
        options.find ?? complete,
    );
    return {
        pins: pins.map((one) => `${one.image} ${one.release}`),
        stay,
        rebuilt: rebuilt.map(({ image, reason }) => `${image}: ${reason}`),
    };
};
const none = "the registry has no release of it that is recorded as built on that";

test("a child goes back to its newest release that was built on exactly that, and its child likewise", async () => {
    const app = releases("app", ["base"], ["4", "2"], ["3", "1"], ["5", "1"]);
    const worker = releases("worker", ["app"], ["7", "4"], ["6", "3"]);
    expect(await follow([app, worker])).toEqual({
        pins: [`app r-${short("3")}`, `worker r-${short("6")}`],
        stay: [],
        rebuilt: [],
    });
});

test("a child without such a release is built again, and so is what is built on that", async () => {
    const app = releases("app", ["base"], ["4", "2"]);
    const worker = releases("worker", ["app"], ["7", "4"]);
    expect(await follow([app, worker])).toEqual({
        ...{ pins: [], stay: [] },
        rebuilt: [`app: ${none}`, "worker: its parent app is built again"],
    });
});

test("a child with two parents needs a release that was built on both as they then are", async () => {
    const other = releases("other", [], ["9"], ["8"]);
    const on = (...digits: string[]) => releases("app", ["base", "other"], ["4", "2", "9"], ["3", ...digits]);
    expect((await follow([other, on("1", "9")])).pins).toEqual([`app r-${short("3")}`]);
    expect((await follow([other, on("1", "8")])).rebuilt).toEqual([`app: ${none}`]);
});

test("a release that the registry lost is passed over for an older one", async () => {
    const app = releases("app", ["base"], ["4", "2"], ["3", "1"], ["5", "1"]);
    const find = (image: ImageReleases, one: PromotedBefore) =>
        one.digest === digest("3") ? Promise.resolve({ problem: "gone" } as never) : complete(image, one);
    expect((await follow([app], { find })).pins).toEqual([`app r-${short("5")}`]);
});

test("with `only` no child is pinned; a child that stands on it already, and one that is pinned, stay", async () => {
    const app = releases("app", ["base"], ["4", "2"], ["3", "1"]);
    expect(await follow([app], { only: true })).toEqual({
        pins: [],
        stay: [],
        rebuilt: ["app: only the named image is pinned"],
    });
    expect(await follow([releases("app", ["base"], ["4", "1"])], { only: true })).toMatchObject({
        stay: ["app"],
        rebuilt: [],
    });
    const pins = {
        app: { release: `r-${short("4")}`, digest: digest("4"), platforms: { "linux/amd64": digest("4") } as never },
    };
    expect(await follow([app], { only: true, pins })).toMatchObject({ stay: ["app"], rebuilt: [] });
});

test("an image that is never pushed is built again; one that stands on something else is not mentioned", async () => {
    const more = [{ image: "tools", parents: ["base"] }];
    const found = await follow([releases("other", [], ["9"]), releases("app", ["other"], ["4", "9"])], { more });
    expect(found).toEqual({ pins: [], stay: [], rebuilt: ["tools: it is never pushed"] });
});
