import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { makePlan } from "../plan/plan";
import { fileChanged, imagePlan, planOf, recordedPreview, sixtyImages } from "../../tests/previews";
import { markdownForm } from "./markdown";

const of = (name: string) => markdownForm(makePlan({ stack: "local", preview: recordedPreview(name), history: [] }));
const bytes = (text: string) => Buffer.byteLength(text);
const fences = (text: string) => text.split("\n").filter((line) => line.startsWith("```"));

test("a comment has counts, the hierarchy as a chart, and a row an image with its reason", () => {
    const text = of("base");
    expect(text).toMatch(/^### Review of stack local: 1 image to rebuild, 4 maybe\n/);
    expect(text).toContain("| base | **rebuild** | docker/Dockerfile.base changed |");
    expect(text).toMatch(/\| (&nbsp;)+bot \| \*\*maybe\*\* \| only if the digest of base changes \|/);
    expect(fences(text)).toEqual(["```mermaid", "```"]);
});

test("the chart leads from roots to images and from parents to children, coloured by action", () => {
    const chart =
        of("root")
            .split("```")[1]
            ?.split("\n")
            .map((line) => line.trim()) ?? [];
    expect(chart).toEqual(
        expect.arrayContaining([
            'r0(["python:3.12-slim"])',
            'i0["base<br/>rebuild"]:::rebuild',
            'i1["bot<br/>maybe"]:::maybe',
            "r0 --> i0",
            "i0 --> i1",
            "i1 --> i4",
            "i2 -.-> i4",
        ]),
    );
    expect(chart.filter((line) => line.startsWith("classDef"))).toHaveLength(2);
});

test("a root that is a digest is shown with the start of it", () => {
    const root = `ghcr.io/us/base:latest@sha256:${"0123456789abcdef".repeat(4)}`;
    expect(markdownForm(planOf([imagePlan("child", { root, action: "rebuild" })]))).toContain(
        '(["ghcr.io/us/base:latest@sha256:0123456789ab"])',
    );
});

test("nothing to do is said in few words, without a chart", () => {
    expect(of("same")).toContain("Nothing to do.");
    expect(fences(of("same"))).toEqual([]);
});

test("dangers stand first, and alarm", () => {
    const text = of("lost");
    expect(text).toContain("\n> [!CAUTION]\n> - deleting the promoted tag of leaf");
    expect(text.indexOf("CAUTION")).toBeLessThan(text.indexOf("```mermaid"));
});

describe("what comes from files is shown and never obeyed", () => {
    const evil = [
        "<script>alert(1)</script>",
        "a|b",
        "`x`",
        "[x](https://e.org)",
        "@octocat",
        "https://e.org ftp://e.org (WWW.e.org)",
        "#12",
        "**b**",
        "a\nb",
        "&lt;",
        "~~x~~",
        "$x$",
    ];
    const text = markdownForm(
        planOf(
            [
                imagePlan("base", {
                    action: "rebuild",
                    causes: evil.map(fileChanged),
                    root: 'x"]; click i0 "https://e.org',
                }),
            ],
            {
                warnings: evil,
                dangers: evil,
                repository: evil.map((name) => ({ kind: "file", name, action: "create" })),
            },
        ),
    );

    test("in a table, list or quote", () => {
        expect(text).not.toMatch(
            /(?<!\\)<script|@octocat|#12\b|:\/\/(?!e\.org"\])|[wW]{3}\.|(?<!\\)\[x|(?<!\\)\*\*b|(?<!\\)`x|(?<!\\)~~x|(?<!\\)\$x/,
        );
        expect(text).toContain("a\\|b");
        expect(text).toContain("&amp;lt;");
        const row = text.split("\n").find((line) => line.startsWith("| base"));
        expect(row?.match(/(?<!\\)\|/g)).toHaveLength(5);
    });

    test("in the chart", () => {
        expect(text).toContain('(["x#34;]; click i0 #34;https://e.org"])');
    });
});

describe("a comment that GitHub takes", () => {
    test("holds sixty images, whole", () => {
        const text = markdownForm(sixtyImages());
        expect(bytes(text)).toBeLessThan(60_000);
        expect(text).toContain("service-59");
        expect(fences(text)).toHaveLength(2);
    });

    test.each([
        ["many images with long reasons", 400, "ä".repeat(200)],
        ["few images with longer ones", 70, "→".repeat(20_000)],
    ])("ends at a whole line where there is more, and says how to see it: %s", (_title, count, cause) => {
        const images = Array.from({ length: count }, (_, index) =>
            imagePlan(`image-${index.toString()}`, { action: "rebuild", causes: [fileChanged(cause)] }),
        );
        const text = markdownForm(planOf(images));
        expect(bytes(text)).toBeLessThan(60_000);
        expect(text).toMatch(/too long for a comment; all of it: `npm run review -- --stack local`\n$/);
        expect(fences(text).length % 2).toBe(0);
        expect(text).not.toContain("\ufffd");
    });

    test("leaves out a chart rather than half of it", () => {
        const images = Array.from({ length: 70 }, (_, index) =>
            imagePlan(`i${index.toString()}`, { action: "rebuild" }),
        );
        const text = markdownForm(planOf(images, { dangers: Array.from({ length: 700 }, () => "x".repeat(80)) }));
        expect(bytes(text)).toBeLessThan(60_000);
        expect(fences(text)).toEqual([]);
    });
});
