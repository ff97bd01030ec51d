import path from "node:path";
import { InputError } from "./errors";
import { heredocOf } from "./lines";
import type { Statement } from "./statements";
import { commaFields, listArguments } from "./words";

/** What an instruction reads from the build context. */
export interface Source {
    /** Path from the context's root; `*`, `?` and `[…]` are Go's filepath.Match, `\` makes them plain. */
    readonly pattern: string;
    /** Patterns, as in .dockerignore, of what is left out below a folder that the source names. */
    readonly exclude: readonly string[];
    /** `**` stands for any number of folders (COPY --parents); elsewhere it is no more than `*`. */
    readonly recursive?: boolean;
}

/** What an instruction reads: the build context, or a stage or image by name. */
export interface Read {
    readonly sources?: readonly Source[];
    readonly from?: string;
    /** COPY --from counts stages by number, a mount's from= does not. */
    readonly byNumber?: boolean;
}

const isRemote = (source: string): boolean => /^(?:https?|git|ssh):\/\/|^[\w.-]+@[\w.-]+:/.test(source);

function checkFrom(from: string, { keyword, where }: Statement): void {
    if (!/\$./.test(from)) return;
    throw new InputError({
        problem: `${keyword} takes no variable in from=${from}`,
        where,
        next: `name a stage: FROM ${from} AS <name> (with a global ARG), then from=<name>`,
    });
}

/** COPY --parents copies below the pivot `/./` what the rest names; patterns there may hold `**`. */
function parentsSource(source: string): Source {
    // --exclude counts from the pivot then: nothing is left out, since a build too many is better than one too few.
    return { pattern: path.posix.join("/", source.replace("/./", "/")).slice(1), exclude: [], recursive: true };
}

/**
 * What COPY and ADD read (Dockerfile reference, COPY and ADD; frontend/dockerfile/dockerfile2llb/convert_copy.go).
 *
 * @param word expands a word of the instruction
 * @throws InputError for arguments that BuildKit refuses
 */
export function copyReads(statement: Statement, word: (text: string) => string): Read[] {
    const { keyword, flags, rest, where } = statement;
    const from = flags.find(({ name }) => name === "from")?.value;
    if (from) {
        checkFrom(from, statement);
        return [{ from, byNumber: true }];
    }
    const written = listArguments(rest);
    if (written === undefined || written.length < 2) {
        throw new InputError({ problem: `${keyword} ${rest} names no source and destination`, where });
    }
    const exclude = flags.flatMap(({ name, value }) => (name === "exclude" && value ? [value] : []));
    const parents = flags.some(({ name, value }) => name === "parents" && value?.toLowerCase() !== "false");
    const paths = written
        .slice(0, -1)
        .filter((one) => heredocOf(one) === undefined)
        .map(word);
    const remote = paths.find(isRemote);
    if (keyword === "COPY" && remote !== undefined) {
        throw new InputError({
            problem: `COPY can't read ${remote}`,
            where,
            next: "use ADD for what is not in the context",
        });
    }
    const local = paths.filter((one) => !isRemote(one));
    return [{ sources: local.map((pattern) => (parents ? parentsSource(pattern) : { pattern, exclude })) }];
}

/**
 * What RUN's mounts read (Dockerfile reference, RUN --mount): bind mounts the context, those with `from` a stage or image;
 * cache, secret, ssh and tmpfs mounts nothing of it.
 *
 * @param word expands a word of the instruction
 * @throws InputError for a variable in `from`
 */
export function mountReads(statement: Statement, word: (text: string) => string): Read[] {
    return statement.flags.flatMap(({ name, value }): Read[] => {
        if (name !== "mount" || value === undefined) return [];
        const fields = new Map<string, string>();
        for (const field of commaFields(value)) {
            const equals = field.indexOf("=");
            if (equals > 0) fields.set(field.slice(0, equals).toLowerCase(), field.slice(equals + 1));
        }
        const from = fields.get("from");
        if (from) {
            checkFrom(from, statement);
            return [{ from }];
        }
        if (word(fields.get("type") ?? "bind").toLowerCase() !== "bind") return [];
        // A mount's source is no pattern: `[` is a character like any other.
        const source = word(fields.get("source") ?? fields.get("src") ?? ".").replace(/[*?[\\]/g, "\\$&");
        return [{ sources: [{ pattern: source === "" ? "." : source, exclude: [] }] }];
    });
}
