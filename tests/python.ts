import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { pythonVersion, unpackPython } from "../lab/root/python";
import { archOf, hostPlatform } from "../lib/platform";
import { makeFolder } from "../lib/system/files";
import { withLock } from "../lib/system/lock";
import { packageRoot } from "../lib/system/paths";
import { run } from "../lib/system/process";
import { progress } from "../lib/system/progress";

const requirements = ["requirements-uv.txt", "requirements.txt", "requirements-dev.txt"];

/**
 * Installs a Python with the requirements of the app's tests and linters, the same as in the CI image, to run them without an image.
 *
 * @returns the path of the interpreter
 */
export async function ensurePython(cache: string): Promise<string> {
    const files = requirements.map((name) => path.join(packageRoot, "requirements", name));
    const hash = createHash("sha256").update(pythonVersion);
    for (const file of files) hash.update(readFileSync(file)).update("\0");
    const folder = path.join(cache, "python", hash.digest("hex").slice(0, 12));
    const interpreter = path.join(folder, "bin", "python3.12");
    if (existsSync(folder)) return interpreter;
    await withLock(path.join(cache, "python", "lock"), async () => {
        if (existsSync(folder)) return;
        await makeFolder(folder, async (partial) => {
            const log = `${folder}.log`;
            const install = [
                "-m",
                "pip",
                "install",
                "--require-hashes",
                "--no-input",
                "--disable-pip-version-check",
                "--quiet",
            ];
            await progress("installing the app's requirements", async () => {
                await unpackPython(archOf(hostPlatform()), partial, log);
                const python = path.join(partial, "bin", "python3.12");
                for (const file of files) await run(python, [...install, "--requirement", file], { log });
            });
        });
    });
    return interpreter;
}
