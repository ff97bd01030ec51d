import {
    chmodSync,
    existsSync,
    mkdirSync,
    readFileSync,
    readdirSync,
    rmSync,
    rmdirSync,
    statSync,
    symlinkSync,
    utimesSync,
    writeFileSync,
} from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { openCheckout } from "./checkout";
import { temporaryFolder, tree } from "../../tests/tree";
import { type InputHashParts, buildTag, inputHash } from "./hash";
import { stageContext } from "./stage";
import { collectInputs } from "./inputs";
import type { InputFile } from "./walk";

const parts: InputHashParts = {
    dockerfile: "FROM a\n",
    files: [{ path: "a.txt", hash: "00", executable: false }],
    target: undefined,
    buildArgs: { A: "1", B: "2" },
    labels: undefined,
    secrets: ["x", "y"],
    exporter: "cacheonly",
    cache: false,
};

describe("inputHash", () => {
    test.each<[string, Partial<InputHashParts>]>([
        ["the Dockerfile's text", { dockerfile: "FROM a\n\n" }],
        ["a file's content", { files: [{ path: "a.txt", hash: "01", executable: false }] }],
        ["a file's name", { files: [{ path: "b.txt", hash: "00", executable: false }] }],
        ["a file's executable bit", { files: [{ path: "a.txt", hash: "00", executable: true }] }],
        ["an empty folder more", { files: [...parts.files, { path: "b", hash: "", executable: false, folder: true }] }],
        ["a file more", { files: [...parts.files, { path: "b.txt", hash: "00", executable: false }] }],
        ["the target", { target: "one" }],
        ["a build argument", { buildArgs: { A: "1", B: "3" } }],
        ["an empty build argument", { buildArgs: { A: "1", B: "2", C: "" } }],
        ["a label", { labels: { a: "b" } }],
        ["a secret's name", { secrets: ["x"] }],
        ["the exporter", { exporter: "type=registry" }],
        ["the cache", { cache: true }],
    ])("changes with %s", (_name, change) => {
        expect(inputHash({ ...parts, ...change })).not.toBe(inputHash(parts));
    });

    test("does not change with the order of keys or secrets", () => {
        expect(inputHash({ ...parts, buildArgs: { B: "2", A: "1" }, secrets: ["y", "x"] })).toBe(inputHash(parts));
    });

    test("tells apart build arguments whose texts run together", () => {
        const pair = fc.tuple(fc.string(), fc.string());
        fc.assert(
            fc.property(pair, pair, ([a, b], [c, d]) => {
                const one = inputHash({ ...parts, buildArgs: { X: a, Y: b } });
                const other = inputHash({ ...parts, buildArgs: { X: c, Y: d } });
                expect(one === other).toBe(a === c && b === d);
            }),
        );
    });
});

test("a build tag names input hash, platform and what it is built on", () => {
    const build = { inputHash: "0123456789ab", platform: "linux/arm/v7", base: ["r@1", "s@2"] } as const;
    expect(buildTag(build)).toMatch(/^b-[0-9a-f]{12}-arm-v7$/);
    expect(buildTag({ ...build, base: ["s@2", "r@1"] })).toBe(buildTag(build));
    expect(buildTag({ ...build, base: ["r@1", "s@3"] })).not.toBe(buildTag(build));
    expect(buildTag({ ...build, inputHash: "ab" })).not.toBe(buildTag(build));
});

