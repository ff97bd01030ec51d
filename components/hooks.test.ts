import * as pulumi from "@pulumi/pulumi";
import { mock } from "node:test";
import { fn, spyOn } from "jest-mock";
import { beforeEach, describe } from "mocha";
import type { PreparedImage, Root } from "../lib/hierarchy/prepare";
import { RegistryError } from "../lib/registry/manifest";
import { record } from "../tests/harness";
import { expect, test } from "../tests/mocha";
import {
    type Registries,
    beforehand,
    buildHooks,
    builderHook,
    type MakeWay,
    refusalHook,
    sizeHooks,
    tagHooks,
    uncommittedHooks,
} from "./hooks";

const post = "POST https://api.github.com/repos/us/bot/actions/variables:";
const exists = `${post} 409 Already exists - Variable already exists []`;
const refusal = (...errors: string[]): pulumi.ErrorHookArgs => ({
    ...{ urn: "urn:v", id: "", name: "v", type: "t", failedOperation: "create", errors },
    newInputs: { variableName: "V" },
});
const hookOf = (makeWay?: MakeWay) => {
    const [advise] = refusalHook("repository", "a variable", { ...(makeWay && { makeWay }) }).onError ?? [];
    return (...errors: string[]) => advise?.callback(refusal(...errors));
};
// The hooks write to the log, which belongs to the engine.
beforeEach(() => record(() => undefined));

test("what is there already is removed and made again, once", async () => {
    const removed: unknown[] = [];
    const answer = hookOf((inputs) => {
        removed.push(inputs);
        return Promise.resolve();
    });
    expect(await answer(exists)).toBe(true);
    expect(removed).toEqual([{ variableName: "V" }]);
    expect(await answer(exists, exists)).toBe(false);
    expect(removed).toHaveLength(1);
});

test("nothing is removed for another refusal, or where it can't be", async () => {
    const answer = hookOf(() => Promise.reject(new Error("this token may not")));
    expect(await answer(`${post} 403 Resource not accessible []`, exists)).toBe(false);
    expect(await answer(exists)).toBe(false);
    expect(await hookOf()(exists)).toBe(false);
});

const registry = {
    onBuildTriggers: fn<Registries["onBuildTriggers"]>(),
    readManifest: fn<Registries["readManifest"]>(),
};

const met =
    "failed to solve: failed to push reg.test/us/bot:b-1-amd64: errors:\nunknown: blob unknown to registry - sha256:2c";
const failure = (name: string, error: string): pulumi.ErrorHookArgs => ({
    ...{ urn: `urn:${name}`, id: "", name, type: "t", failedOperation: "create", errors: [error] },
});
const hook = () => {
    const [advise] =
        buildHooks({ key: "bot", repository: "reg.test/us/bot", roots: [], triggers: {} }, () => 120).onError ?? [];
    return (name: string, error: string) => advise?.callback(failure(name, error));
};
/** Runs the check before the build of an image with these roots, once per platform. */
async function before(
    key: string,
    roots: readonly Root[],
    { builds = 1, triggers = {} }: { readonly builds?: number; readonly triggers?: PreparedImage["triggers"] } = {},
): Promise<void> {
    const image = { key, roots, triggers };
    const [check] = buildHooks(image, () => 120, registry).beforeCreate ?? [];
    const { callback } = check as pulumi.ResourceHook;
    const run = async () => {
        await callback({ urn: "u", id: "", name: "n", type: "t" });
    };
    await Promise.all(Array.from({ length: builds }, run));
}

// The hooks write to the log, which belongs to the engine.
beforeEach(() => record(() => undefined));

test("a push that met another one is done again twice at most, for each platform by itself", async () => {
    const answer = hook();
    expect([await answer("bot-amd64", met), await answer("bot-amd64", met)]).toEqual([true, true]);
    expect(await answer("bot-amd64", met)).toBe(false);
    expect(await answer("bot-arm64", met)).toBe(true);
});

test("a build that failed for anything else is not done again", async () => {
    expect(await hook()("bot-amd64", "failed to push reg.test/us/bot:b-1: 401 Unauthorized")).toBe(false);
    expect(await hook()("bot-amd64", "failed to solve: process did not complete: exit code: 1")).toBe(false);
});

