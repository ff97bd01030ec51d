import { existsSync, readdirSync, statSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { z } from "zod";
import { InputError } from "../errors";
import { type Kept, readKept } from "../system/files";
import { damageError, readKeptJson, valueOf } from "../system/kept";
import { quote } from "../system/shell";
import { readProject } from "./stacks";

/* The files of a backend that is a folder: where it is, and what a crash of the machine left of the stacks in it. */

/**
 * Returns the folder of a file backend, resolved as Pulumi does: `file://~` is the home folder, `file://./state` is
 * relative to the working directory.
 *
 * @param backend URL of the backend, as `pulumi login` takes it
 * @returns undefined for another kind of backend
 */
export function fileBackend(backend: string | undefined): string | undefined {
    if (!backend?.startsWith("file://")) return undefined;
    const where = backend.slice("file://".length).replace(/^~(?=\/|$)/, homedir());
    return fileURLToPath(`file://${path.resolve(where)}`);
}

const credentials = z.object({ current: z.string() });

/** Returns the URL of the backend that Pulumi would use, without running it: the environment's, the project's, or that of `pulumi login`. */
export function backendAddress(env: NodeJS.ProcessEnv, root: string): string | undefined {
    if (env.PULUMI_BACKEND_URL) return env.PULUMI_BACKEND_URL;
    const home = env.PULUMI_CREDENTIALS_PATH ?? env.PULUMI_HOME ?? path.join(homedir(), ".pulumi");
    return (
        readProject(root).backend?.url ??
        valueOf(readKeptJson(path.join(home, "credentials.json"), credentials))?.current
    );
}

const checkpoint = z.object({ checkpoint: z.object({}) });

const isCompressed = (file: string): boolean => /\.gz(\.bak)?$/.test(file);

/** Reads a stack's file, or a copy of one that Pulumi keeps. */
const readCheckpoint = (file: string): Kept<unknown> | undefined =>
    readKept(
        file,
        (text) => {
            if (checkpoint.safeParse(JSON.parse(text)).success) return undefined;
            throw new Error("it holds no stack");
        },
        (bytes) => (isCompressed(file) ? gunzipSync(bytes) : bytes).toString("utf8"),
    );

const filesIn = (folder: string): string[] =>
    existsSync(folder) ? readdirSync(folder).map((name) => path.join(folder, name)) : [];

const isWhole = (kept: Kept<unknown> | undefined): boolean => kept !== undefined && "value" in kept;

/** Returns the newest copy of a stack's file that can be read: Pulumi keeps some before and after each update. */
function newestCopy(state: string, project: string, file: string): string | undefined {
    const stack = path.basename(file).replace(/\.json(\.gz)?$/, "");
    const kept = ["backups", "history"].flatMap((kind) => filesIn(path.join(state, kind, project, stack)));
    const age = (one: string) => statSync(one, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    return [`${file}.bak`, ...kept.filter((one) => !/\.(attrs|history\.json(\.gz)?)$/.test(one))]
        .filter((one) => isCompressed(one) === isCompressed(file))
        .sort((a, b) => age(b) - age(a))
        .find((one) => isWhole(readCheckpoint(one)));
}

/** The file of a stack is damaged, so what the stack has is not known. */
export class DamagedStackError extends InputError {}

/**
 * Checks the stacks of a project in a file backend. Pulumi would only say that JSON ended unexpectedly, without the file, and when it lists
 * stacks, because of a stack that nobody asked for.
 *
 * @param env environment of Pulumi
 * @param root the repository's root
 * @throws DamagedStackError that names the first damaged file, the newest copy of it that is whole, and the command that restores it
 */
export function checkStackFiles(env: NodeJS.ProcessEnv, root: string): void {
    const backend = fileBackend(backendAddress(env, root));
    if (backend === undefined) return;
    const state = path.join(backend, ".pulumi");
    const { name: project } = readProject(root);
    for (const file of filesIn(path.join(state, "stacks", project)).filter((one) => /\.json(\.gz)?$/.test(one))) {
        const kept = readCheckpoint(file);
        if (!kept || "value" in kept) continue;
        const copy = newestCopy(state, project, file);
        const aside = `mv ${quote(file)} ${quote(`${file}.damaged`)}`;
        const lost =
            "no copy of it can be read. Without it the stack begins anew: what is published stays, and is built again from the builder's store. " +
            `${aside}, then pulumi stack init`;
        const restore =
            `restore the copy of ${new Date(statSync(copy ?? file).mtimeMs).toISOString()} (the next update does again what was ` +
            `done since): ${aside} && cp ${quote(copy ?? "")} ${quote(file)}`;
        const next = copy === undefined ? lost : restore;
        throw new DamagedStackError(damageError(file, kept, { what: "the state of the stack", next }).input);
    }
}
