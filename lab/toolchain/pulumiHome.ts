import { createHash } from "node:crypto";
import { cpSync, existsSync, linkSync, mkdirSync, renameSync } from "node:fs";
import path from "node:path";
import type { Toolchain } from "./build";
import { type Tool, officialHome, pluginFile, tools } from "./tools";

/** Places `file` at `target` atomically: as a hard link if the file system allows it, otherwise as a copy. */
function place(file: string, target: string): void {
    if (existsSync(target)) return;
    mkdirSync(path.dirname(target), { recursive: true });
    const temporary = `${target}.${String(process.pid)}`;
    try {
        linkSync(file, temporary);
    } catch {
        cpSync(file, temporary);
    }
    renameSync(temporary, target);
}

/** Returns a hash (12 hexadecimal digits) over the tools in a home, so that rebuilt tools get a new home. */
const homeKey = (toolchain: Toolchain): string =>
    createHash("sha256")
        .update(JSON.stringify(Object.values(toolchain).map((folder) => folder && path.basename(folder))))
        .digest("hex")
        .slice(0, 12);

/**
 * Creates a PULUMI_HOME with the built CLI, the language host next to it, and the providers in the plugins folder. Pulumi then finds all of
 * them without network access and without warnings. With the official CLI, the user's home is used, and only missing provider plugins are
 * added.
 *
 * @returns the path of the home
 */
export function pulumiHome(cache: string, toolchain: Toolchain, env: NodeJS.ProcessEnv): string {
    const { pulumi, languageHost } = toolchain;
    const home = pulumi === undefined ? officialHome(env) : path.join(cache, "pulumi", homeKey(toolchain));
    if (pulumi !== undefined && languageHost !== undefined) {
        const host = tools.languageHost.folder;
        place(path.join(pulumi, "pulumi"), path.join(home, "bin", "pulumi"));
        place(path.join(languageHost, host), path.join(home, "bin", host));
    }
    for (const [name, tool] of Object.entries<Tool>(tools)) {
        const built = toolchain[name as keyof Toolchain];
        if (built === undefined || tool.plugin === undefined) continue;
        place(path.join(built, tool.folder), pluginFile(home, tool.plugin, tool));
    }
    return home;
}
