import { expect, test } from "../../tests/mocha";
import type { Platform } from "../platform";
import { type ReleasePin, checkPins, checkPlatforms, checkRebuild, pinWarning, pinsSchema } from "./pins";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const pin = (...platforms: Platform[]): ReleasePin => ({
    release: "r-0123456789ab",
    digest: digest("a"),
    platforms: Object.fromEntries(platforms.map((platform) => [platform, digest("b")])),
});
const image = (name?: string) => ({
    ...{ description: "", dockerfile: "Dockerfile", platforms: ["linux/amd64", "linux/arm64"] as const },
    ...(name !== undefined && { name }),
});
const definitions = {
    images: {
        base: image("ghcr.io/us/base:latest"),
        "app-1": image("ghcr.io/us/app:1"),
        "app-2": image("ghcr.io/us/app:2"),
        tools: image(),
    },
    matrices: { app: { images: ["app-1", "app-2"], variables: [], inTemplates: [] } },
};

test.each<[string, unknown, RegExp]>([
    ["the tag of a release", { ...pin("linux/amd64"), release: "latest" }, /not the tag of a release: r-<12 hex>/],
    ["a whole digest", { ...pin("linux/amd64"), digest: "sha256:abc" }, /not sha256:<64 hex>/],
    ["a digest for each platform", { ...pin(), platforms: { "linux/amd64": "abc" } }, /not sha256:<64 hex>/],
    ["a platform", pin(), /it has no platform/],
    ["nothing more", { ...pin("linux/amd64"), digests: {} }, /[Uu]nrecognized key/],
])("a pin needs %s", (_name, value, message) => {
    expect(
        pinsSchema
            .safeParse({ base: value })
            .error?.issues.map((issue) => issue.message)
            .join(),
    ).toMatch(message);
    expect(pinsSchema.safeParse({ base: pin("linux/amd64") }).success).toBe(true);
});

test.each<[string, Readonly<Record<string, ReleasePin>>, string]>([
    ["an unknown image", { nope: pin("linux/amd64") }, 'there is no image "nope"\n  allowed: base, app-1, app-2'],
    [
        "an entry that stands for several images",
        { app: pin("linux/amd64") },
        "has releases of its own\n  allowed: app-1, app-2",
    ],
    [
        "an image that is never pushed",
        { tools: pin("linux/amd64") },
        "tools is never pushed, so it has no releases\n  allowed: base, app-1, app-2",
    ],
    [
        "another platform",
        { base: pin("linux/s390x") },
        "base is not for platform linux/s390x\n  allowed: linux/amd64, linux/arm64",
    ],
])("a pin of %s is refused, with what is allowed and how to remove it", (_name, pins, message) => {
    expect(() => {
        checkPins(definitions, pins);
    }).toThrow(message);
    expect(() => {
        checkPins(definitions, pins);
    }).toThrow(`pulumi config rm --path 'pins.${Object.keys(pins)[0] ?? ""}'`);
});

test("pins of published images and of those of a matrix are taken", () => {
    expect(() => {
        checkPins(definitions, { base: pin("linux/amd64"), "app-2": pin("linux/amd64", "linux/arm64") });
    }).not.toThrow();
});

test("a pin has every platform that the stack builds", () => {
    expect(() => {
        checkPlatforms("base", pin("linux/amd64"), ["linux/amd64"]);
    }).not.toThrow();
    expect(() => {
        checkPlatforms("base", pin("linux/amd64"), ["linux/amd64", "linux/arm64"]);
    }).toThrow("without a digest for linux/arm64, which the stack builds");
});

test("the warning names the release and the way back, and says whether the image changed", () => {
    expect(pinWarning("base", pin("linux/amd64"), false, ["--stack", "ci"])).toMatch(
        /pinned to r-0123456789ab.*unpin.* base --stack ci$/,
    );
    expect(pinWarning("base", pin("linux/amd64"), false, [])).not.toContain("changed since");
    expect(pinWarning("base", pin("linux/amd64"), true, [])).toContain("Its inputs changed since");
});

const pins = { base: pin("linux/amd64"), "app-1": pin("linux/amd64") };

test.each<[string, string[], string[], RegExp]>([
    [
        "named",
        ["base", "tools"],
        ["base", "tools"],
        /^up --rebuild: image base is pinned to r-0123456789ab: .*not built\n +next: .*unpin -- base --stack ci$/,
    ],
    ["named with others", ["all", "base"], ["base", "app-1", "tools"], /image base is pinned[^,]*\n/],
    ["all that a name stands for", ["app"], ["app-1"], /image app-1 is pinned[^]*unpin -- app-1 --stack ci$/],
    [
        "several",
        ["base", "app-1"],
        ["base", "app-1"],
        /image base is pinned to .*, image app-1 is pinned to [^]*unpin -- base app-1 --stack ci$/,
    ],
])("a pinned image that is %s can't be built again", (_how, names, keys, message) => {
    expect(() => checkRebuild({ names, keys }, pins, () => ["--stack", "ci"])).toThrow(message);
});

test("a pinned image among those that a name stands for is left out with a warning; others are not mentioned", () => {
    const warnings = checkRebuild({ names: ["app"], keys: ["app-1", "app-2"] }, pins, () => []);
    expect(warnings).toEqual([
        expect.stringMatching(/^image app-1 is pinned to r-0123456789ab: it is not built again\. .*unpin -- app-1$/),
    ]);
    expect(checkRebuild({ names: ["tools"], keys: ["tools"] }, pins, () => [])).toEqual([]);
});
