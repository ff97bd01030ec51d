import { readFileSync } from "node:fs";
import path from "node:path";
import { InputError } from "../lib/errors";
import { expect, test } from "../tests/mocha";
import { tree } from "../tests/tree";
import { writeOutput } from "./output";

test("what was asked for is written, over what was there", () => {
    const file = path.join(tree({ "page.html": "old" }), "page.html");
    writeOutput("--html", file, "new");
    expect(readFileSync(file, "utf8")).toBe("new");
});

test.each(["missing/page.html", "file/page.html", "folder", "file/"])("%s is refused by the option's name", (name) => {
    const root = tree({ file: "text", "folder/file": "text" });
    const write = () => {
        writeOutput("--html", `${root}/${name}`, "text");
    };
    expect(write).toThrow(InputError);
    expect(write).toThrow(`--html ${root}/${name} can't be written: E`);
});
