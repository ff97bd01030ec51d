import { InputError } from "../lib/errors";
import { expect, test } from "../tests/mocha";
import { tree } from "../tests/tree";
import { loadDefinitions } from "./definitions";

// Node.js loads these files as JavaScript here. In the command line ts-node loads them as TypeScript.
const load = (text: string) => loadDefinitions(tree({ "images.ts": text }));

test("images and roots are those that images.ts exports", () => {
    const loaded = load(`exports.images = { base: { dockerfile: "Dockerfile" } }; exports.roots = { "a:1": {} };`);
    expect(loaded).toMatchObject({ images: { base: { dockerfile: "Dockerfile" } }, roots: { "a:1": {} } });
});

test.each(["", "exports.image = {};", "exports.images = null;", "module.exports = { default: { images: {} } };"])(
    "an images.ts with %j is refused, with what is missing",
    (text) => {
        expect(() => load(text)).toThrow(InputError);
        expect(() => load(text)).toThrow(/\/images\.ts: it exports no images\n {2}next: export const images/);
    },
);

test("a repository without images.ts is told so", () => {
    const root = tree({});
    expect(() => loadDefinitions(root)).toThrow(`${root}/images.ts: there is no such file`);
});
