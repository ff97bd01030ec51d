import { accessSync, constants } from "node:fs";
import path from "node:path";
import { CommandError } from "../../lib/errors";
import { typed } from "../../lib/system/commandLine";
import { run } from "../../lib/system/process";
import { progress } from "../../lib/system/progress";

/** The parts of the lab, in addition to its servers, that a repository's images need. */
export interface LabParts {
    /** Whether a Dockerfile names the root for which the lab makes a stand-in. */
    readonly standIn: boolean;
    /** Whether an image is built for another platform than this machine's. */
    readonly emulation: boolean;
    /** Whether a build for this machine's platform uses that root for another platform. */
    readonly otherRoots: boolean;
}

/** Every part: for images that are not known. */
export const allParts: LabParts = { standIn: true, emulation: true, otherRoots: true };

/** A program that the lab needs. */
interface Program {
    /** The Debian package that contains it. */
    readonly package: string;
    /** The part of the lab that runs it; always needed if absent. */
    readonly part?: keyof LabParts;
}

const programs: Readonly<Record<string, Program>> = {
    runc: { package: "runc" },
    "docker-registry": { package: "docker-registry" },
    openssl: { package: "openssl" },
    flock: { package: "util-linux" },
    debootstrap: { package: "debootstrap", part: "standIn" },
    strip: { package: "binutils", part: "standIn" },
    "qemu-aarch64-static": { package: "qemu-user-static", part: "emulation" },
    "update-binfmts": { package: "binfmt-support", part: "emulation" },
};

/** Folders with system programs. Debian does not include all of them in the PATH of ordinary users. */
export const systemFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** Folders in which programs are found: those of PATH, and those for system programs. */
export const searchPath = () => [...(process.env.PATH ?? "").split(path.delimiter), ...systemFolders];

/** Whether one of the folders has this program. */
export function isIn(folders: readonly string[], program: string): boolean {
    return folders.some((folder) => {
        try {
            accessSync(path.join(folder, program), constants.X_OK);
            return true;
        } catch {
            return false;
        }
    });
}

/**
 * Installs the missing Debian packages. This requires root.
 *
 * @param parts the parts of the lab that are used
 * @param folders folders that are searched for programs
 * @throws CommandError with the command to run if packages are missing and the user is not root, or if the installation fails
 */
export async function ensurePackages(
    parts: LabParts = allParts,
    folders: readonly string[] = searchPath(),
): Promise<void> {
    const needed = Object.entries(programs).filter(([, { part }]) => part === undefined || parts[part]);
    await ensurePrograms(
        "the lab needs",
        Object.fromEntries(needed.map(([name, one]) => [name, one.package])),
        folders,
    );
}

/**
 * Installs the Debian packages of programs that are missing. This requires root.
 *
 * @param who the beginning of the message for who is not root: "the lab needs"
 * @param needed by program, the package that contains it
 * @param folders folders that are searched for programs
 * @throws CommandError as `ensurePackages`
 */
export async function ensurePrograms(
    who: string,
    needed: Readonly<Record<string, string>>,
    folders: readonly string[] = searchPath(),
): Promise<void> {
    const missing = Object.entries(needed).filter(([program]) => !isIn(folders, program));
    if (missing.length === 0) return;
    const packages = [...new Set(missing.map(([, name]) => name))];
    const install = ["apt-get", "install", "--yes", "--no-install-recommends", ...packages];
    if (process.getuid?.() !== 0) {
        throw new CommandError(
            `${who} ${missing.map(([program]) => program).join(", ")}. Install the packages and run this again:\n` +
                `    sudo apt-get update && sudo ${install.join(" ")}`,
        );
    }
    await progress(`installing ${packages.join(", ")}`, async () => {
        const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
        await run("apt-get", ["update", "--quiet"], { env });
        await run("apt-get", install.slice(1), { env });
    });
}

/** Throws a CommandError if the user is not root. BuildKit mounts file systems and starts containers. */
export function requireRoot(): void {
    if (process.getuid?.() === 0) return;
    // Not --preserve-env=PATH: Debian's sudoers file sets secure_path, which overrides it.
    throw new CommandError(
        `the lab runs BuildKit, which needs root. Run this again with: sudo env "PATH=$PATH" "HOME=$HOME" ${typed("…")}`,
    );
}
