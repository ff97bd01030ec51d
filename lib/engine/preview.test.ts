import fc from "fast-check";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { isUnknown, readPreview, sameWhereKnown, unknown } from "./preview";
import { nameOf } from "./resources";

const urn = "urn:pulumi:local::layered-images::a:b:C$d:e:F::bot-amd64";

describe("reading a preview", () => {
    test("keeps operation, names, both states and the provider's reasons", () => {
        const state = (digest: string) => ({
            type: "docker-build:index:Image",
            custom: true,
            parent: "urn:pulumi:local::layered-images::a:b:C::bot",
            inputs: { tags: ["x"] },
            outputs: { digest },
            retainOnDelete: true,
        });
        const steps = [{ op: "update", urn, oldState: state("a"), newState: state(""), diffReasons: ["tags"] }];
        const { steps: read, diagnostics } = readPreview(JSON.stringify({ steps }));
        expect(read).toEqual([
            {
                op: "update",
                urn,
                type: "docker-build:index:Image",
                name: "bot-amd64",
                parent: "bot",
                old: state("a"),
                new: state(""),
                reasons: ["tags"],
            },
        ]);
        expect(diagnostics).toEqual([]);
    });

    test("takes a resource that the state does not say to retain as one that is not", () => {
        const step = { op: "delete", urn, oldState: { type: "t" } };
        expect(readPreview(JSON.stringify({ steps: [step] })).steps[0]?.old?.retainOnDelete).toBe(false);
    });

    test.each(["", "error: no stack selected", "[]", '{"steps":[{"op":1}]}'])("refuses %j", (text) => {
        expect(() => readPreview(text)).toThrow();
    });

    test("knows a name that holds the separator of URNs", () => {
        expect(nameOf("urn:pulumi:s::p::t::a::b")).toBe("a::b");
    });
});

describe("what only an update can know", () => {
    const values = fc.jsonValue();

    test("a value is the same as itself, and as one that is not known", () => {
        fc.assert(
            fc.property(values, (value) => {
                expect(sameWhereKnown(value, value)).toBe(true);
                expect(sameWhereKnown(value, unknown)).toBe(true);
            }),
        );
    });

    test("values without anything unknown are the same exactly when they are equal", () => {
        fc.assert(
            fc.property(values, values, (a, b) => {
                // JSON does not distinguish 0 and -0.
                const [one, other] = [a, b].map((value) => JSON.parse(JSON.stringify(value)) as unknown);
                expect(sameWhereKnown(one, other)).toBe(deepEqual(one, other));
            }),
        );
    });

    test("an unknown value is found however deep it is", () => {
        fc.assert(
            fc.property(values, fc.array(fc.string(), { maxLength: 4 }), (beside, path) => {
                const wrapped = path.reduce<unknown>((inner, name) => [{ name, inner, beside }], unknown);
                expect(isUnknown(wrapped)).toBe(true);
            }),
        );
        expect(isUnknown({ a: ["b", null, { c: 1 }] })).toBe(false);
    });

    test.each([
        [[], {}],
        [["a"], { 0: "a" }],
        [JSON.parse('{"__proto__": {}}'), {}],
    ])("%j is another value than %j", (a, b) => {
        expect(sameWhereKnown(a, b)).toBe(false);
        expect(sameWhereKnown(b, a)).toBe(false);
    });

    test("what was known before and is gone now is a difference", () => {
        expect(sameWhereKnown({ a: 1, b: 2 }, { a: unknown })).toBe(false);
        expect(sameWhereKnown({ a: 1 }, { a: unknown, b: 2 })).toBe(false);
    });
});

function deepEqual(a: unknown, b: unknown): boolean {
    try {
        expect(a).toStrictEqual(b);
        return true;
    } catch {
        return false;
    }
}
