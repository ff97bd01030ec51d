import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { repositoryRoot } from "./paths";
import { makeFolder, run, withLock } from "./process";
import { progress } from "./progress";

const requirements = ["requirements-uv.txt", "requirements.txt", "requirements-dev.txt"];

/**
 * A Python with the requirements that the app's tests and linters need, as the CI image has them, for running them
 * without an image. Returns the interpreter.
 */
export async function ensurePython(cache: string, pythonTool: string): Promise<string> {
    const files = requirements.map((name) => path.join(repositoryRoot, "requirements", name));
    const hash = createHash("sha256").update(path.basename(pythonTool));
    for (const file of files) hash.update(readFileSync(file)).update("\0");
    const folder = path.join(cache, "python", hash.digest("hex").slice(0, 12));
    const interpreter = path.join(folder, "bin", "python3.12");
    if (existsSync(folder)) return interpreter;
    await withLock(path.join(cache, "python", "lock"), async () => {
        if (existsSync(folder)) return;
        await makeFolder(folder, async (beside) => {
            const log = `${folder}.log`;
            const install = ["-m", "pip", "install", "--require-hashes", "--no-input", "--disable-pip-version-check", "--quiet"];
            await progress("installing the app's requirements", async () => {
                const arch = process.arch === "x64" ? "amd64" : process.arch;
                await run(path.join(pythonTool, "python"), [`linux-${arch}`, beside], { log });
                const python = path.join(beside, "bin", "python3.12");
                for (const file of files) await run(python, [...install, "--requirement", file], { log });
            });
        });
    });
    return interpreter;
}
