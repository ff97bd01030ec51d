import { expect, test } from "../../tests/mocha";
import { accessOf, repositorySecretsSchema } from "./settings";

const secure = { secure: "v1:a:b" };

test.each<[string, unknown, string[]]>([
    ["no secret", undefined, ["variables"]],
    ["an encrypted value", { A: secure }, ["variables", "secrets"]],
    [
        "readers beside workflows",
        { A: { value: secure, dependabot: "true" }, B: { value: secure, codespaces: true } },
        ["variables", "secrets", "dependabot", "codespaces"],
    ],
    ["readers that are none", { A: { value: secure, dependabot: false } }, ["variables", "secrets"]],
    [
        "environments alone",
        { A: { value: secure, environment: "up" }, B: { value: secure, environment: "up" } },
        ["variables", "environment up"],
    ],
])("what a stack with %s changes on GitHub is read without its values", (_, setting, access) => {
    expect(accessOf(setting)).toEqual(access);
});

test.each([
    ["", false],
    [" up", false],
    ["a,b", false],
    ["up", true],
    ["production/eu west", true],
])("%j as the name of an environment: %j", (environment, isAllowed) => {
    expect(repositorySecretsSchema.safeParse({ A: { value: "x", environment } }).success).toBe(isAllowed);
});
