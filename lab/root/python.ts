import { readdirSync } from "node:fs";
import path from "node:path";
import { archOf, hostPlatform } from "../../lib/platform";
import { packageRoot } from "../../lib/system/paths";
import { run } from "../../lib/system/process";

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
