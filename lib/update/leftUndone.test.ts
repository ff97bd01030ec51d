import { readFileSync } from "node:fs";
import path from "node:path";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { type EngineLog, type EngineStep, parseEngineLog } from "../engine/log";
import { leftUndone, mayHaveExpired } from "./leftUndone";

const recorded = (name: string) => {
    const log = parseEngineLog(readFileSync(path.join(__dirname, "../engine/recorded", `${name}.jsonl`), "utf8"));
    if (!log) throw new Error("no update in the log");
    return log;
};
const step = (
    type: string,
    name: string,
    inputs: Record<string, unknown>,
    result: EngineStep["result"],
): EngineStep => ({
    urn: `urn:pulumi:ci::p::${type}::${name}`,
    type,
    operation: "update",
    before: undefined,
    after: { parent: "", inputs, outputs: {} },
    seconds: 1,
    result,
});
const variable = (result: EngineStep["result"]) =>
    step("github:index/actionsVariable:ActionsVariable", "repository-CI_IMAGE", { variableName: "CI_IMAGE" }, result);
const file = step(
    "github:index/repositoryFile:RepositoryFile",
    "workflows-a.yml",
    { file: "a.yml", branch: "main" },
    "cut off",
);
const log = (steps: readonly EngineStep[]): EngineLog => ({ ...recorded("failing"), steps, messages: new Map() });

test("of an update that failed: what failed of which image and where, and what waits for its promotion", () => {
    expect(leftUndone(recorded("failing"))).toEqual([
        "image base: its smoke test failed on linux/arm64; it was built and is not promoted",
        "image bot: it was built and is not promoted",
        "image ci: it was built and is not promoted",
    ]);
});

test("a tag of a release that could not be added, although the release is promoted", () => {
    const tagging: EngineStep = {
        ...step("command:local:Command", "bot-tags", { environment: { TAGS: "{date}" } }, "failed"),
        after: undefined,
        before: {
            parent: "urn:pulumi:ci::p::layered-images:components:Promotion::bot",
            inputs: {},
            outputs: {},
        },
    };
    const first = parseEngineLog(readFileSync(path.join(__dirname, "../engine/recorded/first.jsonl"), "utf8"));
    expect(leftUndone({ ...log([]), steps: [...(first?.steps ?? []), tagging] })).toEqual([
        "image bot: its tagging failed",
    ]);
});

test("in the order of the platforms, in whatever order they failed", () => {
    const steps = recorded("failing").steps.map((one): EngineStep =>
        one.type === "docker-build:index:Image" ? { ...one, result: "failed" } : one,
    );
    const said = leftUndone(log(steps));
    expect(said.join("\n")).toMatch(
        /^image base: its build failed on linux\/amd64; its build failed on linux\/arm64;/m,
    );
    expect(leftUndone(log([...steps].reverse())).sort()).toEqual(said.sort());
});

test("a tag that could not be moved, by its name; the image is promoted all the same", () => {
    const index = step(
        "docker-build:index:Index",
        "base/quay.io/o/base:latest",
        { tag: "quay.io/o/base:latest" },
        "failed",
    );
    const parent = "urn:pulumi:s::p::layered-images:components:Promotion::base";
    const copied = { ...index, after: { inputs: {}, outputs: {}, ...index.after, parent } };
    const { steps } = recorded("first");
    expect(leftUndone({ ...log([...steps, copied]), result: "failed" })).toEqual([
        "image base: its tagging as quay.io/o/base:latest failed",
    ]);
});

test("on GitHub what was refused or cut off, by the names that people know", () => {
    expect(leftUndone(log([variable("failed"), file]))).toEqual(["GitHub: variable CI_IMAGE", "GitHub: file a.yml"]);
});

test("on GitHub what was not reached, where the provider itself failed", () => {
    const { urn } = variable("failed");
    const messages = (severity: string) => new Map([[urn, [{ severity, line: "401 Bad credentials" }]]]);
    const said = ["GitHub: secrets, variables and files that the update did not reach"];
    expect(leftUndone({ ...log([]), messages: messages("error") })).toEqual(said);
    expect(leftUndone({ ...log([]), messages: messages("warning") })).toEqual([]);
    expect(leftUndone({ ...log([variable("failed")]), messages: messages("error") })).toEqual([
        "GitHub: variable CI_IMAGE",
    ]);
});

test.each(["first", "cutoff", "removed", "replaced"])("nothing of the update %s, which succeeded", (name) => {
    expect(leftUndone(recorded(name))).toEqual([]);
});

describe("another token is wanted", () => {
    const build = step("docker-build:index:Image", "ci-amd64", {}, "failed");

    test("where only GitHub failed, after the token's time", () => {
        expect(mayHaveExpired(log([variable("failed"), { ...build, result: "succeeded" }]), 3600, false)).toBe(true);
    });

    test("where the provider could not begin with it", () => {
        const messages = new Map([[variable("failed").urn, [{ severity: "error", line: "401 Bad credentials" }]]]);
        expect(mayHaveExpired({ ...log([{ ...build, result: "succeeded" }]), messages }, 3600, false)).toBe(true);
        expect(mayHaveExpired({ ...log([build]), messages }, 3600, false)).toBe(false);
    });

    test.each<[string, readonly EngineStep[], number]>([
        ["a build failed as well", [variable("failed"), build], 3600],
        ["nothing of GitHub failed", [variable("succeeded")], 3600],
        ["the token was still valid", [variable("failed")], 60],
    ])("not where %s", (_what, steps, seconds) => {
        expect(mayHaveExpired(log(steps), seconds, false)).toBe(false);
    });

    test("where everything was done, and only an announcement found the token refused", () => {
        const done = log([variable("succeeded"), { ...build, result: "succeeded" }]);
        expect(mayHaveExpired(done, 3600, true)).toBe(true);
        expect(mayHaveExpired(done, 60, true)).toBe(false);
        expect(mayHaveExpired(log([build]), 3600, true)).toBe(false);
    });
});
