import fc from "fast-check";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { type Cause, buildCauses, causeText, difference, fileCauses, listCauses, valueCauses } from "./causes";

const texts = (causes: readonly Cause[]) => causes.map(causeText);

describe("files", () => {
    test.each<[string, Record<string, string>, Record<string, string>, string[]]>([
        ["changed", { "a.txt": "1" }, { "a.txt": "2" }, ["a.txt changed"]],
        ["added", {}, { "a.txt": "1" }, ["a.txt added"]],
        ["removed", { "a.txt": "1" }, {}, ["a.txt removed or ignored"]],
        ["renamed", { "a.txt": "1" }, { "b.txt": "1" }, ["a.txt renamed to b.txt"]],
        ["renamed and changed", { "a.txt": "1" }, { "b.txt": "2" }, ["b.txt added", "a.txt removed or ignored"]],
        ["made executable", { "a.sh": "1" }, { "a.sh": "1 executable" }, ["a.sh is now executable"]],
        ["made plain", { "a.sh": "1 executable" }, { "a.sh": "1" }, ["a.sh is no longer executable"]],
        ["changed and made executable", { "a.sh": "1" }, { "a.sh": "2 executable" }, ["a.sh changed"]],
        ["linked elsewhere", { a: "→ b" }, { a: "→ c" }, ["a changed"]],
        ["a folder alone", {}, { "logs/": "folder" }, ["logs/ added"]],
        ["the last of a folder that stays", { "logs/a": "1" }, { "logs/": "folder" }, ["logs/a removed or ignored"]],
        ["the first of an empty folder", { "logs/": "folder" }, { "logs/a/": "folder" }, ["logs/a/ added"]],
        ["named as a property of every object", {}, { constructor: "1" }, ["constructor added"]],
    ])("that are %s", (_name, before, after, causes) => {
        expect(texts(fileCauses(before, after))).toEqual(causes);
    });

    test("of one content are renamed one by one", () => {
        const causes = texts(fileCauses({ "a/__init__.py": "e", "b/__init__.py": "e" }, { "c/__init__.py": "e" }));
        expect(causes).toEqual(["a/__init__.py renamed to c/__init__.py", "b/__init__.py removed or ignored"]);
    });

    test("that are the same give no cause, and every file that differs gives one", () => {
        const files = fc.dictionary(fc.stringMatching(/^[a-e]$/), fc.constantFrom("1", "2", "3 executable"));
        fc.assert(
            fc.property(files, files, (before, after) => {
                expect(fileCauses(before, before)).toEqual([]);
                const { added, removed, changed } = difference(before, after);
                const causes = texts(fileCauses(before, after));
                const renamed = causes.filter((cause) => cause.includes(" renamed to ")).length;
                expect(causes).toHaveLength(added.length + removed.length + changed.length - renamed);
                expect(new Set(causes).size).toBe(causes.length);
            }),
        );
    });
});

describe("values", () => {
    const said = (before: Record<string, string>, after: Record<string, string>) =>
        texts(valueCauses("build argument", before, after));

    test("are shown with what they were", () => {
        expect(said({ TZ: "Europe/Berlin" }, { TZ: "UTC" })).toEqual(["build argument TZ: Europe/Berlin → UTC"]);
        expect(said({}, { TZ: "UTC" })).toEqual(["build argument TZ added: UTC"]);
        expect(said({ TZ: "UTC" }, {})).toEqual(["build argument TZ removed"]);
    });

    test("that are empty can be seen", () => {
        expect(said({ URL: "x" }, { URL: "" })).toEqual(['build argument URL: x → ""']);
    });

    test("that are long are cut", () => {
        const [cause = ""] = said({}, { LIST: "x".repeat(5000) });
        expect(cause.length).toBeLessThan(100);
    });

    test.each([
        ["API_TOKEN", "hunter2"],
        ["NAME", `ghp_${"a1".repeat(18)}`],
        ["URL", "https://user:hunter2@example.com/"],
        ["LONG", `${"x".repeat(40)} https://user:hunter2@example.com/`],
    ])("that look like secrets are shown in no part: %s", (name, value) => {
        const causes = [...said({}, { [name]: value }), ...said({ [name]: value }, { [name]: `${value}2` })];
        expect(causes.join()).toContain("•••");
        for (const part of [value, value.slice(0, 12), "hunter2"]) expect(causes.join()).not.toContain(part);
    });
});

test("lists say what they gained and lost", () => {
    expect(texts(listCauses("platform", ["linux/amd64"], ["linux/arm64"]))).toEqual([
        "platform linux/arm64 added",
        "platform linux/amd64 removed",
    ]);
});

test.each<[string, unknown, unknown, string[]]>([
    [
        "another type",
        [{ raw: "type=registry,compression=zstd" }],
        [{ raw: "type=registry,compression=gzip" }],
        ["compression: zstd → gzip"],
    ],
    [
        "a level",
        [{ raw: "type=registry,compression=zstd" }],
        [{ raw: "type=registry,compression=zstd,compression-level=19" }],
        ["compression: zstd → zstd (level 19)"],
    ],
    ["none", [{ raw: "type=registry,compression=zstd" }], [{ raw: "type=registry,compression=zstd" }], []],
    ["an image that is pushed no longer", [{ raw: "type=registry,compression=zstd" }], [{ cacheonly: {} }], []],
])("a build with %s of compression says so", (_, was, is, causes) => {
    const state = (exports: unknown) => ({
        type: "",
        custom: true,
        inputs: { exports },
        outputs: {},
        retainOnDelete: true,
    });
    expect(texts(buildCauses({ old: state(was), new: state(is) }))).toEqual(causes);
});
