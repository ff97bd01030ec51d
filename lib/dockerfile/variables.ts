import { InputError } from "../errors";
import { normalPlatform, type Platform } from "../platform";
import { type Expansion, expand } from "./expand";
import { quotedWords, type Statement } from "./parse";

/** The variables that stages built FROM an image inherit. */
export interface Environment {
    /** Values of its ENVs; undefined for a variable that is set to an unknown value. */
    readonly values: ReadonlyMap<string, string | undefined>;
    /** Whether no other variable can be set: an external base image may set more. */
    readonly complete: boolean;
}

/** The variables of a stage. */
export interface StageVariables {
    /** Values of its ENVs and ARGs; stages built FROM it inherit both. */
    readonly variables: Map<string, string | undefined>;
    /**
     * Values of its ENVs only: in a stage built FROM it they take precedence over its ARGs (dockerfile2llb,
     * dispatchStages).
     */
    readonly environment: Map<string, string | undefined>;
    /** The names of declared ARGs. */
    readonly declared: Set<string>;
    /** Whether all of its variables are known: an external base image may set others. */
    readonly complete: boolean;
}

/** The sources of variables outside a stage. */
export interface Scope {
    /** Global ARGs, and the ARGs that BuildKit sets itself. */
    readonly globals: Map<string, string | undefined>;
    readonly buildArgs: Readonly<Record<string, string>>;
    readonly escape: string;
}

function platformArguments(prefix: string, platform: Platform): [string, string][] {
    const normal = normalPlatform(platform);
    const [os = "", arch = "", variant = ""] = normal.split("/");
    const values = { PLATFORM: normal, OS: os, ARCH: arch, VARIANT: variant, OSVERSION: "" };
    return Object.entries(values).map(([name, value]) => [prefix + name, value]);
}

/** Returns the expanded text, or undefined if it uses a variable that an external base image may set. */
const knownText = ({ text, unset }: Expansion, complete: boolean) =>
    complete || unset.length === 0 ? text : undefined;

/**
 * Returns the arguments that BuildKit sets itself (Dockerfile reference, "Automatic platform ARGs in the global scope";
 * dockerfile2llb/platform.go); a build argument of the same name takes precedence.
 *
 * @param of.stage name of the target stage, the value of TARGETSTAGE
 */
export function automaticArguments(
    of: { readonly target: Platform; readonly build: Platform; readonly stage: string },
    buildArgs: Scope["buildArgs"],
): Map<string, string> {
    const platforms = [...platformArguments("BUILD", of.build), ...platformArguments("TARGET", of.target)];
    const automatic = [...platforms, ["TARGETSTAGE", of.stage] as const];
    return new Map(automatic.map(([name, value]) => [name, buildArgs[name] ?? value]));
}

/**
 * Reads an ARG. A build argument takes precedence over the default; in a stage, a global value replaces a missing
 * default.
 *
 * @param stage the stage that contains it; undefined for a global ARG
 */
export function readArg({ rest, where, escape }: Statement, scope: Scope, stage?: StageVariables): void {
    const { variables, complete } = stage ?? { variables: scope.globals, complete: true };
    for (const word of quotedWords(rest, escape)) {
        const equals = word.indexOf("=");
        const name = equals < 0 ? word : word.slice(0, equals);
        const given = Object.hasOwn(scope.buildArgs, name) ? scope.buildArgs[name] : undefined;
        const value = given ?? (equals < 0 ? scope.globals.get(name) : undefined);
        stage?.declared.add(name);
        if (value !== undefined) variables.set(name, value);
        else if (equals >= 0)
            variables.set(name, knownText(expand(word.slice(equals + 1), variables, scope.escape, where), complete));
    }
}

/** Reads an ENV. All values of an instruction see the variables before that instruction. */
export function readEnv(statement: Statement, { escape }: Scope, stage: StageVariables): void {
    const { rest, where } = statement;
    const value = (text: string) => expand(text, stage.variables, escape, where);
    const pairs = environmentPairs(rest, statement.escape, where).map(
        ([name, written]) => [value(name).text, knownText(value(written), stage.complete)] as const,
    );
    for (const [name, text] of pairs) {
        for (const variables of [stage.variables, stage.environment]) variables.set(name, text);
    }
}

/**
 * Returns the names and values of an ENV as written: `name=value …`, or the old form `name value` for a single
 * variable.
 *
 * @throws InputError for a name without a value
 */
function environmentPairs(rest: string, escape: string, where: string): [name: string, value: string][] {
    const words = quotedWords(rest, escape);
    const [, oldName, oldValue] = /^(\S+)\s+(.*)$/s.exec(rest) ?? [];
    if (!words[0]?.includes("=") && oldName !== undefined && oldValue !== undefined) return [[oldName, oldValue]];
    return words.map((word) => {
        const equals = word.indexOf("=");
        if (equals > 0) return [word.slice(0, equals), word.slice(equals + 1)];
        throw new InputError({ problem: `ENV ${word} has no value`, where, next: "write ENV name=value" });
    });
}

/**
 * Expands a word of an instruction. A variable that only has an ARG without a value gets its value from the environment
 * of the stage's base image.
 *
 * @throws InputError for a variable that only the environment of an external image could set
 */
export function stageWord(text: string, { where }: Statement, { escape }: Scope, stage: StageVariables): string {
    const expansion = expand(text, stage.variables, escape, where);
    const [unknown] = stage.complete ? [] : expansion.unset;
    if (unknown === undefined) return expansion.text;
    const isArgument = stage.declared.has(unknown);
    throw new InputError({
        problem:
            `${text} uses ${unknown}, which this Dockerfile ${isArgument ? "declares without a value" : "does not set"}: ` +
            "its value depends on the environment of the base image",
        where,
        next: isArgument
            ? `write ARG ${unknown}=<default> (ARG ${unknown}= for an empty value), or set it in buildArgs in images.ts`
            : `declare it before: ARG ${unknown}=<default>, or ENV ${unknown}=<value>`,
    });
}
