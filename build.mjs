// Compiles the package into dist/, which has the layout of the sources, with the files that the program reads at run time beside the
// compiled ones. `npm pack` and `npm publish` run this script.
import { spawnSync } from "node:child_process";
import { cpSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";

const root = import.meta.dirname;
const output = path.join(root, "dist");

/** Returns whether the program reads a file at run time: everything that is neither TypeScript, nor a test, nor a description for readers. */
const isRead = (file) => !/\.ts$|_test\.go$|\.md$|^lib\/engine\/recorded\//.test(file);

rmSync(output, { recursive: true, force: true });
const compiler = path.join(root, "node_modules", "typescript", "bin", "tsc");
// The tests check all types in a step of their own.
const unchecked = process.env.LAYERED_IMAGES_UNCHECKED === "true" ? ["--noCheck"] : [];
const compiled = spawnSync(
    process.execPath,
    [compiler, "--project", path.join(root, "tsconfig.build.json"), "--outDir", output, ...unchecked],
    { stdio: "inherit" },
);
if (compiled.status !== 0) process.exit(1);
cpSync(path.join(root, "pins.json"), path.join(output, "pins.json"));
for (const room of ["cli", "components", "lab", "lib", "workflows"]) {
    for (const entry of readdirSync(path.join(root, room), { recursive: true, withFileTypes: true })) {
        const file = path.relative(root, path.join(entry.parentPath, entry.name));
        if (entry.isFile() && isRead(file)) cpSync(path.join(root, file), path.join(output, file));
    }
}
