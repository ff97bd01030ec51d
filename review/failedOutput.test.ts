import { expect, test } from "vitest";
import { masked, secretTexts } from "./failedOutput";

/** As `pulumi config --json --show-secrets` prints it. */
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

test("every secret of the stack is masked, also a line of one that has several, and nothing else", () => {
    const secrets = secretTexts(config);
    const text = "ghcr.io no token-value index-values 271828 first line; second line";
    expect(masked(text, secrets)).toBe("ghcr.io no [secret] [secret]s [secret] [secret]; [secret]");
});

test("a build secret is masked though it stands readable in the stack's file", () => {
    const readable = { value: '{"INDEX":"index-value"}', objectValue: { INDEX: "index-value" }, secret: false };
    expect(secretTexts(JSON.stringify({ "p:buildSecrets": readable, "p:roots": readable }))).toEqual(["index-value"]);
});

test("of secrets that begin alike the longer one is masked as a whole", () => {
    expect(masked("abcdef", ["abc", "abcdef"])).toBe("[secret]");
});
