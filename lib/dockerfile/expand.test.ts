import fc from "fast-check";
import { expect, test } from "../../tests/mocha";
import { expand } from "./expand";

const variables = new Map([
    ["V", "3.12"],
    ["EMPTY", ""],
]);

test.each([
    ["python:$V-slim", "python:3.12-slim"],
    ["python:${V}-slim", "python:3.12-slim"],
    ["${V:-9}${NO:-9}${EMPTY:-9}", "3.1299"],
    ["${V-9}${NO-9}${EMPTY-9}", "3.129"],
    ["${V:+y}${NO:+y}${EMPTY:+y}", "y"],
    ["${V+y}${NO+y}${EMPTY+y}", "yy"],
    ["${NO:-a${V}b}", "a3.12b"],
    ["\\$V", "$V"],
    ["'$V'", "$V"],
    ['"$V"', "3.12"],
    ["a$", "a$"],
    ["$V_", ""],
    ["${V#*.} ${V%.*} ${V##*} ${V/./-} ${V//[0-9]/x}", "12 3  3-12 3.12"],
    ['"a\\b\'\\""', "a\\b'\""],
])("expands %s to %j", (text, expanded) => {
    expect(expand(text, variables).text).toBe(expanded);
});

test("heeds the Dockerfile's escape character", () => {
    expect(expand("`$V\\$V", variables, "`").text).toBe("$V\\3.12");
});

test.each(["${V", "'a", '"a', "${}", "${V!x}", "${NO:?must be set}"])("refuses %s", (text) => {
    expect(() => expand(text, variables, "\\", "Dockerfile:1")).toThrow(`Dockerfile:1: ${text} can't be expanded`);
});

test("names the variables that have no value and no default", () => {
    expect(expand("$A ${B:-$C} ${D:-d} ${E:+$F} $EMPTY", variables).unset).toEqual(["A", "C"]);
});

test("text without special characters stays as it is", () => {
    fc.assert(
        fc.property(fc.stringMatching(/^[^$'"\\]*$/), (text) => {
            expect(expand(text, variables)).toEqual({ text, unset: [] });
        }),
    );
});
