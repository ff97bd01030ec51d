import path from "node:path";
import { InputError } from "../errors";
import { heredocOf, commaFields, listArguments, mountFields, type Statement } from "./parse";

/** Files that an instruction reads from the build context. */
export interface Source {
    /** Path from the context's root. `*`, `?` and `[…]` follow Go's filepath.Match, except in a mount. */
    readonly pattern: string;
    /** Whether it is the source of a mount: a path without wildcards. */
    readonly mount?: true;
    /** Patterns of moby/patternmatcher, relative to a folder that `pattern` names, of files to exclude below it. */
    readonly exclude: readonly string[];
    /** A pattern of the files to include below it (COPY --parents); all files if absent. */
    readonly include?: string;
}

/** A build secret that a RUN mounts. */
export interface MountedSecret {
    readonly id: string;
    /** Whether the step fails without it; otherwise BuildKit runs it as if nothing were mounted. */
    readonly required: boolean;
}

/** A source of an instruction: the build context, a stage or image by name, or a secret. */
export interface Read {
    readonly sources?: readonly Source[];
    readonly from?: string;
    /** `COPY --from` accepts the number of a stage; `from=` of a mount does not. */
    readonly byNumber?: boolean;
    readonly secret?: MountedSecret;
}

/** Expands a word of an instruction. */
type Word = (text: string) => string;

/**
 * Checks whether a source is outside the build context (dockerfile2llb, isHTTPSource; util/sshutil,
 * IsImplicitSSHTransport).
 */
const isRemote = (source: string): boolean => /^(?:https?|git|ssh):\/\/|^[\w-]+@[a-zA-Z0-9.-]+:/.test(source);

function checkFrom(from: string, { keyword, where }: Statement): void {
    if (!/\$./.test(from)) return;
    throw new InputError({
        problem: `${keyword} does not expand variables in from=${from}`,
        where,
        next: `name a stage: FROM ${from} AS <name> (with a global ARG), then from=<name>`,
    });
}

/**
 * Returns the source of COPY --parents: files below the pivot, the part before `/./` (without it: the context's root).
 */
function parentsSource(source: string, exclude: readonly string[]): Source {
    const pivot = source.indexOf("/./");
    const [pattern, include] = pivot < 0 ? ["", source] : [source.slice(0, pivot), source.slice(pivot + 3)];
    const fromRoot = (text: string) => path.posix.join("/", text).slice(1).replace(/\/$/, "");
    return { pattern: fromRoot(pattern), include: fromRoot(include), exclude };
}

/**
 * Returns the sources of COPY and ADD (Dockerfile reference, COPY and ADD;
 * frontend/dockerfile/dockerfile2llb/convert_copy.go).
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
        throw new InputError({
            problem: `${keyword} ${rest} needs a source and a destination`,
            where,
            next: "add what is missing",
        });
    }
    const exclude = flags.flatMap(({ name, value }) => (name === "exclude" && value ? [value] : []));
    const parents = flags.some(({ name, value }) => name === "parents" && value?.toLowerCase() !== "false");
    const paths = written
        .slice(0, -1)
        .filter((source) => heredocOf(source) === undefined)
        // Downloads are not inputs, so their address may contain variables of the base image's environment.
        .filter((source) => keyword !== "ADD" || !isRemote(source))
        .map(word);
    const remote = paths.find(isRemote);
    if (keyword === "COPY" && remote !== undefined) {
        throw new InputError({
            problem: `COPY can't read ${remote}`,
            where,
            next: "use ADD for a source outside the build context",
        });
    }
    const local = paths.filter((source) => !isRemote(source));
    return [{ sources: local.map((pattern) => (parents ? parentsSource(pattern, exclude) : { pattern, exclude })) }];
}

/** Returns the last of a mount's fields with one of several equivalent names (instructions/commands_runmount.go). */
const lastField = (mount: string, ...names: string[]): string | undefined =>
    commaFields(mount)
        .findLast((field) => names.includes(/^[^=]*(?==)/.exec(field)?.[0].toLowerCase() ?? ""))
        ?.replace(/^[^=]*=/, "");

/** Returns the secret of a mount. Its id is `source`, `id` or the last part of `target` (convert_secrets.go). */
function secretOf(mount: string, { where }: Statement, word: Word): MountedSecret {
    const fields = mountFields(mount);
    const named = lastField(mount, "source", "src") ?? "";
    // The folders of the target may be unknown: $HOME may come from the base image.
    const last = () => word(path.posix.basename(lastField(mount, "target", "dst", "destination") ?? ""));
    const written = named === "" ? (fields.get("id") ?? "") : named;
    const id = written === "" ? path.posix.basename(last()) : word(written);
    if (id === "") {
        const next = "write RUN --mount=type=secret,id=<name>";
        throw new InputError({ problem: "a secret mount names no secret", where, next });
    }
    // `required` without a value means true.
    const required = fields.has("required") ? word(fields.get("required") ?? "") : "false";
    return { id, required: !/^(0|f|false)$/i.test(required) };
}

/**
 * Returns the sources of RUN's mounts (Dockerfile reference, RUN --mount): the context for a bind mount, a stage or
 * image for a mount with `from`, a secret for a secret mount. Cache, ssh and tmpfs mounts have no source.
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
