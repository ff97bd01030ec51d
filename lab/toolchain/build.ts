import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { CommandError } from "../../lib/errors";
import { makeFolder } from "../../lib/system/files";
import { withLock } from "../../lib/system/lock";
import { packageRoot } from "../../lib/system/paths";
import { isInterrupted, run } from "../../lib/system/process";
import { progress } from "../../lib/system/progress";
import { isAtLeast, versionIn } from "../../lib/system/versions";
import { isIn, searchPath } from "./packages";
import { type Tool, officialHome, pluginFile, tools } from "./tools";
import { typed } from "../../lib/system/commandLine";

/** Folders of the built tools; undefined for a tool that is used from PATH. */
export type Toolchain = Readonly<Record<keyof typeof tools, string | undefined>>;

const source = (tool: Tool) => path.join(packageRoot, "lab", "toolchain", tool.folder);

/**
 * Returns a hash (12 hexadecimal digits) over what decides the built binaries, without the version of Go: a newer Go builds nothing again,
 * and a toolchain that is built needs no Go.
 */
function buildKey(tool: Tool): string {
    const { folder, version, packages, ldflags } = tool;
    const hash = createHash("sha256").update(JSON.stringify([folder, version, packages, ldflags, process.arch]));
    const files = readdirSync(source(tool), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.(go|mod|sum)$/.test(entry.name) && !entry.name.endsWith("_test.go"))
        .map((entry) => path.join(entry.parentPath, entry.name));
    for (const file of files.sort()) hash.update(path.relative(packageRoot, file)).update(readFileSync(file));
    return hash.digest("hex").slice(0, 12);
}

/**
 * Whether the machine has a tool of this version or later, so that it need not be built.
 *
 * @param official whether Pulumi itself is used from PATH: it can use the plugins in its home
 */
async function isPresent(tool: Tool, official: boolean): Promise<boolean> {
    if (tool.plugin !== undefined)
        return official && existsSync(pluginFile(officialHome(process.env), tool.plugin, tool));
    const [command, ...args] = tool.present ?? [];
    if (command === undefined) return false;
    if (tool.beside !== undefined && !isIn(searchPath(), tool.beside)) return false;
    const output = await run(command, args).catch(() => "");
    const found = versionIn(output);
    return found !== undefined && isAtLeast(found, tool.version);
}

/** Throws a CommandError if there is no Go. */
export async function requireGo(what: string): Promise<void> {
    try {
        await run("go", ["env", "GOVERSION"]);
    } catch {
        throw new CommandError(
            `Go is needed to build ${what} and \`go\` is not on PATH. Install Go 1.21 or later: https://go.dev/dl ` +
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
        await requireGo(tool.folder);
        await progress(`building ${tool.folder} ${tool.version} from source`, () => build(tool, folder));
    });
}

/** Lets an official Pulumi download a plugin. Returns false if it can't. */
async function downloadPlugin(plugin: string, { version }: Tool): Promise<boolean> {
    const label = `downloading the plugin ${plugin} ${version}`;
    try {
        await progress(label, () => run("pulumi", ["plugin", "install", "resource", plugin, version]));
        return true;
    } catch (error) {
        if (!(error instanceof CommandError) || isInterrupted()) throw error;
        return false;
    }
}

/** Obtains a tool that the machine lacks; returns its folder if it was built. */
type Make = (tool: Tool, folder: string, official: boolean) => Promise<string | undefined>;

/** Returns the folders of the tools. Calls `make` for each tool that is neither built nor on the machine. */
async function toolchain(cache: string, make: Make): Promise<Toolchain> {
    const folders = new Map<string, string | undefined>();
    // Pulumi comes before its plugins.
    for (const [name, tool] of Object.entries<Tool>(tools)) {
        const folder = path.join(cache, "toolchain", `${tool.folder}-${tool.version}-${buildKey(tool)}`);
        const official = folders.has("pulumi") && folders.get("pulumi") === undefined;
        if (existsSync(folder)) folders.set(name, folder);
        else if (await isPresent(tool, official)) folders.set(name, undefined);
        else folders.set(name, await make(tool, folder, official));
    }
    return Object.fromEntries(folders) as Toolchain;
}

/**
 * Obtains the missing tools, one after the other because the compiler uses every core, and returns the folders of all tools. The plugins
 * of an official Pulumi are downloaded, or built if that fails; everything else is built. Cached tools are only checked. If two processes
 * run at the same time, each tool is built once.
 *
 * @throws CommandError if a tool has to be built and can't be
 */
export const ensureToolchain = (cache: string): Promise<Toolchain> =>
    toolchain(cache, async (tool, folder, official) => {
        if (official && tool.plugin !== undefined && (await downloadPlugin(tool.plugin, tool))) return undefined;
        await buildOnce(cache, tool, folder);
        return folder;
    });

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

/** Returns the tools that `ensureToolchain` would download or build. */
export async function missingTools(cache: string): Promise<Tool[]> {
    const missing: Tool[] = [];
    await toolchain(cache, (tool, folder) => {
        missing.push(tool);
        return Promise.resolve(folder);
    });
    return missing;
}
