import { describe, expect, test } from "vitest";
import { looksSecret, refuseSecretArguments, requireSecrets } from "./secrets";

describe("a build argument looks like a secret", () => {
    const token = `ghp_${"a1".repeat(18)}`;
    test.each([
        ["GITHUB_TOKEN", "x"],
        ["token", "x"],
        ["DB_PASSWORD", "x"],
        ["API_KEY", "x"],
        ["SSH_PRIVATE_KEY", "x"],
        ["HARMLESS", token],
        ["HARMLESS", `AKIA${"A".repeat(16)}`],
        ["HARMLESS", "-----BEGIN OPENSSH PRIVATE KEY-----"],
        ["INDEX", "https://user:hunter2@index.example/simple"],
        ["HARMLESS", `${"M".repeat(24)}.${"a".repeat(6)}.${"b".repeat(30)}`],
    ])("by name or value: %s", (name, value) => {
        expect(looksSecret(name, value)).toBe(true);
    });

    test.each([
        ["TZ", "Europe/Berlin"],
        ["TOKENIZERS_PARALLELISM", "false"],
        ["KEYBOARD", "de"],
        ["PASSWORD", ""],
        ["TORCH_INDEX_URL", "https://download.pytorch.org/whl/cpu"],
        ["VERSION", "1.2.3"],
    ])("and these do not: %s=%s", (name, value) => {
        expect(looksSecret(name, value)).toBe(false);
    });
});

test("the refusal names image and argument and what to do instead, and never the value", () => {
    const refuse = () => {
        refuseSecretArguments("bot", { TZ: "UTC", API_TOKEN: "hunter2" });
    };
    expect(refuse).toThrow(/build argument API_TOKEN of image bot[\s\S]*--mount=type=secret,id=API_TOKEN/);
    expect(refuse).not.toThrow(/hunter2/);
});

test("an argument that is declared plain is let through, another one is not", () => {
    const refuse = (plain: readonly string[]) => () => {
        refuseSecretArguments("bot", { MAX_TOKEN: "512" }, plain);
    };
    expect(refuse(["MAX_TOKEN"])).not.toThrow();
    expect(refuse(["TOKEN"])).toThrow(/plainArguments/);
});

test("every secret that the stack lacks is named with its image and the command that sets it", () => {
    const images = [
        { image: "bot", wanted: ["A", "B"] },
        { image: "ci", wanted: ["B", "C"] },
    ];
    expect(() => {
        requireSecrets(images, ["A"]);
    }).toThrow(
        /image bot needs the secret B.*\n\s+image ci needs the secret B.*\n\s+image ci needs the secret C.*\n\s+allowed: A\n\s+next: pulumi config set --secret --path buildSecrets.B; pulumi config set --secret --path buildSecrets.C$/,
    );
    expect(() => {
        requireSecrets(images, ["A", "B", "C"]);
    }).not.toThrow();
});
