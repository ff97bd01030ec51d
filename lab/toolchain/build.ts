import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { CommandError } from "../../lib/errors";
import { makeFolder } from "../../lib/system/files";
import { withLock } from "../../lib/system/lock";
import { packageRoot } from "../../lib/system/paths";
import { capture, isInterrupted, run } from "../../lib/system/process";
import { announce, progress, say } from "../../lib/system/progress";
import { isAtLeast, versionIn } from "../../lib/system/versions";
import { isIn, searchPath } from "./packages";
import { openReleases, takesReleases } from "./releases";
import { type Tool, officialHome, pluginFile, programsOf, tools } from "./tools";
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

/** Returns the file with the durations of earlier runs. */
export const durationsFile = (cache: string): string => path.join(cache, "durations.json");

/**
 * The environment of Go's commands. The compilers collect garbage less often than by default, which saves a tenth of their time; the limit
 * is for the few packages that need much memory.
 */
const goEnv = () => ({
    GOGC: "400",
    GOMEMLIMIT: "1GiB",
    ...process.env,
    CGO_ENABLED: "0",
    GOTOOLCHAIN: "auto",
    GOFLAGS: "-mod=readonly -buildvcs=false",
});

/**
 * Packages of the tools that the lab never runs: clients of clouds, clusters and policy engines. They are half of what is compiled.
 */
const unusedPackages = [
    "cloud.google.com/...",
    "github.com/Azure/...",
    "github.com/aws/...",
    "github.com/envoyproxy/...",
    "github.com/hashicorp/vault/...",
    "github.com/open-policy-agent/...",
    "google.golang.org/api/...",
    "k8s.io/...",
];

/**
 * Options of the compiler that save time. No debugging information, which the linker drops anyway (-s -w): a seventh. No inlining in packages
 * that are never run: nearly half of their time.
 */
const compilerOptions = [
    "-gcflags=all=-dwarf=false",
    ...unusedPackages.map((pattern) => `-gcflags=${pattern}=-dwarf=false -l`),
];

async function build(tool: Tool, folder: string): Promise<void> {
    await makeFolder(folder, async (partial) => {
        const ldflags = ["-s", "-w", tool.ldflags ?? ""].join(" ").trim();
        const output = tool.packages[0] === "." ? path.join(partial, tool.folder) : `${partial}${path.sep}`;
        await run(
            "go",
            ["build", "-trimpath", ...compilerOptions, "-ldflags", ldflags, "-o", output, ...tool.packages],
            {
                cwd: source(tool),
                env: goEnv(),
                log: `${folder}.log`,
            },
        );
    });
    rmSync(`${folder}.log`, { force: true });
}

/** Makes the folder of a tool unless it exists; another process may be making it. */
const makeOnce = (cache: string, { tool, folder }: Omit<Missing, "name">, make: () => Promise<void>): Promise<void> =>
    withLock(path.join(cache, "toolchain", `${tool.folder}.lock`), async () => {
        if (!existsSync(folder)) await make();
    });

/**
 * Unpacks a release.
 *
 * @param file the downloaded file
 * @throws CommandError if it is no archive or lacks a program
 */
async function unpack(tool: Tool, file: string, folder: string): Promise<void> {
    const { members } = tool.release;
    const programs = programsOf(tool);
    await makeFolder(folder, async (partial) => {
        const at = (name: string) => path.join(partial, name);
        if (file.endsWith(".tar.gz")) {
            const options = ["--extract", "--gzip", "--no-same-owner", "--file", file, "--directory", partial];
            await run("tar", [...options, ...(members ? ["--strip-components=1", ...members] : [])]);
        } else copyFileSync(file, at(programs[0] ?? ""));
        for (const name of programs) {
            if (!existsSync(at(name))) throw new CommandError(`${path.basename(file)} does not contain ${name}`);
            chmodSync(at(name), 0o755);
        }
    });
}

/** Takes the releases of the missing tools, all at once, where they can be had. Another run that needs them waits for this one. */
async function takeReleases(cache: string, missing: readonly Missing[]): Promise<void> {
    const folder = path.join(cache, "toolchain", "releases");
    const names = missing.map(({ tool }) => tool.folder).join(", ");
    await withLock(`${folder}.lock`, async () => {
        // What a run that was killed has left.
        rmSync(folder, { recursive: true, force: true });
        const releases = openReleases(folder);
        const take = async (one: Missing) => {
            const { tool } = one;
            const instead = `${tool.folder} ${tool.version} is built from source`;
            const file = existsSync(one.folder) ? undefined : await releases.take(tool.release, instead);
            if (file === undefined) return;
            try {
                await makeOnce(cache, one, () => unpack(tool, file, one.folder));
            } catch (error) {
                if (!(error instanceof CommandError) || isInterrupted()) throw error;
                say(`warning: ${tool.release.url} can't be unpacked (${error.message}): ${instead}`);
            }
        };
        try {
            const taking = () => Promise.all(missing.map(take));
            await progress(`looking for releases of ${names}`, taking, { after: 1000 });
        } finally {
            await releases.close();
        }
    });
}

