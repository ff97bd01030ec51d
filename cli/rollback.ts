import { loadDefinitions } from "../definitions";
import { openCheckout } from "../lib/context/checkout";
import {
    type ConfigFile,
    configFileOf,
    effectivePins,
    openConfigFile,
    pinsIn,
    removeEntries,
    setEntry,
    writeConfigFile,
} from "../lib/engine/configFile";
import { refuseCopy } from "../lib/engine/copiedSettings";
import { type Engine, exportStack } from "../lib/engine/pulumi";
import { type PromotedBefore, releaseName } from "../lib/engine/releases";
import { componentTypes, nameOf, readImage } from "../lib/engine/resources";
import { ciStack, labStack, projectName, stackOptions } from "../lib/engine/stacks";
import { type Deployment, deployedImages } from "../lib/engine/state";
import { InputError } from "../lib/errors";
import { imagesBelow } from "../lib/hierarchy/below";
import type { ReleasePin } from "../lib/hierarchy/pins";
import { shortDigest, withDigest } from "../lib/registry/references";
import { askRegistries } from "../lib/status/ask";
import {
    type ImageReleases,
    type ReleaseStatus,
    matching,
    readWanted,
    recordedReleases,
    releaseQuestions,
    releasesOf,
} from "../lib/status/releases";
import { type CompleteRelease, type Rebuilt, findFollowers, findRelease, refusal } from "../lib/status/rollback";
import { typed } from "../lib/system/commandLine";
import { repositoryRoot } from "../lib/system/paths";
import { quote } from "../lib/system/shell";
import { workflowImages } from "../workflows/images";
import { exit } from "./exitCodes";
import { openStack } from "./openStack";

/** Options of `rollback`, `unpin` and `releases`. */
export interface ReleaseOptions {
    /** Name of the stack; the lab's stack by default. */
    readonly stack?: string;
    /** Print JSON. */
    readonly json?: boolean;
    /** Write nothing. */
    readonly dryRun?: boolean;
    /** Leave the images below as they are: `rollback` and `unpin` otherwise take them along. */
    readonly only?: boolean;
}

/** Options of `rollback`. */
export interface RollbackOptions extends ReleaseOptions {
    /** The release: its tag, its digest, or a day or time. By default the one before the current one. */
    readonly to?: string;
}

/** Options of `unpin`. */
export interface UnpinOptions extends ReleaseOptions {
    /** Remove every pin. */
    readonly all?: boolean;
}

/** A pin that `rollback` sets. */
export interface NewPin extends CompleteRelease {
    readonly image: string;
    /** The release that its tags stand for until then. */
    readonly from: string;
}

/** What `rollback` prints as JSON. */
export interface RollbackReport {
    readonly stack: string;
    /** The stack's configuration file. */
    readonly file: string;
    /** Whether the file was changed. */
    readonly written: boolean;
    /** The image, then the descendants that are pinned with it. */
    readonly pins: readonly NewPin[];
    /** Descendants that stay as they are. */
    readonly stay: readonly string[];
    /** Descendants that an update builds again on what is pinned. */
    readonly rebuilt: readonly Rebuilt[];
    /** Names of variables on GitHub and of deployments that follow. */
    readonly variables: readonly string[];
    readonly deployments: readonly string[];
}

/** What `unpin` prints as JSON. */
export interface UnpinReport {
    readonly stack: string;
    readonly file: string;
    readonly written: boolean;
    /** Images whose pins are removed, with the releases that they were pinned to. */
    readonly unpinned: readonly { readonly image: string; readonly release: string }[];
}

/** What `releases` prints as JSON. */
export interface ReleasesReport {
    readonly stack: string;
    readonly images: readonly {
        readonly image: string;
        readonly repository: string;
        readonly releases: readonly ReleaseStatus[];
    }[];
}

