import { describe } from "mocha";
import { InputError } from "./lib/errors";
import { invented } from "./tests/github/invented";
import { expect, test } from "./tests/mocha";
import { tree } from "./tests/tree";
import { loadDefinitions } from "./definitions";

const load = (files: Readonly<Record<string, string>>) => loadDefinitions(tree(files));
const images = `exports.images = { base: { name: "r.example/o/base", dockerfile: "Dockerfile" } };`;

/** The message of the error that a call throws, which must be an InputError. */
function refusal(call: () => unknown): string {
    try {
        call();
    } catch (error) {
        expect(error).toBeInstanceOf(InputError);
        return (error as InputError).message;
    }
    throw new Error("nothing was refused");
}

describe("definitions are", () => {
    test("the images and roots that images.ts exports, and nothing else of it", () => {
        const text = `${images} exports.roots = { "a:1": {} }; exports.more = 1;`;
        expect(load({ "images.ts": text })).toEqual({
            images: { base: { name: "r.example/o/base", dockerfile: "Dockerfile" } },
            roots: { "a:1": {} },
        });
    });

    test("the workflows that workflows.ts exports, if there is one", () => {
        const texts = {
            "images.ts": `exports.images = ${JSON.stringify(invented.images)};`,
            "workflows.ts": `exports.workflows = ${JSON.stringify(invented.workflows)};`,
        };
        expect(load(texts)).toEqual(invented);
        expect(load({ "images.ts": texts["images.ts"] })).toEqual({ images: invented.images });
    });
});

describe("is refused with one message, without a stack trace:", () => {
    test.each(["", "exports.image = {};", "exports.images = null;", "module.exports = { default: { images: {} } };"])(
        "an images.ts with %j",
        (text) => {
            expect(refusal(() => load({ "images.ts": text }))).toBe(
                "images.ts: it exports no images\n  next: export const images: ImageDefinitions = { … }; README.md shows how",
            );
        },
    );

    test("a workflows.ts that exports none", () => {
        expect(refusal(() => load({ "images.ts": images, "workflows.ts": "exports.workflow = {};" }))).toBe(
            "workflows.ts: it exports no workflows\n" +
                "  next: export const workflows: WorkflowDefinitions = { … }; README.md shows how",
        );
    });

    test("a repository without images.ts", () => {
        const root = tree({});
        expect(refusal(() => loadDefinitions(root))).toContain(`${root}/images.ts: there is no such file`);
    });

    test.each([
        ["throws an error", 'throw new Error("no base");', "no base"],
        ["throws a text", 'throw "no base";', "no base"],
        ["uses what is not there", "exports.images = { base: imge() };", "imge is not defined"],
        ["requires what is not there", 'require("./gone");', "Cannot find module './gone'"],
    ])("a file that %s", (_what, text, reason) => {
        const message = (file: string) => `${file}: it can't be loaded: ${reason}\n  next: correct ${file}`;
        expect(refusal(() => load({ "images.ts": text }))).toBe(message("images.ts"));
        expect(refusal(() => load({ "images.ts": images, "workflows.ts": text }))).toBe(message("workflows.ts"));
    });

    test("a file that does not compile, with the line", () => {
        const message = refusal(() => load({ "images.ts": "exports.images = {\n" }));
        expect(message).toMatch(/^images\.ts: it can't be loaded: [^]*images\.ts[^]*\n {2}next: correct images\.ts$/);
        expect(message).not.toMatch(/backtrace|node_modules|\n\s+at /);
    });

    test("a workflows.ts with problems, all of them at once", () => {
        const workflows = { up: [{ file: "a.yml", name: "A", images: ["bse"], after: "b.yml" }] };
        const text = `exports.workflows = ${JSON.stringify(workflows)};`;
        expect(refusal(() => load({ "images.ts": images, "workflows.ts": text })).split("\n")).toEqual([
            'workflows.ts: up[0].images: images.ts has no image "bse"; it has base',
            '  up[0].after: "b.yml" is not the file of a workflow before it in the list; there is none',
            expect.stringContaining("  up: no workflow starts when base changes"),
            "  next: correct workflows.ts",
        ]);
    });
});
