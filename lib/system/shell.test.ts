import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { keyArguments, pinCommand, quote } from "./shell";

test("a quoted word arrives in a shell as it is, whatever is in it", () => {
    const text = fc.string({ unit: "binary", minLength: 0, maxLength: 20 }).map((word) => word.replaceAll("\0", ""));
    fc.assert(
        fc.property(fc.array(text, { minLength: 1, maxLength: 20 }), (words) => {
            const script = `for word in ${words.map(quote).join(" ")}; do printf '%s\\0' "$word"; done`;
            const seen = execFileSync("/bin/sh", ["-c", script], { encoding: "utf8" }).split("\0").slice(0, -1);
            expect(seen).toEqual(words.map((word) => Buffer.from(word).toString("utf8")));
        }),
        { numRuns: 20 },
    );
});

describe("a place in the configuration is named", () => {
    test.each<[readonly PropertyKey[], string]>([
        [["platforms"], "platforms"],
        [["buildSecrets", "INDEX_TOKEN"], "--path 'buildSecrets.INDEX_TOKEN'"],
        [["buildArgs", "base", "TZ"], "--path 'buildArgs.base.TZ'"],
        [["builder", "nodes", 0, "endpoint"], "--path 'builder.nodes[0].endpoint'"],
        [["roots", "python:3"], `--path 'roots["python:3"]'`],
        [["buildSecrets", "it's"], `--path 'buildSecrets["it'\\''s"]'`],
    ])("%j as %s", (path, expected) => {
        expect(keyArguments(path)).toBe(expected);
    });

    test("by the command that pins a root", () => {
        expect(pinCommand("python:3")).toBe(
            `pulumi config set --path 'roots["python:3"]' <repository>@sha256:<digest>`,
        );
    });
});