/** What the commands know of a stack. */
interface Opened {
    readonly engine: Engine;
    readonly deployment: Deployment;
    readonly images: readonly ImageReleases[];
    readonly config: ConfigFile;
    readonly pins: Readonly<Record<string, ReleasePin>>;
}

async function open(stack: string): Promise<Opened> {
    const root = repositoryRoot();
    const config = openConfigFile(root, stack, projectName(root));
    const pins = effectivePins(config, stack);
    const engine = await openStack({ stack, start: false });
    const deployment = await exportStack(engine);
    return { engine, deployment, images: recordedReleases(deployment), config, pins };
}

/** Returns a published image. Throws InputError for any other name. */
function publishedImage(images: readonly ImageReleases[], name: string, stack: string): ImageReleases {
    const found = images.find(({ image }) => image === name);
    if (found) return found;
    throw new InputError({
        problem: `stack ${stack} has published no image "${name}"`,
        allowed: images.map(({ image }) => image),
        next: "name an image by its key in images.ts; those of a matrix have keys of their own, and images without a name no releases",
    });
}

const describe = ({ release, date, commit }: PromotedBefore): string => {
    const more = [date?.slice(0, 16).replace("T", " "), commit && `commit ${commit.slice(0, 10)}`].filter(Boolean);
    return `${release}${more.length > 0 ? ` (${more.join(", ")})` : ""}`;
};

/** Asks the registry for a release that the state does not record: older than those that it keeps. */
async function unrecorded(
    { image, repository }: ImageReleases,
    text: string,
    env: NodeJS.ProcessEnv,
    list: string,
): Promise<PromotedBefore> {
    const ref = text.startsWith("r-") ? `${repository}:${text}` : withDigest(repository, text);
    const answer = (await askRegistries([ref], env)).get(ref);
    if (!answer || "unknown" in answer)
        throw refusal(image, text, { problem: answer?.unknown ?? "it was not asked", unknown: true }, list);
    const { found } = answer;
    if (!found) throw refusal(image, text, { problem: `the registry has no ${ref}` }, list);
    return { release: releaseName(Object.values(found.platforms)), digest: found.digest };
}

/**
 * Returns the release to go back to.
 *
 * @param from "sha256:…" that the image is at: what its pin says, or what its tags stand for
 * @throws InputError for a text that names no release or several, and for a release that neither the state nor the registry has
 */
export async function wantedRelease(
    image: ImageReleases,
    from: string,
    { to, stack = labStack }: RollbackOptions,
    env: NodeJS.ProcessEnv,
): Promise<PromotedBefore> {
    const { releases } = image;
    const list = typed("releases", image.image, ...stackOptions(stack));
    if (to === undefined) {
        const before = releases[releases.findIndex(({ digest }) => digest === from) + 1];
        if (before && releases.some(({ digest }) => digest === from)) return before;
        throw new InputError({
            problem: `stack ${stack} records no release of image ${image.image} before ${shortDigest(withDigest("", from))}`,
            allowed: releases.map(describe),
            next: `name the release by its tag or digest: ${typed("rollback", image.image, "--to", "<release>", ...stackOptions(stack))}`,
        });
    }
    const wanted = readWanted(to);
    if (!wanted) {
        throw new InputError({
            problem: `--to ${to} names no release`,
            allowed: ["r-<hex>", "sha256:<hex>", "a day (2026-11-27)", "a time (2026-11-27T18:00:00Z)"],
            next: list,
        });
    }
    const [found, ...more] = matching(releases, wanted);
    if (found && more.length === 0) return found;
    if (found) {
        throw new InputError({
            problem: `--to ${to} names several releases of image ${image.image}`,
            allowed: [found, ...more].map(describe),
            next: "write more of it",
        });
    }
    const isWhole = /^r-[0-9a-f]{12}$|^sha256:[0-9a-f]{64}$/.test(to);
    if (isWhole) return await unrecorded(image, to, env, list);
    throw new InputError({
        problem:
            wanted.by === "date"
                ? `no recorded release of image ${image.image} was promoted until ${wanted.until}`
                : `no recorded release of image ${image.image} begins with ${to}`,
        allowed: releases.map(describe),
        next: `choose one of them, or write all of an older release's tag or digest: ${list}`,
    });
}

