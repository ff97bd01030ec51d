import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import type { Answer } from "./findings";
import {
    compareRoots,
    imageFindings,
    lostBuilds,
    lostPromotions,
    registriesToRestart,
    unansweredFindings,
} from "./images";
import { type Held, imageQuestions, imageStatus, uncommittedNotes } from "./imageStatus";
import type { DeployedImage } from "../engine/state";

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const built = (image: string, letter: string, arch = "amd64") => ({
    urn: `urn:${image}-${arch}`,
    platform: `linux/${arch}`,
    digest: digest(letter),
    repository: `ghcr.io/o/${image}`,
    built: "2026-11-01T10:00:00Z",
});
const base: DeployedImage = {
    image: "base",
    parents: [],
    otherTags: [],
    roots: {},
    builds: [built("base", "a"), built("base", "b", "arm64")],
    promotion: {
        urn: "urn:base",
        tag: "ghcr.io/o/base:latest",
        digest: digest("c"),
        sources: [digest("a"), digest("b")],
    },
};
const app: DeployedImage = {
    image: "app",
    parents: ["base"],
    otherTags: [],
    roots: {},
    builds: [built("app", "d")],
    promotion: { urn: "urn:app", tag: "ghcr.io/o/app:latest", digest: digest("8"), sources: [digest("d")] },
};

const layer = (letter: string, size: number) => ({ digest: digest(letter), size });
const held = (letter: string, layers: Held["layers"] = [], platforms: Held["platforms"] = {}): Answer<Held> => ({
    found: { digest: digest(letter), layers, platforms },
});
const inStep = {
    [`ghcr.io/o/base@${digest("a")}`]: held("a", [layer("1", 100), layer("2", 10)]),
    [`ghcr.io/o/base@${digest("b")}`]: held("b", [layer("3", 100)]),
    "ghcr.io/o/base:latest": held("c", [], { "linux/amd64": digest("a"), "linux/arm64": digest("b") }),
    [`ghcr.io/o/app@${digest("d")}`]: held("d", [layer("1", 100), layer("2", 10), layer("4", 5)]),
    "ghcr.io/o/app:latest": held("8", [], { "linux/amd64": digest("d") }),
};
const answers = (changes: Readonly<Record<string, Answer<Held>>> = {}) =>
    new Map(Object.entries({ ...inStep, ...changes }));

const lab = { stack: "local", isLab: true };

test("a copy of a release in another repository is looked at as well, and made again from what the own repository has", () => {
    const copy = [
        { urn: "urn:app-copy@release", tag: "quay.io/o/app:r-1", digest: digest("8") },
        { urn: "urn:app-copy", tag: "quay.io/o/app:latest", digest: digest("8") },
    ];
    const copied = { ...app, otherTags: copy };
    const ref = `quay.io/o/app@${digest("d")}`;
    expect(imageQuestions([copied])).toContain(ref);
    const release = held("8", [], { "linux/amd64": digest("d") });
    const tags = { "quay.io/o/app:r-1": release, "quay.io/o/app:latest": release };
    const there = held("d", [layer("1", 100)]);
    expect(imageFindings(copied, [base, copied], answers({ ...tags, [ref]: there }), lab)).toEqual([]);
    const lost = answers({ ...tags, [ref]: { found: undefined } });
    expect(lostBuilds([base, copied], lost)).toEqual(["urn:app-copy@release"]);
    expect(imageFindings(copied, [base, copied], lost, lab)).toEqual([
        {
            kind: "drift",
            about: "image app",
            text: `quay.io/o/app, linux/amd64: ${digest("d")} is not in the registry`,
            repair: { by: "replace", urn: "urn:app-copy@release" },
        },
    ]);
});

test("every build is asked for by digest, what was promoted by its tag", () => {
    expect(imageQuestions([base, app]).sort()).toEqual(Object.keys(inStep).sort());
});

test("what is as it was pushed gives no finding", () => {
    expect([base, app].flatMap((image) => imageFindings(image, [base, app], answers(), lab))).toEqual([]);
});

