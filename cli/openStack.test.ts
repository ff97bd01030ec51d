import { expect, test } from "../tests/mocha";
import { knownStacks } from "./openStack";

test("the stacks are those that the engine lists", () => {
    expect(knownStacks('[{"name":"local","current":true},{"name":"o/p/ci"}]')).toEqual(["local", "o/p/ci"]);
    expect(() => knownStacks("error: no backend")).toThrow(SyntaxError);
});
