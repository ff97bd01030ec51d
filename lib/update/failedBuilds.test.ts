import { chmodSync } from "node:fs";
import path from "node:path";
import { expect, spyOn, test } from "../../tests/mocha";
import type { EngineLog } from "../engine/log";
import { temporaryFolder, tree } from "../../tests/tree";
import { type FailedBuild, describeFailedBuild, failedBuilds, printFailedBuilds } from "./failedBuilds";

/** A build in BuildKit's history: the output of `history ls` and `history inspect` for it. */
interface Remembered {
    readonly context?: string;
    readonly platform?: string;
    readonly at?: string;
    readonly message?: string;
    readonly printed?: readonly string[];
    readonly created?: string;
    readonly status?: string;
    /** Whether BuildKit could not record how the build ended. */
    readonly isUnkept?: boolean;
}

const start = Date.parse("2026-01-01T12:00:00Z");
const message = 'process "/bin/sh -c make hunter2" did not complete successfully: exit code: 1';
const at = "[2/3] RUN make hunter2";
const mask = (line: string) => line.replaceAll("hunter2", "[secret]");
const staged = ".stage/base/0123456789ab/context";

/** A program `buildx` whose history contains these builds. */
function builder(builds: readonly Remembered[]): NodeJS.ProcessEnv {
    const listed = builds.map(({ created = "2026-01-01T12:00:05Z", status = "Error", isUnkept }, index) => {
        const steps = isUnkept ? 0 : 3;
        return {
            ref: `b/n/${index.toString()}`,
            status: isUnkept ? "Completed" : status,
            created_at: created,
            total_steps: steps,
        };
    });
    const files = builds.map((build, index) => {
        const { context = staged, platform = "linux/amd64", isUnkept } = build;
        const error = {
            Name: build.at ?? at,
            Message: build.message ?? message,
            Logs: build.printed ?? ["oh hunter2"],
        };
        const inspected = { Context: context, Platform: [platform], ...(!isUnkept && { Error: error }) };
        return [`records/${index.toString()}`, JSON.stringify(inspected)] as const;
    });
    const folder = tree({
        buildx: '#!/bin/sh\ncd "$(dirname "$0")" || exit 1\nif test "$1" = --builder; then test "$2" = farm || exit 1; shift 2; fi\n[ "$2" = ls ] && exec cat ls\nexec cat "records/$3"\n',
        ls: listed.map((line) => JSON.stringify(line)).join("\n"),
        ...Object.fromEntries(files),
    });
    chmodSync(path.join(folder, "buildx"), 0o755);
    return { PATH: `${folder}:${process.env.PATH ?? ""}` };
}

const urnOf = (name: string) => `urn:pulumi:local::p::docker-build:index:Image::${name}`;

/** The engine's log of an update in which these builds failed, by image. */
function logOf(
    images: Readonly<Record<string, string>>,
    logged = `failed to solve: ${mask(message)}`,
    on?: string,
): EngineLog {
    const steps = Object.entries(images).map(([image, context]) => ({
        urn: urnOf(image),
        type: "docker-build:index:Image",
        operation: "create",
        before: undefined,
        after: {
            parent: `urn:pulumi:local::p::layered-images:components:ImageLayer::${image}`,
            inputs: {
                ...{ platforms: ["linux/amd64"], context: { location: context }, buildArgs: { INPUT_HASH: "x" } },
                ...(on !== undefined && { builder: { name: on } }),
            },
            outputs: {},
        },
        seconds: 1,
        result: "failed" as const,
    }));
    const lines = [{ severity: "error", line: logged }];
    return {
        stack: "local",
        start,
        seconds: 10,
        result: "failed",
        steps,
        messages: new Map(Object.keys(images).map((image) => [urnOf(image), lines])),
    };
}

/** Returns what is known of the failed image base; null if no record matches. */
async function found(
    builds: readonly Remembered[],
    log = logOf({ base: staged }),
): Promise<FailedBuild["known"] | null> {
    const [build] = await failedBuilds({ env: builder(builds), root: temporaryFolder(), log, mask });
    return build ? build.known : null;
}
const known = { at: "[2/3] RUN make [secret]", output: ["oh [secret]"] };

