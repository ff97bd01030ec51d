import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "../../tests/mocha";
import { tree } from "../../tests/tree";
import { InputError } from "../errors";
import { copySettings, hasOwnFile, refuseCopy, removeCopy } from "./copiedSettings";

const project = { "Pulumi.yaml": "name: layered-images\nruntime: nodejs\n" };
const settings = 'encryptionsalt: v1:abc=\nconfig:\n  layered-images:channel: "{stack}"\n';

test("a copy has all settings, the salt among them, and is written anew", () => {
    const root = tree({ ...project, "Pulumi.preview.yaml": settings });
    const file = path.join(root, "Pulumi.pr-12.yaml");
    copySettings(root, "team/pr-12", "preview");
    expect(readFileSync(file, "utf8")).toMatch(/^# Written by layered-images from Pulumi\.preview\.yaml,[^\n]*\n/);
    expect(readFileSync(file, "utf8").endsWith(settings)).toBe(true);
    const changed = "config: { channel: 'x-{stack}' }\n";
    writeFileSync(path.join(root, "Pulumi.preview.yaml"), changed);
    copySettings(root, "pr-12", "preview");
    expect(readFileSync(file, "utf8").split("\n").slice(1).join("\n")).toBe(changed);
    expect(removeCopy(root, "pr-12")).toBe(true);
    expect(existsSync(file)).toBe(false);
    expect(removeCopy(root, "pr-12")).toBe(false);
});

test("a copy is not to be changed, a file of one's own is", () => {
    const root = tree({ ...project, "Pulumi.preview.yaml": settings });
    copySettings(root, "pr-12", "preview");
    expect(() => {
        refuseCopy({ file: path.join(root, "Pulumi.pr-12.yaml") });
    }).toThrow(/is a copy of Pulumi\.preview\.yaml,.*\n  next: change Pulumi\.preview\.yaml;/);
    refuseCopy({ file: path.join(root, "Pulumi.preview.yaml") });
    expect(["preview", "team/preview", "pr-12", "none"].map((stack) => hasOwnFile(root, stack))).toEqual([
        true,
        true,
        false,
        false,
    ]);
});

test("a file of one's own is neither overwritten nor removed", () => {
    const root = tree({ ...project, "Pulumi.preview.yaml": settings, "Pulumi.pr-12.yaml": "config: {}\n" });
    expect(() => {
        copySettings(root, "pr-12", "preview");
    }).toThrow("leave --settings-of out, or remove the file");
    expect(removeCopy(root, "pr-12")).toBe(false);
    expect(readFileSync(path.join(root, "Pulumi.pr-12.yaml"), "utf8")).toBe("config: {}\n");
});

test.each([
    ["no channel", "config: {}\n"],
    ["one channel for all", "config:\n  layered-images:channel: preview\n"],
])(
    "settings with %s are refused before anything is written: such stacks would move each other's tags, or those of images.ts",
    (_what, text) => {
        const root = tree({ ...project, "Pulumi.ci.yaml": text });
        expect(() => {
            copySettings(root, "pr-12", "ci");
        }).toThrow(/^Pulumi\.ci\.yaml: .*\n.*\{stack\}/);
        expect(existsSync(path.join(root, "Pulumi.pr-12.yaml"))).toBe(false);
    },
);

test("settings that there are not, and those of the stack itself, are refused", () => {
    const root = tree({ ...project, "Pulumi.preview.yaml": settings });
    expect(() => {
        copySettings(root, "pr-12", "review");
    }).toThrow(InputError);
    expect(() => {
        copySettings(root, "preview", "team/preview");
    }).toThrow("names the file of stack preview itself");
    expect(readFileSync(path.join(root, "Pulumi.preview.yaml"), "utf8")).toBe(settings);
});
