import { accessSync, constants } from "node:fs";
import path from "node:path";
import { CommandError } from "../../lib/errors";
import { typed } from "../../lib/system/commandLine";
import { run } from "../../lib/system/process";
import { progress } from "../../lib/system/progress";

/** Programs that the lab needs, with the Debian packages that contain them. */
const programs: Readonly<Record<string, string>> = {
    runc: "runc",
    "docker-registry": "docker-registry",
    debootstrap: "debootstrap",
    openssl: "openssl",
    strip: "binutils",
    flock: "util-linux",
    "qemu-aarch64-static": "qemu-user-static",
    "update-binfmts": "binfmt-support",
};

/** Folders with system programs. Debian does not include all of them in the PATH of ordinary users. */
export const systemFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

const searchPath = () => [...(process.env.PATH ?? "").split(path.delimiter), ...systemFolders];

function isIn(folders: readonly string[], program: string): boolean {
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
 * @param folders folders that are searched for programs
 * @throws CommandError with the command to run if packages are missing and the user is not root, or if the installation fails
 */
export async function ensurePackages(folders: readonly string[] = searchPath()): Promise<void> {
    const missing = Object.entries(programs).filter(([program]) => !isIn(folders, program));
    if (missing.length === 0) return;
    const packages = [...new Set(missing.map(([, name]) => name))];
    const install = ["apt-get", "install", "--yes", "--no-install-recommends", ...packages];
    if (process.getuid?.() !== 0) {
        throw new CommandError(
            `the lab needs ${missing.map(([program]) => program).join(", ")}. Install the packages and run this again:\n` +
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
