/** A context's values: strings, booleans, or objects of them. */
export interface Values {
    readonly [name: string]: string | boolean | Values;
}

/** GitHub's own evaluator of expressions; loaded so because it is for `import` only, and this file is CommonJS to Node. */
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

    /** Value of an expression without its `${{ }}`; an unknown name is an error. */
    const evaluate = (text: string, contexts: Values) => {
        const parsed = new Parser(new Lexer(text).lex().tokens, Object.keys(contexts), []).parse();
        const context = toData(contexts) as InstanceType<typeof data.Dictionary>;
        return new Evaluator(parsed, context).evaluate();
    };

    return {
        /** A text with every `${{ … }}` in it replaced by its value. */
        expand: (text: string, contexts: Values): string =>
            text.replace(/\$\{\{(.*?)\}\}/gs, (_all, inner: string) => evaluate(inner, contexts).coerceString()),
        /** Whether a condition holds, with or without `${{ }}` around it. */
        holds: (text: string, contexts: Values): boolean => {
            const value = evaluate(text.replace(/^\s*\$\{\{(.*)\}\}\s*$/s, "$1"), contexts);
            return !["", "false", "0"].includes(value.coerceString());
        },
    };
}

/** What `expressions` resolves to. */
export type Expressions = Awaited<ReturnType<typeof expressions>>;
