import * as pulumi from "@pulumi/pulumi";
import { record } from "../tests/harness";
import { expect, test } from "../tests/mocha";
import { RepositorySettings, type RepositorySettingsArgs } from "./repositorySettings";

const secret = (value: string, readers = {}) => ({
    value: pulumi.secret(value),
    dependabot: false,
    codespaces: false,
    ...readers,
});
/** The envelope in which a secret value reaches the engine. */
const envelope = (value: string) => ({ "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", value });

const run = (make: () => Partial<RepositorySettingsArgs>) =>
    record(() => {
        const removeVariable = () => Promise.resolve();
        new RepositorySettings("repository", {
            ...{ repository: "bot", secrets: {}, variables: {}, removeVariable },
            ...make(),
        });
    });

test("a secret is the workflows', and Dependabot's and the codespaces' where it says so", async () => {
    const resources = await run(() => ({
        secrets: { A: secret("hunter2"), B: secret("hunter3", { dependabot: true, codespaces: true }) },
    }));
    expect(Object.keys(resources).sort()).toEqual([
        "RepositorySecrets repository",
        "repository-A",
        "repository-B",
        "repository-B-codespaces",
        "repository-B-dependabot",
    ]);
    expect(resources["repository-A"]).toMatchObject({
        type: "github:index/actionsSecret:ActionsSecret",
        inputs: { repository: "bot", secretName: "A", value: envelope("hunter2") },
    });
    expect(resources["repository-B-dependabot"]).toMatchObject({
        type: "github:index/dependabotSecret:DependabotSecret",
        inputs: { secretName: "B", value: envelope("hunter3") },
    });
    expect(resources["repository-B-codespaces"]).toMatchObject({
        type: "github:index/codespacesSecret:CodespacesSecret",
        inputs: { secretName: "B", plaintextValue: envelope("hunter3") },
    });
});

test("no value is outside of a secret envelope, and the component says names only", async () => {
    const resources = await run(() => ({ secrets: { A: secret("hunter2", { dependabot: true, codespaces: true }) } }));
    const all = JSON.stringify(Object.values(resources));
    expect(all.split("hunter2")).toHaveLength(4);
    expect(all.split(JSON.stringify(envelope("hunter2")))).toHaveLength(4);
    expect(resources["RepositorySecrets repository"]?.inputs).toEqual({
        repository: "bot",
        secrets: { A: ["actions", "dependabot", "codespaces"] },
        variables: [],
    });
});

test("a variable has its value as it is", async () => {
    const resources = await run(() => ({ variables: { CI_IMAGE: pulumi.output("r@sha256:1") } }));
    expect(resources["repository-CI_IMAGE"]).toMatchObject({
        type: "github:index/actionsVariable:ActionsVariable",
        inputs: { repository: "bot", variableName: "CI_IMAGE", value: "r@sha256:1" },
    });
});

test("a replaced secret or variable is deleted before it is made: its name is there once", async () => {
    const resources = await run(() => ({
        secrets: { A: secret("x", { dependabot: true, codespaces: true }) },
        variables: { V: pulumi.output("v") },
    }));
    const custom = Object.values(resources).filter(({ type }) => type.startsWith("github:"));
    expect(custom).toHaveLength(4);
    expect(custom.filter(({ options }) => !options.deleteBeforeReplace)).toEqual([]);
});

test("what GitHub refuses is answered with the next step, by the kind of what it refuses", async () => {
    const resources = await run(() => ({
        secrets: { A: secret("x", { dependabot: true, codespaces: true }) },
        variables: { V: pulumi.output("v") },
    }));
    const hooks = ["A", "A-dependabot", "A-codespaces", "V"].map(
        (key) => resources[`repository-${key}`]?.options.hooks,
    );
    const kinds = ["a secret", "a secret for Dependabot", "a secret for codespaces", "a variable"];
    expect(hooks.map((one) => one?.onErrorList)).toEqual(
        kinds.map((kind) => [`say what to do when GitHub refuses ${kind} of repository`]),
    );
});
