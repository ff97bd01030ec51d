import { readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { loadDefinitions } from "../definitions";
import { labEnvironment } from "../lab/environment";
import { describeLab } from "../lab/labState";
import { openCheckout } from "../lib/context/checkout";
import {
    type ConfigFile,
    buildSettingsFile,
    openConfigFile,
    setEntry,
    settingIn,
    writeConfigFile,
} from "../lib/engine/configFile";
import { refuseCopy } from "../lib/engine/copiedSettings";
import { labStack, projectName } from "../lib/engine/stacks";
import { InputError } from "../lib/errors";
import type { GitHubTarget } from "../lib/github/api";
import { ownBranches } from "../lib/github/names";
import { propose } from "../lib/github/propose";
import { githubSchema } from "../lib/github/settings";
import { targetIn } from "../lib/github/target";
import { imagesBelow } from "../lib/hierarchy/below";
import { type Definitions, entryKeys, keysOf } from "../lib/hierarchy/definition";
import { pinsSchema } from "../lib/hierarchy/pins";
import { type PreparedImage, readHierarchy, rootsOf } from "../lib/hierarchy/prepare";
import { type RebuildInterval, periodOf, rebuildsSchema } from "../lib/hierarchy/rebuild";
import { type Manifest, RegistryError, readCreated } from "../lib/registry/manifest";
import { isPinned, parseReference, repositoryOf, sameImage, shortDigest, withDigest } from "../lib/registry/references";
import { askRegistries } from "../lib/status/ask";
import type { Answer } from "../lib/status/findings";
import { typed } from "../lib/system/commandLine";
import { repositoryRoot } from "../lib/system/paths";
import { progress } from "../lib/system/progress";
import { readableBuildArgs } from "../workflows/ciStack";
import { addSummary, cut } from "./actions";
import { exit } from "./exitCodes";
import { reviewMarkdown } from "./review";

/** Options of `bump`. */
export interface BumpOptions {
    readonly stack: string;
    /** Write nothing. */
    readonly dryRun?: boolean;
    /** Write nothing, and end with 2 if anything is behind. */
    readonly check?: boolean;
    /** Print JSON (`BumpReport`). */
    readonly json?: boolean;
    /** Propose what was written by a pull request. */
    readonly propose?: boolean;
}

/** What a move rebuilds: images certainly, and images only if the digest of one of those changes. */
interface Rebuilt {
    readonly images: readonly string[];
    readonly maybe: readonly string[];
}

/** A root, as the stack pins it and as its tag is. */
export interface RootBump extends Rebuilt {
    /** As Dockerfiles write it, build arguments replaced. */
    readonly root: string;
    /** `<repository>@<digest>` that the stack pins; absent without a pin. */
    readonly from?: string;
    /** `<repository>@<digest>` of its tag; absent if that could not be found out. */
    readonly to?: string;
    /** When the image behind its tag was built (ISO 8601), if that image says it. */
    readonly created?: string;
    /** Why the root keeps its pin. */
    readonly problem?: string;
}

/** A scheduled rebuild of an image, or of the images of an entry with a matrix. */
export interface RebuildBump extends Rebuilt {
    /** Its name in the stack's file: the key of the entry, or of an image that has a period of its own there. */
    readonly name: string;
    readonly interval: RebuildInterval;
    /** The period of its last rebuild; absent if the stack has none. */
    readonly from?: string;
    /** The current period. */
    readonly to: string;
}

/** The result of `bump`. */
export interface BumpReport {
    readonly stack: string;
    /** The stack's configuration file. */
    readonly file: string;
    readonly roots: readonly RootBump[];
    readonly rebuilds: readonly RebuildBump[];
    /** Whether a pin or a scheduled rebuild is behind. */
    readonly behind: boolean;
    /** Whether the file was changed. */
    readonly written: boolean;
}

/** Returns the operating system and architecture of a platform, without a variant. */
const architecture = (platform: string): string => platform.split("/").slice(0, 2).join("/");

const unpinned = (images: readonly PreparedImage[], pinned: readonly string[]) =>
    images.filter(({ key }) => !pinned.includes(key));

/** A root before its registry was asked: what names it, and the reference to ask for. */
interface Wanted extends Rebuilt {
    readonly root: string;
    readonly from?: string;
    /** "repository:tag": the tag of the root, in the repository of its pin. */
    readonly tag: string;
    /** Platforms that images are built FROM. */
    readonly platforms: readonly string[];
}

/**
 * Returns the roots whose tags can move. A root with a digest in its Dockerfile can't, and the roots of the lab are the lab's.
 *
 * @param pins the stack's pins
 * @param pinned keys of images that are pinned to a release, and not built
 */
function wantedRoots(
    images: readonly PreparedImage[],
    pins: Readonly<Record<string, string>>,
    pinned: readonly string[],
    isLab: boolean,
): Wanted[] {
    const names = [...new Set(images.flatMap((image) => rootsOf(image).map(({ expanded }) => expanded)))];
    return names.flatMap((root) => {
        const { tag, digest } = parseReference(root);
        const from = Object.entries(pins).find(([name]) => sameImage(name, root))?.[1];
        if (digest !== undefined || tag === undefined || (isLab && from === undefined)) return [];
        const users = images.filter((image) => rootsOf(image).some(({ expanded }) => expanded === root));
        const keys = users.map(({ key }) => key).filter((key) => !pinned.includes(key));
        const platforms = users.flatMap((image) => rootsOf(image).filter(({ expanded }) => expanded === root));
        return {
            root,
            ...(from !== undefined && { from }),
            tag: `${repositoryOf(from ?? root)}:${tag}`,
            platforms: [...new Set(platforms.flatMap((one) => one.from))],
            ...{ images: keys, maybe: imagesBelow(unpinned(images, pinned), keys) },
        };
    });
}

/** Compares a root with the registry's answer about its tag. */
function compareRoot({ tag, platforms, ...root }: Wanted, answer: Answer<Manifest> | undefined): RootBump {
    if (!answer || "unknown" in answer) {
        // The rest of a longer reason is the usage of the program that was run.
        const [reason = ""] = (answer?.unknown ?? "it was not asked for").split("\n");
        return { ...root, problem: `${tag} can't be looked up: ${reason}` };
    }
    const { found } = answer;
    if (!found) return { ...root, problem: `${tag} does not exist in its registry` };
    const offered = Object.keys(found.platforms).map(architecture);
    const missing = platforms.filter((platform) => offered.length > 0 && !offered.includes(architecture(platform)));
    if (missing.length > 0) return { ...root, problem: `${tag} is no longer made for ${missing.join(", ")}` };
    return { ...root, to: withDigest(repositoryOf(tag), found.digest) };
}

/** Reads when the image was built; undefined if the registry does not say it. */
async function createdOf(ref: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
    try {
        return await readCreated(ref, env);
    } catch (error) {
        if (error instanceof RegistryError) return undefined;
        throw error;
    }
}

/**
 * Returns the scheduled rebuilds of the images: one for each entry of images.ts, and one for each image of a matrix that has a period of its
 * own in the stack's file.
 *
 * @param images those that the stack builds
 * @param rebuilds periods by name, as the stack's file has them
 */
function scheduledRebuilds(
    definitions: Definitions,
    images: readonly PreparedImage[],
    rebuilds: Readonly<Record<string, string>>,
    now: Date,
): RebuildBump[] {
    const named = entryKeys(definitions).flatMap((entry): (readonly [name: string, keys: readonly string[]])[] => {
        const keys = keysOf(definitions, entry);
        const own = keys.filter((key) => key !== entry && key in rebuilds);
        const others = keys.filter((key) => !own.includes(key));
        return [...(others.length > 0 ? [[entry, others] as const] : []), ...own.map((key) => [key, [key]] as const)];
    });
    return named.flatMap(([name, keys]) => {
        const interval = definitions.images[keys[0] ?? ""]?.rebuild;
        if (interval === undefined) return [];
        const from = rebuilds[name];
        const to = periodOf(interval, now);
        return {
            name,
            interval,
            ...(from !== undefined && { from }),
            to,
            images: keys,
            maybe: imagesBelow(images, keys),
        };
    });
}

const isBehind = ({ from, to }: { readonly from?: string; readonly to?: string }): boolean =>
    to !== undefined && from !== to;

const rootsSchema = z.record(z.string(), z.string().refine(isPinned));

/** Returns a checked setting of the file. Throws InputError for a value that the program would refuse too. */
function checked<T>(config: ConfigFile, key: string, schema: z.ZodType<T>, otherwise: T): T {
    const value = settingIn(config, key);
    if (value === undefined) return otherwise;
    const { data, error } = schema.safeParse(value);
    if (!error) return data;
    const problem = error.issues.map((issue) => `${key} (at ${issue.path.join(".")}): ${issue.message}`).join("; ");
    throw new InputError({ problem, where: config.file, next: `correct it: ${typed("preview")} checks it` });
}

/** What a stack's file and images.ts say about roots and scheduled rebuilds. */
function readStack(config: ConfigFile, root: string) {
    const definitions = loadDefinitions(root);
    const pins = checked(config, "roots", rootsSchema, {});
    const rebuilds = checked(config, "rebuilds", rebuildsSchema, {});
    const { images } = readHierarchy(openCheckout(root), definitions, {
        platforms: "all",
        roots: pins,
        buildArgs: readableBuildArgs(settingIn(config, "buildArgs"), config.file),
        rebuilds,
        builtinFrontend: checked(config, "builtinFrontend", z.stringbool().or(z.boolean()), false),
        secretNames: Object.values(definitions.images).flatMap(({ secrets = [] }) => secrets),
    });
    const pinned = Object.keys(checked(config, "pins", pinsSchema, {}));
    return { definitions, images, pins, pinned, rebuilds };
}

/** Limits the roots to those that the user named. Throws InputError for a name that is none of them. */
function selected(wanted: readonly Wanted[], names: readonly string[]): readonly Wanted[] {
    const unknown = names.find((name) => !wanted.some(({ root }) => root === name));
    if (unknown !== undefined) {
        throw new InputError({
            problem: `"${unknown}" is no root of this stack whose tag can move`,
            allowed: wanted.map(({ root }) => root),
            next: "write it as the Dockerfile does",
        });
    }
    return names.length === 0 ? wanted : wanted.filter(({ root }) => names.includes(root));
}

/** Says what a move rebuilds, and what it may rebuild. */
const rebuiltText = ({ images, maybe }: Rebuilt): string =>
    images.length === 0
        ? "rebuilds nothing while its images are pinned to releases"
        : `rebuilds ${images.join(", ")}${maybe.length > 0 ? `; maybe ${maybe.join(", ")}` : ""}`;

/**
 * Says how old an image is: "built 2026-11-20, 7 days ago"; nothing if it is older than Docker: it then has the constant date of a
 * reproducible build.
 */
export function ageText(created: string | undefined, now: Date): string {
    if (created === undefined || created < "2013") return "";
    const days = Math.floor((now.getTime() - Date.parse(created)) / 86_400_000);
    return `, built ${created.slice(0, 10)}${days < 1 ? "" : `, ${days.toString()} day${days === 1 ? "" : "s"} ago`}`;
}

/** Returns the lines of the report: for each root and each scheduled rebuild what it is, and what it rebuilds. */
function linesOf({ roots, rebuilds }: BumpReport, now: Date): readonly (readonly [name: string, ...lines: string[]])[] {
    return [
        ...roots.map((one): [string, ...string[]] => {
            const { root, from, to, created, problem } = one;
            const was = from === undefined ? "not pinned" : shortDigest(from);
            if (problem !== undefined) return [root, `${was}; error: ${problem}`];
            const age = ageText(created, now);
            if (!isBehind(one)) return [root, `${was} is up to date${age}`];
            return [root, `${was} → ${shortDigest(to ?? "")}${age}`, rebuiltText(one)];
        }),
        ...rebuilds.map((one): [string, ...string[]] => {
            const { name, interval, from, to } = one;
            if (!isBehind(one)) return [name, `scheduled rebuild (${interval}): ${to} is done`];
            return [name, `scheduled rebuild (${interval}): ${from ?? "none yet"} → ${to}`, rebuiltText(one)];
        }),
    ];
}

/** Returns the report as text, for a terminal. */
export function bumpText(report: BumpReport, now: Date): string {
    const entries = linesOf(report, now);
    const width = Math.max(0, ...entries.map(([name]) => name.length)) + 2;
    const lines = entries.flatMap(([name, ...rest]) =>
        rest.map((line, index) => `${(index === 0 ? name : "").padEnd(width)}${line}`),
    );
    const file = path.basename(report.file);
    const end = report.written
        ? `wrote ${file}: commit it, and the next update rebuilds what it says`
        : report.behind
          ? `wrote nothing; ${typed("bump", "--stack", report.stack)} writes ${file}`
          : "everything is up to date";
    return [`stack ${report.stack}: ${file}`, "", ...lines, ...(lines.length > 0 ? [""] : []), end, ""].join("\n");
}

/** Returns the report as Markdown, for a pull request and the step's summary. */
export function bumpMarkdown(report: BumpReport, now: Date): string {
    const entries = linesOf(report, now).map(([name, ...lines]) => `- \`${name}\`: ${lines.join("; ")}`);
    return `### Roots and scheduled rebuilds\n\n${entries.join("\n")}\n`;
}

/**
 * Returns the repository to propose changes to, from the stack's file and the environment, by the GitHub provider's rules.
 *
 * @returns a text that says what is missing, if there is no such repository or no token
 */
function targetOf(config: ConfigFile, env: NodeJS.ProcessEnv): GitHubTarget | string {
    checked(config, "github", githubSchema.optional(), undefined);
    const target = targetIn(config, env);
    if (!target) return `${path.basename(config.file)} configures no repository on GitHub`;
    return target.token === undefined ? "GITHUB_TOKEN is not set" : target;
}

/** GitHub's limit is 65,536 characters. */
const longestBody = 60_000;

/** How many roots and images the title of the pull request names. */
const namedInTitle = 3;

/** Branch of the pull request. */
const head = `${ownBranches}bump`;

const purpose =
    "Generated by the package layered-images, which keeps this pull request up to date until it is merged or closed. " +
    "Merging it rebuilds what it says; a rebuild that comes back to the same digest moves no tag and no child.";

/** Proposes the changed configuration file, with the report and the review of its update as text. */
async function proposeFile(config: ConfigFile, report: BumpReport, now: Date, env: NodeJS.ProcessEnv): Promise<void> {
    const target = targetOf(config, env);
    if (typeof target === "string") {
        console.error(`warning: no pull request is opened: ${target}`);
        addSummary(`\nNo pull request is opened: ${target}.\n`);
        return;
    }
    const review = await reviewMarkdown(report.stack);
    const moved = [
        ...report.roots.filter(isBehind).map(({ root }) => root),
        ...report.rebuilds.filter(isBehind).map(({ name }) => name),
    ];
    const more = moved.length - namedInTitle;
    const { number, url, isNew } = await propose(target, {
        head,
        files: { [path.basename(config.file)]: readFileSync(config.file, "utf8") },
        title: `Move ${moved.slice(0, namedInTitle).join(", ")}${more > 0 ? ` and ${more.toString()} more` : ""}`,
        body: cut([purpose, bumpMarkdown(report, now), review].join("\n\n"), longestBody),
    });
    console.log(`${isNew ? "opened" : "updated"} pull request #${number.toString()}: ${url}`);
    addSummary(`\n${isNew ? "Opened" : "Updated"} [pull request #${number.toString()}](${url}).\n`);
}

/** Where and when `makeBump` works. */
export interface BumpPlace {
    /** The repository's root. */
    readonly root: string;
    readonly now: Date;
    /** Environment of buildx, which asks the registries. */
    readonly env: NodeJS.ProcessEnv;
}

/**
 * Looks up the tag of each root at its registry, and moves the pins and the scheduled rebuilds in the stack's configuration file. A root
 * that can't be looked up keeps its pin.
 *
 * @param names roots to look up, as Dockerfiles write them; without any, all roots and the scheduled rebuilds
 * @throws InputError for bad input, and for a stack that has them from another stack's file, before anything is written
 */
export async function makeBump(
    { root, now, env }: BumpPlace,
    names: readonly string[],
    { stack, check, dryRun }: BumpOptions,
): Promise<{ readonly report: BumpReport; readonly config: ConfigFile }> {
    const config = openConfigFile(root, stack, projectName(root));
    const source = buildSettingsFile(config);
    if (source) {
        throw new InputError({
            problem: `stack ${stack} has its roots and scheduled rebuilds from the file of stack ${source.stack} (buildSettingsOf): with others it would take no builds from there`,
            where: config.file,
            next: typed("bump", "--stack", source.stack),
        });
    }
    if (check !== true && dryRun !== true) refuseCopy(config);
    const { definitions, images, pins, pinned, rebuilds } = readStack(config, root);
    const asked = selected(wantedRoots(images, pins, pinned, stack === labStack), names);
    const tags = asked.map(({ tag }) => tag);
    const label = `looking up ${tags.length.toString()} root${tags.length === 1 ? "" : "s"}`;
    const answers = await progress(label, () => askRegistries(tags, env), { after: 2000 });
    const roots = await Promise.all(
        asked.map(async (one): Promise<RootBump> => {
            const compared = compareRoot(one, answers.get(one.tag));
            const created = compared.to === undefined ? undefined : await createdOf(compared.to, env);
            return created === undefined ? compared : { ...compared, created };
        }),
    );
    const due = names.length > 0 ? [] : scheduledRebuilds(definitions, images, rebuilds, now);
    const scheduled = due.map((one) => ({ ...one, images: one.images.filter((key) => !pinned.includes(key)) }));
    const behind = [...roots, ...scheduled].some(isBehind);
    const written = behind && check !== true && dryRun !== true;
    if (written) {
        for (const { root: name, to = "" } of roots.filter(isBehind)) {
            const key = Object.keys(pins).find((pin) => sameImage(pin, name)) ?? name;
            setEntry(config, "roots", key, to);
        }
        for (const rebuild of scheduled.filter(isBehind)) setEntry(config, "rebuilds", rebuild.name, rebuild.to);
        writeConfigFile(config);
    }
    return { report: { stack, file: config.file, roots, rebuilds: scheduled, behind, written }, config };
}

/**
 * Runs `npm run bump`: `makeBump`, and prints what it did.
 *
 * @param names as for `makeBump`
 * @returns the exit code: 0, or 1 if a root could not be looked up; with `check` 2 if anything is behind
 * @throws InputError for bad input, and if the pull request is refused
 */
export async function runBump(names: readonly string[], options: BumpOptions): Promise<number> {
    const now = new Date();
    // The lab's registry needs the lab's buildx and certificate.
    const env = options.stack === labStack ? labEnvironment(await describeLab()) : process.env;
    const { report, config } = await makeBump({ root: repositoryRoot(), now, env }, names, options);
    process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : bumpText(report, now));
    addSummary(bumpMarkdown(report, now));
    const failed = report.roots.filter(({ problem }) => problem !== undefined);
    for (const { root, problem = "" } of failed) console.error(`error: root ${root}: ${problem}`);
    if (report.written && options.propose) await proposeFile(config, report, now, env);
    if (options.check && report.behind) return exit.differs;
    return failed.length > 0 ? exit.failed : exit.done;
}
