import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { archOf, hostPlatform } from "../../lib/platform";
import { makeFolder } from "../../lib/system/files";
import { withLock } from "../../lib/system/lock";
import { packageRoot } from "../../lib/system/paths";
import { run } from "../../lib/system/process";
import { progress } from "../../lib/system/progress";

/** Version of the CPython in the Go module that `lab/toolchain/python` pins. */
export const pythonVersion = "3.12.3";

/**
 * Unpacks CPython with pip for `arch` ("amd64", "arm64") into `destination`, a new folder with the layout of /usr/local.
 *
 * @param log file for the output of the commands
 */
export async function unpackPython(arch: string, destination: string, log: string): Promise<void> {
    const cwd = path.join(packageRoot, "lab", "toolchain", "python");
    const unpack = (part: string, folder: string) => run("go", ["run", ".", part, folder], { cwd, log });
    await unpack(`linux-${arch}`, destination);
    await unpack("pip", path.join(destination, "lib", "python3.12", "site-packages"));
    // libpython for amd64 contains 170 MB of debugging symbols. `strip` supports only the machine's architecture.
    if (arch !== archOf(hostPlatform())) return;
    const folder = path.join(destination, "lib");
    const libraries = readdirSync(folder).filter((name) => name.includes(".so"));
    await run("strip", ["--strip-unneeded", ...libraries.map((name) => path.join(folder, name))], { log });
}

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
