import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { CommandError } from "../../lib/errors";
import { makeFolder } from "../../lib/system/files";
import { withLock } from "../../lib/system/lock";
import { packageRoot } from "../../lib/system/paths";
import { run } from "../../lib/system/process";
import { progress } from "../../lib/system/progress";
import { isAtLeast, versionIn } from "../../lib/system/versions";
import { type Tool, tools } from "./tools";
import { typed } from "../../lib/system/commandLine";

/** Folders of the built tools; undefined for a tool that is used from PATH. */
export type Toolchain = Readonly<Record<keyof typeof tools, string | undefined>>;

const source = (tool: Tool) => path.join(packageRoot, "lab", "toolchain", tool.folder);

/** Returns a hash (12 hexadecimal digits) over everything that decides the built binaries. */
function buildKey(tool: Tool, goVersion: string): string {
    const hash = createHash("sha256").update(JSON.stringify([tool, goVersion, process.arch]));
    const files = readdirSync(source(tool), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.(go|mod|sum)$/.test(entry.name) && !entry.name.endsWith("_test.go"))
        .map((entry) => path.join(entry.parentPath, entry.name));
    for (const file of files.sort()) hash.update(path.relative(packageRoot, file)).update(readFileSync(file));
    return hash.digest("hex").slice(0, 12);
}

async function isPresent(tool: Tool): Promise<boolean> {
    const [command, ...args] = tool.present ?? [];
    if (command === undefined) return false;
    const output = await run(command, args).catch(() => "");
    const found = versionIn(output);
    return found !== undefined && isAtLeast(found, tool.version);
}

async function goVersion(): Promise<string> {
    try {
        return (await run("go", ["env", "GOVERSION"])).trim();
    } catch {
        throw new CommandError(
            "Go is needed to build the toolchain and `go` is not on PATH. Install Go 1.21 or later: https://go.dev/dl " +
                "(it fetches the exact version by itself).",
        );
    }
}

async function build(tool: Tool, folder: string): Promise<void> {
    await makeFolder(folder, async (partial) => {
        const ldflags = ["-s", "-w", tool.ldflags ?? ""].join(" ").trim();
        const output = tool.packages[0] === "." ? path.join(partial, tool.folder) : `${partial}${path.sep}`;
        await run("go", ["build", "-trimpath", "-ldflags", ldflags, "-o", output, ...tool.packages], {
            cwd: source(tool),
            env: { ...process.env, CGO_ENABLED: "0", GOTOOLCHAIN: "auto", GOFLAGS: "-mod=readonly -buildvcs=false" },
            log: `${folder}.log`,
        });
    });
    rmSync(`${folder}.log`, { force: true });
}

/** Builds a tool unless another process has already built it. */
async function buildOnce(cache: string, tool: Tool, folder: string): Promise<void> {
    await withLock(path.join(cache, "toolchain", `${tool.folder}.lock`), async () => {
        if (existsSync(folder)) return;
        await progress(`building ${tool.folder} ${tool.version} from source`, () => build(tool, folder));
    });
}

/** Returns the folders of the tools. Calls `make` for each tool that is neither built nor on PATH. */
async function toolchain(cache: string, make: (tool: Tool, folder: string) => Promise<void>): Promise<Toolchain> {
    const version = await goVersion();
    const entries: [string, string | undefined][] = [];
    for (const [name, tool] of Object.entries<Tool>(tools)) {
        const folder = path.join(cache, "toolchain", `${tool.folder}-${tool.version}-${buildKey(tool, version)}`);
        const isBuilt = existsSync(folder);
        if (!isBuilt && (await isPresent(tool))) {
            entries.push([name, undefined]);
            continue;
        }
        if (!isBuilt) await make(tool, folder);
        entries.push([name, folder]);
    }
    return Object.fromEntries(entries) as Toolchain;
}

/**
 * Builds the missing tools, one after the other because the compiler uses every core, and returns the folders of all tools. Cached tools
 * are only checked. If two processes run at the same time, each tool is built once.
 */
export const ensureToolchain = (cache: string): Promise<Toolchain> =>
    toolchain(cache, (tool, folder) => buildOnce(cache, tool, folder));

/**
 * Returns the folders of an existing toolchain.
 *
 * @throws CommandError if a tool is missing: commands such as `lab status` must not compile for minutes
 */
export const findToolchain = (cache: string): Promise<Toolchain> =>
    toolchain(cache, ({ folder, version }) => {
        const missing = `${folder} ${version}, which this checkout's lab uses, is not built yet`;
        return Promise.reject(new CommandError(`${missing}: run \`${typed("lab", "start")}\`.`));
    });

/** Returns the tools that `ensureToolchain` would build. */
export async function missingTools(cache: string): Promise<Tool[]> {
    const missing: Tool[] = [];
    await toolchain(cache, (tool) => {
        missing.push(tool);
        return Promise.resolve();
    });
    return missing;
}
