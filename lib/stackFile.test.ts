import { expect, test } from "vitest";
import { readableSecrets } from "./stackFile";

const key = "bot:repositorySecrets";
const file = (value: unknown) => JSON.stringify({ config: { [key]: value, "bot:other": { C: "hunter2" } } });
const secure = { secure: "v1:0123:4567" };

test.each<[string, string, string[]]>([
    ["no file to speak of", "", []],
    ["a file without the key", JSON.stringify({ config: { "bot:other": "x" } }), []],
    ["a key that is encrypted as a whole", file(secure), []],
    ["values that all are", file({ A: secure, B: { value: secure, dependabot: true } }), []],
    ["one that is not, beside one that is", file({ A: secure, B: "hunter2" }), ["B"]],
    ["one that is not, in an object", file({ A: secure, B: { value: "hunter2", codespaces: true } }), ["B.value"]],
    ["numbers and lists, which are no secrets either", file({ A: 12, B: ["x"] }), ["A", "B"]],
])("of %s these are readable", (_, text, names) => {
    expect(readableSecrets(text, key)).toEqual(names);
});
