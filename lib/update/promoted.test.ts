import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "../../tests/mocha";
import { type EngineLog, parseEngineLog } from "../engine/log";
import { imageOutcomes } from "./outcomes";
import { promotedIn } from "./promoted";

const read = (name: string): EngineLog => {
    const log = parseEngineLog(readFileSync(path.join(__dirname, "../engine/recorded", `${name}.jsonl`), "utf8"));
    if (!log) throw new Error(`no update in ${name}`);
    return log;
};

test("a first update promotes a release of each published image, with the builds of its platforms", () => {
    const { releases, builds } = promotedIn(read("first"));
    expect(releases.map(({ image }) => image).sort()).toEqual(["base", "bot", "ci"]);
    for (const { repository, digest } of releases) {
        expect(repository).toMatch(/^[^:@]+(?::\d+)?\/[^:@]+$/);
        expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    }
    expect(builds.map(({ image, platform }) => `${image} ${platform}`).sort()).toEqual([
        "base linux/amd64",
        "base linux/arm64",
        "bot linux/amd64",
        "bot linux/arm64",
        "ci linux/amd64",
    ]);
    expect(new Set(builds.map(({ digest }) => digest)).size).toBe(builds.length);
    const indexes = releases.map(({ digest }) => digest);
    expect(builds.filter(({ digest }) => indexes.includes(digest))).toEqual([]);
});

test.each(["cutoff", "failing", "removed"])("nothing is promoted by an update that moves no tag: %s", (name) => {
    expect(promotedIn(read(name))).toEqual({ releases: [], builds: [] });
});

test("of a pinned image, the builds are those of the release, and its outcome is unchanged", () => {
    const log = read("first");
    const pin = { release: "r-0123456789ab", digest: "sha256:a", platforms: { "linux/amd64": "sha256:b" } };
    const steps = log.steps.map((step) =>
        step.urn.endsWith("ImageLayer::ci") && step.after
            ? { ...step, after: { ...step.after, inputs: { ...step.after.inputs, pin } } }
            : step,
    );
    const builds = promotedIn({ ...log, steps }).builds.filter(({ image }) => image === "ci");
    expect(builds).toMatchObject([{ image: "ci", digest: "sha256:b", platform: "linux/amd64" }]);
    expect(imageOutcomes({ ...log, steps }).find(({ image }) => image === "ci")).toMatchObject({
        ...{ outcome: "unchanged", pinned: pin.release },
    });
});

test("the builds of other stacks in a release are among its builds, with the digests that it was made of", () => {
    const log = read("first");
    const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
    const changed: Readonly<Record<string, Record<string, unknown>>> = {
        "ImageLayer::bot": { elsewhere: { "linux/arm64": "ci-arm64" } },
        "Index::bot": { sources: ["a", "b"].map((digit) => `r.io/bot@${digest(digit)}`) },
    };
    const steps = log.steps
        .filter(({ urn }) => !urn.endsWith("::bot-arm64"))
        .map((step) => {
            const [, inputs] = Object.entries(changed).find(([end]) => step.urn.endsWith(end)) ?? [];
            return step.after && inputs
                ? { ...step, after: { ...step.after, inputs: { ...step.after.inputs, ...inputs } } }
                : step;
        });
    const builds = promotedIn({ ...log, steps }).builds.filter(({ image }) => image === "bot");
    expect(builds.map(({ platform }) => platform)).toEqual(["linux/amd64", "linux/arm64"]);
    expect(builds[1]?.digest).toBe(digest("b"));
});
