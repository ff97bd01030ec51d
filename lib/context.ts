import { createHash } from "node:crypto";
import {
    chmodSync,
    copyFileSync,
    existsSync,
    mkdirSync,
    readFileSync,
    readdirSync,
    renameSync,
    rmSync,
    statSync,
    symlinkSync,
    utimesSync,
    writeFileSync,
} from "node:fs";
import path from "node:path";
import { InputError } from "./errors";
import { archOf, type Platform } from "./images";
import type { InputFile } from "./inputs";

/** Everything that decides a build except the digests it stands on. */
export interface InputHashParts {
    /** Text of the Dockerfile. */
    readonly dockerfile: string;
    readonly files: readonly InputFile[];
    readonly target: string | undefined;
    readonly buildArgs: Readonly<Record<string, string>> | undefined;
    readonly labels: Readonly<Record<string, string>> | undefined;
    /** Names only: a value never enters a hash that is published. */
    readonly secrets: readonly string[] | undefined;
    readonly exporter: string;
    readonly cache: boolean;
}

/** JSON with sorted keys: the same value gives the same text. */
function canonical(value: unknown): string {
    return JSON.stringify(value, (_key, one: unknown) =>
        typeof one === "object" && one !== null && !Array.isArray(one)
            ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
            : one,
    );
}

const hash12 = (value: unknown): string => createHash("sha256").update(canonical(value)).digest("hex").slice(0, 12);

/** The input hash: 12 hex over `parts`. */
export const inputHash = (parts: InputHashParts): string =>
    hash12({ ...parts, secrets: [...(parts.secrets ?? [])].sort() });

/**
 * The build tag `b-<12 hex>-<arch>`: it names one build and is never moved.
 *
 * @param base digests (or names, where nobody pinned them) of what the image is built on
 */
export function buildTag(parts: {
    readonly inputHash: string;
    readonly platform: Platform;
    readonly base: readonly string[];
}): string {
    return `b-${hash12({ ...parts, base: [...parts.base].sort() })}-${archOf(parts.platform)}`;
}

const day = 24 * 3600 * 1000;

/** Removes what no build of the last day used; another process doing the same is harmless. */
function prune(folder: string, keep: string): void {
    for (const name of readdirSync(folder)) {
        const old = path.join(folder, name);
        const stat = statSync(old, { throwIfNoEntry: false });
        if (name !== keep && stat && Date.now() - stat.mtimeMs > day) rmSync(old, { recursive: true, force: true });
    }
}

function copy(from: string, to: string, file: InputFile): void {
    mkdirSync(path.dirname(to), { recursive: true });
    if (file.symlink !== undefined) {
        symlinkSync(file.symlink, to);
        return;
    }
    copyFileSync(from, to);
    chmodSync(to, file.executable ? 0o755 : 0o644);
    const copied = createHash("sha256").update(readFileSync(to)).digest("hex");
    if (copied !== file.hash) {
        throw new InputError({ problem: `${file.path} changed while it was read`, next: "run the command again" });
    }
}

function normaliseFolders(folder: string): void {
    chmodSync(folder, 0o755);
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
        if (entry.isDirectory()) normaliseFolders(path.join(folder, entry.name));
    }
}

/** What is staged, and where. */
export interface StageRequest {
    /** Root of the build context, which the inputs' paths start from. */
    readonly base: string;
    /** Text of the Dockerfile. */
    readonly dockerfile: string;
    /** The repository's root, and the folder below it that holds staged contexts. */
    readonly root: string;
    readonly stageRoot: string;
    /** Name of the image's own folder. */
    readonly image: string;
    readonly inputHash: string;
    readonly files: readonly InputFile[];
}

/**
 * Copies the inputs to `<stageRoot>/<image>/<inputHash>`, modes normalised to 644/755, written beside and renamed: a build
 * sees nothing but its inputs, and neither umask nor mtimes nor another run. An existing one is used as it is; those that
 * no run of the last day used are removed.
 *
 * @returns paths of context and Dockerfile as `stageRoot` gives them, not absolute: they enter the state
 */
export function stageContext(request: StageRequest): { readonly context: string; readonly dockerfile: string } {
    const { root, stageRoot, image, files } = request;
    const folder = path.join(root, stageRoot, image);
    const final = path.join(folder, request.inputHash);
    if (!existsSync(final)) {
        const beside = `${final}.part-${process.pid.toString()}`;
        rmSync(beside, { recursive: true, force: true });
        mkdirSync(path.join(beside, "context"), { recursive: true });
        try {
            for (const file of files)
                copy(path.join(request.base, file.path), path.join(beside, "context", file.path), file);
            copyText(path.join(beside, "Dockerfile"), request.dockerfile);
            normaliseFolders(beside);
            rename(beside, final);
        } finally {
            rmSync(beside, { recursive: true, force: true });
        }
    }
    const now = new Date();
    utimesSync(final, now, now);
    prune(folder, request.inputHash);
    const staged = path.posix.join(stageRoot, image, request.inputHash);
    return { context: path.posix.join(staged, "context"), dockerfile: path.posix.join(staged, "Dockerfile") };
}

function copyText(file: string, text: string): void {
    writeFileSync(file, text);
    chmodSync(file, 0o644);
}

/** Whoever renames first wins; the other's copy is the same. */
function rename(from: string, to: string): void {
    try {
        renameSync(from, to);
    } catch (error) {
        if (!existsSync(to)) throw error;
    }
}
