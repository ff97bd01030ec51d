import { InputError, placeOf } from "../errors";
import { type LogicalLine, type LogicalLines, logicalLines } from "./lines";
import { type Flag, splitFlags, trimmed } from "./words";

/** An instruction of a Dockerfile. */
export interface Statement {
    readonly keyword: string;
    /** Line that it starts in, from 1. */
    readonly line: number;
    readonly flags: readonly Flag[];
    /** Its text after keyword and flags. */
    readonly rest: string;
    /** The whole of it on one line, as written. */
    readonly text: string;
    /** The here-documents that follow it, each with the line that ends it. */
    readonly hereDocuments: string;
    /** File and line, for messages. */
    readonly where: string;
    /** The escape character that it is split by. */
    readonly escape: string;
    /** ONBUILD: the instruction that it leaves to the stages built FROM its own, as written. */
    readonly trigger?: string;
    /** Of an instruction that ONBUILD left: where that stands, for messages. */
    readonly left?: string;
}

const keywords = [
    ...["ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER"],
    ...["ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"],
];

/** One instruction, whose line is joined already. */
export function statementOf({ text, line, hereDocuments }: LogicalLine, escape: string, where: string): Statement {
    const [written = ""] = /^[^\t\v\f\r ]*/.exec(trimmed(text)) ?? [];
    const keyword = written.toUpperCase();
    if (!keywords.includes(keyword)) {
        throw new InputError({ problem: `${keyword} is not an instruction`, where, allowed: keywords });
    }
    const { flags, rest } = splitFlags(trimmed(text).slice(keyword.length), escape);
    const split = flags.find(({ written }) => written.includes("\uFFFD"));
    if (split) {
        throw new InputError({
            problem: `${keyword} has a flag that BuildKit ends within a letter: ${split.written}`,
            where,
            next: "write the letter in another way, such as ? in a pattern",
        });
    }
    if (keyword === "ONBUILD") checkTrigger(rest, where);
    // Its here-documents are a part of it, as BuildKit keeps it in the image's configuration (instructions, parseOnBuild).
    const trigger = keyword === "ONBUILD" ? [rest, hereDocuments].filter((one) => one !== "").join("\n") : undefined;
    return {
        ...{ keyword, line, flags, rest, text, hereDocuments, where, escape },
        ...(trigger !== undefined && { trigger }),
    };
}

/** The instructions of a Dockerfile, and what its parser directives say. */
export interface Statements extends Pick<LogicalLines, "escape" | "directives"> {
    readonly statements: readonly Statement[];
}

/** What BuildKit refuses in an ONBUILD itself; all else is read only where it runs (instructions, parseOnBuild). */
function checkTrigger(text: string, where: string): void {
    const [keyword = ""] = /^\S*/.exec(text) ?? [];
    if (keyword !== "" && !["FROM", "MAINTAINER", "ONBUILD"].includes(keyword.toUpperCase())) return;
    throw new InputError({
        problem: `ONBUILD can't leave ${keyword === "" ? "nothing" : keyword} to other images`,
        where,
        next: "write ONBUILD <instruction>",
    });
}

/** An instruction that an image leaves to what is built FROM it. */
export interface Trigger {
    readonly text: string;
    /** File and line of its ONBUILD, or what else says it. */
    readonly where: string;
}

/**
 * Reads an instruction that ONBUILD left, as BuildKit does: by itself, with the usual escape character whatever the Dockerfile's is,
 * as if it stood in the line of FROM (dockerfile2llb, initOnBuildTriggers).
 *
 * @param from the FROM that it runs for
 * @throws InputError for what is no instruction, or several
 */
export function leftStatement({ text, where: left }: Trigger, from: Pick<Statement, "line" | "where">): Statement {
    const where = placeOf(from.where, { left });
    const [line, ...more] = logicalLines(text, where).lines;
    if (!line || more.length > 0) {
        const next = `correct ${left}`;
        throw new InputError({ problem: "ONBUILD leaves nothing, or more than one instruction", where, next });
    }
    return { ...statementOf(line, "\\", where), line: from.line, where, left };
}

/**
 * The instructions of a Dockerfile, and its parser directives.
 *
 * @throws InputError for what is no instruction, a wrong directive or an unterminated here-document
 */
export function readStatements(text: string, path: string): Statements {
    const { escape, directives, lines } = logicalLines(text, path);
    return { escape, directives, statements: lines.map((one) => statementOf(one, escape, `${path}:${one.line}`)) };
}
