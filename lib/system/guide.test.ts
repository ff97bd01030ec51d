import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "../../tests/mocha";
import { headings } from "./guide";
import { packageRoot } from "./paths";

test("every heading that messages refer to is one of docs/operations.md", () => {
    const text = readFileSync(path.join(packageRoot, "docs", "operations.md"), "utf8");
    const there = [...text.matchAll(/^#+ (?:\d+\. )?(.*)$/gm)].map(([, heading]) => heading);
    expect(Object.values(headings).filter((heading) => !there.includes(heading))).toEqual([]);
});
