import type { Note } from "./build";

/** A value in a context of GitHub's expressions. A property that an object lacks is unknown, except in an `open` one: there it is null. */
export type Value = string | number | boolean | null | readonly Value[] | Values | Unknown;
export interface Values {
    readonly [name: string]: Value;
}

/** Stands for a value that is unknown because an earlier expression needed one that is, so that whoever uses it can name the first cause. */
export class Unknown {
    constructor(
        /** What is unknown, as in UnknownValue. */
        readonly unknown: string,
    ) {}
}

/** Thrown where an expression needs a value that nobody knows before the workflow runs. */
export class UnknownValue extends Error {
    override readonly name = "UnknownValue";

    constructor(
        /** What is unknown: "secrets.USER", "steps.version.outputs.tag", or the expression. */
        readonly what: string,
    ) {
        super(`${what} is not known`);
    }
}

/** Contexts whose missing properties are empty, as on GitHub: a key that only other combinations of a matrix have. */
const open = ["matrix"];

/** Functions of conditions: what they return in a run without failures. */
const conditions = { success: true, always: true, failure: false, cancelled: false } as const;

/** Evaluates GitHub's expressions. */
export interface Evaluation {
    /** Returns the value of an expression, with or without `${{ }}` around it. Throws UnknownValue. */
    readonly valueOf: (text: string, contexts: Values) => Value;
    /** Returns a text with its `${{ … }}` replaced by their values. Throws UnknownValue. */
    readonly expand: (text: string, contexts: Values) => string;
    /** Returns whether a condition holds; undefined if that is not known. */
    readonly holds: (text: string, contexts: Values) => boolean | undefined;
}

const single = /^\s*\$\{\{((?:(?!\}\}).)*)\}\}\s*$/s;

/**
 * Loads GitHub's evaluator of expressions. It supports only `import`, which this program, being CommonJS, can do only at run time.
 */
export async function loadExpressions(): Promise<Evaluation> {
    const { Evaluator, Lexer, Parser, data } = await import("@actions/expressions");
    type Data = ReturnType<InstanceType<typeof Evaluator>["evaluate"]>;

    /** A dictionary that does not take a missing property for an empty one. */
    class Strict extends data.Dictionary {
        constructor(
            private readonly path: string,
            private readonly all: Values,
        ) {
            super(
                ...Object.entries(all).flatMap(([key, value]) =>
                    value instanceof Unknown ? [] : [{ key, value: toData(value, `${path}.${key}`) }],
                ),
            );
        }

        override get(key: string): Data | undefined {
            const found = super.get(key);
            if (found !== undefined || open.includes(this.path)) return found;
            const { [key]: value } = this.all;
            const name = this.path === "" ? key : `${this.path}.${key}`;
            throw new UnknownValue(value instanceof Unknown ? value.unknown : name);
        }
    }

    const toData = (value: Value, path: string): Data => {
        if (value === null) return new data.Null();
        if (typeof value === "string") return new data.StringData(value);
        if (typeof value === "number") return new data.NumberData(value);
        if (typeof value === "boolean") return new data.BooleanData(value);
        if (isList(value)) return new data.Array(...value.map((entry, index) => toData(entry, `${path}[${index}]`)));
        if (value instanceof Unknown) throw new UnknownValue(value.unknown);
        return new Strict(path, value);
    };

    const fromData = (value: Data): Value => {
        if (value instanceof data.Null) return null;
        if (value instanceof data.StringData || value instanceof data.NumberData) return value.value;
        if (value instanceof data.BooleanData) return value.value;
        if (value instanceof data.Array) return value.values().map(fromData);
        if (value instanceof data.Dictionary) {
            return Object.fromEntries(value.pairs().map(({ key, value: inner }) => [key, fromData(inner)]));
        }
        throw new UnknownValue("a value of an unknown kind");
    };

    const functions = Object.entries(conditions).map(([name, result]) => ({
        ...{ name, description: "", minArgs: 0, maxArgs: 0 },
        call: () => new data.BooleanData(result),
    }));

    const evaluate = (text: string, contexts: Values): Data => {
        try {
            const parsed = new Parser(new Lexer(text).lex().tokens, Object.keys(contexts), functions).parse();
            const context = new data.Dictionary(
                ...Object.entries(contexts).map(([key, value]) => ({ key, value: toData(value, key) })),
            );
            return new Evaluator(parsed, context, new Map(functions.map((one) => [one.name, one]))).evaluate();
        } catch (error) {
            // The evaluator wraps what an index throws.
            const cause = error instanceof Error && error.cause instanceof UnknownValue ? error.cause : error;
            throw cause instanceof UnknownValue ? cause : new UnknownValue(text.trim());
        }
    };

    const inner = (text: string) => single.exec(text)?.[1] ?? text;
    return {
        valueOf: (text, contexts) => fromData(evaluate(inner(text), contexts)),
        expand: (text, contexts) =>
            text.replace(/\$\{\{(.*?)\}\}/gs, (_all, expression: string) =>
                evaluate(expression, contexts).coerceString(),
            ),
        holds: (text, contexts) => {
            try {
                return !["", "false", "0"].includes(evaluate(inner(text), contexts).coerceString());
            } catch (error) {
                if (error instanceof UnknownValue) return undefined;
                throw error;
            }
        },
    };
}

/** Whether a value is a list. `Array.isArray` does not narrow read-only lists. */
export const isList = (value: unknown): value is readonly Value[] => Array.isArray(value);

/** Whether a value is an object with properties. */
export const isObject = (value: unknown): value is Values =>
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Unknown);

/** Returns a text, number or boolean as text; undefined for anything else. */
export const asText = (value: Value | undefined): string | undefined =>
    value === undefined || value === null || typeof value === "object" ? undefined : String(value);

/** The option that says which repository on GitHub this is. */
export const repositoryOption = "--github <owner>/<name>";

/** Returns the option that gives a value which only GitHub knows; undefined for one that nobody knows before a run. */
export function optionFor(what: string): string | undefined {
    if (/^github\.(?:repository\w*|event\.repository\.name)$/.test(what)) return repositoryOption;
    return /^(?:secrets|vars)\.[\w-]+$/.test(what) ? `--set ${what}=<value>` : undefined;
}

/**
 * Words that something depends on an unknown value, for a note.
 *
 * @param subject what depends on it
 * @param isContent whether it is only what an image contains, so that the plan has all images and names without it. Nobody is asked for
 *     a secret then: it would be in images.ts
 */
export function unknownNote(subject: string, what: string, isContent = false): Omit<Note, "where"> {
    const option = optionFor(what);
    if (option === undefined) return { text: `${subject}: ${what} is not known before it runs` };
    if (option === repositoryOption) {
        return {
            text: `${subject}: ${what} is not known, because no remote of git is a repository on GitHub`,
            wants: what,
        };
    }
    const text = `${subject}: ${what} is known only to GitHub`;
    return isContent && what.startsWith("secrets.")
        ? { text: `${text}, and is left out: images keep build arguments, so hand secrets over as build secrets` }
        : { text, wants: what };
}
