import { createHash } from "node:crypto";
import { cpSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { repositoryRoot } from "./paths";
import { LabError, makeFolder, run, withLock } from "./process";
import { progress } from "./progress";

/** A tool built from Go modules: a folder of `lab/toolchain` with its own go.mod and go.sum. */
interface Tool {
    readonly folder: string;
    readonly version: string;
    /** Packages to build, each into a binary named like its last element. */
    readonly packages: readonly string[];
    readonly ldflags?: string;
    /** A copy on PATH serves when this command reports `version` or later. */
    readonly present?: readonly string[];
}

export const tools = {
    buildkit: {
        folder: "buildkit",
        version: "0.31.1",
        packages: ["github.com/moby/buildkit/cmd/buildkitd", "github.com/moby/buildkit/cmd/buildctl"],
        present: ["buildkitd", "--version"],
    },
    buildx: {
        folder: "buildx",
        version: "0.35.0",
        packages: ["github.com/docker/buildx/cmd/buildx"],
        ldflags: "-X github.com/docker/buildx/version.Version=v0.35.0",
    },
    pulumi: {
        folder: "pulumi",
        version: "3.259.0",
        packages: ["github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"],
        ldflags: "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.259.0",
        present: ["pulumi", "version"],
    },
    languageHost: {
        folder: "pulumi-language-nodejs",
        version: "3.259.0",
        packages: ["."],
        ldflags: "-X main.version=v3.259.0",
        // The official distribution installs it beside `pulumi`.
        present: ["pulumi", "version"],
    },
    dockerBuild: {
        folder: "pulumi-resource-docker-build",
        version: "0.0.22",
        packages: ["github.com/pulumi/pulumi-docker-build/provider/cmd/pulumi-resource-docker-build"],
        ldflags: "-X github.com/pulumi/pulumi-docker-build/provider.Version=0.0.22",
    },
    github: {
        folder: "pulumi-resource-github",
        version: "6.15.0",
        packages: ["."],
        ldflags: "-X main.version=6.15.0",
    },
} as const satisfies Record<string, Tool>;

/** The tools that Pulumi finds in its home, by the plugins that they are there. */
const plugins = { dockerBuild: "resource-docker-build", github: "resource-github" } as const;

/** The folders of the built tools; undefined where the machine's own is used. */
export type Toolchain = Readonly<Record<keyof typeof tools, string | undefined>>;

const source = (tool: Tool) => path.join(repositoryRoot, "lab", "toolchain", tool.folder);

/** 12 hex over everything that decides the built binaries. */
function buildKey(tool: Tool, goVersion: string): string {
    const hash = createHash("sha256").update(JSON.stringify([tool, goVersion, process.arch]));
    const files = readdirSync(source(tool), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.(go|mod|sum)$/.test(entry.name) && !entry.name.endsWith("_test.go"))
        .map((entry) => path.join(entry.parentPath, entry.name));
    for (const file of files.sort()) hash.update(path.relative(repositoryRoot, file)).update(readFileSync(file));
    return hash.digest("hex").slice(0, 12);
}

/** Whether `found` ("3.259.0") is `wanted` or later. */
export function isAtLeast(found: string, wanted: string): boolean {
    const parts = (version: string) => version.split(".").map(Number);
    const [have, need] = [parts(found), parts(wanted)];
    for (let index = 0; index < need.length; index++) {
        const difference = (have[index] ?? 0) - (need[index] ?? 0);
        if (difference !== 0) return difference > 0;
    }
    return true;
}

async function isPresent(tool: Tool): Promise<boolean> {
    const [command, ...args] = tool.present ?? [];
    if (command === undefined) return false;
    const output = await run(command, args).catch(() => "");
    const found = /v?(\d+\.\d+\.\d+)/.exec(output)?.[1];
    return found !== undefined && isAtLeast(found, tool.version);
}

async function goVersion(): Promise<string> {
    try {
        return (await run("go", ["env", "GOVERSION"])).trim();
    } catch {
        throw new LabError(
            "Go is needed to build the toolchain and `go` is not on PATH. Install Go 1.21 or later: https://go.dev/dl " +
                "(it fetches the exact version by itself).",
        );
    }
}

async function build(tool: Tool, folder: string): Promise<void> {
    await makeFolder(folder, async (beside) => {
        const ldflags = ["-s", "-w", tool.ldflags ?? ""].join(" ").trim();
        const output = tool.packages[0] === "." ? path.join(beside, tool.folder) : `${beside}${path.sep}`;
        await run("go", ["build", "-trimpath", "-ldflags", ldflags, "-o", output, ...tool.packages], {
            cwd: source(tool),
            env: { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly -buildvcs=false" },
            log: `${folder}.log`,
        });
    });
    rmSync(`${folder}.log`, { force: true });
}

/**
 * Builds what is missing, one tool after the other (the compiler uses every core), and returns the folders. A tool whose
 * binaries are cached costs a look; two runs at once build it once.
 */
export async function ensureToolchain(cache: string): Promise<Toolchain> {
    const version = await goVersion();
    const entries: [string, string | undefined][] = [];
    for (const [name, tool] of Object.entries<Tool>(tools)) {
        const folder = path.join(cache, "toolchain", `${tool.folder}-${tool.version}-${buildKey(tool, version)}`);
        if (!existsSync(folder) && (await isPresent(tool))) {
            entries.push([name, undefined]);
            continue;
        }
        if (!existsSync(folder)) {
            await withLock(path.join(cache, "toolchain", `${tool.folder}.lock`), async () => {
                if (existsSync(folder)) return;
                await progress(`building ${tool.folder} ${tool.version} from source`, () => build(tool, folder));
            });
        }
        entries.push([name, folder]);
    }
    return Object.fromEntries(entries) as Toolchain;
}

/** Puts `file` at `target` without copying where the file system can share it; a reader never sees half of it. */
function place(file: string, target: string): void {
    if (existsSync(target)) return;
    mkdirSync(path.dirname(target), { recursive: true });
    const beside = `${target}.${String(process.pid)}`;
    try {
        linkSync(file, beside);
    } catch {
        cpSync(file, beside);
    }
    renameSync(beside, target);
}

/** 12 hex over what a home holds: a tool that was built anew must not hide behind the one in an older home. */
const homeKey = (toolchain: Toolchain): string =>
    createHash("sha256")
        .update(JSON.stringify(Object.values(toolchain).map((folder) => folder && path.basename(folder))))
        .digest("hex")
        .slice(0, 12);

/**
 * A PULUMI_HOME with the built CLI, the language host beside it and the providers where Pulumi looks for plugins: so
 * it finds all of them without a network and without warnings. With the official CLI its own home stays in use and only
 * the providers' plugins are added, where they are missing.
 */
export function pulumiHome(cache: string, toolchain: Toolchain, env: NodeJS.ProcessEnv): string {
    const { pulumi, languageHost } = toolchain;
    const home =
        pulumi === undefined
            ? (env.PULUMI_HOME ?? path.join(homedir(), ".pulumi"))
            : path.join(cache, "pulumi", homeKey(toolchain));
    if (pulumi !== undefined && languageHost !== undefined) {
        const host = tools.languageHost.folder;
        place(path.join(pulumi, "pulumi"), path.join(home, "bin", "pulumi"));
        place(path.join(languageHost, host), path.join(home, "bin", host));
    }
    for (const [name, plugin] of Object.entries(plugins) as [keyof typeof plugins, string][]) {
        const { folder, version } = tools[name];
        const built = toolchain[name];
        if (built === undefined) continue;
        place(path.join(built, folder), path.join(home, "plugins", `${plugin}-v${version}`, folder));
    }
    return home;
}
