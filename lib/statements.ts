import { DockerfileParser } from "dockerfile-ast";
import { InputError } from "./errors";
import { logicalLines } from "./lines";
import { type Flag, splitFlags } from "./words";

/** An instruction of a Dockerfile. */
export interface Statement {
    readonly keyword: string;
    /** Line that it starts in, from 1. */
    readonly line: number;
    readonly flags: readonly Flag[];
    /** Its text after keyword and flags. */
    readonly rest: string;
    /** File and line, for messages. */
    readonly where: string;
    /** ONBUILD: the instruction that it leaves to the stages built FROM its own. */
    readonly trigger?: Statement;
}

const keywords = [
    ...["ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER"],
    ...["ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"],
];

/** One instruction, whose line is joined already. */
export function statementOf(text: string, escape: string, path: string, line: number): Statement {
    // One line at a time and nothing after it: dockerfile-ast can't take the next instruction for a part of this one.
    const parsed = DockerfileParser.parse(`# escape=${escape}\n${text}`).getInstructions()[0];
    const keyword = parsed?.getKeyword() ?? "";
    const where = `${path}:${line}`;
    if (!keywords.includes(keyword)) {
        throw new InputError({ problem: `${keyword || text} is not an instruction`, where, allowed: keywords });
    }
    const { flags, rest } = splitFlags(text.trimStart().slice(keyword.length), escape);
    const trigger = keyword === "ONBUILD" ? statementOf(rest, escape, path, line) : undefined;
    return { keyword, line, flags, rest, where, ...(trigger && { trigger }) };
}

/**
 * The instructions of a Dockerfile, and its escape character. dockerfile-ast 0.7.1 names the instructions; lines, flags and
 * words are read here, since it splits those differently from BuildKit: it ends a quoted flag at a blank, drops escapes (a
 * COPY of `a\*b` would be one of `a*b`), and takes what is no JSON for JSON.
 *
 * @throws InputError for what is no instruction, a wrong directive or an unterminated here-document
 */
export function readStatements(
    text: string,
    path: string,
): { readonly escape: string; readonly statements: Statement[] } {
    const { escape, lines } = logicalLines(text, path);
    return { escape, statements: lines.map((one) => statementOf(one.text, escape, path, one.line)) };
}
