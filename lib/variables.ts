import { InputError } from "./errors";
import { type Variables, expand } from "./expand";
import type { Platform } from "./images";
import { normalPlatform } from "./platforms";
import type { Statement } from "./statements";
import { quotedWords } from "./words";

/** The variables of a stage. */
export interface StageVariables {
    /** Values of its ENVs and ARGs; stages built FROM it inherit both. */
    readonly variables: Map<string, string>;
    /** ARGs that were declared: without a value they are known to be unset. */
    readonly declared: Set<string>;
    /** Whether nothing but this Dockerfile sets its variables: an external image may bring an environment. */
    readonly closed: boolean;
}

/** What else decides the values of variables. */
export interface Scope {
    /** Global ARGs, and those that BuildKit sets itself. */
    readonly globals: Map<string, string>;
    readonly buildArgs: Readonly<Record<string, string>>;
    readonly escape: string;
}

function platformArguments(prefix: string, platform: Platform): [string, string][] {
    const normal = normalPlatform(platform);
    const [os = "", arch = "", variant = ""] = normal.split("/");
    const values = { PLATFORM: normal, OS: os, ARCH: arch, VARIANT: variant, OSVERSION: "" };
    return Object.entries(values).map(([name, value]) => [prefix + name, value]);
}

/**
 * The arguments that BuildKit sets itself (Dockerfile reference, "Automatic platform ARGs in the global scope"); a build
 * argument of the same name wins.
 */
export function automaticArguments(
    target: Platform,
    build: Platform,
    buildArgs: Scope["buildArgs"],
): Map<string, string> {
    const all = [...platformArguments("BUILD", build), ...platformArguments("TARGET", target)];
    return new Map(all.map(([name, value]) => [name, buildArgs[name] ?? value]));
}

/**
 * ARG: a build argument wins over the default; in a stage a global value stands in for a missing default.
 *
 * @param stage the stage that it stands in; global without
 */
export function readArg({ rest, where }: Statement, scope: Scope, stage?: StageVariables): void {
    const variables = stage?.variables ?? scope.globals;
    for (const word of quotedWords(rest, scope.escape)) {
        const equals = word.indexOf("=");
        const name = equals < 0 ? word : word.slice(0, equals);
        const given = Object.hasOwn(scope.buildArgs, name) ? scope.buildArgs[name] : undefined;
        const fallback = () =>
            equals < 0 ? scope.globals.get(name) : expand(word.slice(equals + 1), variables, scope.escape, where).text;
        const value = given ?? fallback();
        stage?.declared.add(name);
        if (value !== undefined) variables.set(name, value);
    }
}

/** ENV: all values of one instruction see the variables before it. */
export function readEnv({ rest, where }: Statement, { escape }: Scope, { variables }: StageVariables): void {
    const before: Variables = new Map(variables);
    const value = (text: string) => expand(text, before, escape, where).text;
    for (const [name, written] of environmentPairs(rest, escape, where)) variables.set(value(name), value(written));
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
 * Expands a word of an instruction.
 *
 * @throws InputError for a variable that only the environment of an external image could set
 */
export function stageWord(text: string, { where }: Statement, { escape }: Scope, stage: StageVariables): string {
    const expansion = expand(text, stage.variables, escape, where);
    const unknown = expansion.unset.find((name) => !stage.closed && !stage.declared.has(name));
    if (unknown === undefined) return expansion.text;
    throw new InputError({
        problem: `${text} uses ${unknown}, which this Dockerfile does not set`,
        where,
        next: `declare it before: ARG ${unknown}=<default>, or ENV ${unknown}=<value>`,
    });
}
