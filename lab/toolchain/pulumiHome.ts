import { createHash } from "node:crypto";
import { cpSync, existsSync, linkSync, mkdirSync, renameSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import type { Toolchain } from "./build";
import { tools } from "./tools";

/** The tools that Pulumi finds in its home, by the plugins that they are there. */
const plugins = { dockerBuild: "resource-docker-build", github: "resource-github" } as const;

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
