import { describe } from "mocha";
import { InputError } from "./lib/errors";
import { invented } from "./tests/github/invented";
import { expect, test } from "./tests/mocha";
import { tree } from "./tests/tree";
import { loadDefinitions } from "./definitions";

// Node.js loads these files as JavaScript here. In a program and in the command line ts-node loads them as TypeScript.
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

test("an entry with a matrix is replaced by its images, and by them in workflows", () => {
    const entry = { description: "", name: "r.test/a:{V}", dockerfile: "Dockerfile", platforms: ["linux/amd64"] };
    const loaded = load({
        "images.ts": `exports.images = ${JSON.stringify({ a: { ...entry, matrix: { V: ["1", "2"] } } })};`,
        "workflows.ts": `exports.workflows = { up: [{ file: "a.yml", name: "A", images: ["a"] }, { file: "b.yml", name: "B" }] };`,
    });
    expect(loaded).toEqual({
        images: {
            "a-1": { ...entry, name: "r.test/a:1", buildArgs: { V: "1" } },
            "a-2": { ...entry, name: "r.test/a:2", buildArgs: { V: "2" } },
        },
        matrices: { a: { images: ["a-1", "a-2"], variables: ["V"], inTemplates: [] } },
        workflows: {
            up: [
                { file: "a.yml", name: "A", images: ["a-1", "a-2"] },
                { file: "b.yml", name: "B" },
            ],
        },
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

    test("a file that is not a program", () => {
        const message = refusal(() => load({ "images.ts": "exports.images = {" }));
        // The compiler says in its own words, and with the line, what is wrong.
        expect(message).toMatch(/^images\.ts: it can't be loaded: .*Unexpected/);
        expect(message).toContain("exports.images = {");
        expect(message).toMatch(/\n {2}next: correct images\.ts$/);
        expect(message).not.toMatch(/stack|Caused by/i);
    });

    test("a matrix with problems, all of them at once", () => {
        const entry = { description: "{X}", name: "r.test/a:1", dockerfile: "Dockerfile", platforms: ["linux/amd64"] };
        const text = `exports.images = ${JSON.stringify({ a: { ...entry, matrix: { V: [] } }, b: { ...entry, matrix: {} } })};`;
        expect(refusal(() => load({ "images.ts": text })).split("\n")).toEqual([
            "images.ts: image a: the variable V of its matrix has no values",
            "  image a: its description has {X}: its matrix has {V}",
            "  image b: its description has {X}: its matrix has no variable",
            "  image b: its matrix has no combination: add values, or remove the entry",
            "  next: correct images.ts",
        ]);
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

test.each([
    ["an entry that is null", "exports.images = { a: null };", /image a is not an object with the fields description/],
    ["an entry that is text", 'exports.images = { a: "x" };', /image a is not an object with the fields description/],
    ["a list", "exports.images = [1];", /image 0 is not an object with the fields description/],
    ["an end of the process", "process.exit(3);", /images\.ts: it can't be loaded: it calls process\.exit\(3\)/],
    ["null that is thrown", "throw null;", /images\.ts: it can't be loaded: null/],
    ["nothing", "", /images\.ts: it exports no images/],
])("an images.ts with %s is refused, and leaves the process as it was", (_, text, message) => {
    const exit: unknown = Reflect.get(process, "exit");
    const handlers = process.listeners("SIGINT");
    expect(refusal(() => load({ "images.ts": text }))).toMatch(message);
    expect(Reflect.get(process, "exit")).toBe(exit);
    expect(process.listeners("SIGINT")).toEqual(handlers);
});
