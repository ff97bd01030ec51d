import { describe } from "mocha";
import { expect, test } from "../tests/mocha";
import { takePins } from "./takePins";

const [old, next, other] = ["a".repeat(40), "b".repeat(40), "c".repeat(40)];
const pins = {
    "actions/checkout": { version: "v1.9.0", commit: old },
    "actions/setup-node": { version: "v2", commit: old },
};

/** A workflow file with these uses. */
const file = (...uses: string[]) =>
    `# header\njobs:\n  up:\n    steps:\n${uses.map((one) => `      - name: one\n        uses: ${one}\n`).join("")}`;
const take = (...uses: string[]) => takePins(pins, { "a.yml": file(...uses) });

describe("a version is taken if it is newer:", () => {
    test.each([
        ["in its last number", "v1.9.1"],
        ["in its second number, which is not compared as text", "v1.10.0"],
        ["in its first number", "v2"],
        ["and has more numbers", "v1.9.0.1"],
    ])("%s", (_how, version) => {
        expect(take(`actions/checkout@${next} # ${version}`)).toEqual({
            pins: { ...pins, "actions/checkout": { version, commit: next } },
            taken: [`actions/checkout ${version}`],
            kept: [],
        });
    });

    test("also where the comment of a linter follows it, and the step is written in one line", () => {
        const text = `jobs:\n  up:\n    steps:\n      - uses: "actions/checkout@${next}" # v2.0.0 # zizmor: ignore[x] y\n`;
        expect(takePins(pins, { "a.yml": text }).taken).toEqual(["actions/checkout v2.0.0"]);
    });

    test("the newest of several, in whatever order they stand", () => {
        const uses = [
            `actions/checkout@${next} # v2.0.0`,
            `actions/checkout@${other} # v3.0.0`,
            `actions/checkout@${old} # v1.9.0`,
        ];
        for (const some of [uses, [...uses].reverse()]) {
            const { pins: taken } = take(...some);
            expect(taken["actions/checkout"]).toEqual({ version: "v3.0.0", commit: other });
        }
    });
});

describe("the image of a tool", () => {
    const [first, second] = ["d", "e"].map((digit) => `sha256:${digit.repeat(64)}`) as [string, string];
    const name = "docker.io/tonistiigi/binfmt";
    const tools = { [name]: { version: "qemu-v9.2.0-51", digest: first } };
    const using = (...lines: string[]) =>
        takePins(tools, {
            "a.yml": `jobs:\n  up:\n    steps:\n${lines.map((line) => `      - with:\n          ${line}\n`).join("")}`,
        });

    test.each(["image: ", "driver-opts: image="])("is taken with its digest if it is newer, from %s", (key) => {
        const version = "qemu-v10.0.4-7";
        expect(using(`${key}${name}:${version}@${second}`)).toEqual({
            pins: { [name]: { version, digest: second } },
            taken: [`${name} ${version}`],
            kept: [],
        });
    });

    test("is not taken with another digest of the same tag", () => {
        const { pins: same, kept } = using(`image: ${name}:qemu-v9.2.0-51@${second}`);
        expect(same).toEqual(tools);
        expect(kept).toEqual([
            `a.yml:5: ${name} qemu-v9.2.0-51 is not taken: qemu-v9.2.0-51 is pinned to another digest, ${first}`,
        ]);
    });

    test("is not confused with the image of a check", () => {
        const check = "image: ${{ vars.CI_IMAGE || 'ghcr.io/a/b:latest' }}";
        expect(using(check, `image: ghcr.io/a/b:v99@${second}`)).toEqual({ pins: tools, taken: [], kept: [] });
    });
});

describe("nothing is taken, and the reason is told, of", () => {
    test.each([
        [
            "an older version",
            `actions/checkout@${next} # v1.8.9`,
            "actions/checkout v1.8.9 is not taken: v1.9.0 is newer",
        ],
        [
            "another commit of the same version",
            `actions/setup-node@${next} # v2.0`,
            `actions/setup-node v2.0 is not taken: v2 is pinned to another commit, ${old}`,
        ],
        ["an action that is used no longer", `x/y@${next} # v9`, "x/y v9 is not taken: no workflow uses it any longer"],
    ])("%s", (_what, use, reason) => {
        expect(take(use)).toEqual({ pins, taken: [], kept: [`a.yml:6: ${reason}`] });
    });

    test("what is pinned already", () => {
        expect(take(`actions/checkout@${old} # v1.9.0`)).toEqual({ pins, taken: [], kept: [] });
    });

    test("a command that only looks like an action", () => {
        const text = `jobs:\n  up:\n    steps:\n      - run: |\n          uses: actions/checkout@${next} # v2.0.0\n`;
        expect(takePins(pins, { "a.yml": text }).taken).toEqual([]);
    });
});

describe("a line that is not understood is refused with its place:", () => {
    test.each([
        ["without a version", `actions/checkout@${next}`],
        ["with a comment that is not a version", `actions/checkout@${next} # main`],
        [
            "with a version that is not in the comment's first word",
            `actions/checkout@${next} # zizmor: ignore[x] v2.0.0`,
        ],
        ["with a tag", "actions/checkout@v2 # v2.0.0"],
        ["with a short commit", "actions/checkout@bbbbbbb # v2.0.0"],
        ["without anything", "actions/checkout"],
    ])("%s", (_what, use) => {
        const good = `actions/setup-node@${next} # v3`;
        expect(() => take(good, use)).toThrow(
            `a.yml:8: "uses: ${use}" was not understood\n  allowed: uses: <action>@<commit`,
        );
    });

    test("and so is a file that is not YAML", () => {
        expect(() => takePins(pins, { "a.yml": "jobs: [\n" })).toThrow(/^a\.yml: /);
    });
});
