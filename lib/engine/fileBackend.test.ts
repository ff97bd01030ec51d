import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { temporaryFolder, tree } from "../../tests/tree";
import { InputError } from "../errors";
import { checkStackFiles } from "./fileBackend";

const whole = (stack: string) => JSON.stringify({ version: 3, checkpoint: { stack, latest: { resources: [] } } });

/** A checkout and a backend, in which the files are below `.pulumi`; each file is a minute newer than the one before it. */
function backend(files: Readonly<Record<string, string | Buffer>>) {
    const root = tree({ "Pulumi.yaml": "name: acme\nruntime: nodejs\n" });
    const state = path.join(temporaryFolder(), ".pulumi");
    const at = (name: string) => path.join(state, name);
    for (const [index, [name, text]] of Object.entries(files).entries()) {
        mkdirSync(path.dirname(at(name)), { recursive: true });
        writeFileSync(at(name), text);
        utimesSync(at(name), 1_800_000_000 + index * 60, 1_800_000_000 + index * 60);
    }
    const env = { PULUMI_BACKEND_URL: `file://${path.dirname(state)}` };
    return {
        root,
        env,
        at,
        check: () => {
            checkStackFiles(env, root);
        },
    };
}

const stack = "stacks/acme/ci.json";
const copies = {
    "backups/acme/ci/ci.1800000000000000000.json": whole("first"),
    "history/acme/ci/ci-1800000000000000001.checkpoint.json": whole("second"),
    "history/acme/ci/ci-1800000000000000001.history.json": "{}",
    "backups/acme/ci/ci.1800000000000000002.json.attrs": "{}",
    "backups/acme/ci/ci.1800000000000000003.json": whole("third").slice(0, 30),
    [`${stack}.bak`]: "",
};

/** Runs the command that a message gives. */
function restore(message: string): void {
    const [, command = ""] = /\(the next update does again what was done since\): (.*)/.exec(message) ?? [];
    execFileSync("sh", ["-c", command]);
}

function messageOf(check: () => void): string {
    try {
        check();
    } catch (error) {
        if (error instanceof InputError) return error.message;
        throw error;
    }
    return "";
}

describe("a stack's file", () => {
    const text = whole("now");
    test.each<[string, string | Buffer | undefined, string]>([
        ["empty", "", "it is empty"],
        ["cut", text.slice(0, 20), "it is no JSON, or its end is missing"],
        ["full of zeros", Buffer.alloc(text.length), "it holds nothing but zeros"],
        ["half zeros", Buffer.concat([Buffer.from(text.slice(0, 30))], text.length), "it is no JSON"],
        ["of something else", "[]", "it holds no stack"],
        ["a folder", undefined, "it is a folder"],
    ])(
        "that is %s is named, with the newest copy that is whole and the command that restores it",
        (_, damaged, reason) => {
            const { check, at } = backend({ ...copies, [stack]: damaged ?? "" });
            if (damaged === undefined) {
                rmSync(at(stack));
                mkdirSync(at(stack));
            }
            const message = messageOf(check);
            expect(message).toContain(`${at(stack)}: the state of the stack can't be read: ${reason}`);
            restore(message);
            expect(check).not.toThrow();
            expect(readFileSync(at(stack), "utf8")).toBe(whole("second"));
        },
    );

    test("that is compressed is restored from a compressed copy", () => {
        const zipped = gzipSync(whole("zipped"));
        const file = `${stack}.gz`;
        const { check, at } = backend({
            "backups/acme/ci/ci.1.json.gz": zipped,
            "backups/acme/ci/ci.2.json": whole("plain"),
            [file]: zipped.subarray(0, 30),
        });
        const message = messageOf(check);
        expect(message).toContain("can't be read: unexpected end of file");
        restore(message);
        expect(check).not.toThrow();
        expect(readFileSync(at(file))).toEqual(zipped);
    });

    test("without a whole copy is named, with what a new beginning costs", () => {
        const { check, at } = backend({ [`${stack}.bak`]: "{", [stack]: "{" });
        expect(check).toThrow(/no copy of it can be read\..* what is published stays/);
        expect(check).toThrow(`mv '${at(stack)}' '${at(stack)}.damaged', then pulumi stack init`);
    });

    test("that is whole, or not there, or of another project, is left alone", () => {
        expect(
            backend({ [stack]: whole("now"), "stacks/other/ci.json": "{", [`${stack}.attrs`]: "" }).check,
        ).not.toThrow();
        expect(backend({}).check).not.toThrow();
    });
});

test("the backend is found as Pulumi finds it", () => {
    const { root, env, check } = backend({ [stack]: "" });
    const { PULUMI_BACKEND_URL: url } = env;
    const home = tree({ "credentials.json": JSON.stringify({ current: url, accounts: {} }) });
    const looks = (variables: NodeJS.ProcessEnv) => () => {
        checkStackFiles({ PULUMI_HOME: home, ...variables }, root);
    };
    expect(check).toThrow("the state of the stack can't be read");
    expect(looks({})).toThrow("the state of the stack can't be read");
    expect(looks({ PULUMI_BACKEND_URL: "s3://bucket" })).not.toThrow();
    writeFileSync(path.join(root, "Pulumi.yaml"), "name: acme\nbackend: { url: s3://bucket }\n");
    expect(looks({})).not.toThrow();
    writeFileSync(path.join(root, "Pulumi.yaml"), `name: acme\nbackend: { url: "${url}" }\n`);
    expect(looks({ PULUMI_HOME: "/nowhere" })).toThrow("the state of the stack can't be read");
});

test.each([
    ["", "it is empty"],
    ["name: [", "the project can't be read"],
    ["runtime: nodejs\n", "it has no name of a project"],
])("a Pulumi.yaml that holds %j is named", (text, reason) => {
    const root = tree({ "Pulumi.yaml": text });
    expect(() => {
        checkStackFiles({}, root);
    }).not.toThrow(TypeError);
    expect(
        messageOf(() => {
            checkStackFiles({}, root);
        }),
    ).toContain(reason);
});
