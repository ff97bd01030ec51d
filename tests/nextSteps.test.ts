import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { type Expression, type Node, type SourceFile, ScriptTarget, createSourceFile, forEachChild } from "typescript";
import { isIdentifier, isNewExpression, isObjectLiteralExpression, isVariableDeclaration } from "typescript";
import { packageRoot } from "../lib/system/paths";
import { expect, test } from "./mocha";

/* Every error that the program can end with says what to do about it. */

/** How an error says its next step: as a property of its first argument, as another argument, or in its text. */
const kinds: Readonly<Record<string, (args: readonly Expression[], source: SourceFile) => boolean>> = {
    InputError: ([problem], source) => hasNext(problem, source),
    RefusedError: ([problem], source) => hasNext(problem, source),
    // Its default is "run the same command again".
    UnreachableError: () => true,
    CommandError: (args, source) =>
        args.length > 1 ||
        /\b([Rr]un|Install|Publish|Check out|Enable|Move|[Ss]et|see)\b/.test(
            args.map((one) => one.getText(source)).join(),
        ),
};

/** Errors without a next step of their own, by file and the beginning of their arguments, with the reason. */
const exceptions: Readonly<Record<string, string>> = {
    "cli/preflight.ts: { problem: `before the run, ${missing.length} things are mis": "each of them says its own",
    "cli/review.ts: maskedIn(error.input, await secrets)": "a copy of another error, with its secrets masked",
    "components/hooks.ts: { problem: unreadable }": "the text says it (lab/frontends.ts)",
    "config.ts: { problem: `the configuration of stack ${pulumi.getStack()} ":
        "each problem in it names the command that repairs it",
    'lab/disk.ts: problems.join("\\n")': "each problem in it says it",
    "lab/toolchain/build.ts: `${path.basename(file)} does not contain ${name}`": "the tool is then built from source",
    'lab/toolchain/releases.ts: "interrupted"': "whoever interrupts a command knows",
    "lib/dockerfile/stages.ts: { where, ...error.input }": "a copy of another error, with its place",
    'lib/policy/rules.ts: { problem: refused.join("\\n") }': "each refusal in it says it",
    'lib/system/lock.ts: "interrupted"': "whoever interrupts a command knows",
    'lib/system/process.ts: "interrupted"': "whoever interrupts a command knows",
    'lib/system/process.ts: `${[command, ...args].join(" ")}: ${failure}\\n${output}`':
        "what the program printed says it",
};

const isNextStep = (name: string | undefined): boolean => name === "next" || name === "allowed";

/** Whether an object, or the constant that a name stands for, has a next step or the allowed values. */
function hasNext(problem: Expression | undefined, source: SourceFile): boolean {
    if (problem && isIdentifier(problem)) return hasNext(constantNamed(problem.text, source), source);
    if (!problem || !isObjectLiteralExpression(problem)) return false;
    return problem.properties.some((property) =>
        property.name ? isNextStep(property.name.getText(source)) : /\b(next|allowed)\b/.test(property.getText(source)),
    );
}

function constantNamed(name: string, source: SourceFile): Expression | undefined {
    let found: Expression | undefined;
    const visit = (node: Node) => {
        if (isVariableDeclaration(node) && node.name.getText(source) === name) found ??= node.initializer;
        forEachChild(node, visit);
    };
    visit(source);
    return found;
}

/** The program's files, relative to the repository's root. */
const files = ["cli", "components", "lab", "lib", "workflows"]
    .flatMap((folder) =>
        readdirSync(path.join(packageRoot, folder), { recursive: true, encoding: "utf8" }).map(
            (name) => `${folder}/${name}`,
        ),
    )
    .concat(["program.ts", "definitions.ts", "config.ts"])
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"));

const errors = files.flatMap((file) => {
    const text = readFileSync(path.join(packageRoot, file), "utf8");
    if (!Object.keys(kinds).some((kind) => text.includes(`new ${kind}(`))) return [];
    const source = createSourceFile(file, text, ScriptTarget.ESNext, true);
    const made: { readonly kind: string; readonly place: string; readonly says: boolean }[] = [];
    const visit = (node: Node) => {
        const kind = isNewExpression(node) ? node.expression.getText(source) : "";
        const says = kinds[kind];
        if (isNewExpression(node) && says) {
            const args = [...(node.arguments ?? [])];
            const shown = args
                .map((one) => one.getText(source))
                .join(", ")
                .replace(/\s+/g, " ");
            made.push({ kind, place: `${file}: ${shown.slice(0, 60)}`, says: says(args, source) });
        }
        forEachChild(node, visit);
    };
    visit(source);
    return made;
});

test("every error says its next step, or is a known exception", () => {
    expect(errors.length).toBeGreaterThan(100);
    const without = errors.filter(({ says }) => !says).map(({ place }) => place);
    expect([...new Set(without)].sort()).toEqual(Object.keys(exceptions).sort());
});
