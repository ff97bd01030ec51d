import { InputError } from "../errors";
import { directiveOf } from "./parse";
import { referenceProblem, sameRepository } from "../registry/references";

/**
 * The image that reads a Dockerfile in place of the builder: from `# syntax=` or the build argument BUILDKIT_SYNTAX.
 */
export interface Frontend {
    /** As written. */
    readonly reference: string;
    /** The text after the reference, including the leading space: arguments of the frontend. */
    readonly rest: string;
    /** Its location, for messages: "Dockerfile:1". */
    readonly where: string;
    /**
     * Whether it is a version of docker/dockerfile, BuildKit's own frontend, which reads Dockerfiles as BuildKit does.
     */
    readonly official: boolean;
}

/** The build argument that names a frontend; it takes precedence over the Dockerfile. */
export const syntaxArgument = "BUILDKIT_SYNTAX";

/** The repositories where BuildKit publishes its frontend: releases and development versions. */
const officialRepositories = ["docker/dockerfile", "docker/dockerfile-upstream"];

/** The value of a directive or field that names a frontend, and its line, from 1. */
interface Directive {
    readonly value: string;
    readonly line: number;
}

/** Returns the lines of a Dockerfile, and the index of the first line after a shebang. */
function linesOf(text: string): { readonly lines: readonly string[]; readonly first: number } {
    const lines = text.replace(/^\uFEFF/, "").split("\n");
    return { lines, first: lines[0]?.startsWith("#!") ? 1 : 0 };
}

/** Returns `syntax=` from the directives at the top that start with `comment` (parser/directives.go, ParseAll). */
function directiveIn(text: string, comment: "#" | "//"): Directive | undefined {
    const { lines, first } = linesOf(text);
    const seen = new Set<string>();
    for (const [index, line] of lines.entries()) {
        if (index < first) continue;
        if (!line.startsWith(comment)) return undefined;
        const directive = directiveOf(line.slice(comment.length).replace(/\r$/, ""));
        // A repeated directive ends the list; the frontend then refuses the Dockerfile.
        if (!directive || seen.has(directive.name)) return undefined;
        if (directive.name === "syntax") return { value: directive.value, line: index + 1 };
        seen.add(directive.name);
    }
    return undefined;
}

/** `{ "syntax": "…" }`: for frontends of other languages. */
function fieldIn(text: string): Directive | undefined {
    const { lines, first } = linesOf(text);
    const json = lines.slice(first).join("\n");
    // Almost no Dockerfile starts like one, and an error with a stack trace takes much longer than this.
    if (!json.trimStart().startsWith("{")) return undefined;
    try {
        const value: unknown = JSON.parse(json);
        const { syntax } = Object(value) as { readonly syntax?: unknown };
        const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
        return isObject && typeof syntax === "string" ? { value: syntax, line: first + 1 } : undefined;
    } catch {
        return undefined;
    }
}

/**
 * Detects the frontend in a Dockerfile's text, as BuildKit does (parser/directives.go, DetectSyntax).
 *
 * @returns the reference as written, the text after it, and its line from 1; undefined if the builder reads the
 *     Dockerfile itself
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
 * Returns the frontend that reads a Dockerfile (frontend/dockerfile/builder/build.go).
 *
 * @param options.path of the Dockerfile, for messages
 * @param options.builtinFrontend whether the builder's own frontend replaces docker/dockerfile
 * @returns undefined if the builder reads it itself
 * @throws InputError for an invalid reference
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
            problem: `its frontend: ${problem}`,
            where,
            next: "write an image, for example # syntax=docker/dockerfile:1, or remove the directive: BuildKit has a frontend built in",
        });
    }
    const official = officialRepositories.some((repository) => sameRepository(repository, reference));
    return official && builtinFrontend ? undefined : { reference, rest, where, official };
}

/**
 * Removes `# syntax=` from a Dockerfile's text. An empty line after the remaining directives takes its place, so these
 * stay directives and the lines below keep their numbers.
 */
export function withoutSyntax(text: string): string {
    const directive = directiveIn(text, "#");
    if (!directive) return text;
    const lines = text.split("\n");
    const [removed = ""] = lines.splice(directive.line - 1, 1);
    const isDirective = (line: string) => /^\s*#\s*(?:escape|check)\s*=\s*\S/i.test(line);
    const end = lines.findIndex((line) => !isDirective(line));
    lines.splice(end < 0 ? lines.length : end, 0, removed.endsWith("\r") ? "\r" : "");
    return lines.join("\n");
}
