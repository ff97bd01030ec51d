import { describe, expect, test } from "vitest";
import { enginesAdvice, knownStacks, previewErrors } from "./errors";

test.each([
    ["error: get stack secrets manager: incorrect passphrase", /PULUMI_CONFIG_PASSPHRASE/],
    [
        "error: getting secrets manager: passphrase must be set with PULUMI_CONFIG_PASSPHRASE",
        /PULUMI_CONFIG_PASSPHRASE/,
    ],
    ["error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions", /pulumi login/],
    ["error: the stack is currently locked by 1 lock(s)", /docs\/operations\.md/],
    ["error: could not find plugin docker-build", /pulumi plugin install/],
])("after %j the next step is said", (said, next) => {
    expect(enginesAdvice(said)).toMatch(next);
});

test("an error of the program speaks for itself", () => {
    expect(enginesAdvice("error: image base: FROM names ghcr.io/us/nobody:latest, which no image has")).toBeUndefined();
});

test("the stacks are those that the engine lists", () => {
    expect(knownStacks('[{"name":"local","current":true},{"name":"o/p/ci"}]')).toEqual(["local", "o/p/ci"]);
    expect(() => knownStacks("error: no backend")).toThrow(SyntaxError);
});

describe("of a preview that failed", () => {
    const steps = [{ op: "update", newState: { inputs: { buildArgs: { ACCESS: "hunter2" } } } }];
    const printed = (...diagnostics: [severity: string, message: string][]) =>
        JSON.stringify(
            { steps, diagnostics: diagnostics.map(([severity, message]) => ({ severity, message })) },
            null,
            4,
        );

    test.each<[string, string, string]>([
        [
            "the errors are said",
            printed(["info#err", "at index.ts"], ["error", "error: no\n"], ["error", "two"]),
            "error: no\ntwo",
        ],
        [
            "without one, what the program printed",
            printed(["info", "a"], ["info#err", "TypeError: x\n"]),
            "TypeError: x",
        ],
        ["words instead of JSON are said", "error: no stack\n", "error: no stack"],
        [
            "warnings after the errors, which they may explain",
            printed(["warning", "not reached"], ["error", "error: no"]),
            "error: no\nwarning: not reached",
        ],
        ["nothing else of its JSON", printed(["warning", "w"]), ""],
        ["nothing of JSON without diagnostics", JSON.stringify({ steps }), ""],
        ["nothing of JSON that was cut off", printed(["error", "e"]).slice(0, -20), ""],
    ])("%s", (_title, stdout, said) => {
        expect(previewErrors(stdout)).toBe(said);
    });
});
