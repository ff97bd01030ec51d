import { expect, test } from "vitest";
import { enginesAdvice, knownStacks } from "./engineErrors";

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
