import { longestLine, isJsonArray, listArguments, quotedWords, type Statement, type Statements } from "./parse";

/** What a Dockerfile means for one target. */
export interface Meaning {
    /**
     * A Dockerfile that BuildKit builds the same image from, step by step: what the target does not need is left out, and what
     * can be written in several ways is written in one. It is built, and hashed, in place of the Dockerfile.
     */
    readonly text: string;
    /** Names of the build arguments that it reads; undefined where all may be read. */
    readonly reads: ReadonlySet<string> | undefined;
}

/** A Dockerfile in parts: the global ARGs, then the stages by number. */
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

/** Whether a `check` directive turns warnings into errors (frontend/dockerfile/linter, ParseLintOptions): they are about how things are written. */
const checksStyle = (check: string | undefined): boolean => /(^|;)\s*error\s*=\s*(1|t|true)\s*(;|$)/i.test(check ?? "");

/** Names of the variables that a text may use. A name too many costs a build, one too few the image. */
const variablesIn = (text: string): string[] =>
    [...text.matchAll(/\$\{?([\p{L}_][\p{L}\p{Nd}_]*)/gu)].map(([, name = ""]) => name);

/** What says something of the image that a stage would be: nothing, where another one only copies from it. */
const aboutImage = ["CMD", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "STOPSIGNAL", "VOLUME"];

const nameOf = (word: string): string => word.split("=", 1)[0] ?? "";

/** The arguments of an instruction, written in one way. */
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
            // Of the old form, a name and a value, the value is everything after the first blank.
            return words()[0]?.includes("=") ? words().join(" ") : rest.replace(/[\t\v\f\r ]+/, " ");
        case "ARG":
            return words().join(" ");
        case "EXPOSE":
            return rest.split(/\s+/).join(" ");
        default:
            return rest;
    }
}

const isNumber = /^[+-]?\d+$/;

const copiesByNumber = ({ keyword, flags }: Statement): boolean =>
    keyword === "COPY" && flags.some(({ name, value = "" }) => name === "from" && isNumber.test(value));

/** A line in parts that BuildKit reads, and joins again: continued lines may be longer together than one may be. */
function continued(line: string, escape: string): string {
    if (Buffer.byteLength(line) <= longestLine) return line;
    // A character is three bytes at most. A part that starts with a blank or # may be left out, an escape before the end be escaped.
    let end = Math.floor(longestLine / 3) - 1;
    while (end > 0 && (line[end - 1] === escape || /[\s#\uDC00-\uDFFF]/.test(line[end] ?? ""))) end--;
    return end === 0 ? line : `${line.slice(0, end)}${escape}\n${continued(line.slice(end), escape)}`;
}

/** An instruction with its here-documents, on one line if that is not too long. */
function write(statement: Statement, escape: string, numbers: ReadonlyMap<number, number>): string {
    const { keyword, text, hereDocuments, flags, rest } = statement;
    // The image holds the instruction of a trigger as it is written.
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
    // A blank that is no space may be all that keeps the end of a line from joining the next one.
    return `${continued(line.endsWith(escape) ? `${keyword} ${after}` : line, escape)}\n${hereDocuments}`;
}

/**
 * What a Dockerfile means for a target: the instructions of the stages that it needs, in one way of writing. Comments, blank
 * lines, the case of keywords, continued lines, blanks between words, unused stages, unused global ARGs, and what describes
 * an image in stages that are only copied from, are gone; the rest is as BuildKit's own parser takes it
 * (frontend/dockerfile/parser, instructions), so that it does the same steps and writes the same image configuration.
 *
 * @param source the Dockerfile's text, which is the meaning where style is checked
 * @param needed the stages that the target needs on any platform, by number; true for those that it is built FROM
 * @param triggers instructions that the stages' bases leave to them (ONBUILD)
 * @param syntax what reads it, as `# syntax=` has it
 * @param check the build argument BUILDKIT_DOCKERFILE_CHECK, which wins over the directive
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
    // What ONBUILD left counts the stages as they are written.
    const last = triggers.some(copiesByNumber) ? Math.max(...needed.keys()) : -1;
    const kept = stages.map((_stage, number) => number).filter((number) => number <= last || needed.has(number));
    const numbers = new Map(kept.map((number, index) => [number, index] as const));
    const body = kept.flatMap((number) =>
        (stages[number] ?? []).filter(({ keyword }) => needed.get(number) === true || !aboutImage.includes(keyword)),
    );
    const reads = new Set<string>();
    for (const { keyword, rest, text, escape: own } of [...body, ...triggers]) {
        if (keyword === "FROM") for (const name of variablesIn(text)) reads.add(name);
        if (keyword === "ARG") for (const word of quotedWords(rest, own)) reads.add(nameOf(word));
    }
    const words = globals.flatMap(({ rest }) => quotedWords(rest, escape));
    // A default can use what stands before it only.
    const used = words.reduceRight<string[]>((after, word) => {
        if (!reads.has(nameOf(word))) return after;
        for (const name of variablesIn(word.slice(nameOf(word).length))) reads.add(name);
        return [word, ...after];
    }, []);
    const lines = [
        ...(syntax === undefined ? [] : [`# syntax=${syntax}\n`]),
        ...(escape === "\\" ? [] : [`# escape=${escape}\n`]),
        ...used.map((word) => `${continued(`ARG ${word}`, escape)}\n`),
        ...body.map((statement) => write(statement, escape, numbers)),
    ];
    return { text: lines.join(""), reads };
}

/** Build arguments that BuildKit itself reads (Dockerfile reference, "Predefined ARGs" and "BuildKit built-in build args"). */
const predefined = /^(BUILDKIT_.*|SOURCE_DATE_EPOCH|(http|https|ftp|no|all)_proxy)$/i;

/** Splits build arguments into those that a build reads and the names of the others, which change nothing. */
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