test("other tags are compared like that of the name, releases and other registries included", () => {
    const tag = (name: string) => ({ urn: `urn:${name}`, tag: `quay.io/o/base:${name}`, digest: digest("c") });
    const many: DeployedImage = { ...base, otherTags: [tag("r-1"), tag("3"), tag("latest")] };
    const found = answers({
        "quay.io/o/base:r-1": { found: undefined },
        "quay.io/o/base:3": held("7", [], { "linux/amd64": digest("a") }),
        "quay.io/o/base:latest": held("c"),
    });
    expect(imageQuestions([many])).toContain("quay.io/o/base:3");
    expect(imageFindings(many, [many], found, lab)).toMatchObject(
        [
            {
                kind: "drift",
                text: /^quay.io\/o\/base:r-1 is not in the registry/,
                repair: { by: "replace", urn: "urn:r-1" },
            },
            {
                kind: "drift",
                text: /^quay.io\/o\/base:3 points at .*; it lacks linux\/arm64$/,
                repair: { urn: "urn:3" },
            },
        ].map((finding) => ({ ...finding, text: expect.stringMatching(finding.text) as string })),
    );
    // A moved tag may be intended, so only the lost one is put back by a refresh.
    expect(lostPromotions([many], found)).toEqual(["urn:r-1"]);
    expect(imageStatus(many, [many], found, []).otherTags).toEqual([
        { tag: "quay.io/o/base:r-1", promoted: digest("c"), found: null },
        { tag: "quay.io/o/base:3", promoted: digest("c"), found: digest("7") },
        { tag: "quay.io/o/base:latest", promoted: digest("c"), found: digest("c") },
    ]);
});

test("a build that another stack made is asked for, shown with that stack, and said to be built again there if it is lost", () => {
    const taken = { ...built("base", "b", "arm64"), urn: "urn:layer-base", from: "ci-arm64" };
    const image: DeployedImage = { ...base, builds: [built("base", "a"), taken] };
    const ref = `ghcr.io/o/base@${digest("b")}`;
    expect(imageQuestions([image])).toContain(ref);
    expect(imageFindings(image, [image, app], answers(), lab)).toEqual([]);
    expect(imageStatus(image, [image, app], answers(), []).builds[1]).toMatchObject({
        present: true,
        from: "ci-arm64",
    });
    const lost = answers({ [ref]: { found: undefined } });
    expect(imageFindings(image, [image, app], lost, lab)).toEqual([
        {
            kind: "drift",
            about: "image base",
            text:
                `linux/arm64: ${digest("b")} is not in the registry; stack ci-arm64 built it, and its status says how it is built again. If that stack is ` +
                "gone or has gone on to other inputs, what was taken from it (buildsFrom) is built again here: npm run up -- --rebuild base",
            repair: { by: "command", command: "npm run status -- --stack 'ci-arm64'" },
        },
    ]);
    const [ofOther] = imageFindings(image, [image, app], lost, { stack: "pr-1", isLab: false });
    expect(ofOther?.text).toMatch(/ is built again here: npm run up -- --rebuild base --stack 'pr-1'$/);
    // Nothing of this stack makes it again.
    expect(lostBuilds([image, app], lost)).toEqual([]);
    const blobs = answers({
        [ref]: {
            found: {
                digest: digest("b"),
                layers: [layer("3", 100)],
                platforms: {},
                blobs: { lost: [{ digest: digest("3"), remembered: false }] },
            },
        },
    });
    expect(imageFindings(image, [image, app], blobs, lab)).toMatchObject(
        [{ text: /^linux\/arm64: of .* the registry lost layer 1 of 1/ }].map(({ text }) => ({
            text: expect.stringMatching(text) as string,
        })),
    );
});

