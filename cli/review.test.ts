import { expect, test } from "../tests/mocha";
import { exitCode } from "./review";

const nothing = { dangers: [], pending: false };
const both = { refresh: true, expectNoChanges: true };
const published = (moved: readonly string[], unasked: readonly string[]) => ({ moved, unasked });

test.each([
    ["nothing", nothing, published([], []), both, 0],
    ["something pending", { ...nothing, pending: true }, published([], ["no answer"]), both, 2],
    ["a promoted tag that is lost or moved", nothing, published(["moved"], ["no answer"]), both, 2],
    ["a registry that could not be asked", nothing, published([], ["no answer"]), both, 1],
    ["that on a page, for which sizes were asked", nothing, published([], ["no answer"]), { expectNoChanges: true }, 0],
    [
        "all of that where changes are expected",
        { ...nothing, pending: true },
        published(["m"], ["u"]),
        { refresh: true },
        0,
    ],
    ["a danger, whatever is expected", { dangers: ["lost"], pending: true }, published([], ["no answer"]), {}, 3],
])("a review of %s ends with its own code", (_what, plan, found, options, code) => {
    expect(exitCode(plan, found, options)).toBe(code);
});
