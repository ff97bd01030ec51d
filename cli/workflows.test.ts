import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { invented, inventedFiles } from "../tests/github/invented";
import { expect, test } from "../tests/mocha";
import { tree, writeTree } from "../tests/tree";
import { runWorkflows } from "./workflows";

const files = {
    ...inventedFiles,
    // Node.js loads these files as JavaScript here.
    "images.ts": `exports.images = ${JSON.stringify(invented.images)};`,
    "workflows.ts": `exports.workflows = ${JSON.stringify(invented.workflows)};`,
};
const soil = ".github/workflows/soil.yml";

test("versions that Dependabot wrote are kept by the next generation, in a repository that can't change the package", () => {
    const root = tree(files);
    const read = (file: string) => readFileSync(path.join(root, file), "utf8");
    expect(runWorkflows(root, {})).toContain(soil);
    expect(runWorkflows(root, { check: true })).toEqual(["the workflow files are up to date"]);

    const uses = `uses: actions/checkout@${"d".repeat(40)} # v99.0.0`;
    const generated = [soil, "shop.yml", "harvest.yml", "review.yml"].map((name) =>
        path.join(".github/workflows", path.basename(name)),
    );
    const moved = generated.map((file) => [file, read(file).replace(/uses: actions\/checkout@.*/g, uses)] as const);
    writeTree(root, Object.fromEntries(moved));
    // A workflow of somebody else is none of this program's business.
    writeTree(root, { ".github/workflows/theirs.yml": "jobs:\n  a:\n    steps:\n      - uses: actions/checkout@v4\n" });
    expect(() => runWorkflows(root, { check: true })).toThrow(/soil\.yml.*\n.*--take-pins/);

    expect(runWorkflows(root, { takePins: true })).toEqual(["actions/checkout v99.0.0"]);
    expect(Object.keys(JSON.parse(read("pins.json")) as object)).toEqual(["actions/checkout"]);
    expect(runWorkflows(root, {})).toEqual(["the workflow files are up to date"]);
    for (const [file, text] of moved) expect(read(file)).toBe(text);
    expect(runWorkflows(root, { takePins: true })).toEqual(["pins.json stays as it is"]);
});

test("with a line that is not understood nothing is taken at all", () => {
    const root = tree(files);
    runWorkflows(root, {});
    const text = readFileSync(path.join(root, soil), "utf8");
    const uses = `uses: actions/checkout@${"d".repeat(40)}`;
    writeTree(root, {
        [soil]: text
            .replace(/uses: actions\/checkout@.*/, `${uses} # v99.0.0`)
            .replace(/uses: actions\/checkout@[^d].*/, uses),
    });
    expect(() => runWorkflows(root, { takePins: true })).toThrow(
        /^\.github\/workflows\/soil\.yml:\d+: "uses: actions\/checkout@d+" was not/,
    );
    expect(existsSync(path.join(root, "pins.json"))).toBe(false);
});
