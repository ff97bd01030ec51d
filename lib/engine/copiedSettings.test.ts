import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "../../tests/mocha";
import { tree } from "../../tests/tree";
import { InputError } from "../errors";
import { copySettings, removeCopy } from "./copiedSettings";

const settings = 'encryptionsalt: v1:abc=\nconfig:\n  layered-images:channel: "{stack}"\n';

test("a copy has all settings, the salt among them, and is written anew", () => {
    const root = tree({ "Pulumi.preview.yaml": settings });
    const file = path.join(root, "Pulumi.pr-12.yaml");
    copySettings(root, "team/pr-12", "preview");
    expect(readFileSync(file, "utf8")).toMatch(/^# Written by layered-images from Pulumi\.preview\.yaml,[^\n]*\n/);
    expect(readFileSync(file, "utf8").endsWith(settings)).toBe(true);
    writeFileSync(path.join(root, "Pulumi.preview.yaml"), "config: {}\n");
    copySettings(root, "pr-12", "preview");
    expect(readFileSync(file, "utf8").split("\n").slice(1)).toEqual(["config: {}", ""]);
    expect(removeCopy(root, "pr-12")).toBe(true);
    expect(existsSync(file)).toBe(false);
    expect(removeCopy(root, "pr-12")).toBe(false);
});

test("a file of one's own is neither overwritten nor removed", () => {
    const root = tree({ "Pulumi.preview.yaml": settings, "Pulumi.pr-12.yaml": "config: {}\n" });
    expect(() => {
        copySettings(root, "pr-12", "preview");
    }).toThrow("leave --settings-of out, or remove the file");
    expect(removeCopy(root, "pr-12")).toBe(false);
    expect(readFileSync(path.join(root, "Pulumi.pr-12.yaml"), "utf8")).toBe("config: {}\n");
});

test("settings that there are not, and those of the stack itself, are refused", () => {
    const root = tree({ "Pulumi.preview.yaml": settings });
    expect(() => {
        copySettings(root, "pr-12", "review");
    }).toThrow(InputError);
    expect(() => {
        copySettings(root, "preview", "team/preview");
    }).toThrow("names the file of stack preview itself");
    expect(readFileSync(path.join(root, "Pulumi.preview.yaml"), "utf8")).toBe(settings);
});
