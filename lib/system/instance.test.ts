import { writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "../../tests/mocha";
import { temporaryFolder } from "../../tests/tree";
import { InputError } from "../errors";
import { readInstance, writeInstance } from "./instance";

const instance = {
    registry: "registry.localhost:5443",
    port: 5443,
    platforms: "host",
    roots: { "python:3.12-slim": "registry.localhost:5443/library/python@sha256:0" },
    rootsByPlatform: {},
    standIn: "0123456789ab",
    standInPlatforms: ["linux/amd64"],
} as const;

const file = () => path.join(temporaryFolder(), "instance.json");

test("a lab reads what another version wrote that knows more than it does", () => {
    const written = file();
    writeFileSync(written, JSON.stringify({ ...instance, invented: { later: true } }));
    expect(readInstance(written)).toEqual(instance);
});

test("a lab reads what a version wrote that had one root for all platforms", () => {
    const written = file();
    writeFileSync(written, JSON.stringify({ ...instance, rootsByPlatform: undefined }));
    expect(readInstance(written)).toEqual(instance);
});

test("what was written is read, and nothing where nothing was", () => {
    const written = file();
    expect(readInstance(written)).toBeUndefined();
    writeInstance(written, { ...instance, standInPlatforms: ["linux/amd64"] });
    expect(readInstance(written)).toEqual(instance);
});

test.each([
    ["", "it is empty"],
    ['{"port": 54', "it is no JSON, or its end is missing"],
    ["[]", "expected object"],
    [JSON.stringify({ ...instance, port: "5443" }), "port: "],
])("a file that holds %j is refused, with the file and what to do", (text, reason) => {
    const written = file();
    writeFileSync(written, text);
    const read = () => readInstance(written);
    expect(read).toThrow(InputError);
    expect(read).toThrow(`${written}: the lab's instance file can't be read: `);
    expect(read).toThrow(reason);
    expect(read).toThrow("next: npm run down, then move this file away, then npm run lab -- start");
});
