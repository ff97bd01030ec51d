import { execFileSync } from "node:child_process";
import { Command } from "commander";
import { expect, test } from "../tests/mocha";
import { exportLines, minFreeOption } from "./lab";

/** Parses the options of `up`. */
const minFree = (text: string): unknown => {
    const up = new Command("up").exitOverride().configureOutput({ writeErr: () => undefined });
    return up.addOption(minFreeOption()).parse(["--min-free", text], { from: "user" }).opts().minFree;
};

test.each([
    ["55", 55],
    ["7.5", 7.5],
    ["0", 0],
])("--min-free %s is taken", (text, gigabytes) => {
    expect(minFree(text)).toBe(gigabytes);
});

test.each(["", "-1", "55GB", "many", "1e3", "7."])("--min-free %j is refused, with what is allowed", (text) => {
    expect(() => minFree(text)).toThrow("Allowed: GB as a number, such as 40 or 7.5.");
});

test("what is exported arrives as it is in a shell, whatever characters paths have", () => {
    const variables = { ONE: '/it\'s a "folder"/$HOME/`x`\\', TWO: "two\nlines", NONE: "" };
    const lines = exportLines(variables, ["/a b/it's", "/c"]).join("\n");
    const script = `eval "$1"; exec ${process.execPath} --print 'JSON.stringify(process.env)'`;
    const env = { PATH: "/usr/bin:/bin" };
    const seen: unknown = JSON.parse(execFileSync("/bin/sh", ["-c", script, "sh", lines], { env, encoding: "utf8" }));
    expect(seen).toMatchObject({ ...variables, PATH: "/a b/it's:/c:/usr/bin:/bin" });
});
