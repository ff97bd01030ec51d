import { accessSync, constants } from "node:fs";
import path from "node:path";
import { CommandError } from "../../lib/errors";
import { run } from "../../lib/system/process";
import { progress } from "../../lib/system/progress";

/** Programs the lab needs and the Debian packages that bring them. */
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

/** Debian keeps some of these out of an ordinary user's PATH. */
export const systemFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

const searched = () => [...(process.env.PATH ?? "").split(path.delimiter), ...systemFolders];

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
 * Installs the missing Debian packages when root.
 *
 * @param folders in which programs are looked for
 * @throws CommandError with the command to run when not root, or when the packages can't be installed.
 */
export async function ensurePackages(folders: readonly string[] = searched()): Promise<void> {
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

/** @throws CommandError when not root: BuildKit mounts file systems and starts containers */
export function requireRoot(): void {
    if (process.getuid?.() === 0) return;
    // Not --preserve-env=PATH: Debian's sudoers sets secure_path, which wins over it.
    throw new CommandError(
        'the lab runs BuildKit, which needs root. Run this again with: sudo env "PATH=$PATH" "HOME=$HOME" npm run …',
    );
}
