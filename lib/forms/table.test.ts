import fc from "fast-check";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { makePlan } from "../plan/plan";
import { imagePlan, planOf, recordedPreview, sixtyImages } from "../../tests/previews";
import { tableForm, wrap } from "./table";

const plain = { width: 80, colour: false } as const;
const controls = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;

test("an image is a line, below the one that it is built FROM", () => {
    const plan = makePlan({ stack: "local", preview: recordedPreview("base"), history: [] });
    expect(
        tableForm(plan, { ...plain, width: 100 })
            .split("\n")
            .slice(2, 10),
    ).toEqual([
        "base             rebuild  docker/Dockerfile.base changed",
        "├─ bot           maybe    only if the digest of base changes",
        "│  └─ leaf       maybe    only if the digest of bot or ci changes; smoke test docker/smoke/ci.sh",
        "│                         changed; in any case: its smoke tests run",
        "├─ ci            maybe    only if the digest of base changes; smoke test docker/smoke/ci.sh changed;",
        "│                         in any case: its smoke tests run",
        "└─ devcontainer  maybe    only if the digest of base changes",
        "",
    ]);
});

test("what is pending on GitHub, dangers and warnings come after the images", () => {
    const plan = planOf([imagePlan("base")], {
        repository: [
            { kind: "pull request", name: "Update the workflows", action: "create" },
            { kind: "secret", name: "DISCORD_TOKEN", action: "update" },
        ],
        dangers: ["something would be lost"],
        warnings: ["something is odd"],
        pending: true,
    });
    expect(tableForm(plan, plain)).toBe(
        [
            "stack local: 1 image unchanged\n\nbase  unchanged",
            "GitHub\ncreate  pull request  Update the workflows\nupdate  secret        DISCORD_TOKEN",
            "DANGER: something would be lost",
            "warning: something is odd",
        ].join("\n\n"),
    );
});

test("a stack without images, and one with nothing to do, say so", () => {
    expect(tableForm(planOf([]), plain)).toBe("stack local: no images\n\nNothing to do.");
});

describe("sixty images", () => {
    test.each([60, 80, 100, 200])("fit into %d columns, each with its line, in no time", (width) => {
        const start = performance.now();
        const lines = tableForm(sixtyImages(), { width, colour: false }).split("\n");
        expect(performance.now() - start).toBeLessThan(500);
        expect(lines.filter((line) => line.length > width)).toEqual([]);
        for (const { image, action } of sixtyImages().images) {
            expect(lines.filter((line) => line.includes(`${image}  `) && line.includes(action))).not.toEqual([]);
        }
    });
});

test("colours are there where they were asked for, and only there", () => {
    expect(tableForm(sixtyImages(), plain)).not.toMatch(controls);
    const coloured = tableForm(sixtyImages(), { ...plain, colour: true });
    expect(coloured).toContain("\u001b[33mrebuild");
    expect(coloured.replace(/\u001b\[\d+m/g, "")).toBe(tableForm(sixtyImages(), plain));
});

test("a file's name steers no terminal", () => {
    const evil = "a\u001b[2Jb\u202ec\nd\u0007";
    const plan = planOf(
        [imagePlan("base", { action: "rebuild", causes: [{ kind: "file added", path: evil, role: "input" }] })],
        {
            repository: [{ kind: "file", name: evil, action: "create" }],
            dangers: [evil],
            warnings: [evil],
        },
    );
    expect(tableForm(plan, plain)).not.toMatch(controls);
});

test("wrapped lines are no longer than asked for, and lose nothing", () => {
    fc.assert(
        fc.property(
            fc.array(fc.stringMatching(/^[a-zäß→]{1,30}$/)),
            fc.integer({ min: 1, max: 40 }),
            (words, width) => {
                const lines = wrap(words.join(" "), width);
                expect(lines.filter((line) => line.length > width)).toEqual([]);
                expect(lines.join("").replaceAll(" ", "")).toBe(words.join(""));
            },
        ),
    );
});
