import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "../../tests/mocha";
import { parseEngineLog } from "../engine/log";
import { masked } from "../system/mask";
import { packageRoot } from "../system/paths";
import { imageSteps, updateRecord } from "./steps";
import { quotations, updateSummary } from "./summary";

const recorded = (name: string) => {
    const file = path.join(packageRoot, "lib/engine/recorded", `${name}.jsonl`);
    const log = parseEngineLog(readFileSync(file, "utf8"));
    if (!log) throw new Error("no update in the log");
    const pushed = imageSteps(log).flatMap((step) => (step.operation === "same" ? [] : (step.pushed ?? [])));
    return { log, record: updateRecord(log, undefined, new Map(pushed.map((ref) => [ref, 1_200_000]))) };
};
const plain = { mask: (line: string) => line };
const first = recorded("first");
const summary = (name: string) => {
    const { log, record } = recorded(name);
    return updateSummary(log, record, [first.record], plain);
};

test("names what was built, cut off and unchanged, what it took, what it saved and what was pushed", () => {
    expect(summary("cutoff")).toMatch(/^### The update succeeded after 4 s\n/);
    expect(summary("cutoff")).toContain("\n1 built (base), 3 cut off (bot, ci, devcontainer), 0 unchanged.\n");
    expect(summary("cutoff")).toContain("Builds took 0 s in all; 7 s of building were saved (an estimate");
    expect(summary("first")).toContain("4 built (base, bot, ci, devcontainer), 0 cut off, 0 unchanged.");
    expect(summary("first")).toContain("Builds took 31 s in all; 0 s of building were saved");
    expect(summary("first")).toContain("6.0 MB were pushed.");
});

test("has a line for each image, with durations by platform", () => {
    const rows = summary("first").split("\n");
    expect(rows).toContain("| base | built, another digest | linux/amd64 6 s, linux/arm64 18 s | 2.4 MB |");
    expect(rows).toContain("| devcontainer | built | linux/amd64 1 s |  |");
    expect(summary("cutoff")).toContain("| base | built, the digest that it had | linux/amd64 0 s, linux/arm64 0 s |");
    expect(summary("cutoff")).toContain("| bot | cut off: no digest that it needs changed |  |  |");
});

test("says what failed, where, and the end of what it printed", () => {
    const text = summary("failing");
    expect(text).toMatch(/^### The update failed after 20 s\n/);
    expect(text).toContain("3 built (bot, ci, devcontainer), 0 cut off, 0 unchanged, 1 failed (base).");
    expect(text).toContain("| bot | built, another digest, not promoted |");
    expect(text).toMatch(/#### smoke test of image base on linux\/arm64 failed\n\n```\n[^`]*about to fail\n[^`]*\n```/);
    expect(text).not.toContain("Other errors");
});

test("quotes what BuildKit remembers of a failure, where it does, and the provider's error after it", () => {
    const { log, record } = recorded("failing");
    const urn = imageSteps(log).find(({ result }) => result === "failed")?.urn ?? "";
    const text = updateSummary(log, record, [], { ...plain, output: new Map([[urn, ["the reason\r", ""]]]) });
    expect(text).toMatch(/failed\n\n```\nthe reason\nfailed to solve: [^\n]*\n```$/);
});

test("says that no duration is recorded, and what no registry could be asked about", () => {
    const { log, record } = recorded("cutoff");
    expect(updateSummary(log, record, [], plain)).toContain("last done; of 4 more no duration is recorded)");
    const unasked = updateRecord(first.log, undefined, new Map());
    expect(updateSummary(first.log, unasked, [], plain)).toContain(
        "0 B were pushed, and what the registry could not be asked about.",
    );
});

test("quotes errors of anything else, whatever they contain", () => {
    const { log, record } = recorded("cutoff");
    const messages = new Map([["", [{ severity: "error", line: "config ```key``` is wrong" }]]]);
    expect(updateSummary({ ...log, result: "failed", messages }, { ...record, result: "failed" }, [], plain)).toMatch(
        /#### Other errors\n\n````\nconfig ```key``` is wrong\n````$/,
    );
});

test("an image that was removed is told as one whose published builds stay", () => {
    expect(summary("removed")).toContain("| ci | removed from the stack; what was published stays |  |  |");
});

test("masks a secret wherever it quotes, before a long line is cut", () => {
    const { log, record } = recorded("failing");
    const urn = imageSteps(log).find(({ result }) => result === "failed")?.urn ?? "";
    const line = `${"x".repeat(396)}second line of a key`;
    const error = { severity: "error", line };
    const text = updateSummary(
        { ...log, messages: new Map([urn, ""].map((of) => [of, [error]])) },
        { ...record, result: "failed" },
        [],
        {
            output: new Map([[urn, [line]]]),
            lines: [line],
            mask: (one) => masked(one, ["second line of a key"]),
        },
    );
    expect(text.match(/x{396}\[sec\n/g)).toHaveLength(4);
    expect(text).not.toContain("seco");
});

test("quotes the last hundred lines that a failed update printed, in a fence that they can't end", () => {
    const lines = Array.from({ length: 120 }, (_, index) => `${index.toString()} \`\`\``);
    const [text = ""] = quotations(undefined, [], { ...plain, lines });
    expect(text).toMatch(/^<details><summary>[^<]*<\/summary>\n\n````\n20 [^]*\n119 ```\n````\n\n<\/details>$/);
});

test("quotes nothing of an update that succeeded", () => {
    expect(quotations(first.log, [], { ...plain, lines: ["a line"] })).toEqual([]);
});

test("of an update that failed it says what is left to do, for each image and each thing on GitHub", () => {
    expect(summary("failing")).toContain(
        "#### Left to do\n\n- image base: its smoke test failed on linux/arm64; it was built and is not promoted\n",
    );
    expect(summary("cutoff")).not.toContain("Left to do");
});