describe("stageContext", () => {
    const stage = (root: string, files: readonly InputFile[], hash = "0123456789ab") =>
        stageContext({
            base: root,
            root,
            stageRoot: ".stage",
            image: "base",
            inputHash: hash,
            files,
            dockerfile: "FROM a\n",
        });
    const inputs = (root: string) =>
        collectInputs(openCheckout(root), [{ pattern: ".", line: 1, instruction: "COPY" }], {
            dockerfile: "Dockerfile",
        });
    const mode = (file: string) => statSync(file).mode & 0o777;

    test("copies just the inputs, with relative paths and normal modes under any umask", () => {
        const root = tree({ "a.txt": "a", "app/run.sh": "run", "not-an-input": "" });
        chmodSync(path.join(root, "a.txt"), 0o640);
        const before = process.umask(0o077);
        try {
            const staged = stage(
                root,
                inputs(root).filter((file) => file.path !== "not-an-input"),
            );
            expect(staged.context).toBe(".stage/base/0123456789ab/context");
            const context = path.join(root, staged.context);
            expect(readdirSync(context)).toEqual(["a.txt", "app"]);
            expect([mode(context), mode(path.join(context, "app"))]).toEqual([0o755, 0o755]);
            expect([mode(path.join(context, "a.txt")), mode(path.join(context, "app/run.sh"))]).toEqual([0o644, 0o755]);
            expect(readFileSync(path.join(root, staged.dockerfile), "utf8")).toBe("FROM a\n");
        } finally {
            process.umask(before);
        }
    });

    test("leaves a staged context as it is, so that a running build is not disturbed", () => {
        const root = tree({ "a.txt": "a" });
        const files = inputs(root);
        const file = path.join(root, stage(root, files).context, "a.txt");
        const { ino } = statSync(file);
        stage(root, files);
        expect(statSync(file).ino).toBe(ino);
    });

    test.each<[string, (context: string) => void]>([
        [
            "a file's content",
            (context) => {
                writeFileSync(path.join(context, "a.txt"), "tampered");
            },
        ],
        [
            "a file's mode",
            (context) => {
                chmodSync(path.join(context, "a.txt"), 0o600);
            },
        ],
        [
            "a folder's mode",
            (context) => {
                chmodSync(path.join(context, "app"), 0o700);
            },
        ],
        [
            "a file more",
            (context) => {
                writeFileSync(path.join(context, "app", "more"), "");
            },
        ],
        [
            "an empty folder more",
            (context) => {
                mkdirSync(path.join(context, "app", "empty"));
            },
        ],
        [
            "an empty folder less",
            (context) => {
                rmdirSync(path.join(context, "logs"));
            },
        ],
        [
            "a file in an empty folder",
            (context) => {
                writeFileSync(path.join(context, "logs", "more"), "");
            },
        ],
        [
            "a file less",
            (context) => {
                rmSync(path.join(context, "app", "b.txt"));
            },
        ],
        [
            "a link's target",
            (context) => {
                rmSync(path.join(context, "link"));
                symlinkSync("app", path.join(context, "link"));
            },
        ],
        [
            "the Dockerfile",
            (context) => {
                writeFileSync(path.join(context, "../Dockerfile"), "FROM b\n");
            },
        ],
        [
            "the whole context gone",
            (context) => {
                rmSync(context, { recursive: true });
            },
        ],
    ])("stages anew what is no longer what was staged: %s", (_name, tamper) => {
        const root = tree({ "a.txt": "a", "app/b.txt": "b" });
        symlinkSync("a.txt", path.join(root, "link"));
        mkdirSync(path.join(root, "logs"));
        const files = inputs(root);
        const context = path.join(root, stage(root, files).context);
        tamper(context);
        stage(root, files);
        expect(readdirSync(context, { recursive: true }).sort()).toEqual(["a.txt", "app", "app/b.txt", "link", "logs"]);
        expect(readFileSync(path.join(context, "a.txt"), "utf8")).toBe("a");
        expect(readFileSync(path.join(context, "link"), "utf8")).toBe("a");
        expect([mode(path.join(context, "a.txt")), mode(path.join(context, "app"))]).toEqual([0o644, 0o755]);
        expect(readFileSync(path.join(context, "../Dockerfile"), "utf8")).toBe("FROM a\n");
        expect(readdirSync(path.join(root, ".stage/base"))).toEqual(["0123456789ab"]);
    });

    test("refuses a file that changes between being hashed and being copied, and leaves nothing half-done", () => {
        const root = tree({ "a.txt": "a" });
        const files = inputs(root);
        writeFileSync(path.join(root, "a.txt"), "changed");
        expect(() => stage(root, files)).toThrow("a.txt changed while it was being read");
        expect(readdirSync(path.join(root, ".stage/base"))).toEqual([]);
    });

    test("removes what no run of the last day used, and nothing younger", () => {
        const root = tree({ "a.txt": "a" });
        const files = inputs(root);
        const folders = ["aaaaaaaaaaaa", "bbbbbbbbbbbb"].map((hash) =>
            path.join(root, stage(root, files, hash).context, ".."),
        );
        const longAgo = new Date(Date.now() - 25 * 3600 * 1000);
        utimesSync(folders[0] ?? "", longAgo, longAgo);
        stage(root, files);
        expect(folders.map((folder) => existsSync(folder))).toEqual([false, true]);
    });

    test("a staged .dockerignore is not applied again", () => {
        const root = tree({ "a.txt": "a", ".dockerignore": "a.txt", "D.dockerignore": "nothing" });
        const files = collectInputs(openCheckout(root), [{ pattern: ".", line: 1, instruction: "COPY" }], {
            dockerfile: "D",
        });
        const staged = path.join(root, stage(root, files).dockerfile);
        expect(readFileSync(`${staged}.dockerignore`, "utf8")).toMatch(/^#.+\n$/);
    });

    describe("a large file", () => {
        const large = "x".repeat(1 << 20);
        /** Stages a large file, changes a small one, and stages again; returns both staged paths of the large file. */
        function restaged(between: (staged: string) => void = () => undefined): string[] {
            const root = tree({ "model.bin": large, "app.txt": "1" });
            const first = path.join(root, stage(root, inputs(root), "aaaaaaaaaaaa").context, "model.bin");
            between(first);
            writeFileSync(path.join(root, "app.txt"), "2");
            const staged = stage(root, inputs(root));
            expect(readFileSync(path.join(root, staged.context, "app.txt"), "utf8")).toBe("2");
            return [first, path.join(root, staged.context, "model.bin")];
        }

        test("is stored once for all contexts of an image that contain it", () => {
            const [first, second] = restaged().map((file) => statSync(file).ino);
            expect(second).toBe(first);
        });

        test.each<[string, (staged: string) => void]>([
            [
                "has another content",
                (staged) => {
                    writeFileSync(staged, large.replace("x", "y"));
                },
            ],
            [
                "has another mode",
                (staged) => {
                    chmodSync(staged, 0o600);
                },
            ],
            [
                "is gone",
                (staged) => {
                    rmSync(staged);
                },
            ],
        ])("is copied if its earlier copy %s", (_what, damage) => {
            const [first = "", second = ""] = restaged(damage);
            expect(statSync(second).ino).not.toBe(statSync(first, { throwIfNoEntry: false })?.ino);
            expect(readFileSync(second, "utf8")).toBe(large);
            expect(mode(second)).toBe(0o644);
        });
    });

    test("an image without inputs has an empty context", () => {
        const root = temporaryFolder();
        expect(readdirSync(path.join(root, stage(root, []).context))).toEqual([]);
    });
});
