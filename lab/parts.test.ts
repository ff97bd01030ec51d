import type { Platform } from "../lib/platform";
import { expect, test } from "../tests/mocha";
import { partsOf } from "./parts";

test.each<[readonly string[], readonly Platform[], boolean, boolean]>([
    [["python:3.12-slim", "debian:12"], ["linux/amd64"], true, false],
    [["docker.io/library/python:3.12-slim"], ["linux/amd64", "linux/arm64"], true, true],
    [["python:3.12", "debian:12"], ["linux/arm64"], false, true],
    [[], [], false, false],
])("roots %j for platforms %j: stand-in %s, emulation %s", (roots, platforms, standIn, emulation) => {
    const definition = { description: "", dockerfile: "Dockerfile", platforms };
    const images = { placed: [{ roots, definition }], readings: {} };
    expect(partsOf(images, "linux/amd64")).toEqual({ standIn, emulation, otherRoots: false });
});

test.each<[string, Platform, readonly Platform[], boolean]>([
    ["python:3.12-slim", "linux/amd64", ["linux/amd64"], false],
    ["python:3.12-slim", "linux/amd64", ["linux/amd64", "linux/arm64"], true],
    ["python:3.12-slim", "linux/arm64", ["linux/arm64"], false],
    ["debian:12", "linux/amd64", ["linux/arm64"], false],
])("%s in a build for %s, from %j: other roots %s", (expanded, target, native, otherRoots) => {
    const references = [{ expanded, platforms: { [target]: { native, emulated: [] } } }];
    expect(partsOf({ placed: [], readings: { a: { references } } }, "linux/amd64")).toMatchObject({ otherRoots });
});
