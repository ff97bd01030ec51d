/** A context's values: strings, booleans, or nested objects of values. */
export interface Values {
    readonly [name: string]: string | boolean | Values;
}

/**
 * Returns GitHub's evaluator of expressions. A dynamic import loads it because the package supports only `import` and
 * Node treats this file as CommonJS.
 */
export async function expressions() {
    const { Evaluator, Lexer, Parser, data } = await import("@actions/expressions");

    const toData = (
        value: string | boolean | Values,
    ): InstanceType<typeof data.Dictionary | typeof data.StringData | typeof data.BooleanData> => {
        if (typeof value === "boolean") return new data.BooleanData(value);
        if (typeof value === "string") return new data.StringData(value);
        const pairs = Object.entries(value).map(([key, inner]) => ({ key, value: toData(inner) }));
        return new data.Dictionary(...pairs);
    };

    /** Returns the value of an expression without its `${{ }}`; throws for an unknown name. */
    const evaluate = (text: string, contexts: Values) => {
        const parsed = new Parser(new Lexer(text).lex().tokens, Object.keys(contexts), []).parse();
        const context = toData(contexts) as InstanceType<typeof data.Dictionary>;
        return new Evaluator(parsed, context).evaluate();
    };

    return {
        /** Replaces every `${{ … }}` in a text with its value. */
        expand: (text: string, contexts: Values): string =>
            text.replace(/\$\{\{(.*?)\}\}/gs, (_all, inner: string) => evaluate(inner, contexts).coerceString()),
        /** Returns whether a condition holds, with or without `${{ }}` around it. */
        holds: (text: string, contexts: Values): boolean => {
            const value = evaluate(text.replace(/^\s*\$\{\{(.*)\}\}\s*$/s, "$1"), contexts);
            return !["", "false", "0"].includes(value.coerceString());
        },
    };
}

/** The result of `expressions`. */
export type Expressions = Awaited<ReturnType<typeof expressions>>;