/**
 * Downloads the modules of the tools that are built later, while the compiler is busy with the first. No build waits for it: what
 * it has not downloaded, the build downloads.
 */
async function prefetchModules(missing: readonly Missing[], signal: AbortSignal): Promise<void> {
    for (const { tool } of missing.slice(1)) {
        if (signal.aborted) return;
        await capture("go", ["list", "-deps", ...tool.packages], { cwd: source(tool), env: goEnv() });
    }
}

/** Builds the missing tools from source, one after the other, because the compiler uses every core. */
async function buildAll(cache: string, missing: readonly Missing[]): Promise<void> {
    const [first] = missing;
    if (!first) return;
    await requireGo(first.tool.folder);
    const phases = missing.map(({ tool }) => ({ name: `build ${tool.folder}`, seconds: tool.seconds }));
    announce("toolchain", phases, durationsFile(cache));
    const done = new AbortController();
    const fetching = prefetchModules(missing, done.signal);
    try {
        for (const one of missing) {
            const { tool, folder } = one;
            const label = `building ${tool.folder} ${tool.version} from source`;
            const phase = `build ${tool.folder}`;
            await makeOnce(cache, one, () => progress(label, () => build(tool, folder), { phase }));
        }
    } finally {
        done.abort();
        await fetching;
        // After a failure the others do not run.
        announce("toolchain", [], durationsFile(cache));
    }
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

/** A tool that is neither in the cache nor on the machine. */
interface Missing {
    readonly name: string;
    readonly tool: Tool;
    /** The folder in which it is looked for. */
    readonly folder: string;
}

/** Whether Pulumi is on PATH, and not one of ours. Known once Pulumi, the first tool, was looked for. */
const hasOfficialPulumi = (found: ReadonlyMap<string, string | undefined>): boolean =>
    found.has("pulumi") && found.get("pulumi") === undefined;

/** The folder in which a tool is looked for. */
const folderOf = (cache: string, tool: Tool): string =>
    path.join(cache, "toolchain", `${tool.folder}-${tool.version}-${buildKey(tool)}`);

/** Builds a tool that is not one of the lab's, once for this machine, and returns its folder. */
export async function ensureBuilt(cache: string, tool: Tool): Promise<string> {
    const folder = folderOf(cache, tool);
    await requireGo(tool.folder);
    const label = `building ${tool.packages.map((name) => path.basename(name)).join(", ")} from source`;
    await makeOnce(cache, { tool, folder }, () => progress(label, () => build(tool, folder)));
    return folder;
}

/** Looks for the tools: the folders of those that are there, and those that are missing. */
async function survey(
    cache: string,
): Promise<{ readonly found: Map<string, string | undefined>; readonly missing: Missing[] }> {
    const found = new Map<string, string | undefined>();
    const missing: Missing[] = [];
    // Pulumi comes before its plugins.
    for (const [name, tool] of Object.entries<Tool>(tools)) {
        const folder = folderOf(cache, tool);
        if (existsSync(folder)) found.set(name, folder);
        else if (await isPresent(tool, hasOfficialPulumi(found))) found.set(name, undefined);
        else missing.push({ name, tool, folder });
    }
    return { found, missing };
}

/**
 * Obtains the missing tools and returns the folders of all tools. The plugins of an official Pulumi are downloaded by it. Everything else is
 * taken from its publisher's release if that can be had and has the published checksum; what remains is built from source. Cached tools are
 * only checked. If two processes run at the same time, each tool is made once.
 *
 * @throws CommandError if a tool has to be built and can't be
 */
export async function ensureToolchain(cache: string): Promise<Toolchain> {
    const { found, missing } = await survey(cache);
    const wanted: Missing[] = [];
    for (const one of missing) {
        const { name, tool, folder } = one;
        const isDownloaded =
            hasOfficialPulumi(found) && tool.plugin !== undefined && (await downloadPlugin(tool.plugin, tool));
        found.set(name, isDownloaded ? undefined : folder);
        if (!isDownloaded) wanted.push(one);
    }
    if (wanted.length > 0 && takesReleases()) await takeReleases(cache, wanted);
    await buildAll(
        cache,
        wanted.filter(({ folder }) => !existsSync(folder)),
    );
    return Object.fromEntries(found) as Toolchain;
}

/**
 * Returns the folders of an existing toolchain.
 *
 * @throws CommandError if a tool is missing: commands such as `lab status` must not compile for minutes
 */
export async function findToolchain(cache: string): Promise<Toolchain> {
    const { found, missing } = await survey(cache);
    const [first] = missing;
    if (!first) return Object.fromEntries(found) as Toolchain;
    const text = `${first.tool.folder} ${first.tool.version}, which this checkout's lab uses, is not there yet`;
    throw new CommandError(`${text}: run \`${typed("lab", "start")}\`.`);
}

/** Returns the tools that `ensureToolchain` would download or build. */
export const missingTools = async (cache: string): Promise<Tool[]> =>
    (await survey(cache)).missing.map(({ tool }) => tool);
