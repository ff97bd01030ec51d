import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { masked } from "../system/mask";
import { configSecrets, plainSecrets, readSecrets } from "./secrets";

/** The output of `pulumi config --json --show-secrets`. */
const config = JSON.stringify({
    "p:registry": { value: "ghcr.io", secret: false },
    "p:token": { value: "token-value", secret: true },
    "p:short": { value: "no", secret: true },
    "p:buildSecrets": {
        value: '{"INDEX":"index-value","PIN":271828,"KEY":"first line\\r\\nsecond line\\n"}',
        objectValue: { INDEX: "index-value", PIN: 271828, KEY: "first line\r\nsecond line\n" },
        secret: true,
    },
});
const engine = (stdout: string, failure?: string) => ({
    stack: "ci",
    isLab: false,
    env: { GITHUB_TOKEN: "a-token" },
    pulumi: () => Promise.resolve({ failure, stdout, stderr: "error: incorrect passphrase" }),
});

test("every secret of the stack is masked, also a line of one that has several, and the token; nothing else", async () => {
    const secrets = await readSecrets(engine(config));
    const text = "ghcr.io no token-value index-values 271828 first line; second line a-token";
    expect(masked(text, secrets)).toBe("ghcr.io no [secret] [secret]s [secret] [secret]; [secret] [secret]");
});

test("a build secret is masked though it stands readable in the stack's file", () => {
    const readable = { value: '{"INDEX":"index-value"}', objectValue: { INDEX: "index-value" }, secret: false };
    expect(configSecrets(JSON.stringify({ "p:buildSecrets": readable, "p:roots": readable }))).toEqual(["index-value"]);
});

test("where the secrets can't be read, that is an error with its next step, and it quotes no configuration", async () => {
    const read = readSecrets(engine("half-a-secret", "exit code 255"));
    await expect(read).rejects.toThrow(
        /secrets can't be read[\s\S]*incorrect passphrase[\s\S]*PULUMI_CONFIG_PASSPHRASE/,
    );
    await expect(read).rejects.not.toThrow("half-a-secret");
});

describe("the files of the lab's stack are enough to know its secrets", () => {
    const project = "name: p\nruntime:\n  name: nodejs\nmain: index.cjs\n";
    const salt = "encryptionsalt: v1:abc=\n";

    test.each<[string, string, string, string[] | undefined]>([
        ["if nothing is encrypted", project, `config:\n  p:lab: "true"\n${salt}`, []],
        ["without configuration", project, salt, []],
        [
            "also of values that are secret without encryption",
            project,
            `config:\n  p:buildSecrets: { INDEX: index-value, PIN: 271828 }\n  p:repositorySecrets: { T: { value: one } }\n${salt}`,
            ["index-value", "271828", "one"],
        ],
        ["unless one is encrypted", project, `config:\n  p:token: { secure: v1:abc }\n${salt}`, undefined],
        ["at any depth", project, `config:\n  p:a: { b: [{ c: { secure: v1:abc } }] }\n${salt}`, undefined],
        ["or the project has values too", `${project}config: { p:token: { value: a } }\n`, salt, undefined],
        ["or its stacks' files lie elsewhere", `${project}stackConfigDir: stacks\n`, salt, undefined],
        ["or values come from an environment", project, `environment: [shared]\n${salt}`, undefined],
        ["or another provider encrypts", project, "secretsprovider: awskms://abc\n", undefined],
        ["or a file is no YAML", project, "config: [", undefined],
    ])("%s", (_name, projectText, stackText, secrets) => {
        expect(plainSecrets(projectText, stackText)).toEqual(secrets);
    });
});

test("of a deployment only the private key is masked: its image and host stand in every output", () => {
    const entry = { image: "bot", host: "bot.example.org", user: "deploy", key: "the-key" };
    const value = { value: JSON.stringify({ main: entry }), objectValue: { main: entry }, secret: true };
    expect(configSecrets(JSON.stringify({ "p:deployments": value }))).toEqual(["the-key"]);
});
