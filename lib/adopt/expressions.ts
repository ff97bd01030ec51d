/** A value in a context of GitHub's expressions. A property that an object lacks is unknown, except in an `open` one: there it is null. */
export type Value = string | number | boolean | null | readonly Value[] | Values;
export interface Values {
    readonly [name: string]: Value;
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
            values: Values,
        ) {
            super(...Object.entries(values).map(([key, value]) => ({ key, value: toData(value, `${path}.${key}`) })));
        }

        override get(key: string): Data | undefined {
            const found = super.get(key);
            if (found !== undefined || open.includes(this.path)) return found;
            throw new UnknownValue(this.path === "" ? key : `${this.path}.${key}`);
        }
    }

    const toData = (value: Value, path: string): Data => {
        if (value === null) return new data.Null();
        if (typeof value === "string") return new data.StringData(value);
        if (typeof value === "number") return new data.NumberData(value);
        if (typeof value === "boolean") return new data.BooleanData(value);
        if (isList(value)) return new data.Array(...value.map((entry, index) => toData(entry, `${path}[${index}]`)));
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
    typeof value === "object" && value !== null && !Array.isArray(value);

/** Returns a text, number or boolean as text; undefined for anything else. */
export const asText = (value: Value | undefined): string | undefined =>
    value === undefined || value === null || typeof value === "object" ? undefined : String(value);
