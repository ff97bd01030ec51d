import { readFileSync } from "node:fs";
import path from "node:path";
import * as fc from "fast-check";
import { expect, spyOn, test } from "../tests/mocha";
import { tree } from "../tests/tree";
import {
    addMask,
    addSummary,
    cut,
    outputLines,
    setOutputs,
    reportPromoted,
    reportReview,
    reportStatus,
} from "./actions";

/** Returns the text that `report` appends to the files of a step. */
function step(report: (env: NodeJS.ProcessEnv) => void, summary = "") {
    const root = tree({ summary, output: "" });
    const file = (name: string) => path.join(root, name);
    report({ GITHUB_ACTIONS: "true", GITHUB_STEP_SUMMARY: file("summary"), GITHUB_OUTPUT: file("output") });
    return { summary: readFileSync(file("summary"), "utf8"), output: readFileSync(file("output"), "utf8") };
}

/** Parses GITHUB_OUTPUT as the runner does: `name=value` lines, and texts between two delimiter lines. */
function parseOutputs(text: string): Record<string, string> {
    const outputs: Record<string, string> = {};
    const lines = text.split("\n");
    while (lines.length > 1) {
        const [, name = "", kind, rest = ""] = /^([^=<]+)(=|<<)(.*)$/.exec(lines.shift() ?? "") ?? [];
        const end = kind === "<<" ? lines.indexOf(rest) : 0;
        if (end < 0) throw new Error(`the end of ${name} is missing`);
        outputs[name] =
            kind === "<<"
                ? lines
                      .splice(0, end + 1)
                      .slice(0, -1)
                      .join("\n")
                : rest;
    }
    return outputs;
}

test("outputs arrive as they are, whatever their texts hold", () => {
    const line = fc.oneof(fc.string(), fc.constantFrom("drift=true", "report<<end", "end", "```", "é", ""));
    fc.assert(
        fc.property(fc.array(line), fc.boolean(), (lines, drift) => {
            const report = lines.join("\n");
            const { output } = step((env) => {
                setOutputs({ drift, report, more: report }, env);
            });
            expect(parseOutputs(output)).toEqual({ drift: String(drift), report, more: report });
        }),
        { numRuns: 50 },
    );
});

test("each output has a delimiter that nobody can know before", () => {
    const [first, second] = [outputLines("a", "text"), outputLines("a", "text")];
    expect(first).not.toBe(second);
    expect(first).toMatch(/^a<<end-[0-9a-f-]{36}\ntext\nend-[0-9a-f-]{36}\n$/);
});

test.each([
    ["nothing of a text that is short enough", "abc", 3, "abc"],
    ["the end of a longer one", "abcd", 3, "abc"],
    ["no half of a character of two bytes", "abé", 3, "ab"],
    ["no half of a character of four bytes", "a😀", 4, "a"],
    ["a character that just fits not", "a😀b", 5, "a😀"],
    ["everything where there is no room", "é", 1, ""],
])("cut off is %s", (_what, text, bytes, kept) => {
    expect(cut(text, bytes)).toBe(kept);
});

test("an output is short enough for a comment and for a variable; the summary is whole", () => {
    const review = "é".repeat(50_000);
    const { summary, output } = step((env) => {
        reportReview(review, false, env);
    });
    expect(summary).toBe(review);
    expect(parseOutputs(output)).toEqual({ markdown: "é".repeat(30_000) });
});

test("only a dangerous review is an error, on the stream that no file gets", () => {
    const error = spyOn(console, "error").mockImplementation(() => undefined);
    const log = spyOn(console, "log").mockImplementation(() => undefined);
    step((env) => {
        reportReview("### Nothing\n", false, env);
    });
    reportReview("### Nothing\n", true, {});
    expect(error).not.toHaveBeenCalled();
    step((env) => {
        reportReview("### Lost\n", true, env);
    });
    expect(error.mock.calls).toEqual([[expect.stringMatching(/^::error::/)]]);
    expect(log).not.toHaveBeenCalled();
});

test("a report is shown as it is, in a fence that is longer than any in it", () => {
    const report = "a ``` b\n```` c\n";
    const { summary, output } = step((env) => {
        reportStatus(report, "drift", env);
    }, "before\n");
    expect(summary).toBe(`before\n\`\`\`\`\`\n${report}\`\`\`\`\`\n`);
    expect(parseOutputs(output)).toEqual({ drift: "true", report });
});

test("of what could not be compared there is no output", () => {
    const { summary, output } = step((env) => {
        reportStatus("no answer\n", "unknown", env);
    });
    expect([summary, output]).toEqual(["```\nno answer\n```\n", ""]);
});

test("what was promoted is JSON for later jobs, and as much of it as they can take", () => {
    const log = spyOn(console, "log").mockImplementation(() => undefined);
    const build = { image: "base", repository: "registry.test/base", digest: `sha256:${"a".repeat(64)}` };
    const release = { ...build, ref: `${build.repository}@${build.digest}`, release: "r-0123456789ab" };
    const outputsOf = (count: number, long = "") => {
        const builds = Array.from({ length: count }, () => ({
            ...build,
            image: `base${long}`,
            platform: "linux/amd64",
        }));
        const { output } = step((env) => {
            reportPromoted({ releases: [release], builds }, env);
        });
        const { releases = "", builds: text = "" } = parseOutputs(output);
        return [JSON.parse(releases) as unknown, (JSON.parse(text) as unknown[]).length];
    };
    expect([outputsOf(0), outputsOf(256)]).toEqual([0, 256].map((count) => [[release], count]));
    expect(log).not.toHaveBeenCalled();
    expect(outputsOf(300)).toEqual([[release], 256]);
    expect(log.mock.calls).toEqual([[expect.stringMatching(/^::warning::44 of /)]]);
    expect(outputsOf(256, "x".repeat(1000))[1]).toBeLessThan(60);
});

test("outside of a step nothing is written", () => {
    expect(() => {
        addSummary("text", {});
        setOutputs({ again: true }, { GITHUB_OUTPUT: "" });
    }).not.toThrow();
});

test("a mask is one line, whatever its text", () => {
    expect(addMask("100%\r\nnext")).toBe("::add-mask::100%25%0D%0Anext");
});
