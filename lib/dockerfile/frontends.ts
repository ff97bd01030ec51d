import { InputError } from "../errors";
import { directiveOf } from "./parse";
import { referenceProblem, sameRepository } from "../registry/references";

/** The image that reads a Dockerfile instead of the builder itself: its `# syntax=`, or the build argument BUILDKIT_SYNTAX. */
export interface Frontend {
    /** As it is written. */
    readonly reference: string;
    /** What follows it, with the blank before: arguments of the frontend. */
    readonly rest: string;
    /** Where it stands, for messages: "docker/Dockerfile:1". */
    readonly where: string;
    /** Whether it is docker/dockerfile, which reads Dockerfiles as BuildKit does: it is BuildKit's own frontend, of some version. */
    readonly own: boolean;
}

/** The build argument that names a frontend, over what the Dockerfile says. */
export const syntaxArgument = "BUILDKIT_SYNTAX";

/** Where BuildKit publishes its own frontend, and the development of it. */
const ownRepositories = ["docker/dockerfile", "docker/dockerfile-upstream"];

/** What names a frontend, and its line, from 1. */
interface Directive {
    readonly value: string;
    readonly line: number;
}

/** The lines of a Dockerfile, and which of them a shebang stands before. */
function linesOf(text: string): { readonly lines: readonly string[]; readonly first: number } {
    const lines = text.replace(/^\uFEFF/, "").split("\n");
    return { lines, first: lines[0]?.startsWith("#!") ? 1 : 0 };
}

/** `syntax=` among the directives that stand at the top behind `comment` (parser/directives.go, ParseAll). */
function directiveIn(text: string, comment: "#" | "//"): Directive | undefined {
    const { lines, first } = linesOf(text);
    const seen = new Set<string>();
    for (const [index, line] of lines.entries()) {
        if (index < first) continue;
        if (!line.startsWith(comment)) return undefined;
        const directive = directiveOf(line.slice(comment.length).replace(/\r$/, ""));
        // One that stands twice ends them: whoever reads the Dockerfile then refuses it.
        if (!directive || seen.has(directive.name)) return undefined;
        if (directive.name === "syntax") return { value: directive.value, line: index + 1 };
        seen.add(directive.name);
    }
    return undefined;
}

/** `{ "syntax": "…" }`: for frontends of other languages. */
function fieldIn(text: string): Directive | undefined {
    const { lines, first } = linesOf(text);
    try {
        const value: unknown = JSON.parse(lines.slice(first).join("\n"));
        const { syntax } = Object(value) as { readonly syntax?: unknown };
        const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
        return isObject && typeof syntax === "string" ? { value: syntax, line: first + 1 } : undefined;
    } catch {
        return undefined;
    }
}

/**
 * What a Dockerfile's text says of its frontend, as BuildKit detects it (parser/directives.go, DetectSyntax).
 *
 * @returns the reference as it is written, what follows it, and its line from 1; undefined where the builder reads it itself
 */
export function detectSyntax(
    text: string,
): { readonly reference: string; readonly rest: string; readonly line: number } | undefined {
    const directive = directiveIn(text, "#") ?? directiveIn(text, "//");
    if (directive) return { ...split(directive.value), line: directive.line };
    const field = fieldIn(text);
    return field && { reference: field.value, rest: "", line: field.line };
}

function split(value: string): { readonly reference: string; readonly rest: string } {
    const blank = value.indexOf(" ");
    return blank < 0 ? { reference: value, rest: "" } : { reference: value.slice(0, blank), rest: value.slice(blank) };
}

/**
 * The frontend that reads a Dockerfile (frontend/dockerfile/builder/build.go).
 *
 * @param options.path of the Dockerfile, for messages
 * @param options.builtinFrontend whether the builder's own frontend takes the place of docker/dockerfile
 * @returns undefined where the builder reads it itself
 * @throws InputError for what is no reference
 */
export function frontendOf(
    text: string,
    {
        path,
        buildArgs = {},
        builtinFrontend = false,
    }: {
        readonly path: string;
        readonly buildArgs?: Readonly<Record<string, string>>;
        readonly builtinFrontend?: boolean;
    },
): Frontend | undefined {
    const argument = Object.hasOwn(buildArgs, syntaxArgument) ? buildArgs[syntaxArgument]?.trim() : undefined;
    const inText = argument === undefined ? detectSyntax(text) : undefined;
    if (argument === undefined && !inText) return undefined;
    const { reference, rest } = inText ?? split(argument ?? "");
    const where = inText ? `${path}:${inText.line.toString()}` : `${path}, build argument ${syntaxArgument}`;
    const problem = referenceProblem(reference);
    if (problem !== undefined) {
        throw new InputError({
            problem: `the frontend that is to read it: ${problem}`,
            where,
            next: "write an image, for example # syntax=docker/dockerfile:1, or leave it away: BuildKit has a frontend built in",
        });
    }
    const own = ownRepositories.some((one) => sameRepository(one, reference));
    return own && builtinFrontend ? undefined : { reference, rest, where, own };
}

/**
 * A Dockerfile's text without its `# syntax=`. Its other directives stay directives and the lines below keep their numbers: an
 * empty one follows the directives.
 */
export function withoutSyntax(text: string): string {
    const found = directiveIn(text, "#");
    if (!found) return text;
    const lines = text.split("\n");
    const [line = ""] = lines.splice(found.line - 1, 1);
    const isDirective = (one: string) => /^\s*#\s*(?:escape|check)\s*=\s*\S/i.test(one);
    const end = lines.findIndex((one) => !isDirective(one));
    lines.splice(end < 0 ? lines.length : end, 0, line.endsWith("\r") ? "\r" : "");
    return lines.join("\n");
}