test("the layers shared with the parent are those that both begin with", () => {
    const status = imageStatus(app, [base, app], answers(), []);
    expect(status.builds[0]).toMatchObject({ present: true, size: 115, layers: 3, sharedSize: 110, sharedLayers: 2 });
    const other = answers({ [`ghcr.io/o/app@${digest("d")}`]: held("d", [layer("9", 1), layer("2", 10)]) });
    expect(imageStatus(app, [base, app], other, []).builds[0]).toMatchObject({ sharedSize: 0, sharedLayers: 0 });
});

test("duration and commit are those of the newest build that succeeded", () => {
    const record = { image: "app", platform: "linux/amd64", kind: "build", operation: "update" } as const;
    const update = (commit: string, seconds: number, result: "succeeded" | "failed") => ({
        start: "2026-11-01T10:00:00Z",
        seconds: 100,
        result,
        commit,
        images: [{ ...record, seconds, result }],
    });
    const history = [update("3", 7, "failed"), update("2", 8, "succeeded"), update("1", 9, "succeeded")];
    expect(imageStatus(app, [app], answers(), history).builds[0]).toMatchObject({ commit: "2", seconds: 8 });
});

test("what was published from files that were not committed is noted, until it is built from a commit", () => {
    const record = { image: "app", platform: "linux/amd64", kind: "build", operation: "update", seconds: 1 } as const;
    const update = (uncommitted?: readonly string[]) => ({
        start: "2026-11-01T10:00:00Z",
        seconds: 100,
        result: "succeeded" as const,
        commit: "0123456789abcdef",
        images: [{ ...record, result: "succeeded" as const, ...(uncommitted && { uncommitted }) }],
    });
    const statusOf = (...history: readonly ReturnType<typeof update>[]) => imageStatus(app, [app], answers(), history);
    const dirty = update(["src/a", "2 more"]);
    expect(uncommittedNotes([statusOf(dirty)])).toEqual([
        {
            kind: "note",
            about: "image app",
            text: "it was built from files that were not as commit 0123456789 has them: src/a, 2 more",
        },
    ]);
    expect(uncommittedNotes([statusOf(update(), dirty), statusOf()])).toEqual([]);
});

test("a tag that points elsewhere is replaced, never refreshed, and the platforms that it lost are named", () => {
    const moved = answers({ "ghcr.io/o/base:latest": held("e", [], { "linux/amd64": digest("a") }) });
    expect(imageFindings(base, [base], moved, lab)).toEqual([
        {
            kind: "drift",
            about: "image base",
            text: `ghcr.io/o/base:latest points at ${digest("e")} instead of ${digest("c")}, which was promoted; it lacks linux/arm64`,
            repair: { by: "replace", urn: "urn:base" },
        },
    ]);
});

test("builds that are gone are made again before the index over them", () => {
    const gone = answers({
        "ghcr.io/o/base:latest": { found: undefined },
        [`ghcr.io/o/base@${digest("b")}`]: { found: undefined },
    });
    expect(imageFindings(base, [base], gone, lab).map(({ repair }) => repair)).toEqual([
        { by: "replace", urn: "urn:base-arm64" },
        { by: "replace", urn: "urn:base", from: ["urn:base-arm64"] },
    ]);
    expect(imageStatus(base, [base], gone, [])).toMatchObject({ found: null, builds: [{}, { present: false }] });
});

/** The content of a registry that lost blobs of base and app, or in which a query failed. */
const broken = (blobs: NonNullable<Held["blobs"]>) =>
    Object.fromEntries(
        (["a", "d"] as const).map((letter) => {
            const ref = `ghcr.io/o/${letter === "a" ? "base" : "app"}@${digest(letter)}`;
            const { found } = inStep[ref] as { readonly found: Held };
            return [ref, { found: { ...found, blobs } }];
        }),
    );

