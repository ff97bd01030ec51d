import { expect, test } from "../../tests/mocha";
import { tree } from "../../tests/tree";
import { loadDefinitions } from "../../definitions";
import { openCheckout } from "../../lib/context/checkout";
import { readHierarchy } from "../../lib/hierarchy/prepare";
import { table } from "./command";
import { hierarchyFiles, keyOf, parentOf, shapes } from "./hierarchies";

test.each(shapes)("a %s hierarchy is read with the parents that it is made of", (shape) => {
    const root = tree(hierarchyFiles(shape, 90));
    const { images } = readHierarchy(openCheckout(root), loadDefinitions(root), {
        platforms: "all",
        roots: {},
        buildArgs: {},
    });
    expect(images).toHaveLength(90);
    for (const { key, parents, inputs } of images) {
        const parent = parentOf(shape, Number(key.slice("image-".length)));
        expect(parents.map((one) => one.key)).toEqual(parent === undefined ? [] : [keyOf(parent)]);
        expect(inputs.map(({ path }) => path)).toEqual([`files/${key}.txt`]);
    }
});

test("the table gives what each additional image costs", () => {
    const cost = { shape: "wide", command: "up", wallSeconds: 2, megabytes: 400 } as const;
    const lines = table([
        { ...cost, images: 10, cpuSeconds: 4 },
        { ...cost, images: 110, cpuSeconds: 9 },
    ]).split("\n");
    expect(lines.slice(2)).toEqual([
        "| wide | 10 | up | 2.0 s | 4.0 s | 400 MB |  |",
        "| wide | 110 | up | 2.0 s | 9.0 s | 400 MB | 50 ms |",
    ]);
});
