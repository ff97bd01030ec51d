import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { checkDisk } from "./packages";
import { LabError } from "./process";

const needs = { "building the toolchain": 8, "the stand-in for the root image": 2 };

test("a disk with enough room for everything that is about to be made is taken", () => {
    expect(() => {
        checkDisk("/c", needs, { free: () => 10 });
    }).not.toThrow();
});

test("a disk that is too full is refused, with what is needed, what for, what is free and what to do", () => {
    const check = () => {
        checkDisk("/c", needs, { free: (folder) => (folder === "/c" ? 9.94 : 100) });
    };
    expect(check).toThrow(LabError);
    expect(check).toThrow(
        "not enough disk space at /c: 10 GB needed (building the toolchain 8 GB, the stand-in for the root image 2 GB), " +
            "9.9 GB free. Free some, or set LAYERED_IMAGES_HOME to a folder on a larger disk.",
    );
});

test("nothing to make needs no room", () => {
    expect(() => {
        checkDisk("/c", {}, { free: () => 0 });
    }).not.toThrow();
});

test("what is free is read from the disk that the folder lies on", () => {
    const exabyte = 1e9;
    expect(() => {
        checkDisk(tmpdir(), { "more than there is": exabyte });
    }).toThrow(/1000000000 GB\), [1-9]\d*\.\d GB free/);
    expect(() => {
        checkDisk(tmpdir(), { "a byte": 1e-9 });
    }).not.toThrow();
});
