import { createHash } from "node:crypto";
import { type BigIntStats, lstatSync, mkdirSync, readFileSync, statfsSync } from "node:fs";
import path from "node:path";
import { replaceFile } from "../system/files";
import { pathOf } from "./rawNames";
import { hashFile } from "./walk";

/**
 * Hashes of files, remembered from one run to the next. As in git's index, a file that the file system says is the same
 * is not read again. If there is any doubt, the file is read, so the index only ever saves time.
 */
export interface FileHashes {
    /** Returns the SHA-256 of a file's content, as hex. The path must be absolute and not a link. */
    readonly of: (file: string) => string;
    /** Writes the hashes of the files that this run asked for, and forgets all others. */
    readonly save: () => void;
}

/** Folder of staged contexts and of this index, relative to the repository's root. */
export const stagedFolder = ".stage";

/** Turns the index off if it is not empty: every file is read in every run. */
export const readAllVariable = "LAYERED_IMAGES_HASH_ALL";

const version = "layered-images file hashes 1";

/**
 * File systems of local disks, by their number in Linux (include/uapi/linux/magic.h): ext2 to ext4, XFS, Btrfs, F2FS, ZFS, bcachefs and
 * overlayfs. They set the change time of a file (ctime) at each change of content, name, mode or times, by this machine's clock, and
 * nothing but the clock can set it back. That is not so on network file systems, where another machine's clock counts, on FUSE, where
 * it depends on the program behind it, and on tmpfs, which does not notice all writes through a memory mapping.
 */
const reliableTypes = new Set([0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0xca451a4e, 0x794c7630]);

/** Times in nanoseconds. */
const millisecond = 1_000_000n;
const second = 1000n * millisecond;

/**
 * From this size in bytes, waiting until a file can be remembered takes less time than reading it once more. Few files
 * are so large and so new.
 */
const worthWaiting = 1n << 26n;

/**
 * Identifies a file of a device with its content: any change of the file changes at least its change time. The path is no
 * part of it, so a file whose folder was renamed is still known.
 */
const identityOf = ({ ino, size, mtimeNs, ctimeNs, mode }: BigIntStats): string =>
    [ino, size, mtimeNs, ctimeNs, mode].map((value) => value.toString(36)).join(".");

/**
 * Returns how many nanoseconds are missing until a file has an age at which its next change would have another time: 0
 * or less if it has. Until then, a change directly after the file was read could leave its times the same (git calls such
 * an entry racy). Linux sets times by a clock that moves every 10 milliseconds or more often; a file system that
 * stores whole seconds is recognised by its times.
 */
function missingAge({ ctimeNs }: BigIntStats): bigint {
    const isCoarse = ctimeNs % second === 0n;
    // The clock of file systems is that of Date, which has milliseconds.
    return ctimeNs + (isCoarse ? 2n * second : 50n * millisecond) - BigInt(Date.now()) * millisecond;
}

const checksum = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Blocks the process: hashing is synchronous as well. */
function wait(nanoseconds: bigint): void {
    const milliseconds = Number(nanoseconds / millisecond) + 1;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Returns the number of the device whose files can be trusted; undefined if the folder is on no such file system. */
function reliableDevice(root: string): bigint | undefined {
    if (process.platform !== "linux" || !reliableTypes.has(statfsSync(root).type)) return undefined;
    return lstatSync(root, { bigint: true }).dev;
}

/** Reads an index; it is empty if it is missing, damaged, or somebody else could have written it. */
function readIndex(file: string): Map<string, string> {
    try {
        const { uid, mode } = lstatSync(file);
        if (uid !== process.getuid?.() || (mode & 0o022) !== 0) return new Map();
        const text = readFileSync(file, "utf8");
        const end = text.indexOf("\n");
        const entries = text.slice(end + 1);
        if (text.slice(0, end) !== `${version} ${checksum(entries)}`) return new Map();
        return new Map(
            entries
                .split("\n")
                .filter(Boolean)
                .map((line): [string, string] => [line.slice(65), line.slice(0, 64)]),
        );
    } catch {
        return new Map();
    }
}

/**
 * Opens the hashes that earlier runs remembered, in `.stage/hashes` of a repository. The index is read when a file is
 * first asked for.
 *
 * @param root the repository's root, without symbolic links
 */
export function openFileHashes(root: string, env: NodeJS.ProcessEnv = process.env): FileHashes {
    const device = env[readAllVariable] ? undefined : reliableDevice(root);
    if (device === undefined) return { of: hashFile, save: () => undefined };
    const index = path.join(root, stagedFolder, "hashes");
    let known: Map<string, string> | undefined;
    const isKept = new Set<string>();
    let hasNew = false;
    const statOf = (file: string) => lstatSync(pathOf(file), { bigint: true });
    return {
        of: (file) => {
            const before = statOf(file);
            if (before.dev !== device) return hashFile(file);
            known ??= readIndex(index);
            const identity = identityOf(before);
            const hash = known.get(identity);
            if (hash !== undefined) {
                isKept.add(identity);
                return hash;
            }
            const missing = missingAge(before);
            const waits = before.size >= worthWaiting && missing > 0n && missing <= 2n * second;
            if (waits) wait(missing);
            const read = hashFile(file);
            // A file that changed meanwhile has a hash, but of nothing that can be found again.
            if ((waits || missing <= 0n) && identityOf(statOf(file)) === identity) {
                known.set(identity, read);
                isKept.add(identity);
                hasNew = true;
            }
            return read;
        },
        save: () => {
            if (!known || (!hasNew && isKept.size === known.size)) return;
            const kept = [...known].filter(([identity]) => isKept.has(identity));
            const entries = kept.map(([identity, hash]) => `${hash} ${identity}\n`).join("");
            try {
                mkdirSync(path.dirname(index), { recursive: true });
                replaceFile(index, `${version} ${checksum(entries)}\n${entries}`);
            } catch {
                // The next run reads the files again.
            }
        },
    };
}