/** Returns what comes after writing the file: the lab takes it at once, CI from its branch. */
function nextSteps(stack: string, message: string): string[] {
    const options = stackOptions(stack);
    const review = `${typed("review", ...options)}    # shows what an update would do`;
    const up = typed("up", ...options);
    if (stack.split("/").at(-1) !== ciStack) return [review, up];
    const commit = `git commit --message ${quote(message)} ${quote(configFileOf(stack))} && git push`;
    return [review, `${commit}    # CI's next update applies it; from here: ${up}`];
}

/** Returns the report of a rollback as text. */
export function rollbackText(report: RollbackReport, next: readonly string[]): string {
    const [first, ...others] = report.pins;
    const target = first ? describe(first) : "";
    const names = [
        ...report.pins.map(({ image }) => image),
        ...report.stay,
        ...report.rebuilt.map(({ image }) => image),
    ];
    const width = Math.max(...names.map((name) => name.length));
    const line = (image: string, text: string) => `  ${image.padEnd(width)}  ${text}`;
    const follow = [
        report.variables.length > 0 ? `variables ${report.variables.join(", ")}` : "",
        report.deployments.length > 0 ? `deployments ${report.deployments.join(", ")}` : "",
    ].filter(Boolean);
    return [
        `stack ${report.stack}: image ${first?.image ?? ""} goes back from ${first?.from ?? ""} to ${target}`,
        "",
        ...(first ? [line(first.image, `pinned to ${target}: nothing is built, its tags move`)] : []),
        ...others.map((pin) => line(pin.image, `pinned to ${describe(pin)}, which was built on that`)),
        ...report.stay.map((image) => line(image, "stays as it is")),
        ...report.rebuilt.map(({ image, reason }) => line(image, `is BUILT AGAIN on that: ${reason}`)),
        ...(follow.length > 0 ? ["", `${follow.join(" and ")} follow`] : []),
        "",
        report.written ? `wrote ${report.file}` : `wrote nothing; without --dry-run it writes ${report.file}`,
        ...(report.written ? ["next:", ...next.map((command) => `  ${command}`)] : []),
        "",
    ].join("\n");
}

/** Returns a pin as the stack's file has it. */
const entryOf = ({ release, digest, platforms }: ReleasePin) => ({ release, digest, platforms: { ...platforms } });

/** Returns what follows images: variables and deployments of the state. */
function followersOf(deployment: Deployment, images: readonly ImageReleases[], keys: readonly string[]) {
    const moved = images.filter(({ image }) => keys.includes(image));
    const users = moved.flatMap((image) =>
        releasesOf(image, images, deployment, undefined, new Map())
            .filter(({ current }) => current)
            .map((release) => release.users),
    );
    return {
        variables: users.flatMap(({ variables }) => variables),
        deployments: users.flatMap(({ deployments }) => deployments),
    };
}

/**
 * Runs `npm run rollback`: pins an image to an earlier release, in the stack's configuration file, and with it the descendants that have a
 * release which was built on that. Nothing is built, pushed or moved until the next update.
 *
 * @returns the exit code: 0
 * @throws InputError for an image that is not published, and for a release that does not exist, is ambiguous or incomplete; nothing is
 *     written then
 */
