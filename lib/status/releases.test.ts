import { expect, test } from "../../tests/mocha";
import { componentTypes, dockerTypes, githubTypes, remoteCommandType } from "../engine/resources";
import type { Resource } from "../engine/state";
import type { Manifest } from "../registry/manifest";
import type { Answer } from "./findings";
import { matching, readWanted, recordedReleases, releaseQuestions, releasesOf } from "./releases";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const all = [
    { release: "r-aabbccddeeff", digest: digest("a"), date: "2026-11-27T08:00:00.000Z" },
    { release: "r-aabb00000000", digest: digest("b"), date: "2026-11-20T08:00:00.000Z" },
    { release: "r-cc0000000000", digest: digest("c") },
];

test.each<[string, readonly string[]]>([
    ["r-aabbccddeeff", ["a"]],
    ["r-aabb", ["a", "b"]],
    ["r-dddd", []],
    ["sha256:cccccc", ["c"]],
    ["2026-11-27", ["a"]],
    ["2026-11-26", ["b"]],
    ["2026-11-27T07:59:00Z", ["b"]],
    ["2026-11-27T09:00:00+02:00", ["b"]],
    ["2020-01-01", []],
])("%s names these releases: %s", (text, digits) => {
    const wanted = readWanted(text);
    expect(wanted && matching(all, wanted).map((one) => one.digest)).toEqual(digits.map(digest));
});

test.each(["latest", "r-a", "sha256:1", "2026-13-45", "yesterday", "", "2026-11-27Tnoon"])(
    "%s names no release",
    (text) => {
        expect(readWanted(text)).toBeUndefined();
    },
);

const urn = (types: string, name: string) => `urn:pulumi:ci::images::${types}::${name}`;
const resource = (type: string, name: string, more: Partial<Resource> = {}): Resource => ({
    ...{ urn: urn(type, name), type, inputs: {}, outputs: {} },
    ...more,
});
/** The resources of a published image whose releases are these, of which the first is promoted. */
function published(
    name: string,
    parents: readonly string[],
    ...releases: { digest: string; on?: string[] }[]
): Resource[] {
    const component = resource(componentTypes.image, name, { inputs: { parents, platforms: ["linux/amd64"] } });
    const parent = urn(componentTypes.promotion, name);
    const [current] = releases;
    const index = (tag: string) => ({
        ref: `ghcr.io/us/${name}:${tag}@${current?.digest ?? ""}`,
        tag: `ghcr.io/us/${name}:${tag}`,
        sources: [],
    });
    const recorded = releases.map((one, at) => ({ release: `r-${at.toString().repeat(12)}`, ...one }));
    return [
        component,
        resource(componentTypes.promotion, name, { outputs: { releases: recorded } }),
        resource(dockerTypes.index, name, { parent, outputs: index("latest") }),
        resource(dockerTypes.index, `${name}@release`, { parent, outputs: index("r-000000000000") }),
    ];
}

test("what stands on a release: tags, children by what theirs was built on, variables and deployments", () => {
    const resources = [
        ...published("base", [], { digest: digest("a") }, { digest: digest("b") }),
        ...published("app", ["base"], { digest: digest("c"), on: ["1".repeat(12)] }),
        ...published("old", ["base"], { digest: digest("d"), on: ["2".repeat(12)] }),
        resource(githubTypes.variable, "BASE_IMAGE", {
            inputs: { variableName: "BASE_IMAGE", value: `ghcr.io/us/base@${digest("a")}` },
        }),
        resource(remoteCommandType, "bot", { inputs: { stdin: `RELEASE_REF=ghcr.io/us/base@${digest("b")}` } }),
        resource(componentTypes.deployment, "bot", {
            inputs: { image: "base", host: "h", port: 22, user: "u", hostKey: "k", command: "c", timeout: 1 },
        }),
    ];
    const images = recordedReleases({ resources });
    const base = images.find(({ image }) => image === "base");
    if (!base) throw new Error("base is published");
    const found = (digit: string): Answer<Manifest> => ({
        found: { digest: "", layers: [], platforms: { "linux/amd64": digest(digit) } },
    });
    const [current = "", before = ""] = releaseQuestions([base]);
    const answers = new Map([
        [current, found("1")],
        [before, found("2")],
    ]);
    expect(releasesOf(base, images, { resources }, digest("b"), answers)).toMatchObject([
        {
            ...{ digest: digest("a"), current: true, pinned: false, present: true },
            users: { tags: ["ghcr.io/us/base:latest"], children: ["app"], variables: ["BASE_IMAGE"], deployments: [] },
        },
        {
            ...{ digest: digest("b"), current: false, pinned: true },
            users: { tags: [], children: ["old"], variables: [], deployments: ["bot"] },
        },
    ]);
    const lost = releasesOf(base, images, { resources }, undefined, new Map([[current, { found: undefined }]]));
    expect(lost.map(({ present }) => present)).toEqual([false, undefined]);
});

test("a state that has recorded no releases has the current one", () => {
    const resources = published("base", [], { digest: digest("a") }).map((one) =>
        one.type === componentTypes.promotion ? { ...one, outputs: {} } : one,
    );
    expect(recordedReleases({ resources })[0]?.releases).toEqual([{ release: "r-000000000000", digest: digest("a") }]);
});
