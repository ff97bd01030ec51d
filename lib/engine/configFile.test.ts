import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { tree } from "../../tests/tree";
import {
    configFileOf,
    openConfigFile,
    providerSettingIn,
    removeEntries,
    setEntry,
    settingIn,
    textSettingIn,
    writeConfigFile,
} from "./configFile";

const pin = (digit: string) => `docker.io/library/python@sha256:${digit.repeat(64)}`;

/** Sets entries in a file with this text, and returns the file's new text. */
function after(text: string, ...entries: readonly (readonly [key: string, name: string, value: string])[]): string {
    const root = tree({ "Pulumi.ci.yaml": text });
    const config = openConfigFile(root, "ci", "images");
    for (const entry of entries) setEntry(config, ...entry);
    writeConfigFile(config);
    return readFileSync(path.join(root, "Pulumi.ci.yaml"), "utf8");
}

const whole = `# The stack of CI.
encryptionsalt: v1:abc=:v1:def:ghi==

config:
  images:registry: ghcr.io # a registry
  images:roots:
    # Moving this rebuilds every image.
    python:3.12-slim: ${pin("1")} # for all
    "alpine:3": "${pin("2")}"

  images:buildSecrets:
    TOKEN:
      secure: v1:OIkgOPPOPCOz9k2q:kjsGVa9TraDDOhscDorPmhTv3j/2eq2CvOaPkjsGVa9TraDDOhscDorPmhTv3j/2eq2CvOaP
  github:owner: acme
  images:platforms:
  - linux/amd64
`;

describe("a stack's file keeps everything but the values that move", () => {
    test.each<[string, string, Parameters<typeof after>[1][], string]>([
        ["nothing", whole, [], whole],
        [
            "two pins",
            whole,
            [
                ["roots", "python:3.12-slim", pin("3")],
                ["roots", "alpine:3", pin("4")],
            ],
            whole.replace(pin("1"), pin("3")).replace(pin("2"), pin("4")),
        ],
        [
            "a first pin",
            whole,
            [["roots", "debian:12", pin("3")]],
            whole.replace(`"${pin("2")}"\n`, `"${pin("2")}"\n    debian:12: ${pin("3")}\n`),
        ],
        [
            "a first scheduled rebuild, in quotes where other parsers would see a time",
            whole,
            [
                ["rebuilds", "base", "2026-11-27"],
                ["rebuilds", "ci", "2026-W48"],
            ],
            `${whole}  images:rebuilds:\n    base: "2026-11-27"\n    ci: 2026-W48\n`,
        ],
        [
            "a pin in a text that is JSON",
            `config:\n  images:roots: '{"python:3": "${pin("1")}"}'\n`,
            [["roots", "python:3", pin("2")]],
            `config:\n  images:roots:\n    python:3: ${pin("2")}\n`,
        ],
        ["an empty file", "", [["roots", "a", pin("1")]], `config:\n  images:roots:\n    a: ${pin("1")}\n`],
        [
            "a file without settings",
            "encryptionsalt: v1:a\n",
            [["roots", "a", pin("1")]],
            `encryptionsalt: v1:a\nconfig:\n  images:roots:\n    a: ${pin("1")}\n`,
        ],
        [
            "a setting of an earlier project",
            `config:\n  before:roots:\n    a: ${pin("1")}\n`,
            [["roots", "a", pin("2")]],
            `config:\n  before:roots:\n    a: ${pin("2")}\n`,
        ],
    ])("%s", (_what, text, entries, expected) => {
        expect(after(text, ...entries)).toBe(expected);
    });
});

test("what is encrypted as a whole, missing or no YAML is refused with the next step", () => {
    expect(() => after("config:\n  images:roots:\n    secure: v1:x\n", ["roots", "a", "b"])).toThrow(
        /roots is encrypted, so a can't be set in it\n {2}next: set it without --secret/,
    );
    expect(() => after("config: [\n", ["roots", "a", "b"])).toThrow(/Pulumi\.ci\.yaml: .*\n {2}next: correct it/s);
    expect(() => openConfigFile(tree({}), "acme/production", "images")).toThrow(
        /Pulumi\.production\.yaml: stack acme\/production has no configuration file/,
    );
    expect(existsSync(configFileOf("acme/ci"))).toBe(true);
});

test("settings are read without their namespace, and those of providers by their own", () => {
    const config = openConfigFile(tree({ "Pulumi.ci.yaml": whole }), "ci", "images");
    expect(settingIn(config, "registry")).toBe("ghcr.io");
    expect(settingIn(config, "owner")).toBeUndefined();
    expect(settingIn(config, "roots")).toEqual({ "python:3.12-slim": pin("1"), "alpine:3": pin("2") });
    expect(providerSettingIn(config, "github:owner")).toBe("acme");
});

describe("entries that are objects", () => {
    const release = { release: "r-0123456789ab", platforms: { "linux/amd64": "sha256:1" } };
    const lines = (...names: string[]) =>
        names
            .map(
                (name) =>
                    `    ${name}:\n      release: r-0123456789ab\n      platforms:\n        linux/amd64: sha256:1\n`,
            )
            .join("");

    /** Sets pins in a file with this text, removes others, and returns the file's new text. */
    const changed = (text: string, set: readonly string[], removed: readonly string[]) => {
        const root = tree({ "Pulumi.ci.yaml": text });
        const config = openConfigFile(root, "ci", "images");
        for (const name of set) setEntry(config, "pins", name, release);
        removeEntries(config, "pins", removed);
        writeConfigFile(config);
        return readFileSync(path.join(root, "Pulumi.ci.yaml"), "utf8");
    };

    test("are added after everything else, replaced, and removed with their setting", () => {
        const pinned = `${whole}  images:pins:\n${lines("base", "app")}`;
        expect(changed(whole, ["base", "app"], [])).toBe(pinned);
        expect(changed(pinned.replace("amd64: sha256:1", "amd64: sha256:2"), ["base"], [])).toBe(pinned);
        expect(changed(pinned, [], ["base"])).toBe(`${whole}  images:pins:\n${lines("app")}`);
        expect(changed(pinned, [], ["base", "app", "nope"])).toBe(whole);
        expect(changed(whole, [], ["base"])).toBe(whole);
    });
});

test("a text that begins with a brace is a text, and a number is one as it is written", () => {
    const root = tree({
        "Pulumi.ci.yaml":
            'config:\n  images:channel: "{stack}"\n  images:next: 3.10\n  images:pins: {}\n  images:none:\n',
    });
    const config = openConfigFile(root, "ci", "images");
    const texts = ["channel", "next", "pins", "none", "other"].map((key) => textSettingIn(config, key));
    expect(texts).toEqual(["{stack}", "3.10", undefined, undefined, undefined]);
});
