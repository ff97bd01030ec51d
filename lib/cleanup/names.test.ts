import { expect, test } from "../../tests/mocha";
import { componentTypes } from "../engine/resources";
import { namesIn } from "../registry/retention";
import { UnknownNamesError, usesIn } from "./names";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;

test("a release that was promoted once is no use of it; everything else in a state is", () => {
    const outputs = {
        ref: `ghcr.io/o/app@${digest("a")}`,
        releases: [{ release: "r-0123456789ab", digest: digest("b") }],
    };
    const resources = [
        { type: componentTypes.promotion, urn: "urn:app", outputs, inputs: { pin: digest("c") } },
        { type: "other:index:Thing", urn: "urn:other", outputs: { releases: [{ digest: digest("d") }] } },
        { type: "pulumi:pulumi:Stack", urn: "urn:stack" },
    ];
    const pending = [{ resource: { inputs: { tag: digest("e") } }, type: "creating" }];
    const state = { version: 3, deployment: { resources, pending_operations: pending } };
    const { digests } = namesIn(usesIn(JSON.stringify(state), 0));
    expect([...digests].sort()).toEqual(["a", "c", "d", "e"].map(digest));
    expect(usesIn(JSON.stringify({ deployment: {} }), 0)).toBe('{"deployment":{"resources":[]}}');
});

test("the newest releases of a stack are named, however many newer ones the channels of other stacks have in the repository", () => {
    const releases = ["a", "b", "c"].map((digit) => ({ release: `r-${digit.repeat(12)}`, digest: digest(digit) }));
    const resources = [{ type: componentTypes.promotion, urn: "urn:app", outputs: { releases } }];
    const { digests } = namesIn(usesIn(JSON.stringify({ deployment: { resources } }), 2));
    expect([...digests]).toEqual([digest("a"), digest("b")]);
});

test.each(["", "{", "null", '{"deployment": 1}', '{"deployment": {"resources": {}}}'])(
    "what is no state (%s) is not known to use nothing",
    (text) => {
        expect(() => usesIn(text, 0)).toThrow(UnknownNamesError);
    },
);
