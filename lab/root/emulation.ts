import { existsSync, readFileSync } from "node:fs";
import { type Platform, hostPlatform } from "../../lib/platform";
import { run } from "../../lib/system/process";

/** Folder in which the kernel lists the foreign program formats that it can run, and their interpreters (binfmt_misc). */
const binfmtFolder = "/proc/sys/fs/binfmt_misc";

/** Platforms that the lab can emulate, with the names of their interpreters in binfmt_misc. */
const interpreters: Readonly<Record<string, string>> = { "linux/arm64": "qemu-aarch64", "linux/amd64": "qemu-x86_64" };

function isEnabled(registry: string, interpreter: string): boolean {
    const file = `${registry}/${interpreter}`;
    return existsSync(file) && readFileSync(file, "utf8").startsWith("enabled");
}

/** A platform that this machine can't emulate. The reason includes the command that enables it. */
export interface NotEmulated {
    readonly platform: Platform;
    readonly reason: string;
}

/**
 * Enables user-mode emulation (qemu through binfmt_misc) of platforms other than the machine's. If that fails, the lab works with the
 * machine's platform only.
 *
 * @param registry folder of binfmt_misc
 * @returns the platforms that this machine can run, sorted, and the platforms that it can't emulate
 */
export async function enableEmulation(
    registry = binfmtFolder,
): Promise<{ platforms: Platform[]; missing: NotEmulated[] }> {
    const platforms: Platform[] = [hostPlatform()];
    const missing: NotEmulated[] = [];
    for (const platform of ["linux/amd64", "linux/arm64"] as const) {
        const interpreter = interpreters[platform];
        if (platform === hostPlatform() || interpreter === undefined) continue;
        try {
            if (!existsSync(`${registry}/register`)) await run("mount", ["-t", "binfmt_misc", "binfmt_misc", registry]);
            if (!isEnabled(registry, interpreter)) await run("update-binfmts", ["--enable", interpreter]);
            if (!isEnabled(registry, interpreter)) throw new Error(`binfmt_misc does not know ${interpreter}`);
            platforms.push(platform);
        } catch (error) {
            const detail = error instanceof Error ? error.message.split("\n").slice(0, 2).join(" ") : String(error);
            const command = `sudo mount -t binfmt_misc binfmt_misc ${registry}; sudo update-binfmts --enable ${interpreter}`;
            missing.push({ platform, reason: `${detail}. To enable it: ${command}` });
        }
    }
    return { platforms: platforms.sort(), missing };
}