describe("a lost layer", () => {
    const lost = (remembered: boolean) => answers(broken({ lost: [{ digest: digest("2"), remembered }] }));
    const findings = (found: ReturnType<typeof answers>) =>
        [base, app].flatMap((image) => imageFindings(image, [base, app], found, lab));

    test("is named with its place in each build, and what it was made from is made before", () => {
        expect(findings(lost(false))).toEqual([
            {
                ...{ kind: "drift", about: "image base" },
                text: `linux/amd64: of ${digest("a")} the registry lost layer 2 of 2 (${digest("2")}, 10 B)`,
                repair: { by: "replace", urn: "urn:base-amd64" },
            },
            {
                ...{ kind: "drift", about: "image app" },
                text: `linux/amd64: of ${digest("d")} the registry lost layer 2 of 3 (${digest("2")}, 10 B)`,
                repair: { by: "replace", urn: "urn:app-amd64", from: ["urn:base-amd64"] },
            },
        ]);
        expect(imageStatus(base, [base], lost(false), []).builds[0]).toMatchObject({
            ...{ present: true, lostBlobs: [digest("2")] },
        });
    });

    test("that the registry says it has is made again after the registry was started anew", () => {
        const found = lost(true);
        for (const { text, repair } of findings(found)) {
            expect(text).toMatch(/, but reports that it has it: it accepts it again only after a restart$/);
            expect(repair).toMatchObject({ by: "replace", restart: true });
        }
        expect(registriesToRestart([base, app], found)).toEqual(["ghcr.io"]);
        expect(registriesToRestart([base, app], lost(false))).toEqual([]);
    });

    test("may be the configuration", () => {
        const found = answers(broken({ lost: [{ digest: digest("7"), remembered: false }] }));
        expect(findings(found)[0]?.text).toContain(`the registry lost its configuration (${digest("7")})`);
    });

    test("that could not be asked for is told, and is no difference", () => {
        const found = answers(broken({ unknown: "401 Unauthorized" }));
        expect(findings(found)).toEqual([]);
        expect(unansweredFindings(found)).toEqual([
            { kind: "unknown", about: "registry ghcr.io", text: "401 Unauthorized (wanted: o/base, o/app)" },
        ]);
    });
});

describe("what an update has to replace", () => {
    const urns = (found: ReturnType<typeof answers>) => [
        lostBuilds([base, app], found),
        lostPromotions([base, app], found),
    ];
    const gone = { found: undefined };

    test("is nothing where all is there, or nobody answered", () => {
        expect(urns(answers())).toEqual([[], []]);
        expect(urns(new Map())).toEqual([[], []]);
        expect(urns(new Map(Object.keys(inStep).map((ref) => [ref, { unknown: "connection refused" }])))).toEqual([
            [],
            [],
        ]);
    });

    test("is a build that is gone, and the tag by itself", () => {
        expect(urns(answers({ [`ghcr.io/o/base@${digest("b")}`]: gone }))).toEqual([["urn:base-arm64"], []]);
        expect(urns(answers({ "ghcr.io/o/app:latest": gone }))).toEqual([[], ["urn:app"]]);
    });

    test("is all of a repository that is gone", () => {
        const refs = Object.keys(inStep).filter((ref) => ref.startsWith("ghcr.io/o/base"));
        const found = answers(Object.fromEntries(refs.map((ref) => [ref, gone])));
        expect(urns(found)).toEqual([["urn:base-amd64", "urn:base-arm64"], ["urn:base"]]);
    });

    test("is what a layer was lost of, in every repository that it is lost in", () => {
        const lost = { lost: [{ digest: digest("2"), remembered: false }] };
        expect(urns(answers(broken(lost)))).toEqual([["urn:base-amd64", "urn:app-amd64"], []]);
        expect(urns(answers(broken({ lost: [] })))).toEqual([[], []]);
        expect(urns(answers(broken({ unknown: "401 Unauthorized" })))).toEqual([[], []]);
    });

    test("is no tag that somebody moved", () => {
        expect(urns(answers({ "ghcr.io/o/base:latest": held("e") }))).toEqual([[], []]);
    });
});

