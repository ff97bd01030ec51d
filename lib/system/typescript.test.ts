import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "../../tests/mocha";
import { tree, writeTree } from "../../tests/tree";
import { packageRoot } from "./paths";

/** A checkout with these sources, and a function that runs one of its files by the hook under test. */
function checkout(files: Readonly<Record<string, string>>) {
    const root = tree({ "package.json": '{ "type": "module" }\n', ...files, "lib/system/x": "", "node_modules/x": "" });
    cpSync(path.join(packageRoot, "lib/system/typescript.cjs"), path.join(root, "lib/system/typescript.cjs"));
    symlinkSync(path.join(packageRoot, "node_modules/@swc"), path.join(root, "node_modules/@swc"));
    const run = (file: string, ...node: string[]) => {
        const script = `require("./lib/system/typescript.cjs").registerTypeScript(); require(${JSON.stringify(file)});`;
        const done = spawnSync(process.execPath, [...node, "-e", script], { cwd: root, encoding: "utf8" });
        return done.status === 0 ? done.stdout.trim() : done.stderr;
    };
    const cache = path.join(root, "node_modules/.cache/layered-images");
    return { root, run, cached: () => readdirSync(cache).map((name) => path.join(cache, name)) };
}

test("TypeScript of every form that a definition may have is loaded, in a package of ES modules too", () => {
    const { run } = checkout({
        "a.ts": `import { join } from "node:path";
            import { type Shade, colour } from "./b";
            import made = require("./c");
            enum Size { small = 1 }
            const shade: Shade = "dark";
            console.log(join(colour, shade), Size[1], made() satisfies string);`,
        "b.ts": `export type Shade = "dark" | "light";\nexport const colour = "red" as const;\n`,
        "c.ts": `const make = (): string => "made";\nexport = make;\n`,
    });
    expect(run("./a")).toBe("red/dark small made");
});

test("a source is compiled again when it changes, and otherwise taken from the cache", () => {
    const { root, run, cached } = checkout({ "a.ts": `console.log("one" as string);\n` });
    expect(run("./a")).toBe("one");
    expect(run("./a")).toBe("one");
    const [file = ""] = cached();
    const { ino } = statSync(file);
    expect(run("./a")).toBe("one");
    expect(statSync(file).ino).toBe(ino);
    writeFileSync(path.join(root, "a.ts"), `console.log("two" as string);\n`);
    expect(run("./a")).toBe("two");
    expect(cached()).toEqual([file]);
    expect(statSync(file).ino).not.toBe(ino);
});

test.each<[string, (whole: Buffer) => Buffer]>([
    ["nothing", () => Buffer.alloc(0)],
    ["its beginning", (whole) => whole.subarray(0, 20)],
    ["all but its last line", (whole) => whole.subarray(0, whole.lastIndexOf("\n//"))],
    ["its first half, then zeros", (whole) => Buffer.concat([whole.subarray(0, whole.length / 2)], whole.length)],
    ["zeros", (whole) => Buffer.alloc(whole.length)],
])("what a crash left of the cache is compiled again: %s", (_, damage) => {
    const { run, cached } = checkout({ "a.ts": 'console.log("one" as string);\nconsole.log("two");\n' });
    expect(run("./a")).toBe("one\ntwo");
    const [file = ""] = cached();
    const whole = readFileSync(file);
    writeFileSync(file, damage(whole));
    expect(run("./a")).toBe("one\ntwo");
    expect(readFileSync(file)).toEqual(whole);
});

test("a cache that can't be written costs time only", () => {
    const { run, root } = checkout({ "a.ts": 'console.log("one" as string);\n' });
    writeTree(root, { "node_modules/.cache/layered-images": "a file in the place of the folder" });
    expect(run("./a")).toBe("one");
});

test("an error names the line of the source", () => {
    const { run } = checkout({ "a.ts": `interface A { a: string }\n\nconst a = {} as A;\na.a.trim();\n` });
    expect(run("./a", "--enable-source-maps")).toContain("a.ts:4:");
    const broken = checkout({ "a.ts": "const a: = 1;\n" });
    expect(broken.run("./a")).toMatch(/a\.ts:1:\d+/);
});
