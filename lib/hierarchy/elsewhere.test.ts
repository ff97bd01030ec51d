import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { type StackBuilds, behindError, findElsewhere } from "./elsewhere";
import { checkPlatformStacks, platformsHere } from "./platformStacks";
import { type PreparedImage, buildTagOf } from "./prepare";

const arm64 = "linux/arm64";
const digest = (digit: string) => `sha256:${digit.repeat(64)}`;

/** An image of which another stack builds arm64, as far as the comparison looks at it. */
const image = (key: string, more: Partial<PreparedImage> = {}) =>
    ({
        key,
        platforms: ["linux/amd64", arm64],
        elsewhere: { [arm64]: "arm" },
        repository: `r.io/${key}`,
        parents: [],
        roots: [{ expanded: "debian:13", pin: `r.io/debian@${digest("d")}`, from: [] }],
        inputHash: `hash of ${key}`,
        ...more,
    }) as unknown as PreparedImage;
const on = (key: string, platform = arm64) => ({
    parents: [{ key, expanded: key, base: true, platforms: { [arm64]: platform } }] as PreparedImage["parents"],
    roots: [],
});

const base = image("base");
const app = image("app", on("base"));
const baseRef = `r.io/base@${digest("1")}`;
const built: StackBuilds = {
    base: { [arm64]: { ref: baseRef, tag: buildTagOf(base, arm64, []) } },
    app: { [arm64]: { ref: `r.io/app@${digest("2")}`, tag: buildTagOf(app, arm64, [baseRef]) } },
};
const reasons = (images: readonly PreparedImage[], builds: StackBuilds | undefined) =>
    findElsewhere(images, new Map([["arm", builds]])).behind.map(({ image, reason }) => [image, reason]);

describe("what another stack built", () => {
    test("counts where it has the tag that it would get here", () => {
        const { builds, behind } = findElsewhere([base, app], new Map([["arm", built]]));
        expect(behind).toEqual([]);
        expect(builds).toEqual({
            base: { [arm64]: { ...built.base?.[arm64], from: "arm" } },
            app: { [arm64]: { ...built.app?.[arm64], from: "arm" } },
        });
    });

    test("is behind with everything below, for other inputs, roots, repositories and tests, and where there is none", () => {
        const root = { expanded: "debian:13", pin: `r.io/debian@${digest("e")}`, from: [] };
        const below = ["app", "its parent is behind"];
        expect(reasons([image("base", { inputHash: "new" }), app], built)).toEqual([
            [
                "base",
                expect.stringMatching(/^built from other inputs \(b-[0-9a-f]{12}-arm64, not b-[0-9a-f]{12}-arm64\)$/),
            ],
            below,
        ]);
        expect(reasons([image("base", { roots: [root] }), app], built).map(([key]) => key)).toEqual(["base", "app"]);
        expect(reasons([image("base", { repository: "other.io/base" }), app], built)).toEqual([
            ["base", "pushed to r.io/base, not to other.io/base"],
            below,
        ]);
        const tests = { inputHash: "tested" } as PreparedImage["tests"];
        expect(reasons([image("base", { ...(tests && { tests }) }), app], built)).toEqual([
            ["base", "tested by other smoke tests"],
            below,
        ]);
        expect(reasons([base], {})).toEqual([["base", "not built yet"]]);
        expect(reasons([base], undefined)).toEqual([["base", "the stack has built nothing yet"]]);
    });

    test("of a pinned image is the release, and what stands on it has to be built on that", () => {
        const pin = { release: "r-000000000000", digest: digest("8"), platforms: { [arm64]: digest("9") } };
        const { builds, behind } = findElsewhere([image("base", { pin }), app], new Map([["arm", built]]));
        expect(builds).toEqual({
            base: { [arm64]: { ref: `r.io/base@${digest("9")}`, tag: "r-000000000000", from: "arm" } },
        });
        expect(behind.map(({ image }) => image)).toEqual(["app"]);
    });

    test("is refused for an image that stands on a platform which that stack does not build", () => {
        const crossing = image("app", on("base", "linux/amd64"));
        expect(() => findElsewhere([base, crossing], new Map([["arm", built]]))).toThrow(
            /image app for linux\/arm64 is built by stack arm, but stands on image base for linux\/amd64/,
        );
    });
});

test("the error of a stack that is behind names stack, platform, images and the command", () => {
    const { message } = behindError(findElsewhere([base], new Map()).behind);
    expect(message).toMatch(
        /stack arm, which builds linux\/arm64, is behind this checkout:\n +image base for linux\/arm64: /,
    );
    expect(message).toContain("up -- --stack arm");
});

test("platforms of other stacks are not built here, and have to be those of images", () => {
    expect(platformsHere(base)).toEqual(["linux/amd64"]);
    const images = { base: { description: "", dockerfile: "Dockerfile", platforms: ["linux/amd64"] as const } };
    expect(() => {
        checkPlatformStacks({ images }, { [arm64]: "arm" });
    }).toThrow(/it names linux\/arm64.*\n.*allowed: linux\/amd64/s);
});
