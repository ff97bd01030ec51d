import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { describe } from "mocha";
import { type Node, ScriptTarget, createSourceFile, forEachChild, isStringLiteralLike } from "typescript";
import { parse } from "yaml";
import { images } from "../images";
import { parseReference } from "../lib/registry/references";
import { packageRoot } from "../lib/system/paths";
import { run } from "../lib/system/process";
import { escapeRegExp } from "../lib/system/regExp";
import { workflows } from "../workflows";
import { expect, test } from "./mocha";

/* Outside of this repository's own data (images.ts, workflows.ts and what they name) nothing knows its images, app or owner. */

const read = (file: string) => readFileSync(path.join(packageRoot, file), "utf8");

/** The sources of the package. Tests and recorded test data may use any name. */
async function sources(): Promise<string[]> {
    const listed = await run("git", ["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate"], {
        cwd: packageRoot,
    });
    return listed
        .trim()
        .split("\n")
        .filter((file) => /^(?:cli|components|lab|lib|workflows)\/|^(?:api|config|definitions|program)\.ts$/.test(file))
        .filter((file) => !/\.test\.ts$|_test\.go$|\/testing\.ts$|^lib\/engine\/recorded\/|\.sum$/.test(file));
}

/** The names that no source may contain anywhere, not even in a comment. */
function names(): string[] {
    const { config } = parse(read("Pulumi.ci.yaml")) as { config: Record<string, unknown> };
    const github = config["layered-images:github"] as { repository: string };
    const definitions = Object.values(images);
    const repositories = definitions.flatMap(({ name }) =>
        name === undefined ? [] : [parseReference(name).repository],
    );
    const { up = [], checks = [], dependabot } = workflows;
    return [
        ...new Set([
            config["github:owner"] as string,
            github.repository,
            ...repositories,
            ...repositories.map((repository) => path.posix.basename(repository)),
            ...definitions.flatMap(({ dockerfile, smokeTest = dockerfile }) => [dockerfile, smokeTest]),
            ...[...up, ...checks].flatMap(({ file, name }) => [file, name]),
            ...checks.flatMap(({ steps }) => steps.flatMap((step) => step.run.split("\n"))),
            ...(dependabot === false || dependabot === undefined ? [] : (dependabot.ecosystems ?? [])).map(
                ({ directory }) => directory,
            ),
            ...readdirSync(path.join(packageRoot, "requirements")).filter((file) => file.includes("-")),
            ...readdirSync(path.join(packageRoot, "app")).map((folder) => `app/${folder}`),
        ]),
    ];
}

/** Returns a pattern of the names, where they are not a part of a longer one. */
const anyOf = (names: readonly string[]): RegExp =>
    new RegExp(`(?<![\\w-])(?:${names.map(escapeRegExp).join("|")})(?![\\w-]|\\.\\w)`);

/** The texts of the string literals of a TypeScript file. */
function literals(file: string): string[] {
    const found: string[] = [];
    const visit = (node: Node) => {
        if (isStringLiteralLike(node)) found.push(node.text);
        forEachChild(node, visit);
    };
    visit(createSourceFile(file, read(file), ScriptTarget.Latest));
    return found;
}

describe("no source of the package contains", () => {
    test("a repository, owner, Dockerfile, script, workflow or command of this repository, the lab's GitHub excepted", async () => {
        const all = names();
        expect(all.length).toBeGreaterThan(20);
        const pattern = anyOf(all);
        const found = (await sources()).filter((file) => pattern.test(read(file)));
        // The one repository of the lab's GitHub stand-in, which the stack `local` uses.
        expect(found).toEqual(["lab/github/README.md", "lab/github/defaults.ts"]);
    });

    test("the key of one of its images as text, where it does not mean something else", async () => {
        const keys = Object.keys(images);
        const found = (await sources())
            .filter((file) => file.endsWith(".ts"))
            .flatMap((file) => literals(file).flatMap((text) => (keys.includes(text) ? [`${file}: ${text}`] : [])));
        expect([...new Set(found)]).toEqual([
            // The command that makes one, the CLI that it runs, and the resource in an update.
            ...["cli/devcontainer", "cli/main", "components/devcontainer"].map((file) => `${file}.ts: devcontainer`),
            // GitHub's word for the branch that a pull request is for.
            "lab/github/pulls.ts: base",
            // The kind of file, after which an image that only it builds is called.
            ...["build", "devcontainer", "entries"].map((file) => `lib/adopt/${file}.ts: devcontainer`),
            ...["devcontainer/tools", "engine/resources"].map((file) => `lib/${file}.ts: devcontainer`),
            // The name of CI's stack.
            "lib/engine/stacks.ts: ci",
            // A field of a parent.
            "lib/hierarchy/smokeTests.ts: base",
        ]);
    });
});