export async function runRollback(name: string, options: RollbackOptions): Promise<number> {
    const { stack = labStack, dryRun = false, only = false } = options;
    const { engine, deployment, images, config, pins } = await open(stack);
    if (!dryRun) refuseCopy(config);
    const image = publishedImage(images, name, stack);
    const { env } = engine;
    const list = typed("releases", name, ...stackOptions(stack));
    const from = pins[name]?.digest ?? image.current;
    const wanted = await wantedRelease(image, from, options, env);
    if (wanted.digest === from) {
        throw new InputError({
            problem: `image ${name} is at ${wanted.release} already`,
            next: `choose another release: ${list}`,
        });
    }
    const found = await findRelease(image.repository, wanted, image.platforms, env);
    if ("problem" in found) throw refusal(name, wanted.release, found, list);
    const deployed = deployedImages(deployment);
    const builds = Object.fromEntries(deployed.map((one) => [one.image, one.builds.map(({ digest }) => digest)]));
    const components = deployment.resources.filter(({ type }) => type === componentTypes.image);
    const order = new Map(deployed.map((one, index) => [one.image, index]));
    const below = components
        .map(({ urn, inputs }) => ({ image: nameOf(urn), parents: readImage(inputs).parents }))
        .sort((a, b) => (order.get(a.image) ?? order.size) - (order.get(b.image) ?? order.size));
    const followers = await findFollowers(
        { image: name, ...found },
        below,
        images,
        builds,
        pins,
        only,
        (one, release) => findRelease(one.repository, release, one.platforms, env),
    );
    const nameIn = (key: string): string => {
        const { releases = [], current = "" } = images.find((one) => one.image === key) ?? {};
        const digest = pins[key]?.digest ?? current;
        return releases.find((one) => one.digest === digest)?.release ?? shortDigest(withDigest("", digest));
    };
    const newPins = [{ image: name, ...found }, ...followers.pins].map((pin) => ({ ...pin, from: nameIn(pin.image) }));
    if (!dryRun) {
        for (const pin of newPins) setEntry(config, "pins", pin.image, entryOf(pin));
        writeConfigFile(config);
    }
    const report: RollbackReport = {
        ...{ stack, file: config.file, written: !dryRun, pins: newPins },
        ...{ stay: followers.stay, rebuilt: followers.rebuilt },
        ...followersOf(
            deployment,
            images,
            newPins.map((pin) => pin.image),
        ),
    };
    const next = nextSteps(stack, `Go back to ${found.release} of ${name}`);
    process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : rollbackText(report, next));
    return exit.done;
}

/**
 * Runs `npm run unpin`: removes pins from the stack's configuration file, with those of descendants. It asks neither stack nor registry.
 *
 * @param names keys of pinned images
 * @returns the exit code: 0
 * @throws InputError for an image that is not pinned, and without an image and `all`
 */
export function runUnpin(names: readonly string[], options: UnpinOptions): number {
    const { stack = labStack, all = false, dryRun = false, only = false } = options;
    const root = repositoryRoot();
    const config = openConfigFile(root, stack, projectName(root));
    const pins = pinsIn(config);
    const pinned = Object.keys(pins);
    const allowed = [...pinned, ...(pinned.length > 0 ? ["--all"] : [])];
    if (names.length === 0 && !all) {
        throw new InputError({ problem: "unpin needs an image, or --all", where: config.file, allowed });
    }
    const unknown = names.find((name) => !pinned.includes(name));
    const other = unknown === undefined ? undefined : effectivePins(config, stack)[unknown];
    if (unknown !== undefined && other) {
        throw new InputError({
            problem: `the pin of image ${unknown} is in the file of stack ${other.stack}, from which this stack has it (buildSettingsOf)`,
            where: config.file,
            next: `remove it for both: ${typed("unpin", unknown, ...stackOptions(other.stack))}; or pin another release here: ${typed("rollback", unknown, "--to", "<release>", ...stackOptions(stack))}`,
        });
    }
    if (unknown !== undefined) {
        throw new InputError({ problem: `image "${unknown}" is not pinned`, where: config.file, allowed });
    }
    if (!dryRun) refuseCopy(config);
    const below = () => imagesBelow(workflowImages(openCheckout(root), loadDefinitions(root)), names);
    const keys = all ? pinned : only ? names : [...names, ...below().filter((key) => pinned.includes(key))];
    const unpinned = [...new Set(keys)].map((image) => ({ image, release: pins[image]?.release ?? "" }));
    if (!dryRun && unpinned.length > 0) {
        removeEntries(config, "pins", keys);
        writeConfigFile(config);
    }
    const report: UnpinReport = { stack, file: config.file, written: !dryRun && unpinned.length > 0, unpinned };
    const next = nextSteps(stack, `Remove the pin of ${unpinned.map(({ image }) => image).join(", ")}`);
    const lines = [
        ...unpinned.map(({ image, release }) => `image ${image} is no longer pinned to ${release}`),
        ...(unpinned.length === 0 ? ["nothing is pinned"] : []),
        report.written ? `wrote ${config.file}` : "wrote nothing",
        ...(report.written ? ["next:", ...next.map((command) => `  ${command}`)] : []),
    ];
    process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : `${lines.join("\n")}\n`);
    return exit.done;
}

