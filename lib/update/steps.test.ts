import { readFileSync } from "node:fs";
import path from "node:path";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { parseEngineLog } from "../engine/log";
import { describeUncommitted } from "../hierarchy/uncommitted";
import { imageSteps, updateRecord } from "./steps";

const text = (name: string) => readFileSync(path.join(__dirname, "../engine/recorded", `${name}.jsonl`), "utf8");
const parse = (log: string) => {
    const parsed = parseEngineLog(log);
    if (!parsed) throw new Error("no update in the log");
    return parsed;
};
/**
 * One line per operation: platform and kind of the resource, the engine's operation, the result, whether the digest
 * moved.
 */
const done = (log: string) =>
    updateRecord(parse(log), undefined, new Map()).images.map(
        ({ image, platform = "", kind, operation, result, digestMoved }) =>
            [image, platform.replace("linux/", ""), kind, operation, result, digestMoved].filter(Boolean).join(" "),
    );

test("a first update creates everything, builds before their tests and promotions", () => {
    const log = parse(text("first"));
    const record = updateRecord(log, "c".repeat(40), new Map());
    expect(record).toMatchObject({ start: "2026-11-23T20:30:31.000Z", seconds: 28, result: "succeeded" });
    expect(record.commit).toBe("c".repeat(40));
    expect(log.stack).toBe("local");
    expect(done(text("first")).sort()).toEqual(
        [
            ...["base amd64", "base arm64", "bot amd64", "bot arm64", "ci amd64"].flatMap((one) => [
                `${one} build create succeeded true`,
                `${one} test create succeeded`,
            ]),
            "devcontainer amd64 build create succeeded",
            ...["base", "bot", "ci"].map((one) => `${one} promotion create succeeded`),
        ].sort(),
    );
    const seconds = record.images.filter(({ image, kind }) => image === "base" && kind === "build");
    expect(seconds.map((one) => [one.platform, one.seconds])).toEqual([
        ["linux/amd64", 6],
        ["linux/arm64", 18],
    ]);
});

test("a build to the digest that was there is a build whose digest has not moved", () => {
    expect(done(text("cutoff"))).toEqual(["base amd64 build update succeeded", "base arm64 build update succeeded"]);
    const { images } = updateRecord(parse(text("cutoff")), undefined, new Map());
    expect(images.map(({ digestMoved }) => digestMoved)).toEqual([false, false]);
});

test("a failing smoke test is the failure of that test on that platform; nothing of what did not begin is recorded", () => {
    const record = updateRecord(parse(text("failing")), undefined, new Map());
    expect([record.result, record.seconds]).toEqual(["failed", 20]);
    const failed = record.images.filter(({ result }) => result === "failed");
    expect(failed).toEqual([
        { image: "base", platform: "linux/arm64", kind: "test", operation: "update", seconds: 0, result: "failed" },
    ]);
    expect(record.images.filter(({ kind }) => kind === "promotion")).toEqual([]);
});

test("a replacement is one operation, and so is a removal", () => {
    expect(done(text("replaced"))).toEqual(["bot amd64 build replace succeeded", "base promotion replace succeeded"]);
    expect(done(text("removed"))).toEqual([
        "base amd64 test create succeeded",
        "bot amd64 test update succeeded",
        "ci promotion delete succeeded",
        "ci amd64 build delete succeeded",
    ]);
});

test("an image whose key ends as smoke tests are named is told from a test", () => {
    const renamed = text("first").replaceAll("::base", "::base-test");
    const images = done(renamed).filter((line) => line.startsWith("base"));
    expect(images).toContain("base-test amd64 build create succeeded true");
    expect(images).toContain("base-test amd64 test create succeeded");
    expect(images).toHaveLength(5);
});

test("a build says what it pushed, what was there before and what it stands on, by digest", () => {
    const bot = imageSteps(parse(text("failing"))).find(({ urn }) => urn.endsWith("::bot-amd64"));
    const ref = (image: string) =>
        expect.stringMatching(new RegExp(`/fixture/${image}@sha256:[0-9a-f]{64}$`)) as string;
    expect(bot).toMatchObject({ pushed: ref("bot"), former: ref("bot"), bases: [ref("base")] });
    expect(bot?.pushed).not.toBe(bot?.former);
    const [development] = imageSteps(parse(text("first"))).filter(({ image }) => image === "devcontainer");
    expect(development?.pushed).toBeUndefined();
});

test("pushed bytes stand at the build that pushed them", () => {
    const log = parse(text("first"));
    const pushed = imageSteps(log).find(({ urn }) => urn.endsWith("::ci-amd64"))?.pushed ?? "";
    const { images } = updateRecord(log, undefined, new Map([[pushed, 17]]));
    expect(images.filter(({ bytesPushed }) => bytesPushed !== undefined)).toMatchObject([
        { image: "ci", platform: "linux/amd64", kind: "build", bytesPushed: 17 },
    ]);
});

test("files that were not committed stand at the builds of their image", () => {
    const warning = {
        timestamp: 1763929831,
        diagnosticEvent: { severity: "warning", message: describeUncommitted("base", ["docker/Dockerfile.base", "a"]) },
    };
    const { images } = updateRecord(parse(`${text("first")}\n${JSON.stringify(warning)}\n`), undefined, new Map());
    const built = images.filter(({ uncommitted }) => uncommitted);
    expect(built.map(({ image, kind }) => `${kind} ${image}`)).toEqual(["build base", "build base"]);
    expect(built[0]?.uncommitted).toEqual(["docker/Dockerfile.base", "a"]);
});

describe("a log that ends early", () => {
    const lines = text("first").split("\n");
    const end = lines.findIndex((line) => line.includes("resOutputsEvent") && line.includes("::base-amd64"));

    test("is a failed update, with what it did and what it was cut off at", () => {
        const early = [...lines.slice(0, end + 1), lines[end + 1]?.slice(0, 50)].join("\n");
        expect(updateRecord(parse(early), undefined, new Map()).result).toBe("failed");
        expect(done(early)).toEqual(["base amd64 build create succeeded true", "base arm64 build create failed"]);
    });

    test("before it came to any resource is no update", () => {
        expect(parseEngineLog("")).toBeUndefined();
        expect(parseEngineLog(`${lines[0] ?? ""}\n`)).toBeUndefined();
    });
});