test("a tag that a registry refuses for the moment is moved again, each time later; then, and for other reasons, it fails", async () => {
    const waits: number[] = [];
    const [advise] =
        tagHooks("bot", "reg.test/us/bot", 15, (seconds) => {
            waits.push(seconds);
            return Promise.resolve();
        }).onError ?? [];
    const busy =
        "creating: unexpected status from HEAD request to https://reg.test/v2/us/bot: 500 Internal Server Error";
    const refused = busy.replace("500 Internal Server Error", "403 Forbidden");
    const answers = [];
    for (let times = 1; times <= 5; times += 1)
        answers.push(await advise?.callback({ ...failure("bot", busy), errors: Array<string>(times).fill(busy) }));
    expect(answers).toEqual([true, true, true, true, false]);
    expect(waits).toEqual([1, 2, 4, 8]);
    // The engine hands over the failures of all attempts, the newest first.
    expect(await advise?.callback({ ...failure("bot@release", ""), errors: [refused, busy] })).toBe(false);
    expect(waits).toHaveLength(4);
});

describe("what was ended", () => {
    const platforms = ["linux/arm64"];
    const inputs = { build: { platforms, buildArgs: { INPUT_HASH: "1" } }, test: { platforms } };
    /** Returns what the hook logs after a failure, so many seconds after the start. */
    const logged = async (
        after: number,
        { onError: [advise] = [] }: pulumi.ResourceHookBinding,
        failed: Partial<pulumi.ErrorHookArgs>,
    ) => {
        const error = spyOn(pulumi.log, "error").mockResolvedValue(undefined);
        const uptime = spyOn(process, "uptime").mockReturnValue(after);
        try {
            expect(await advise?.callback({ ...failure("bot", ""), ...failed })).toBe(false);
            return error.mock.calls.map(([text]) => text).join("\n");
        } finally {
            error.mockRestore();
            uptime.mockRestore();
        }
    };
    const hooks = () =>
        buildHooks({ key: "bot", repository: "reg.test/us/bot", roots: [], triggers: {} }, ({ kind }) =>
            kind === "test" ? 30 : 120,
        );
    const late = ["context deadline exceeded"];

    test.each([
        [
            "test",
            1800,
            /its smoke test for linux\/arm64 did not end within its time limit of 30 minutes.*timeLimits\.test 60$/,
        ],
        [
            "build",
            7200,
            /its build for linux\/arm64 did not end within its time limit of 120 minutes.*timeLimits\.build 240$/,
        ],
    ] as const)("by the time limit of a %s says so, with how to get a longer one", async (kind, after, text) => {
        expect(await logged(after, hooks(), { errors: late, newInputs: inputs[kind] })).toMatch(text);
    });

    test("by the time limit of a promotion says so", async () => {
        const errors = ['creating: Put "https://reg.test/v2/us/bot/manifests/latest": context deadline exceeded'];
        expect(await logged(900, tagHooks("bot", "reg.test/us/bot", 15), { errors })).toMatch(
            /^image bot: publishing bot did not end within its time limit of 15 minutes/,
        );
    });

    test("and can't be, because the provider waits for a registry, is reported after the time limit of a promotion", async () => {
        const { beforeCreate: [begin] = [], afterCreate: [end] = [] } = tagHooks("bot", "reg.test/us/bot", 15);
        const error = spyOn(pulumi.log, "error").mockResolvedValue(undefined);
        mock.timers.enable({ apis: ["setTimeout"] });
        try {
            for (const name of ["bot", "bot@release"])
                await (begin as pulumi.ResourceHook).callback({ urn: name, id: "", name, type: "t" });
            await (end as pulumi.ResourceHook).callback({ urn: "bot@release", id: "", name: "bot@release", type: "t" });
            mock.timers.tick(15 * 60_000);
            expect(error).not.toHaveBeenCalled();
            mock.timers.tick(10_000);
            expect(error.mock.calls.map(([text]) => text)).toEqual([
                expect.stringMatching(
                    /^image bot: publishing bot did not end within its time limit of 15 minutes: reg\.test does not answer/,
                ),
            ]);
        } finally {
            mock.timers.reset();
            error.mockRestore();
        }
    });

    test("by something else is no matter of a limit", async () => {
        expect(await logged(60, hooks(), { errors: late, newInputs: inputs.test })).toBe("");
        expect(await logged(1800, hooks(), { errors: ["signal: killed"], newInputs: inputs.test })).toMatch(
            /^image bot: next: a program of this update .* was ended from outside/,
        );
    });
});

