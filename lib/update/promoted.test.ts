import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "../../tests/mocha";
import { type EngineLog, parseEngineLog } from "../engine/log";
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
