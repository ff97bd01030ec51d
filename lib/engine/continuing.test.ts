import { expect, test } from "../../tests/mocha";
import { continuing, continuesOnError } from "./continuing";

test.each<[string, readonly string[], boolean]>([
    ["everything", ["--yes", "--replace", "urn:a"], true],
    ["one target", ["--target", "urn:a"], false],
    ["one target in short", ["-turn:a"], false],
    ["a replaced target", ["--target-replace=urn:a"], false],
    ["all but something", ["--exclude", "**github:index/**"], false],
])("an update of %s goes on past failures; the program is told where it sees all of them", (_what, args, isTold) => {
    const { args: more, env } = continuing(args);
    expect(more).toEqual(["--continue-on-error"]);
    expect(continuesOnError(env)).toBe(isTold);
    expect(continuesOnError({})).toBe(false);
});