const both = ["linux/amd64", "linux/arm64"] as const;

test("a root is asked for ONBUILD once for each platform, whatever stands on it and wherever it is pinned", async () => {
    registry.onBuildTriggers.mockReset().mockResolvedValue([]);
    const pinned = { expanded: "one:1", pin: `r.test/one@sha256:${"1".repeat(64)}`, from: both };
    const roots = [
        pinned,
        { expanded: "two:1", pin: undefined, from: [both[0]] },
        { expanded: "copied:1", pin: undefined, from: [] },
    ];
    await before("a", roots, { builds: 2 });
    await before("b", roots);
    expect(registry.onBuildTriggers.mock.calls.map(([ref, platform]) => `${ref} ${platform}`).sort()).toEqual([
        ...both.map((platform) => `${pinned.pin} ${platform}`),
        "two:1 linux/amd64",
    ]);
    expect(registry.readManifest).not.toHaveBeenCalled();
});

describe("ONBUILD of a root", () => {
    const root = (expanded: string) => ({ expanded, pin: undefined, from: [both[1]] });
    const triggers = ["COPY . /srv/", 'RUN ["make"]'];
    const check = async (name: string, real: readonly string[], declared: readonly string[]) => {
        registry.onBuildTriggers.mockReset().mockResolvedValue(real);
        const declaredTriggers = { [name]: declared.map((text) => ({ text, where: "images.ts" })) };
        await before("app", [root(name)], { triggers: declaredTriggers });
    };

    test("that images.ts does not say is refused, with what it would run and the lines that say it", async () => {
        await expect(check("three:1", triggers, [])).rejects.toThrow(
            /^image app is built from root three:1, whose ONBUILD would run .* for linux\/arm64, .*:\n +COPY \. \/srv\/\n +RUN \["make"\]\n +next: declare it in images\.ts/,
        );
        await expect(check("three:1", triggers, [])).rejects.toThrow(
            String.raw`    export const roots: RootDefinitions = {
        "three:1": { onBuild: ["COPY . /srv/", "RUN [\"make\"]"] },
    };`,
        );
    });

    test("that images.ts says is built", async () => {
        await check("four:1", triggers, triggers);
        expect(registry.onBuildTriggers).toHaveBeenCalledTimes(1);
    });

    test.each([
        ["of another order", triggers.toReversed()],
        ["with one less", triggers.slice(1)],
        ["with one more", [...triggers, "RUN true"]],
    ])("%s than images.ts says is refused, with both", async (name, declared) => {
        const refused = check(`${name.replaceAll(" ", "-")}:1`, triggers, declared);
        await expect(refused).rejects.toThrow("It has:\n    COPY . /srv/\n");
        await expect(refused).rejects.toThrow(`images.ts declares:\n    ${declared[0] ?? ""}\n`);
    });

    test("that images.ts says and the root has no longer is refused", async () => {
        await expect(check("five:1", [], triggers)).rejects.toThrow(
            /It has: none\n[^]*next: remove root five:1 from "roots" in images\.ts/,
        );
    });
});

test.each([
    [
        "has no answer",
        () => Promise.reject(new RegistryError("docker.io", "connection refused")),
        /can't be asked: connection refused/,
    ],
    ["does not have it", () => Promise.resolve(undefined), /registry docker\.io does not have it/],
])("a root whose registry %s is refused: what it would run is not known", async (name, answer, why) => {
    registry.onBuildTriggers.mockReset().mockImplementation(answer);
    const root = { expanded: `${name.replaceAll(" ", "-")}:1`, pin: undefined, from: [both[0]] };
    await expect(before("app", [root])).rejects.toThrow(why);
});

