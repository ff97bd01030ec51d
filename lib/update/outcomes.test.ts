import { readFileSync } from "node:fs";
import path from "node:path";
import { countedReads } from "../../tests/countedReads";
import { expect, test } from "../../tests/mocha";
import { parseEngineLog } from "../engine/log";
import type { ImageRecord, UpdateRecord } from "./history";
import { imageOutcomes, savedSeconds } from "./outcomes";
import { updateRecord } from "./steps";

const recorded = (name: string) => {
    const log = parseEngineLog(readFileSync(path.join(__dirname, "../engine/recorded", `${name}.jsonl`), "utf8"));
    if (!log) throw new Error("no update in the log");
    return log;
};
const outcomes = (name: string) =>
    Object.fromEntries(imageOutcomes(recorded(name)).map(({ image, outcome }) => [image, outcome]));

test("every image of a first update is built", () => {
    expect(outcomes("first")).toEqual({ base: "built", bot: "built", ci: "built", devcontainer: "built" });
});

test("images come with parents before children, whatever the engine's order was", () => {
    const log = recorded("first");
    const names = (steps: typeof log.steps) => imageOutcomes({ ...log, steps }).map(({ image }) => image);
    expect(names(log.steps)).toEqual(["base", "bot", "ci", "devcontainer"]);
    expect(names([...log.steps].reverse())).toEqual(["base", "bot", "ci", "devcontainer"]);
});

test("images on a parent that was built to the digest that it had are cut off", () => {
    expect(outcomes("cutoff")).toEqual({ base: "built", bot: "cut off", ci: "cut off", devcontainer: "cut off" });
});

test("images on one that was cut off are cut off too; those on an unchanged one are unchanged", () => {
    const log = recorded("cutoff");
    const rebased = (parent: string) => ({
        ...log,
        steps: log.steps.map((step) =>
            step.urn.endsWith("ImageLayer::ci") && step.after
                ? { ...step, after: { ...step.after, inputs: { ...step.after.inputs, parents: [parent] } } }
                : step,
        ),
    });
    const ci = (parent: string) => imageOutcomes(rebased(parent)).find(({ image }) => image === "ci")?.outcome;
    expect([ci("bot"), ci("elsewhere")]).toEqual(["cut off", "unchanged"]);
});

test("an image whose test failed has failed, though it was built", () => {
    expect(outcomes("failing")).toEqual({ base: "failed", bot: "built", ci: "built", devcontainer: "built" });
});

test("an image that a failed update did not come to is neither built nor unchanged", () => {
    const log = recorded("failing");
    const steps = log.steps.filter(({ urn }) => !urn.endsWith("::bot-arm64"));
    expect(imageOutcomes({ ...log, steps }).find(({ image }) => image === "bot")?.outcome).toBe("not reached");
});

test("an image that another stack built is not one that a failed update did not come to, and waits for its promotion", () => {
    const log = recorded("failing");
    const steps = log.steps
        .filter(({ urn }) => !/::bot-a[^:]*$/.test(urn))
        .map((step) =>
            step.urn.endsWith("ImageLayer::bot") && step.after
                ? {
                      ...step,
                      after: {
                          ...step.after,
                          inputs: { ...step.after.inputs, elsewhere: { "linux/amd64": "ci", "linux/arm64": "ci" } },
                      },
                  }
                : step,
        );
    const bot = imageOutcomes({ ...log, steps }).find(({ image }) => image === "bot");
    expect(bot).toMatchObject({ outcome: "unchanged", elsewhere: ["ci"], waits: true, steps: [] });
    const ownOnly = imageOutcomes(log).find(({ image }) => image === "bot");
    expect(ownOnly).toMatchObject({ elsewhere: [], waits: true });
});

test("nothing waits for its promotion in a stack that promotes nothing", () => {
    const log = recorded("failing");
    const steps = log.steps.filter(
        ({ type, urn }) => !type.endsWith(":Promotion") && !urn.includes("components:Promotion$"),
    );
    expect(imageOutcomes({ ...log, steps }).filter(({ waits }) => waits)).toEqual([]);
});

test("an image that left the stack is removed", () => {
    expect(outcomes("removed")).toEqual({
        base: "unchanged",
        bot: "unchanged",
        ci: "removed",
        devcontainer: "unchanged",
    });
});

test("what was saved is what builds that were left as they were took when they were last done", () => {
    const first = updateRecord(recorded("first"), undefined, new Map());
    const after = imageOutcomes(recorded("cutoff"));
    const took = (keep: (one: ImageRecord) => boolean) =>
        first.images.filter((one) => one.kind === "build" && keep(one)).reduce((sum, { seconds }) => sum + seconds, 0);
    expect(savedSeconds(after, [first])).toEqual({ seconds: took(({ image }) => image !== "base"), unknown: 0 });
    const partly: UpdateRecord = { ...first, images: first.images.filter(({ image }) => image !== "bot") };
    expect(savedSeconds(after, [partly])).toEqual({
        seconds: took(({ image }) => image === "ci" || image === "devcontainer"),
        unknown: 2,
    });
});

test("what an update saved is read from each recorded update once", () => {
    const { history, reads } = countedReads(["bot", "ci", "devcontainer"], 50);
    expect([savedSeconds(imageOutcomes(recorded("cutoff")), history).seconds > 0, reads()]).toEqual([true, 50]);
});
