import { longestLine, isJsonArray, listArguments, quotedWords, type Statement, type Statements } from "./parse";

/** The meaning of a Dockerfile for one target. */
export interface Meaning {
    /**
     * A Dockerfile from which BuildKit builds the same image, step by step, without the parts that the target does not
     * need and in one normal notation. It is built, and hashed, in place of the original.
     */
    readonly text: string;
    /** Names of the build arguments that it reads; undefined if it may read any. */
    readonly reads: ReadonlySet<string> | undefined;
}

/** The parts of a Dockerfile: the global ARGs, then the stages by number. */
interface Parts {
    readonly globals: readonly Statement[];
    readonly stages: readonly (readonly Statement[])[];
}

function partsOf(statements: readonly Statement[]): Parts {
    const globals: Statement[] = [];
    const stages: Statement[][] = [];
    for (const statement of statements) {
        if (statement.keyword === "FROM") stages.push([statement]);
        else (stages.at(-1) ?? globals).push(statement);
    }
    return { globals, stages };
}

/**
 * Whether a `check` directive turns warnings about style into errors (frontend/dockerfile/linter, ParseLintOptions).
 */
const checksStyle = (check: string | undefined): boolean => /(^|;)\s*error\s*=\s*(1|t|true)\s*(;|$)/i.test(check ?? "");