/** Returns in words who uses a release. */
function usersText({ users }: ReleaseStatus): string {
    const kinds = [
        ["tags", users.tags.map((tag) => tag.slice(tag.lastIndexOf(":") + 1))],
        ["children", users.children],
        ["variables", users.variables],
        ["deployments", users.deployments],
    ] as const;
    return kinds
        .flatMap(([kind, names]) => (names.length > 0 ? [`${kind}: ${[...new Set(names)].join(", ")}`] : []))
        .join("; ");
}

/** Returns the releases as text. */
export function releasesText({ stack, images }: ReleasesReport): string {
    const titles = ["release", "promoted", "commit", "digest", "", "used by"];
    const rows = images.map(({ releases }) =>
        releases.map((one) => [
            one.release,
            one.date === undefined ? "not recorded" : `${one.date.slice(0, 16).replace("T", " ")}Z`,
            one.commit?.slice(0, 10) ?? "",
            shortDigest(withDigest("", one.digest)),
            [
                one.current ? "current" : "",
                one.pinned ? "pinned" : "",
                one.present === false ? "GONE" : one.present === undefined ? "not known" : "",
            ]
                .filter(Boolean)
                .join(", "),
            usersText(one),
        ]),
    );
    const widths = titles.map((title, column) =>
        Math.max(title.length, ...rows.flat().map((row) => row[column]?.length ?? 0)),
    );
    const line = (cells: readonly string[]) =>
        `  ${cells
            .map((cell, at) => cell.padEnd(widths[at] ?? 0))
            .join("  ")
            .trimEnd()}`;
    return [
        `stack ${stack}: ${images.length === 0 ? "nothing was published yet" : "releases, the newest first"}`,
        ...images.flatMap(({ image, repository }, index) => [
            ...["", `${image}  ${repository}`, line(titles)],
            ...(rows[index] ?? []).map(line),
        ]),
        "",
    ].join("\n");
}

/**
 * Runs `npm run releases`: lists the releases of images that the state records, and whether the registry has them.
 *
 * @param name key of an image; all images by default
 * @returns the exit code: 0, or 1 if a registry could not be asked
 * @throws InputError for an image that is not published
 */
export async function runReleases(name: string | undefined, options: ReleaseOptions): Promise<number> {
    const { stack = labStack } = options;
    const { engine, deployment, images, pins } = await open(stack);
    const chosen = name === undefined ? images : [publishedImage(images, name, stack)];
    const answers = await askRegistries(releaseQuestions(chosen), engine.env);
    const report: ReleasesReport = {
        stack,
        images: chosen.map((one) => ({
            ...{ image: one.image, repository: one.repository },
            releases: releasesOf(one, images, deployment, pins[one.image]?.digest, answers),
        })),
    };
    process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : releasesText(report));
    const problems = [...answers.values()].flatMap((answer) => ("unknown" in answer ? [answer.unknown] : []));
    for (const problem of new Set(problems)) console.error(`error: ${problem}`);
    return problems.length > 0 ? exit.failed : exit.done;
}
