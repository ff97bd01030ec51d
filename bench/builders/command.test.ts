import { loadDefinitions } from "../../definitions";
import { openCheckout } from "../../lib/context/checkout";
import { readHierarchy } from "../../lib/hierarchy/prepare";
import { expect, test } from "../../tests/mocha";
import { tree } from "../../tests/tree";
import { table, waitingFiles } from "./command";

test("the images that are built wait, each by itself, on a base for both platforms", () => {
    const root = tree(waitingFiles(3, 20));
    const { images } = readHierarchy(openCheckout(root), loadDefinitions(root), {
        ...{ platforms: "all", roots: {}, buildArgs: {} },
    });
    expect(images.map(({ key, parents, platforms }) => [key, parents.map((one) => one.key), platforms.length])).toEqual(
        [["base", [], 2], ...[0, 1, 2].map((index) => [`image-${index.toString()}`, ["base"], 2])],
    );
    expect(new Set(images.map(({ inputHash }) => inputHash)).size).toBe(4);
});

test("the tables give ratios to no builder and to one engine", () => {
    const text = table({
        plans: [
            { builder: "none", images: 300, cpuSeconds: 20, megabytes: 500 },
            { builder: "two engines", images: 300, cpuSeconds: 21, megabytes: 505 },
        ],
        ups: [
            { builder: "one", operations: "8", wallSeconds: 100 },
            { builder: "two", operations: "16", wallSeconds: 55 },
        ],
        slots: 8,
    });
    const rows = text.split("\n").filter((line) => /^\| (none|one|two)/.test(line));
    expect(rows).toEqual([
        "| none | 300 | 20.0 s | 1.00 | 500 MB | 1.00 |",
        "| two engines | 300 | 21.0 s | 1.05 | 505 MB | 1.01 |",
        "| one | 8 | 100 s | 1.00 |",
        "| two | 16 | 55 s | 0.55 |",
    ]);
});
