import fc from "fast-check";
import { expect, test } from "../../tests/mocha";
import { imagePlan } from "../../tests/previews";
import { treeLines } from "./tree";

test("images stand below the one that they are built FROM, by name", () => {
    const images = [
        imagePlan("base"),
        imagePlan("leaf", { parent: "bot" }),
        imagePlan("ci", { parent: "base" }),
        imagePlan("bot", { parent: "base" }),
        imagePlan("alone"),
    ];
    expect(treeLines(images).map(({ prefix, plan, depth }) => `${depth.toString()} ${prefix}${plan.image}`)).toEqual([
        "0 alone",
        "0 base",
        "1 ├─ bot",
        "2 │  └─ leaf",
        "1 └─ ci",
    ]);
});

test("every image has its line, whatever the order and whether its parent is still there", () => {
    const hierarchy = fc.array(fc.nat({ max: 100 }), { maxLength: 30 }).chain((above) => {
        const images = above.map((number, index) => {
            const parent = number % (index + 2);
            // "i-1" never existed: it stands for an image that has left the stack.
            return imagePlan(
                `i${index.toString()}`,
                parent === index + 1 ? {} : { parent: `i${(parent - 1).toString()}` },
            );
        });
        return fc.shuffledSubarray(images);
    });
    fc.assert(
        fc.property(hierarchy, (images) => {
            const lines = treeLines(images);
            expect(lines.map(({ plan }) => plan.image).sort()).toEqual(images.map(({ image }) => image).sort());
            lines.forEach(({ plan, depth }, index) => {
                const above = lines.findIndex((line) => line.plan.image === plan.parent);
                expect(depth).toBe(above === -1 ? 0 : (lines[above]?.depth ?? 0) + 1);
                expect(above).toBeLessThan(index);
            });
        }),
    );
});
