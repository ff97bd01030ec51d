import path from "node:path";
import { InputError } from "../errors";
import { heredocOf, commaFields, listArguments, mountFields, type Statement } from "./parse";

/** What an instruction reads from the build context. */
export interface Source {
    /** Path from the context's root; `*`, `?` and `[…]` are Go's filepath.Match, unless it is a mount's. */
    readonly pattern: string;
    /** Whether it is what a mount shows: a path without wildcards. */
    readonly mount?: true;
    /** Patterns of moby/patternmatcher, from a folder that `pattern` names on, of what is left out below it. */
    readonly exclude: readonly string[];
    /** The same for what is taken below it (COPY --parents); everything without. */
    readonly include?: string;
}

/** A build secret that a RUN mounts. */
export interface MountedSecret {
    readonly id: string;
    /** Whether the step fails without it; otherwise BuildKit runs it as if nothing were mounted. */
    readonly required: boolean;
}

/** What an instruction reads: the build context, a stage or image by name, or a secret. */
export interface Read {
    readonly sources?: readonly Source[];
    readonly from?: string;
    /** COPY --from counts stages by number, a mount's from= does not. */
    readonly byNumber?: boolean;
    readonly secret?: MountedSecret;
}

/** Expands a word of an instruction. */
type Word = (text: string) => string;

/** What BuildKit does not look for in the context (dockerfile2llb, isHTTPSource; util/sshutil, IsImplicitSSHTransport). */
const isRemote = (source: string): boolean => /^(?:https?|git|ssh):\/\/|^[\w-]+@[a-zA-Z0-9.-]+:/.test(source);

function checkFrom(from: string, { keyword, where }: Statement): void {
    if (!/\$./.test(from)) return;
    throw new InputError({
        problem: `${keyword} takes no variable in from=${from}`,
        where,
        next: `name a stage: FROM ${from} AS <name> (with a global ARG), then from=<name>`,
    });
}

/** COPY --parents copies, below the pivot that stands before `/./` (the context's root without), what the rest names. */
function parentsSource(source: string, exclude: readonly string[]): Source {
    const pivot = source.indexOf("/./");
    const [pattern, include] = pivot < 0 ? ["", source] : [source.slice(0, pivot), source.slice(pivot + 3)];
    const fromRoot = (text: string) => path.posix.join("/", text).slice(1).replace(/\/$/, "");
    return { pattern: fromRoot(pattern), include: fromRoot(include), exclude };
}

/**
 * What COPY and ADD read (Dockerfile reference, COPY and ADD; frontend/dockerfile/dockerfile2llb/convert_copy.go).
 *
 * @param word expands a word of the instruction
 * @throws InputError for arguments that BuildKit refuses
 */
export function copyReads(statement: Statement, word: Word): Read[] {
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
        // What ADD downloads is no input, so its address may hold what only the base image's environment says.
        .filter((one) => keyword !== "ADD" || !isRemote(one))
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
    return [{ sources: local.map((pattern) => (parents ? parentsSource(pattern, exclude) : { pattern, exclude })) }];
}

/** The last of a mount's fields that mean the same (instructions/commands_runmount.go); undefined for none. */
const lastField = (mount: string, ...names: string[]): string | undefined =>
    commaFields(mount)
        .findLast((field) => names.includes(/^[^=]*(?==)/.exec(field)?.[0].toLowerCase() ?? ""))
        ?.replace(/^[^=]*=/, "");

/** The secret of a mount: its id stands in `source` or `id`, or is the last part of `target` (convert_secrets.go). */
function secretOf(mount: string, { where }: Statement, word: Word): MountedSecret {
    const fields = mountFields(mount);
    const named = lastField(mount, "source", "src") ?? "";
    // Folders of the target need not be known: $HOME may be the base image's.
    const last = () => word(path.posix.basename(lastField(mount, "target", "dst", "destination") ?? ""));
    const written = named === "" ? (fields.get("id") ?? "") : named;
    const id = written === "" ? path.posix.basename(last()) : word(written);
    if (id === "") {
        const next = "write RUN --mount=type=secret,id=<name>";
        throw new InputError({ problem: "a secret mount names no secret", where, next });
    }
    // `required` alone means that it is.
    const required = fields.has("required") ? word(fields.get("required") ?? "") : "false";
    return { id, required: !/^(0|f|false)$/i.test(required) };
}

/**
 * What RUN's mounts read (Dockerfile reference, RUN --mount): bind mounts the context, those with `from` a stage or image,
 * secret mounts a secret; cache, ssh and tmpfs mounts nothing.
 *
 * @param word expands a word of the instruction
 * @throws InputError for a variable in `from`, and for a secret without a name
 */
export function mountReads(statement: Statement, word: Word): Read[] {
    return statement.flags.flatMap(({ name, value }): Read[] => {
        if (name !== "mount" || value === undefined) return [];
        const fields = mountFields(value);
        const from = fields.get("from");
        if (from) {
            checkFrom(from, statement);
            return [{ from }];
        }
        const type = word(fields.get("type") ?? "bind").toLowerCase();
        if (type === "secret") return [{ secret: secretOf(value, statement, word) }];
        if (type !== "bind") return [];
        const source = word(lastField(value, "source", "src") ?? "");
        return [{ sources: [{ pattern: source === "" ? "." : source, mount: true, exclude: [] }] }];
    });
}
