import { expect, test } from "../mocha";
import { type Change, type Model, apply, builtFrom, mostImages, mustBuild, stepsOf } from "./model";

/** Three images on each other on the root, and one on nothing. */
const model: Model = {
    images: {
        i0: { on: "root", text: 0, note: 0, comment: 0 },
        i1: { on: { image: "i0" }, text: 1, note: 1, comment: 1 },
        i2: { on: { image: "i1" }, text: 2, note: 2, comment: 2 },
        i3: { on: "nothing", text: 3, note: 3, comment: 3 },
    },
    pin: 0,
    next: 4,
};
const of = (kind: "text" | "note" | "comment" | "move" | "remove" | "add", pick: number, other = 0): Change => ({
    kind,
    pick,
    other,
});

test.each<[string, Change, readonly string[]]>([
    ["a text is in the image, and so in all images on it", of("text", 0), ["i0", "i1", "i2"]],
    ["a note is only read: the images on it are cut off", of("note", 0), ["i0"]],
    ["a comment is nothing", of("comment", 0), []],
    ["a pin is in all images on the root", { kind: "pin" }, ["i0", "i1", "i2"]],
    ["another parent", of("move", 3, 1), ["i3"]],
    ["another image", of("add", 1), ["i4"]],
    ["one image less", of("remove", 2), []],
    ["nothing", { kind: "nothing" }, []],
])("%s", (_, change, built) => {
    expect(mustBuild(apply(model, change), builtFrom(model))).toEqual(built);
});

test("steps never leave images without their parents, in circles, or too many", () => {
    let current = model;
    for (const change of stepsOf(1, 2000).flatMap(({ changes }) => changes)) {
        current = apply(current, change);
        // Throws for a parent that is not there, and never ends for a circle.
        const keys = Object.keys(builtFrom(current));
        expect(keys.length).toBeGreaterThan(0);
        expect(keys.length).toBeLessThanOrEqual(mostImages);
    }
});
