import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import { type LabPaths, isCompiled, packageRoot } from "../../lib/system/paths";
import { makeFolder, readKept, replaceFile } from "../../lib/system/files";
import { valueOf } from "../../lib/system/kept";
import type { Server } from "../servers/server";
import { configFiles } from "../servers/services";
import { labRepository, labToken } from "./defaults";

/** Files beside this one that the server does not need: this file, tests, and the tool that creates the description. */
const leftOut = /^(service|prune|testing)\.[jt]s$|\.test\.ts$/;

/** Files of a program, each with its text. */
type Texts = readonly (readonly [name: string, text: string])[];

const keyOf = (texts: Texts): string => createHash("sha256").update(JSON.stringify(texts)).digest("hex").slice(0, 12);

/** Returns the program's files as they are in this package: TypeScript in a checkout, JavaScript in the installed package. */
function readProgram(): Texts {
    const extension = path.extname(__filename);
    const beside = readdirSync(__dirname)
        .filter((name) => name.endsWith(extension) && !leftOut.test(name))
        .sort();
    const others = ["lib/errors", "lib/system/files", "lib/system/kept", "lib/github/permissions"].map(
        (name) => `${name}${extension}`,
    );
    return [...others, ...[...beside, "github-api.json"].map((name) => `lab/github/${name}`)].map((name) => [
        name,
        readFileSync(path.join(packageRoot, name), "utf8"),
    ]);
}

const compiledName = (name: string): string => name.replace(/\.ts$/, ".js");

/** Compiles the TypeScript among the files. A compiler in memory, as with ts-node, would use most of the server's memory. */
async function compile(texts: Texts): Promise<Texts> {
    const { ModuleKind, ScriptTarget, transpileModule } = (await import("typescript")).default;
    const compilerOptions = { module: ModuleKind.CommonJS, target: ScriptTarget.ES2023, esModuleInterop: true };
    return texts.map(([name, text]) =>
        name.endsWith(".ts")
            ? [compiledName(name), transpileModule(text, { compilerOptions }).outputText]
            : [name, text],
    );
}

/** Whether a stored program is what the folder's name says: a crash of the machine can leave its files cut. */
function isWhole(folder: string, names: readonly string[]): boolean {
    const stored = names.map((name) => [name, readKept(path.join(folder, name), (text) => text)] as const);
    const texts = stored.map(([name, kept]) => [name, valueOf(kept) ?? ""] as const);
    return path.basename(folder) === `program-${keyOf(texts)}`;
}

/**
 * Stores the stand-in as plain JavaScript in a folder named after the hash of it, so that all checkouts and installed packages of a
 * version share the running server. In a checkout, a link named after the hash of the sources saves the compilation.
 *
 * @returns path of the program
 */
async function storeProgram(state: string): Promise<string> {
    const texts = readProgram();
    const names = texts.map(([name]) => compiledName(name));
    const link = path.join(state, `sources-${keyOf(texts)}`);
    const main = path.join("lab", "github", "main.js");
    const known = !isCompiled && existsSync(link) ? realpathSync(link) : undefined;
    if (known !== undefined && isWhole(known, names)) return path.join(known, main);
    const program = isCompiled ? texts : await compile(texts);
    const folder = path.join(state, `program-${keyOf(program)}`);
    if (!isWhole(folder, names)) {
        for (const old of existsSync(state) ? readdirSync(state) : []) {
            if (/^(program|sources)-/.test(old)) rmSync(path.join(state, old), { recursive: true });
        }
        await makeFolder(folder, (beside) => {
            for (const [name, text] of program) replaceFile(path.join(beside, name), text);
            return Promise.resolve();
        });
    }
    if (!isCompiled) {
        rmSync(link, { recursive: true, force: true });
        symlinkSync(path.basename(folder), link);
    }
    return path.join(folder, main);
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
    const { github: config } = configFiles(paths);
    return {
        name: "github",
        command: process.execPath,
        // Its state takes some megabytes; without a limit, Node.js would let garbage grow to many times that size.
        args: ["--max-old-space-size=64", await storeProgram(folder), config],
        // The user's environment is not passed on: it contains tokens for the real GitHub. The program finds its dependencies where this
        // package does, which depends on how npm arranged them.
        env: { NODE_PATH: module.paths.join(path.delimiter) },
        config: { file: config, text: `${JSON.stringify(options, null, 2)}\n` },
        check: async () => {
            const response = await fetch(`${githubUrl(port)}_lab/health`, { signal: AbortSignal.timeout(2000) });
            const { state } = (await response.json()) as { state?: string };
            if (state !== file) throw new Error(`port ${port.toString()} belongs to something else`);
        },
    };
}
