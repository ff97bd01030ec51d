import fc from "fast-check";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { looksSecret, refuseSecretArguments, requireSecrets } from "./secrets";

const letters = (length: number) => "a1B2c3".repeat(length).slice(0, length);

describe("a build argument looks like a secret", () => {
    test.each([
        ..."GITHUB_TOKEN token npmToken GHTOKEN API_TOKENS pip-token npm.token TOKEN_2 token2".split(" "),
        ..."DB_PASSWORD DB_PASS smtpPass PASS PGPASSWORD ROOT_PASSWD SSH_PASSPHRASE".split(" "),
        ..."API_KEY apiKey APIKEY OPENAI_API_KEYS SSH_PRIVATE_KEY encryption-key SECRET_KEY CLIENTSECRET".split(" "),
        ..."AWS_CREDENTIALS GH_PAT REGISTRY_CREDS".split(" "),
    ])("by its name: %s", (name) => {
        expect(looksSecret(name, "x")).toBe(true);
    });

    test.each([
        `ghp_${letters(36)}`,
        `dckr_pat_${letters(27)}`,
        `pul-${"0f".repeat(20)}`,
        `hf_${letters(34)}`,
        `sk-${letters(48)}`,
        `sk-proj-${letters(30)}_${letters(20)}`,
        `sk_live_${letters(24)}`,
        `xapp-1-${letters(20)}`,
        `AKIA${"A".repeat(16)}`,
        `${"M".repeat(24)}.${"a".repeat(6)}.${"b".repeat(30)}`,
        `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.${letters(43)}`,
        "Authorization: Bearer abc123def456",
        "basic dXNlcjpwYXNz",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "https://user:hunter2@index.example/simple",
        "https://hunter2@index.example/simple",
        "https://u:p:x@index.example",
        "git+https://hunter2@git.example/o/r",
        "--index-url HTTPS://:hunter2@index.example",
        "postgres://bot:hunter2@db/bot",
    ])("by its value: %s", (value) => {
        expect(looksSecret("HARMLESS", value)).toBe(true);
    });

    test.each([
        ["TZ", "Europe/Berlin"],
        ["TOKENIZERS_PARALLELISM", "false"],
        ["KEYBOARD_LAYOUT", "de"],
        ["MONKEY", "x"],
        ["KEYS", "x"],
        ["PATH", "/usr/bin"],
        ["PASSENGER_VERSION", "6.0.1"],
        ["COMPASS", "x"],
        ["PASS_THROUGH", "x"],
        ["secretaryName", "x"],
        ["PASSWORD", ""],
        ["TORCH_INDEX_URL", "https://download.pytorch.org/whl/cpu"],
        ["PACKAGE", "https://registry.example/@scope/package"],
        ["SEARCH", "https://example.com?to=a@example.com"],
        ["ORIGIN", "ssh://git@git.example/o/r"],
        ["MAINTAINER", "Somebody <a@example.com>"],
        ["ABOUT", "Basic authentication, no bearer of news"],
        ["VERSION", "1.2.3"],
        ["DIGEST", `sha256:${"0f".repeat(32)}`],
        ["COMMIT", "0f".repeat(20)],
        ["SERVICE", "task-scheduling-service-of-the-bot"],
    ])("and these do not: %s=%s", (name, value) => {
        expect(looksSecret(name, value)).toBe(false);
    });

    const word = fc.constantFrom("npm", "index", "build", "db", "bot", "v2");
    const secretWord = fc.constantFrom("token", "tokens", "secret", "password", "credentials", "passwd");
    const capital = (one: string) => one.slice(0, 1).toUpperCase() + one.slice(1);
    const styles: readonly ((words: readonly string[]) => string)[] = [
        (words) => words.join("_").toUpperCase(),
        (words) => words.join("_"),
        (words) => words.join("-"),
        (words) => words.map(capital).join(""),
        (words) => words.map((one, index) => (index === 0 ? one : capital(one))).join(""),
    ];

    test("by such a word anywhere in its name, however the name is written; by harmless words never", () => {
        fc.assert(
            fc.property(
                fc.array(word),
                secretWord,
                fc.array(word),
                fc.constantFrom(...styles),
                (before, secret, after, style) => {
                    expect(looksSecret(style([...before, secret, ...after]), "x")).toBe(true);
                    expect(looksSecret(style([...before, ...after]), "x")).toBe(false);
                },
            ),
        );
    });

    test("by whatever stands before the host in an HTTP address, and by nothing behind it", () => {
        const text = fc.stringMatching(/^[A-Za-z0-9._~!$&'()*+,;=:%@-]{1,20}$/);
        fc.assert(
            fc.property(text, fc.constantFrom("/", "?", "#"), (some, end) => {
                expect(looksSecret("INDEX", `https://${some}@host${end}`)).toBe(true);
                expect(looksSecret("INDEX", `https://host${end}${some}`)).toBe(false);
            }),
        );
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
        /image bot needs the secret B.*\n\s+image ci needs the secret B.*\n\s+image ci needs the secret C.*\n\s+allowed: A\n\s+next: pulumi config set --secret --path 'buildSecrets.B'; pulumi config set --secret --path 'buildSecrets.C'$/,
    );
    expect(() => {
        requireSecrets(images, ["A", "B", "C"]);
    }).not.toThrow();
});
