import { existsSync, readFileSync } from "node:fs";
import { type Platform, hostPlatform } from "../../lib/platform";
import { run } from "../../lib/system/process";

/** Where the kernel says which foreign programs it can run, and by what (binfmt_misc). */
const kernel = "/proc/sys/fs/binfmt_misc";

/** Foreign platforms the lab can emulate, with the names of their interpreters in binfmt_misc. */
const interpreters: Readonly<Record<string, string>> = { "linux/arm64": "qemu-aarch64", "linux/amd64": "qemu-x86_64" };

function isEnabled(registry: string, interpreter: string): boolean {
    const file = `${registry}/${interpreter}`;
    return existsSync(file) && readFileSync(file, "utf8").startsWith("enabled");
}

/** Why a foreign platform can't run here, and the command that would change it. */
export interface NotEmulated {
    readonly platform: Platform;
    readonly reason: string;
}

/**
 * Enables user-mode emulation (qemu by binfmt_misc) of the platforms that are not the machine's own. Where that is not
 * possible the lab works with the machine's own platform alone.
 *
 * @param registry folder of binfmt_misc
 */
export async function enableEmulation(registry = kernel): Promise<{ platforms: Platform[]; missing: NotEmulated[] }> {
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
