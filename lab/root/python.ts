import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { archOf, hostPlatform } from "../../lib/platform";
import { makeFolder } from "../../lib/system/files";
import { withLock } from "../../lib/system/lock";
import { repositoryRoot } from "../../lib/system/paths";
import { run } from "../../lib/system/process";
import { progress } from "../../lib/system/progress";

/** The CPython in the Go module that `lab/toolchain/python` pins. */
export const pythonVersion = "3.12.3";

/**
 * Unpacks CPython with pip for `arch` ("amd64", "arm64") into `destination`, a new folder laid out as below /usr/local.
 *
 * @param log file for the output of the programs that it runs
 */
export async function unpackPython(arch: string, destination: string, log: string): Promise<void> {
    const cwd = path.join(repositoryRoot, "lab", "toolchain", "python");
    const unpack = (what: string, folder: string) => run("go", ["run", ".", what, folder], { cwd, log });
    await unpack(`linux-${arch}`, destination);
    await unpack("pip", path.join(destination, "lib", "python3.12", "site-packages"));
    // libpython of amd64 comes with 170 MB of debugging symbols; `strip` only knows the machine's own architecture.
    if (arch !== archOf(hostPlatform())) return;
    const folder = path.join(destination, "lib");
    const libraries = readdirSync(folder).filter((name) => name.includes(".so"));
    await run("strip", ["--strip-unneeded", ...libraries.map((name) => path.join(folder, name))], { log });
}

const requirements = ["requirements-uv.txt", "requirements.txt", "requirements-dev.txt"];

/**
 * A Python with the requirements that the app's tests and linters need, as the CI image has them, for running them
 * without an image. Returns the interpreter.
 */
export async function ensurePython(cache: string): Promise<string> {
    const files = requirements.map((name) => path.join(repositoryRoot, "requirements", name));
    const hash = createHash("sha256").update(pythonVersion);
    for (const file of files) hash.update(readFileSync(file)).update("\0");
    const folder = path.join(cache, "python", hash.digest("hex").slice(0, 12));
    const interpreter = path.join(folder, "bin", "python3.12");
    if (existsSync(folder)) return interpreter;
    await withLock(path.join(cache, "python", "lock"), async () => {
        if (existsSync(folder)) return;
        await makeFolder(folder, async (beside) => {
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
                await unpackPython(archOf(hostPlatform()), beside, log);
                const python = path.join(beside, "bin", "python3.12");
                for (const file of files) await run(python, [...install, "--requirement", file], { log });
            });
        });
    });
    return interpreter;
}
