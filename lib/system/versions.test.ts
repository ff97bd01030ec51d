import { expect, test } from "../../tests/mocha";
import { isAtLeast, versionIn } from "./versions";

test.each([
    ["3.259.0", "3.259.0", true],
    ["3.300.1", "3.259.0", true],
    ["4.0.0", "3.259.0", true],
    ["3.258.9", "3.259.0", false],
    ["0.9.0", "0.31.1", false],
])("version %s serves where %s is wanted: %s", (found, wanted, serves) => {
    expect(isAtLeast(found, wanted)).toBe(serves);
});

test.each([
    ["v3.259.0\n", "3.259.0"],
    ["buildkitd github.com/moby/buildkit v0.31.1 0a1b2c3d", "0.31.1"],
    ["dev", undefined],
])("in %j the version is %s", (text, version) => {
    expect(versionIn(text)).toBe(version);
});
