import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { openCheckout } from "../context/checkout";
import { tree } from "../../tests/tree";
import { workflowImages } from "../../workflows/images";
import { type Platform, hostPlatform, isPlatform, normalPlatform } from "../platform";
import type { ImageDefinition } from "./definition";
import { readHierarchy } from "./prepare";
import type { HierarchySettings } from "./settings";

const here = hostPlatform();
const there: Platform = here === "linux/amd64" ? "linux/arm64" : "linux/amd64";
const both = [here, there];

type Image = readonly [dockerfile: string, platforms: ImageDefinition["platforms"]];

const definition = (key: string, platforms: Image[1]): ImageDefinition => ({
    description: key,
    // In these tests, images for "host" are not pushed.
    ...(platforms !== "host" && { name: `ghcr.io/us/${key}` }),
    dockerfile: key,
    platforms,
});
const repository = (images: Readonly<Record<string, Image>>) =>
    [
        openCheckout(tree(Object.fromEntries(Object.entries(images).map(([key, [text]]) => [key, text])))),
        {
            images: Object.fromEntries(
                Object.entries(images).map(([key, [, platforms]]) => [key, definition(key, platforms)]),
            ),
        },
    ] as const;

/** The platforms of each image's parents, by target platform. */
function placed(images: Readonly<Record<string, Image>>, platforms: HierarchySettings["platforms"] = "all") {
    const prepared = readHierarchy(...repository(images), { platforms, roots: {}, buildArgs: {} }).images;
    return Object.fromEntries(
        prepared.map((one) => [
            one.key,
            Object.fromEntries(
                one.platforms.map((platform) => [platform, one.parents.map((parent) => parent.platforms[platform])]),
            ),
        ]),
    );
}

describe("an image for whatever machine builds it", () => {
    const images = { base: ["FROM x", both], tools: ["FROM ghcr.io/us/base", "host"] } as const;

    test("is built for this one", () => {
        expect(placed(images).tools).toEqual({ [here]: [here] });
        expect(placed(images, [here])).toEqual({ base: { [here]: [] }, tools: { [here]: [here] } });
    });

    test("is left out where the stack's platforms leave this one out", () => {
        expect(placed(images, [there])).toEqual({ base: { [there]: [] } });
    });

    test("is left out where its parent is not built for this one, and still known to the workflows", () => {
        const elsewhere = { ...images, base: ["FROM x", [there]] } as const;
        expect(placed(elsewhere)).toEqual({ base: { [there]: [] } });
        expect(workflowImages(...repository(elsewhere)).map(({ key }) => key)).toEqual(["base", "tools"]);
    });
});

describe("a build stands on its parent for", () => {
    const child = (from: string, parent: readonly Platform[] = both, more = "") =>
        placed({ base: ["FROM x", parent], child: [`FROM ${from} AS b\n${more}FROM scratch\nCOPY --from=b / /`, both] })
            .child;

    test("its own platform", () => {
        expect(child("ghcr.io/us/base")).toEqual({ [here]: [here], [there]: [there] });
        expect(child("--platform=$TARGETPLATFORM ghcr.io/us/base")).toEqual({ [here]: [here], [there]: [there] });
    });

    test("the platform that FROM names, which may be the only one that the parent has", () => {
        const expected = { [here]: [there], [there]: [there] };
        expect(child(`--platform=${there} ghcr.io/us/base`)).toEqual(expected);
        expect(child(`--platform=${there} ghcr.io/us/base`, [there])).toEqual(expected);
    });

    test("the builder's platform where FROM asks for it", () => {
        expect(child("--platform=$BUILDPLATFORM ghcr.io/us/base")).toEqual({ [here]: [here], [there]: [here] });
        expect(child("--platform=linux/${BUILDARCH} ghcr.io/us/base")).toEqual({ [here]: [here], [there]: [here] });
    });

    test("its own platform where the builder's can't be had: the parent has none, or is read for both", () => {
        const own = { [there]: [there] };
        const lonely = ["FROM --platform=$BUILDPLATFORM ghcr.io/us/base", [there]] as const;
        expect(placed({ base: ["FROM x", [there]], child: lonely }).child).toEqual(own);
        expect(placed({ base: ["FROM x", both], child: lonely }, [there]).child).toEqual(own);
        const twice = child("--platform=$BUILDPLATFORM ghcr.io/us/base", both, "COPY --from=ghcr.io/us/base / /\n");
        expect(twice).toEqual({ [here]: [here], [there]: [there] });
    });

    test("nothing, and is left out, where the stack does not build what FROM names", () => {
        const images = {
            base: ["FROM x", both],
            child: [`FROM --platform=${there} ghcr.io/us/base`, both],
        } as const;
        expect(placed(images, [here])).toEqual({ base: { [here]: [] } });
    });

    test("each that it names there, and not those of other platforms", () => {
        const arch = (platform: Platform) => platform.slice("linux/".length);
        const images = {
            [`b-${arch(here)}`]: ["FROM x", [here]],
            [`b-${arch(there)}`]: ["FROM x", [there]],
            child: ["FROM ghcr.io/us/b-$TARGETARCH", both],
        } as const;
        expect(placed(images, [here])).toEqual({ [`b-${arch(here)}`]: { [here]: [] }, child: { [here]: [here] } });
    });
});

test.each([
    ["amd64", "linux/amd64"],
    ["x86_64", "linux/amd64"],
    ["Linux/AArch64", "linux/arm64"],
    ["linux/arm64/v8", "linux/arm64"],
    ["linux/arm", "linux/arm/v7"],
    ["linux/arm/v6", "linux/arm/v6"],
    ["windows/amd64", "windows/amd64"],
    ["linux/armhf", "linux/arm/v7"],
    ["i386", "linux/386"],
])("%s is %s to BuildKit", (written, normal) => {
    expect(normalPlatform(written)).toBe(normal);
});

test.each([
    ["linux/amd64", true],
    ["linux/arm/v7", true],
    ["linux/riscv64", true],
    ["linux/amd46", false],
    ["linux/amd64/v9", false],
    ["linux/arm64/v8/x", false],
    ["linux/constructor", false],
    ["linux/", false],
    ["amd64", false],
    ["windows/amd64", false],
])("%s as images.ts writes platforms: %s", (text, is) => {
    expect(isPlatform(text)).toBe(is);
});