test("of a build that failed BuildKit's record is told, secrets masked, and what to do", async () => {
    expect(await found([{}])).toEqual(known);
    const printed = ["cp: no space left on device"];
    expect((await found([{ printed }]))?.output).toEqual([
        ...printed,
        expect.stringMatching(/^next: free disk space in the builder's store/),
    ]);
});

test("the record is read from the builder on which it was built", async () => {
    expect(await found([{}], logOf({ base: staged }, undefined, "farm"))).toEqual(known);
    await expect(found([{}], logOf({ base: staged }, undefined, "another"))).rejects.toThrow("--builder another");
});

test("a step that printed nothing has its error told", async () => {
    expect((await found([{ printed: [] }]))?.output).toEqual([mask(message)]);
});

test("a record that BuildKit could not keep is told as that", async () => {
    const unkept = await found([{ isUnkept: true }], logOf({ base: staged }, "rpc error: EOF"));
    expect(unkept).toEqual({
        at: "",
        output: [expect.stringContaining("no space left on device"), expect.stringMatching(/^next: /)],
    });
});

test.each<[string, Remembered]>([
    ["of another checkout, which stages at the same place", { context: `/another/checkout/${staged}` }],
    ["of who is on another machine", { context: "" }],
    ["of another input hash", { context: staged.replace("0123", "3210") }],
    ["of another platform", { platform: "linux/arm64" }],
    ["from before the update", { created: "2026-01-01T11:59:59Z" }],
    ["that failed otherwise", { message: "failed to authorize" }],
    ["that somebody cancelled", { status: "Canceled" }],
    ["that succeeded", { status: "Completed" }],
])("a record %s is none of the update's", async (_name, record) => {
    const own = { at: "[1/1] RUN own", printed: ["own"] };
    expect(await found([record])).toBeNull();
    // A record of another build before it does not hide the update's record.
    expect(await found([{ ...record, at: "[1/1] RUN another" }, own])).toEqual({ at: own.at, output: own.printed });
});

test.each<[string, readonly Remembered[]]>([
    ["another stack of the checkout failed at the same", [{}, {}]],
    [
        "another checkout failed at the same step, which BuildKit runs once for both",
        [{}, { context: `/another/${staged}` }],
    ],
    ["somebody elsewhere did", [{ context: "" }, {}]],
])("nothing is told that may be somebody else's: %s", async (_name, builds) => {
    expect(await found(builds)).toBeUndefined();
});

test("two images of one update may fail at the same step", async () => {
    const other = staged.replace("base", "ci");
    const log = logOf({ base: staged, ci: other });
    const root = temporaryFolder();
    const builds = await failedBuilds({ env: builder([{ context: path.join(root, other) }, {}]), root, log, mask });
    expect(builds.map(({ build, known: one }) => [build.image, one])).toEqual([
        ["base", known],
        ["ci", known],
    ]);
});

test("a builder is not asked where nothing failed", async () => {
    expect(await failedBuilds({ env: { PATH: "/nowhere" }, root: "/", log: logOf({}), mask })).toEqual([]);
});

const step = { urn: "u", image: "base", platform: "linux/arm64", operation: "create", seconds: 1, bases: [] } as const;
const build = { ...step, kind: "build", result: "failed" } as const;

test("a failed build names image, platform, step and output", () => {
    const text = "image base failed on linux/arm64, at [2/3] RUN make:\n    one\n    two";
    expect(describeFailedBuild({ build, known: { at: "[2/3] RUN make", output: ["one", "two"] } })).toBe(text);
    const smokeTest = { build: { ...build, kind: "test" }, known: { at: "", output: [] } } as const;
    expect(describeFailedBuild(smokeTest)).toBe("the smoke test of image base failed on linux/arm64, at the start:");
    expect(describeFailedBuild({ build, known: undefined })).toMatch(
        /^image base failed on linux\/arm64; .* is not shown/,
    );
});

test("of a long output the end is shown", () => {
    const output = Array.from({ length: 100 }, (_, index) => `line ${String(index)}`);
    const text = describeFailedBuild({ build, known: { at: "x", output } });
    expect(text).toContain("line 99");
    expect(text).not.toContain("line 69\n");
});

test("a builder that can't be asked is no second failure", async () => {
    const told = spyOn(console, "error").mockReturnValue(undefined);
    try {
        await printFailedBuilds({ env: { PATH: "/nowhere" }, root: "/", log: logOf({ base: staged }), mask });
        expect(told.mock.calls).toEqual([
            [expect.stringMatching(/^note: what the failed builds printed can't be read: /)],
        ]);
    } finally {
        told.mockRestore();
    }
});