/** Returns the variables that a text may use. An extra name costs a rebuild; a missing name produces a wrong image. */
const variablesIn = (text: string): string[] =>
    [...text.matchAll(/\$\{?([\p{L}_][\p{L}\p{Nd}_]*)/gu)].map(([, name = ""]) => name);

/** Instructions that only describe the image of a stage: without effect in a stage from which files are only copied. */
const imageDescriptions = ["CMD", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "STOPSIGNAL", "VOLUME"];

const nameOf = (word: string): string => word.split("=", 1)[0] ?? "";

/**
 * Returns `name=value` without quotes around a value that needs none. BuildKit removes them before it uses the value, and its history has
 * the value without them.
 */
const withoutQuotes = (word: string): string => word.replace(/^([\w.-]+=)(["'])([\w./:@%+,-]+)\2$/, "$1$3");

/** Returns the arguments of an instruction in normal notation. */
function writtenArguments({ keyword, rest }: Statement, escape: string): string {
    const words = () => quotedWords(rest, escape);
    switch (keyword) {
        case "FROM": {
            const [image = "", , name] = rest.split(/\s+/);
            return name === undefined ? image : `${image} AS ${name.toLowerCase()}`;
        }
        case "ADD":
        case "COPY":
        case "VOLUME": {
            const list = rest.includes("<<") ? undefined : listArguments(rest);
            return list === undefined ? rest : isJsonArray(rest) ? JSON.stringify(list) : list.join(" ");
        }
        case "RUN":
        case "CMD":
        case "ENTRYPOINT":
        case "SHELL":
            return isJsonArray(rest) ? JSON.stringify(JSON.parse(rest)) : rest;
        case "ENV":
        case "LABEL":
            // In the old form `name value`, the value is everything after the first whitespace.
            return words()[0]?.includes("=") ? words().map(withoutQuotes).join(" ") : rest.replace(/[\t\v\f\r ]+/, " ");
        case "ARG":
            return words().map(withoutQuotes).join(" ");
        case "EXPOSE":
            return rest.split(/\s+/).join(" ");
        default:
            return rest;
    }
}

const isNumber = /^[+-]?\d+$/;

const copiesByNumber = ({ keyword, flags }: Statement): boolean =>
    keyword === "COPY" && flags.some(({ name, value = "" }) => name === "from" && isNumber.test(value));

/**
 * Splits a line into parts that BuildKit can read and joins again: a continued line may exceed the limit of a physical
 * line.
 */
function continued(line: string, escape: string): string {
    if (Buffer.byteLength(line) <= longestLine) return line;
    const parts: string[] = [];
    let start = 0;
    // A character has at most three bytes. BuildKit may drop a part that starts with whitespace or #, and an escape
    // character at the end of a part would escape the continuation.
    const longest = Math.floor(longestLine / 3) - 1;
    while (line.length - start > longest) {
        let end = start + longest;
        while (end > start && (line[end - 1] === escape || /[\s#\uDC00-\uDFFF]/.test(line[end] ?? ""))) end--;
        if (end === start) break;
        parts.push(line.slice(start, end));
        start = end;
    }
    return [...parts, line.slice(start)].join(`${escape}\n`);
}

/** Writes an instruction with its here-documents, on one line unless that is too long. */
function write(statement: Statement, escape: string, numbers: ReadonlyMap<number, number>): string {
    const { keyword, text, hereDocuments, flags, rest } = statement;
    // The image configuration holds the trigger's instruction as written.
    const after = text.trimStart().slice(keyword.length).trimStart();
    if (statement.trigger !== undefined) return `${continued(`${keyword} ${after}`, escape)}\n${hereDocuments}`;
    const parts = [
        keyword,
        ...flags.map(({ name, value = "", written }) => {
            const number = keyword === "COPY" && name === "from" && isNumber.test(value) ? Number(value) : undefined;
            return number === undefined ? written : `--from=${numbers.get(number) ?? value}`;
        }),
        ...(rest.startsWith("--") ? ["--"] : []),
        writtenArguments(statement, escape),
    ];
    const line = parts.filter((part) => part !== "").join(" ");
    // Whitespace other than a space may be all that separates an escape character from the end of the line.
    return `${continued(line.endsWith(escape) ? `${keyword} ${after}` : line, escape)}\n${hereDocuments}`;
}

/**
 * Returns the meaning of a Dockerfile for a target: the instructions of the stages that the target needs, in normal
 * notation. It omits comments, empty lines, the case of keywords, line continuations, extra whitespace, needless quotes, unused stages,
 * unused global ARGs, and descriptions of the image in stages from which files are only copied. The rest is as
 * BuildKit's parser reads it (frontend/dockerfile/parser, instructions), so that BuildKit runs the same steps and
 * writes the same image configuration.
 *
 * @param source the Dockerfile's text, which is returned unchanged if style is checked
 * @param needed the stages that the target needs on any platform, by number; true for stages in its chain of FROMs
 * @param triggers instructions that ONBUILD of base images adds to the stages
 * @param syntax the frontend, as in `# syntax=`
 * @param check the build argument BUILDKIT_DOCKERFILE_CHECK, which takes precedence over the directive
 */
export function meaningOf(
    source: string,
    { escape, directives, statements }: Statements,
    needed: ReadonlyMap<number, boolean>,
    {
        triggers = [],
        check,
        syntax,
    }: {
        readonly triggers?: readonly Statement[];
        readonly check?: string | undefined;
        readonly syntax?: string;
    } = {},
): Meaning {
    if (checksStyle(check ?? directives.get("check"))) return { text: source, reads: undefined };
    const { globals, stages } = partsOf(statements);
    // Triggers count the stages as written.
    const last = triggers.some(copiesByNumber) ? Math.max(...needed.keys()) : -1;
    const kept = stages.map((_stage, number) => number).filter((number) => number <= last || needed.has(number));
    const numbers = new Map(kept.map((number, index) => [number, index] as const));
    const body = kept.flatMap((number) =>
        (stages[number] ?? []).filter(
            ({ keyword }) => needed.get(number) === true || !imageDescriptions.includes(keyword),
        ),
    );
    const reads = new Set<string>();
    for (const { keyword, rest, text, escape: statementEscape } of [...body, ...triggers]) {
        if (keyword === "FROM") for (const name of variablesIn(text)) reads.add(name);
        if (keyword === "ARG") for (const word of quotedWords(rest, statementEscape)) reads.add(nameOf(word));
    }
    const words = globals.flatMap(({ rest }) => quotedWords(rest, escape)).map(withoutQuotes);
    // A default can only use earlier arguments.
    const used = words
        .reverse()
        .filter((word) => {
            if (!reads.has(nameOf(word))) return false;
            for (const name of variablesIn(word.slice(nameOf(word).length))) reads.add(name);
            return true;
        })
        .reverse();
    const lines = [
        ...(syntax === undefined ? [] : [`# syntax=${syntax}\n`]),
        ...(escape === "\\" ? [] : [`# escape=${escape}\n`]),
        ...used.map((word) => `${continued(`ARG ${word}`, escape)}\n`),
        ...body.map((statement) => write(statement, escape, numbers)),
    ];
    return { text: lines.join(""), reads };
}

/**
 * Build arguments that BuildKit reads itself (Dockerfile reference, "Predefined ARGs" and "BuildKit built-in build
 * args").
 */
const predefined = /^(BUILDKIT_.*|SOURCE_DATE_EPOCH|(http|https|ftp|no|all)_proxy)$/i;

/** Splits build arguments into those that a build reads, and the names of the rest, which have no effect. */
export function splitArguments(
    given: Readonly<Record<string, string>>,
    { reads }: Pick<Meaning, "reads">,
): { readonly read: Readonly<Record<string, string>>; readonly unread: readonly string[] } {
    const isRead = (name: string) => reads === undefined || reads.has(name) || predefined.test(name);
    return {
        read: Object.fromEntries(Object.entries(given).filter(([name]) => isRead(name))),
        unread: Object.keys(given).filter((name) => !isRead(name)),
    };
}
