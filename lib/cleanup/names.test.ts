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
    const { digests } = namesIn(usesIn(JSON.stringify(state)));
    expect([...digests].sort()).toEqual(["a", "c", "d", "e"].map(digest));
    expect(usesIn(JSON.stringify({ deployment: {} }))).toBe('{"deployment":{"resources":[]}}');
});

test.each(["", "{", "null", '{"deployment": 1}', '{"deployment": {"resources": {}}}'])(
    "what is no state (%s) is not known to use nothing",
    (text) => {
        expect(() => usesIn(text)).toThrow(UnknownNamesError);
    },
);