test("an image whose Dockerfile nothing here can read is refused before it is built", async () => {
    registry.readManifest.mockReset();
    const [check] =
        buildHooks({ key: "a", roots: [], triggers: {}, unreadable: "a:1: not here" }, () => 120, registry)
            .beforeCreate ?? [];
    const ask = (async () => {
        await (check as pulumi.ResourceHook).callback({ urn: "u", id: "", name: "n", type: "t" });
    })();
    await expect(ask).rejects.toThrow("a:1: not here");
});

test("an image that stands on no root and is never pushed has nothing to ask", () => {
    expect(
        buildHooks({ key: "a", roots: [{ expanded: "copied:1", pin: undefined, from: [] }], triggers: {} }, () => 120),
    ).not.toHaveProperty("beforeCreate");
});

test("what an image's build has and no commit is warned of once, before the first of its platforms", async () => {
    const warn = spyOn(pulumi.log, "warn").mockResolvedValue(undefined);
    try {
        const ask = fn(() => Promise.resolve([{ path: "docker/Dockerfile", isDeleted: false }]));
        const image = { key: "a", definition: { dockerfile: "docker/Dockerfile" }, inputs: [], sources: [] };
        const [hook] = uncommittedHooks({ ...image, repository: "ghcr.io/us/a" }, ask);
        await hook?.callback({ urn: "u", id: "", name: "a-amd64", type: "t" });
        await hook?.callback({ urn: "v", id: "", name: "a-arm64", type: "t" });
        expect(warn.mock.calls).toEqual([["image a is built from what is not committed: docker/Dockerfile"]]);
        expect(uncommittedHooks(image, ask)).toEqual([]);
    } finally {
        warn.mockRestore();
    }
});

test("the builder is made and checked once in a run, and its failure is that of everything that is built", async () => {
    let times = 0;
    const hook = builderHook(() => {
        times += 1;
        return Promise.reject(new Error("it is down"));
    });
    const args = { urn: "u", id: "", name: "n", type: "t" };
    const results = await Promise.allSettled([hook.callback(args), hook.callback(args)]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(times).toBe(1);
});

test("hooks before the build of an image without a registry of its own are called too", () => {
    const hook = builderHook(() => Promise.resolve());
    const bound = buildHooks({ key: "tools", roots: [], triggers: {} }, () => 120, undefined, [hook]);
    expect(bound).toMatchObject({ beforeCreate: [hook], beforeUpdate: [hook] });
    expect(beforehand([])).toEqual({});
});

describe("a new release with a budget", () => {
    const image = (maxSize?: string) =>
        ({ key: "app", definition: { ...(maxSize !== undefined && { maxSize }) } }) as unknown as PreparedImage;
    const asked: string[] = [];
    const sizes: Readonly<Record<string, number>> = { small: 1000, large: 1001 };
    const run = async (maxSize: string | undefined, policy: Parameters<typeof sizeHooks>[1], ...sources: string[]) => {
        const hooks = sizeHooks(image(maxSize), policy, (ref) => {
            asked.push(ref);
            return Promise.resolve(sizes[ref]);
        });
        for (const { callback } of hooks)
            await callback({ urn: "urn:app", id: "", name: "app", type: "t", newInputs: { sources } });
        return hooks.length;
    };

    test("is refused if one of its builds is larger, and else not", async () => {
        await expect(run("1 kB", {}, "small", "large")).rejects.toThrow(
            /refused by policy max-size: image app.* large/,
        );
        expect(await run("1 kB", {}, "small", "lost")).toBe(1);
        await expect(run(undefined, { maxSize: "1 kB" }, "large")).rejects.toThrow("1 kB are allowed");
        expect(await run("2 kB", { maxSize: "1 kB" }, "large")).toBe(1);
    });

    test("is only warned of where the rule advises", async () => {
        expect(await run("1 kB", { rules: { "max-size": "advisory" } }, "large")).toBe(1);
    });

    test("asks no registry without a policy, without a budget and with the rule off", async () => {
        asked.length = 0;
        expect(await run("1 kB", undefined, "large")).toBe(0);
        expect(await run(undefined, {}, "large")).toBe(0);
        expect(await run("1 kB", { rules: { "max-size": "disabled" } }, "large")).toBe(0);
        expect(asked).toEqual([]);
    });
});
