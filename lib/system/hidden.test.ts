import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { guardStreams, hiddenTexts, hide, passwordsIn, secretsIn, withoutSecrets } from "./hidden";

test("what was hidden once is removed from every text, also by what is hidden later", () => {
    hide(["first-value"]);
    hide(["second\nvalue of two lines"]);
    expect(withoutSecrets("first-value, value of two lines, third-value")).toBe("[secret], [secret], third-value");
    const known = hiddenTexts();
    hide(["first-value"]);
    expect(hiddenTexts()).toBe(known);
});

test("a guarded stream masks every text, and passes bytes, encodings and callbacks on", () => {
    const written: unknown[][] = [];
    const write = (...args: unknown[]): boolean => written.push(args) > 0;
    const stream = { write } as unknown as NodeJS.WriteStream;
    guardStreams([stream]);
    hide(["guarded-value"]);
    const called = () => undefined;
    const bytes = Buffer.from("guarded-value");
    expect(stream.write("a guarded-value\n", "utf8", called)).toBe(true);
    stream.write(bytes);
    expect(written).toEqual([["a [secret]\n", "utf8", called], [bytes]]);
});

describe("a variable of the environment is secret by its name", () => {
    test.each([
        ["GITHUB_TOKEN", true],
        ["ACTIONS_ID_TOKEN_REQUEST_TOKEN", true],
        ["ACTIONS_ID_TOKEN_REQUEST_URL", false],
        ["AWS_SECRET_ACCESS_KEY", true],
        ["AWS_ACCESS_KEY_ID", false],
        ["AZURE_STORAGE_KEY", true],
        ["PULUMI_CONFIG_PASSPHRASE", true],
        ["PULUMI_CONFIG_PASSPHRASE_FILE", false],
        ["GOOGLE_APPLICATION_CREDENTIALS", false],
        ["PGPASSWORD", true],
        ["MONKEY", false],
        ["GPG_KEY", false],
    ])("%s: %s", (name, isSecret) => {
        expect(secretsIn({ [name]: "long enough" })).toEqual(isSecret ? ["long enough"] : []);
    });

    test("unless its value is so short that it is part of unrelated words, or it has none", () => {
        expect(secretsIn({ PULUMI_CONFIG_PASSPHRASE: "lab", GITHUB_TOKEN: "", HOME: undefined })).toEqual([]);
    });
});

describe("the password in a URL is secret", () => {
    test.each<[string, string[]]>([
        ["postgres://up:pass%2Fword@db.example:5432/state?sslmode=verify-full", ["pass%2Fword", "pass/word"]],
        ["postgres://up@db.example/state?password=in%20query", ["in query"]],
        ["http://proxy:secret@proxy.example:3128", ["secret"]],
        // A "@" that should have been escaped.
        ["postgres://up:p@ss@db.example/state", ["p@ss"]],
        ["postgres://up:100%@db.example/state", ["100%"]],
        ["postgres://up@db.example:5432/state", []],
        ["postgres://up:@db.example/state", []],
        ["s3://state?endpoint=https://me@s3.example:9000", []],
        ["/usr/bin:/bin", []],
    ])("%s", (url, passwords) => {
        expect(passwordsIn(url)).toEqual(passwords);
    });

    test("whatever the variable's name", () => {
        const env = { PULUMI_BACKEND_URL: "postgres://up:password@db/state", HTTPS_PROXY: "http://me:word@proxy" };
        expect(secretsIn(env)).toEqual(["password"]);
    });
});
