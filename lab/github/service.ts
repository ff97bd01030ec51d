import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { type LabPaths, isCompiled, packageRoot } from "../../lib/system/paths";
import { makeFolder, replaceFile } from "../../lib/system/files";
import type { Server } from "../servers/server";
import { labRepository, labToken } from "./defaults";

/** Sources that the server does not need: this file, tests, and the tool that creates the description. */
const leftOut = /^(service|prune|testing)\.ts$|\.test\.ts$/;

/**
 * Returns the stand-in as plain JavaScript. Where this package runs from its sources, they are compiled to a folder named after their
 * hash: a compiler in memory, as with ts-node, would use most of the server's memory.
 *
 * @returns path of the program
 */
async function compile(state: string): Promise<string> {
    if (isCompiled) return path.join(__dirname, "main.js");
    const names = readdirSync(__dirname).filter((name) => name.endsWith(".ts") && !leftOut.test(name));
    const own = [...names, "github-api.json"].map((name) => `lab/github/${name}`);
    const texts = ["lib/system/files.ts", "lib/github/permissions.ts", ...own].map(
        (name) => [name, readFileSync(path.join(packageRoot, name), "utf8")] as const,
    );
    const key = createHash("sha256").update(JSON.stringify(texts)).digest("hex").slice(0, 12);
    const folder = path.join(state, `program-${key}`);
    const program = path.join(folder, "lab", "github", "main.js");
    if (existsSync(program)) return program;
    const { ModuleKind, ScriptTarget, transpileModule } = (await import("typescript")).default;
    const compilerOptions = { module: ModuleKind.CommonJS, target: ScriptTarget.ES2023, esModuleInterop: true };
    for (const old of existsSync(state) ? readdirSync(state) : []) {
        if (old.startsWith("program-")) rmSync(path.join(state, old), { recursive: true });
    }
    await makeFolder(folder, (beside) => {
        for (const [name, text] of texts) {
            const isSource = name.endsWith(".ts");
            const target = path.join(beside, name.replace(/\.ts$/, ".js"));
            replaceFile(target, isSource ? transpileModule(text, { compilerOptions }).outputText : text);
        }
        return Promise.resolve();
    });
    return program;
}

/** Returns the address of the stand-in on that port. */
export const githubUrl = (port: number): string => `http://127.0.0.1:${port.toString()}/`;

/**
 * Returns the environment variables with which the GitHub provider and this program use the stand-in instead of GitHub.
 */
export const githubVariables = (port: number): Record<string, string> => ({
    GITHUB_BASE_URL: githubUrl(port),
    GITHUB_OWNER: labRepository.owner,
    // The provider would prefer the value in a user's environment to GITHUB_OWNER.
    GITHUB_ORGANIZATION: "",
    GITHUB_TOKEN: labToken,
});

/** Returns the GitHub stand-in as a server of the lab. */
export async function githubServer(paths: LabPaths, port: number): Promise<Server> {
    const folder = path.join(paths.state, "github");
    const file = path.join(folder, "state.json");
    const options = { file, port, owner: labRepository.owner, repository: labRepository.name };
    const config = path.join(folder, "config.json");
    return {
        name: "github",
        command: process.execPath,
        // Its state takes some megabytes; without a limit, Node.js would let garbage grow to many times that size.
        args: ["--max-old-space-size=64", await compile(folder), config],
        // The user's environment is not passed on: it contains tokens for the real GitHub.
        env: { NODE_PATH: path.join(packageRoot, "node_modules") },
        config: { file: config, text: `${JSON.stringify(options, null, 2)}\n` },
        check: async () => {
            const response = await fetch(`${githubUrl(port)}_lab/health`, { signal: AbortSignal.timeout(2000) });
            const { state } = (await response.json()) as { state?: string };
            if (state !== file) throw new Error(`port ${port.toString()} belongs to something else`);
        },
    };
}