test("a build that was not promoted is a note, the first one of an image too", () => {
    const known = answers({ [`ghcr.io/o/base@${digest("f")}`]: held("f") });
    const waits = (text: string) => [{ kind: "note", about: "image base", text, repair: { by: "up" } }];
    const reason = "was built and not promoted: its smoke test failed, or the update was cut off";
    const rebuilt = { ...base, builds: [built("base", "f"), built("base", "b", "arm64")] };
    expect(imageFindings(rebuilt, [rebuilt], known, lab)).toEqual(waits(`linux/amd64 ${reason}`));
    const first: DeployedImage = { image: "base", parents: [], roots: {}, otherTags: [], builds: base.builds };
    expect(imageFindings(first, [first], known, lab)).toEqual(waits(`linux/amd64 and linux/arm64 ${reason}`));
});

test("what could not be asked is neither there nor gone, and told once for each registry and reason", () => {
    const refused = { unknown: "connection refused" };
    const none = new Map(Object.keys(inStep).map((ref) => [ref, refused]));
    expect(imageFindings(base, [base], none, lab)).toEqual([]);
    const status = imageStatus(base, [base], none, []);
    expect(status.builds.some((build) => "present" in build)).toBe(false);
    expect(status).not.toHaveProperty("found");
    expect(unansweredFindings(none)).toEqual([
        { kind: "unknown", about: "registry ghcr.io", text: "connection refused (wanted: o/base, o/app)" },
    ]);
});

test.each<[string, Held, boolean]>([
    ["what is pinned", { digest: digest("a"), layers: [], platforms: {} }, true],
    [
        "an index with what is pinned",
        { digest: digest("b"), layers: [], platforms: { "linux/amd64": digest("a") } },
        true,
    ],
    ["something else", { digest: digest("b"), layers: [], platforms: { "linux/amd64": digest("c") } }, false],
])("a root whose tag points at %s", (_what, found, isInStep) => {
    const tag = "r.test/python:3";
    const status = { root: "python:3", pinned: `r.test/python@${digest("a")}`, tag, images: [] };
    const commands = { stack: "local", isLab: true, isCi: false };
    const { findings } = compareRoots([status], new Map([[tag, { found }]]), commands);
    expect(findings.map(({ kind }) => kind)).toEqual(isInStep ? [] : ["drift"]);
});

describe("a pinned image", () => {
    const pinned = (changed: boolean): DeployedImage => ({
        ...base,
        pinned: { release: "r-0123456789ab", digest: base.promotion?.digest ?? "", changed },
    });
    const found = (image: DeployedImage, changes: Readonly<Record<string, Answer<Held>>> = {}) =>
        imageFindings(image, [image], answers(changes), { stack: "ci", isLab: false });

    test("is no drift: a note says what it is pinned to, and whether it changed since", () => {
        expect(found(pinned(false))).toMatchObject([
            { kind: "note", text: "it is pinned to r-0123456789ab", repair: { by: "command" } },
        ]);
        expect(found(pinned(true))[0]?.text).toContain("its inputs changed since");
    });

    test("whose release the registry lost is drift that no update repairs", () => {
        const [build] = base.builds;
        const lost = found(pinned(false), {
            [`${build?.repository ?? ""}@${build?.digest ?? ""}`]: { found: undefined },
        });
        expect(lost.filter(({ kind }) => kind === "drift")).toMatchObject([
            { text: expect.stringContaining("releases") },
        ]);
        expect(lost.some(({ repair }) => repair?.by === "replace")).toBe(false);
        const everything = new Map(imageQuestions([base]).map((ref) => [ref, { found: undefined }]));
        expect(lostBuilds([pinned(false)], everything)).toEqual([]);
        expect(lostBuilds([base], everything)).not.toEqual([]);
    });

    test("that is not promoted yet says so", () => {
        const other: DeployedImage = {
            ...base,
            pinned: { release: "r-0123456789ab", digest: "sha256:9", changed: false },
        };
        expect(found(other).map(({ text }) => text)).toContain("it is not promoted yet: r-0123456789ab");
    });
});
