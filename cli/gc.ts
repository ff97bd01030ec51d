import { existsSync } from "node:fs";
import path from "node:path";
import { collectBlobs } from "../lab/labState";
import { type Place, type RemovalReport, type Sources, planCleanup, removeListed } from "../lib/cleanup/cleanup";
import { UnknownNamesError, collectNames, unknownNames } from "../lib/cleanup/names";
import { readSeen, seenFile, writeSeen } from "../lib/cleanup/seen";
import { configFileOf, openConfigFile } from "../lib/engine/configFile";
import { DamagedStackError } from "../lib/engine/fileBackend";
import { runningUpdates } from "../lib/engine/locks";
import type { Engine } from "../lib/engine/pulumi";
import { projectName } from "../lib/engine/stacks";
import { type DeployedImage, deployedImages, parseDeployment, tagsOf } from "../lib/engine/state";
import { InputError } from "../lib/errors";
import { type CleanupReport, cleanupText, removalText } from "../lib/forms/cleanupText";
import { targetIn } from "../lib/github/target";
import { registryClient } from "../lib/registry/blobs";
import { repositoryOf } from "../lib/registry/references";
import { typedSilently } from "../lib/system/commandLine";
import { backendFolder, labPaths, repositoryRoot } from "../lib/system/paths";
import { isInterrupted } from "../lib/system/process";
import { progress, say } from "../lib/system/progress";
import { fenced } from "../lib/update/summary";
import { addSummary, cut } from "./actions";
import { exit } from "./exitCodes";
import { openRepository } from "./openRepository";
import { openStack } from "./openStack";

/** Options of `npm run gc`. */
export interface GcOptions {
    /** Name of the stack; the lab's stack by default. */
    readonly stack?: string;
    readonly keepReleases: number;
    readonly keepDays: number;
    /** Keys of the images whose repositories are looked at; all by default. */
    readonly image?: readonly string[];
    /** More repositories, in which no image of the stack is published. */
    readonly repository?: readonly string[];
    /** Remove what is listed. */
    readonly yes?: boolean;
    /** Print JSON (`CleanupReport`) instead of text. */
    readonly json?: boolean;
}

/** Bytes of the list in the summary of a step, of which GitHub shows a mebibyte. */
const longestSummary = 500_000;

/** Returns the repositories that images of a state are published in, each with the images' keys. */
export function publishedIn(images: readonly DeployedImage[]): Map<string, string[]> {
    const found = new Map<string, string[]>();
    for (const image of images) {
        const names = [
            ...image.builds.map(({ repository }) => repository),
            ...tagsOf(image).map(({ tag }) => repositoryOf(tag)),
        ];
        for (const name of new Set(names)) found.set(name, [...(found.get(name) ?? []), image.image]);
    }
    return found;
}

/**
 * Returns the repositories to look at.
 *
 * @throws InputError for an image that the state does not have, and for a repository that is none
 */
export function selected(
    images: readonly DeployedImage[],
    { image = [], repository = [] }: Pick<GcOptions, "image" | "repository">,
): Map<string, string[]> {
    const known = images.map((one) => one.image);
    const unknown = image.find((key) => !known.includes(key));
    if (unknown !== undefined) {
        throw new InputError({
            problem: `--image ${unknown}: the stack has no such image`,
            allowed: known,
            next: "name one of these, or a repository without an image by --repository",
        });
    }
    const published = [...publishedIn(images)];
    const wanted = published.filter(([, keys]) => image.length === 0 || keys.some((key) => image.includes(key)));
    const others = repository.map(repositoryOf).filter((name) => !published.some(([one]) => one === name));
    return new Map([...wanted, ...others.map((name): [string, string[]] => [name, []])]);
}

/**
 * Returns the images of a stack.
 *
 * @param states of all stacks of the project, as `pulumi stack export` prints them; a backend may list a stack with its organization
 * @throws UnknownNamesError if its state is not among them, or is no state
 */
export function imagesOf(stack: string, states: ReadonlyMap<string, string>): readonly DeployedImage[] {
    const shortName = (name: string) => name.split("/").at(-1);
    const same = [...states].find(([name]) => shortName(name) === shortName(stack));
    const own = states.get(stack) ?? same?.[1];
    const next = `pulumi stack export --stack ${stack}`;
    if (own === undefined) throw unknownNames(`the backend does not list stack ${stack}`, next);
    try {
        return deployedImages(parseDeployment(own));
    } catch (error) {
        if (!(error instanceof InputError)) throw error;
        throw unknownNames(`the state of stack ${stack} can't be read: ${error.message}`, next);
    }
}

