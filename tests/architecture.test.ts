import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { ESLint } from "eslint";
import { describe } from "mocha";
import tseslint from "typescript-eslint";
import { preProcessFile } from "typescript";
import { packageRoot } from "../lib/system/paths";
import { expect, test } from "./mocha";

const isTest = (file: string) => /\.test\.ts$|^tests\/|^bench\/|\/testing\.ts$/.test(file);

/** Every TypeScript file of the program, relative to the repository's root. */
const files = ["cli", "components", "lab", "lib", "workflows"]
    .flatMap((folder) =>
        readdirSync(path.join(packageRoot, folder), { recursive: true, encoding: "utf8" }).map(
            (name) => `${folder}/${name}`,
        ),
    )
    .concat(["images.ts", "workflows.ts", "api.ts", "program.ts", "definitions.ts", "config.ts"])
    .filter((file) => file.endsWith(".ts") && !isTest(file))
    .sort();

const importsOf = (file: string): string[] =>
    preProcessFile(readFileSync(path.join(packageRoot, file), "utf8"))
        .importedFiles.map(({ fileName }) => fileName)
        .filter((name) => name.startsWith("."))
        .map((name) => path.posix.join(path.posix.dirname(file), `${name}.ts`))
        .filter((name) => existsSync(path.join(packageRoot, name)));

/** The project's lint without type information: these rules do not need it, and it takes seconds to compute. */
const eslint = new ESLint({
    cwd: packageRoot,
    overrideConfig: [
        {
            files: ["**/*.ts"],
            ...tseslint.configs.disableTypeChecked,
            rules: { ...tseslint.configs.disableTypeChecked.rules, "@pulumi/no-output-in-template-literal": "off" },
            languageOptions: { parserOptions: { projectService: false } },
        },
    ],
});

/** Returns the rules that `file` breaks if it imports `imported`; both paths are relative to the repository's root. */
async function broken(file: string, imported: string): Promise<(string | null)[]> {
    const name = path.posix.relative(path.posix.dirname(file), imported).replace(/\.ts$/, "");
    const text = `import * as found from "${name.startsWith(".") ? name : `./${name}`}";\n\nexport const used = found;\n`;
    const [result] = await eslint.lintText(text, { filePath: path.join(packageRoot, file) });
    return result?.messages.map(({ ruleId }) => ruleId) ?? [];
}

/** A file of each room, from the top floor to the bottom floor. */
const rooms = [
    "images.ts",
    "cli/main.ts",
    "api.ts",
    "program.ts",
    "lib/adopt/files.ts",
    "definitions.ts",
    "components/image.ts",
    "workflows/up.ts",
    "lab/lab.ts",
    "config.ts",
    "lib/forms/table.ts",
    "lib/plan/plan.ts",
    "lib/status/status.ts",
    "lib/update/record.ts",
    "lib/github/api.ts",
    "lib/policy/rules.ts",
    "lib/engine/state.ts",
    "lib/hierarchy/prepare.ts",
    "lib/context/inputs.ts",
    "lib/dockerfile/read.ts",
    "lib/builders/instance.ts",
    "lib/registry/manifest.ts",
    "lib/system/process.ts",
    "lib/errors.ts",
];

describe("an import of a file", () => {
    test.each(rooms.slice(1).map((room, index) => [room, rooms[index] ?? ""]))(
        "from the room above is refused: %s imports %s",
        async (room, above) => {
            expect(await broken(room, above)).toContain("import-x/no-restricted-paths");
        },
    );

    test("from a room below is allowed", async () => {
        for (const [index, room] of rooms.slice(0, -1).entries()) {
            expect([room, await broken(room, rooms[index + 1] ?? "")]).toEqual([room, []]);
        }
    });

    test("of the tests is refused, except to the command line", async () => {
        expect(await broken("lib/platform.ts", "tests/tree.ts")).toContain("import-x/no-restricted-paths");
        expect(await broken("cli/main.ts", "tests/suites.ts")).not.toContain("import-x/no-restricted-paths");
    });

    test("that imports the first one is refused", async () => {
        expect(await broken("lib/context/walk.ts", "lib/context/inputs.ts")).toContain("import-x/no-cycle");
    });
});

test("every file belongs to one of the rooms that the lint knows", async () => {
    const config = pathToFileURL(path.join(packageRoot, "eslint.config.mjs")).href;
    const { floors } = (await import(config)) as { floors: string[][] };
    const isIn = (file: string, room: string) => file === room || file.startsWith(`${room}/`);
    expect(files.filter((file) => floors.flat().filter((room) => isIn(file, room)).length !== 1)).toEqual([]);
});

test("no file imports itself through others, types included", () => {
    const imports = new Map(files.map((file) => [file, importsOf(file)]));
    const reached = (from: string) => {
        const seen = new Set<string>();
        const visit = (file: string) => {
            for (const next of imports.get(file) ?? []) {
                if (seen.has(next)) continue;
                seen.add(next);
                visit(next);
            }
        };
        visit(from);
        return seen;
    };
    expect(files.filter((file) => reached(file).has(file))).toEqual([]);
});

test("every file of lib/ is imported from outside of its room, or by at least two files", () => {
    const importers = new Map<string, string[]>();
    for (const file of files) {
        for (const name of importsOf(file)) importers.set(name, [...(importers.get(name) ?? []), file]);
    }
    const fragments = files
        // The engine starts the policy pack itself.
        .filter((file) => file.startsWith("lib/") && file !== "lib/policy/pack.ts")
        .filter((file) => {
            const all = importers.get(file) ?? [];
            const isDoor = all.some((one) => path.posix.dirname(one) !== path.posix.dirname(file));
            return !isDoor && all.length < 2;
        });
    expect(fragments).toEqual([]);
});

test("one function alone asks whether a process runs in GitHub Actions", () => {
    const asking = files.filter((file) =>
        readFileSync(path.join(packageRoot, file), "utf8").includes("GITHUB_ACTIONS"),
    );
    expect(asking).toEqual(["lib/system/inActions.ts"]);
});
