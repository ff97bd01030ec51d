import { InputError } from "../errors";
import { normalPlatform, type Platform } from "../platform";
import { type Expansion, expand } from "./expand";
import { quotedWords, type Statement } from "./parse";

/** What an image brings to the stages that are built FROM it. */
export interface Environment {
    /** Values of its ENVs; undefined for one that is set and not known. */
    readonly values: ReadonlyMap<string, string | undefined>;
    /** Whether these are all: an external image below it may bring more. */
    readonly closed: boolean;
}

/** The variables of a stage. */
export interface StageVariables {
    /** Values of its ENVs and ARGs; stages built FROM it inherit both. */
    readonly variables: Map<string, string | undefined>;
    /** Values of its ENVs alone: in a stage built FROM it they come before its ARGs (dockerfile2llb, dispatchStages). */
    readonly environment: Map<string, string | undefined>;
    /** ARGs that were declared. */
    readonly declared: Set<string>;
    /** Whether all is known that sets its variables: an external image may bring an environment. */
    readonly closed: boolean;
}

/** What else decides the values of variables. */
export interface Scope {
    /** Global ARGs, and those that BuildKit sets itself. */
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

/** A text whose variables are all known: in an open stage an unset one may come from the image below. */
const known = ({ text, unset }: Expansion, closed: boolean) => (closed || unset.length === 0 ? text : undefined);

/**
 * The arguments that BuildKit sets itself (Dockerfile reference, "Automatic platform ARGs in the global scope";
 * dockerfile2llb/platform.go); a build argument of the same name wins.
 *
 * @param of.stage name of the stage that is built, as TARGETSTAGE has it
 */
export function automaticArguments(
    of: { readonly target: Platform; readonly build: Platform; readonly stage: string },
    buildArgs: Scope["buildArgs"],
): Map<string, string> {
    const platforms = [...platformArguments("BUILD", of.build), ...platformArguments("TARGET", of.target)];
    const all = [...platforms, ["TARGETSTAGE", of.stage] as const];
    return new Map(all.map(([name, value]) => [name, buildArgs[name] ?? value]));
}

/**
 * ARG: a build argument wins over the default; in a stage a global value stands in for a missing default.
 *
 * @param stage the stage that it stands in; global without
 */
export function readArg({ rest, where, escape }: Statement, scope: Scope, stage?: StageVariables): void {
    const { variables, closed } = stage ?? { variables: scope.globals, closed: true };
    for (const word of quotedWords(rest, escape)) {
        const equals = word.indexOf("=");
        const name = equals < 0 ? word : word.slice(0, equals);
        const given = Object.hasOwn(scope.buildArgs, name) ? scope.buildArgs[name] : undefined;
        const value = given ?? (equals < 0 ? scope.globals.get(name) : undefined);
        stage?.declared.add(name);
        if (value !== undefined) variables.set(name, value);
        else if (equals >= 0)
            variables.set(name, known(expand(word.slice(equals + 1), variables, scope.escape, where), closed));
    }
}

/** ENV: all values of one instruction see the variables before it. */
export function readEnv(statement: Statement, { escape }: Scope, stage: StageVariables): void {
    const { rest, where } = statement;
    const value = (text: string) => expand(text, stage.variables, escape, where);
    const pairs = environmentPairs(rest, statement.escape, where).map(
        ([name, written]) => [value(name).text, known(value(written), stage.closed)] as const,
    );
    for (const [name, text] of pairs) {
        for (const one of [stage.variables, stage.environment]) one.set(name, text);
    }
}

/**
 * Names and values of an ENV as written: `name=value …`, or the old form `name value` for a single one.
 *
 * @throws InputError for a name without a value
 */
export function environmentPairs(rest: string, escape: string, where: string): [name: string, value: string][] {
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
 * Expands a word of an instruction. An ARG without a value leaves a variable to the environment of the image that the
 * stage is built on.
 *
 * @throws InputError for a variable that only the environment of an external image could set
 */
export function stageWord(text: string, { where }: Statement, { escape }: Scope, stage: StageVariables): string {
    const expansion = expand(text, stage.variables, escape, where);
    const [unknown] = stage.closed ? [] : expansion.unset;
    if (unknown === undefined) return expansion.text;
    const isArgument = stage.declared.has(unknown);
    throw new InputError({
        problem:
            `${text} uses ${unknown}, which this Dockerfile ${isArgument ? "gives no value to" : "does not set"}: ` +
            "the environment of the image below may",
        where,
        next: isArgument
            ? `write ARG ${unknown}=<default> (nothing after the sign for none), or set it in buildArgs in images.ts`
            : `declare it before: ARG ${unknown}=<default>, or ENV ${unknown}=<value>`,
    });
}
