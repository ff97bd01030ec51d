import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import { makeFolder } from "../lib/system/files";
import { withLock } from "../lib/system/lock";
import { packageRoot } from "../lib/system/paths";

/** Folder of packed copies, each in a folder named after the hash of its sources. */
const packed = path.join(packageRoot, ".packed");

/** Files and folders that decide the content of the package. */
const sources = [
    ...["package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json", "build.mjs"],
    ...[
        "api.ts",
        "program.ts",
        "definitions.ts",
        "config.ts",
        "pins.json",
        "cli",
        "components",
        "lab",
        "lib",
        "workflows",
    ],
];

function filesOf(name: string): string[] {
    const file = path.join(packageRoot, name);
    if (path.extname(name) !== "") return [file];
    return readdirSync(file, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => path.join(entry.parentPath, entry.name))
        .sort();
}

const archiveName = "package.tgz";

/** Name of the copy: a hash of the sources as they were when this process first asked. */
let name: string | undefined;

function folderOfCopy(): string {
    if (name === undefined) {
        const hash = createHash("sha256");
        for (const file of sources.flatMap(filesOf)) hash.update(file).update("\0").update(readFileSync(file));
        name = hash.digest("hex").slice(0, 12);
    }
    return path.join(packed, name);
}

/** Returns the `node_modules` that `packPackage` made: the package, and links to its dependencies. */
export const packedModules = (): string => path.join(folderOfCopy(), "node_modules");

/** Returns the archive that `npm pack` made for `packPackage`. */
export const packedArchive = (): string => path.join(folderOfCopy(), archiveName);

/** Path of the program in a repository that installed the package. */
export const installedProgram = "node_modules/layered-images/cli/bootstrap.mjs";

/** Links all installed packages, those of a scope one by one, into another `node_modules`. */
function linkDependencies(modules: string): void {
    const installed = path.join(packageRoot, "node_modules");
    const names = readdirSync(installed).filter((name) => !name.startsWith("."));
    mkdirSync(modules, { recursive: true });
    for (const name of names) symlinkSync(path.join(installed, name), path.join(modules, name));
}

/** Packs this package with `npm pack`, unless this was done for the same sources, and unpacks it as `npm install` does. */
export async function packPackage(): Promise<void> {
    const folder = folderOfCopy();
    mkdirSync(packed, { recursive: true });
    await withLock(path.join(packed, "lock"), async () => {
        if (existsSync(packedArchive())) return;
        const older = readdirSync(packed, { withFileTypes: true }).filter((entry) => entry.isDirectory());
        for (const { name } of older) rmSync(path.join(packed, name), { recursive: true });
        await makeFolder(folder, (partial) => {
            const target = path.join(partial, "node_modules", "layered-images");
            linkDependencies(path.join(partial, "node_modules"));
            mkdirSync(target);
            // Checking the types takes more than half of the time.
            const env = { ...process.env, LAYERED_IMAGES_UNCHECKED: "true" };
            const options = { cwd: packageRoot, encoding: "utf8", env } as const;
            const printed = execFileSync("npm", ["pack", "--silent", "--pack-destination", partial], options);
            const archive = path.join(partial, printed.trim().split("\n").at(-1) ?? "");
            execFileSync("tar", ["--extract", "--strip-components=1", "--file", archive, "--directory", target]);
            renameSync(archive, path.join(partial, archiveName));
            const programs = path.join(partial, "node_modules", ".bin");
            mkdirSync(programs);
            symlinkSync("../layered-images/cli/bootstrap.mjs", path.join(programs, "layered-images"));
            return Promise.resolve();
        });
    });
}