/** Refuses to remove anything while an update of this machine's lab runs: it pushes what nothing names yet. */
function refuseRunningUpdates({ isLab }: Engine): void {
    const updates = isLab ? runningUpdates(backendFolder(labPaths())) : [];
    if (updates.length === 0) return;
    throw new InputError({
        problem: `an update runs (pid ${updates.join(", ")}), and what it pushes is not named by anything yet`,
        next: "wait for its end, then run the same command again",
    });
}

/** What the blobs of removed manifests take on disk is another matter than their manifests. */
async function collect({ isLab }: Engine, removals: readonly RemovalReport[]): Promise<{ freedOnDisk?: number }> {
    if (!isLab || removals.every(({ removed }) => removed.length === 0)) return {};
    const freed = await progress("removing blobs from the lab's registry", () => collectBlobs(), { after: 2000 });
    return freed === undefined ? {} : { freedOnDisk: freed };
}

const afterwards = ({ isLab }: Engine): string =>
    isLab
        ? 'BuildKit\'s own store shrinks by itself (README.md, "Disk"); to empty it: ' +
          `eval "$(${typedSilently("lab", "env")})" && buildx prune --all`
        : "A registry of your own frees the disk when it collects garbage (docker-registry: stop it, then docker-registry garbage-collect)";

/**
 * Runs `npm run gc`: lists what nothing uses any more in the repositories of a stack, and removes it if asked to. The dates at which manifests
 * were first seen are written down in any case.
 *
 * @returns exit code: 0 done, 1 if a repository could not be read or cleaned up completely, 3 if what is in use is not known: a stack of the
 *     project, the files or the variables can't be read
 * @throws InputError for bad input, and while an update of the lab runs
 */
export async function runGc(options: GcOptions): Promise<number> {
    try {
        return await cleanUp(options);
    } catch (error) {
        if (!(error instanceof UnknownNamesError || error instanceof DamagedStackError)) throw error;
        console.error(`error: ${error.message}`);
        return exit.dangerous;
    }
}

/**
 * Lists what nothing uses any more, and removes it if asked to; returns the exit code of `runGc`.
 *
 * @throws UnknownNamesError and DamagedStackError if what is in use is not known
 */
async function cleanUp({ keepReleases, keepDays, ...options }: GcOptions): Promise<number> {
    const root = repositoryRoot();
    const engine = await openStack({ stack: options.stack, start: true });
    const configured = existsSync(path.join(root, configFileOf(engine.stack)));
    const config = configured ? openConfigFile(root, engine.stack, projectName(root)) : undefined;
    const target = config && targetIn(config, engine.env);
    if (target?.token === undefined && config && target) {
        say("note: GITHUB_TOKEN is not set: variables on GitHub count as the states have them");
    }
    const client = registryClient(engine.env);
    try {
        const collecting = () => collectNames(engine, root, target, keepReleases);
        const first = await progress("reading what names images", collecting, { after: 2000 });
        const images = imagesOf(engine.stack, first.states);
        const places = [...selected(images, options)].map(([name, keys]): Place => ({
            repository: openRepository(client, name, engine),
            images: keys,
        }));
        const file = seenFile(engine.stack, engine.env, root);
        const sources: Sources = {
            places,
            names: () => Promise.resolve(first.named),
            keep: { keepReleases, keepDays },
            now: () => Date.now(),
            seen: readSeen(file),
        };
        const label = `reading ${places.length} ${places.length === 1 ? "repository" : "repositories"}`;
        const plan = await progress(label, () => planCleanup(sources), { after: 2000 });
        writeSeen(file, plan.seen);
        let report: CleanupReport = { stack: engine.stack, keepReleases, keepDays, repositories: plan.places };
        const text = cleanupText(report, Date.now());
        if (!options.json) process.stdout.write(text);
        if (options.yes) {
            refuseRunningUpdates(engine);
            const removals: RemovalReport[] = [];
            for (const [index, place] of places.entries()) {
                const found = plan.places[index];
                if (!found || found.removable.length === 0) continue;
                const again = { ...sources, names: async () => (await collecting()).named };
                const removing = () => removeListed(again, place, found);
                removals.push(await progress(`cleaning up ${found.repository}`, removing, { after: 2000 }));
            }
            report = { ...report, removals, ...(await collect(engine, removals)) };
        }
        if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
        else if (report.removals) process.stdout.write(`${removalText(report)}${afterwards(engine)}\n`);
        else if (report.repositories.some(({ removable }) => removable.length > 0)) {
            console.log("nothing was removed; to remove this, repeat the command with --yes");
        }
        const lines = [text, ...(report.removals ? [removalText(report)] : [])].join("\n");
        addSummary(`\n${fenced(cut(lines, longestSummary).split("\n"))}\n`);
        if (isInterrupted()) return exit.interrupted;
        const all = [...report.repositories, ...(report.removals ?? [])];
        return all.some(({ problem }) => problem !== undefined) ? exit.failed : exit.done;
    } finally {
        await client.close();
    }
}
