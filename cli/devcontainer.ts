import path from "node:path";
import { loadDefinitions } from "../definitions";
import { openCheckout } from "../lib/context/checkout";
import { type Devcontainer, readDevcontainer } from "../lib/devcontainer/file";
import { makingOf } from "../lib/devcontainer/making";
import { type DevcontainerTools, findTools } from "../lib/devcontainer/tools";
import { preview } from "../lib/engine/pulumi";
import { readImage } from "../lib/engine/resources";
import { InputError } from "../lib/errors";
import type { BakeFile, BakeTarget } from "../lib/plan/bake";
import { groups } from "../lib/plan/groups";
import { makePlan } from "../lib/plan/plan";
import { hostPlatform } from "../lib/platform";
import { isPinned } from "../lib/registry/references";
import { typed } from "../lib/system/commandLine";
import { repositoryRoot } from "../lib/system/paths";
import { runMasked } from "../lib/system/process";
import { type BakeSettings, knownBakeFile, runBake, settingsFor } from "./build";
import { exit } from "./exitCodes";
import { openStack } from "./openStack";

/** Options of `npm run devcontainer`. */
export interface DevcontainerOptions {
    readonly stack?: string;
    /** Path of devcontainer.json from the repository's root. */
    readonly config?: string;
    /** `<name>=<repository>@<digest>`: images that are taken from their registry instead of being built. */
    readonly on?: readonly string[];
    /** Also start the container. */
    readonly up?: true;
    /** Only check devcontainer.json. */
    readonly check?: true;
}

/** What puts images into the local Docker. */
interface Loading {
    readonly file: BakeFile;
    readonly settings: BakeSettings;
    /** The names that they get. */
    readonly names: readonly string[];
}

/** Output of buildx into the local Docker, in a form that every version reads: before 23, Docker reads no zstd. */
const intoDocker = (name: string): string => `type=docker,name=${name},compression=uncompressed,force-compression=true`;

/** Returns what fetches published images. */
function fetching(given: readonly string[], root: string): Loading {
    const images = given.map((text) => {
        const at = text.indexOf("=");
        const [name, ref] = [text.slice(0, at), text.slice(at + 1)];
        if (at > 0 && isPinned(ref)) return { name, ref };
        throw new InputError({
            problem: `--on ${text}`,
            allowed: ["<name>=<repository>@sha256:<64 hex>"],
            next: "copy the reference from `pulumi stack output images`, or leave --on out to build from this checkout",
        });
    });
    const targets = images.map(({ name, ref }, index): [string, BakeTarget] => [
        `parent-${String(index)}`,
        {
            context: root,
            "dockerfile-inline": `FROM ${ref}\n`,
            contexts: {},
            args: {},
            platforms: [hostPlatform()],
            output: [intoDocker(name)],
        },
    ]);
    const file = { group: { default: { targets: targets.map(([key]) => key) } }, target: Object.fromEntries(targets) };
    return { file, settings: { env: process.env, secrets: [], options: [] }, names: images.map(({ name }) => name) };
}

/** Returns what builds the images that the devcontainer is made from, from this checkout and with the stack's settings. */
async function building(devcontainer: Devcontainer, root: string, stack: string | undefined): Promise<Loading> {
    const engine = await openStack({ stack, start: true, use: "review" });
    const previewed = await preview(engine);
    const { steps } = previewed;
    const parents = new Map(groups(steps).map((one) => [one.image, readImage(one.component.new?.inputs).parents]));
    const definitions = Object.entries(loadDefinitions(root).images);
    const candidates = definitions.map(([key, { name, dockerfile }]) => ({
        ...{ key, name, dockerfile, parents: parents.get(key) ?? [] },
    }));
    const { below } = makingOf(devcontainer, candidates);
    const names = Object.fromEntries(candidates.flatMap(({ key, name }) => (name === undefined ? [] : [[key, name]])));
    const needed = new Set(below);
    // A set is read on to what is added meanwhile.
    for (const key of needed) for (const parent of parents.get(key) ?? []) needed.add(parent);
    const output = (key: string) => {
        const name = below.includes(key) ? names[key] : undefined;
        return name === undefined ? "type=cacheonly" : intoDocker(name);
    };
    const outputs = new Map([...needed].map((key) => [key, output(key)]));
    const { images } = makePlan({ stack: engine.stack, preview: previewed, history: [] });
    const platform = hostPlatform();
    const file = knownBakeFile({ steps, images, names, platform, root, outputs });
    const missing = below.find((key) => file?.target[key] === undefined);
    if (!file || missing !== undefined) {
        throw new InputError({
            problem: `${devcontainer.file} stands on image ${missing ?? ""}, which stack ${engine.stack} does not build for ${platform}`,
            next: `add ${platform} to its platforms, or fetch it: ${typed("devcontainer", "--on", "<name>=<repository>@<digest>")}`,
        });
    }
    return { file, settings: await settingsFor(engine, root), names: below.flatMap((key) => names[key] ?? []) };
}

/** Says what failed, after the output of the program that failed. */
function failed(what: string): number {
    console.error(`error: ${what}\n  next: correct what it says above, and run the same command again`);
    return exit.failed;
}

/** Runs a command of the Dev Containers CLI on the repository. */
function devcontainers({ cli, env }: DevcontainerTools, root: string, file: string, args: readonly string[]) {
    const [program, ...first] = cli;
    const place = ["--workspace-folder", root, "--config", path.join(root, file)];
    return runMasked(program, [...first, ...args, ...place], { env, secrets: [] });
}

/**
 * Runs `npm run devcontainer`: puts what the devcontainer stands on into the local Docker under its name, and builds the devcontainer on
 * it, as "Rebuild Container" in VS Code then does too.
 *
 * @returns the exit code: 0, or 1 if a build or the start failed
 * @throws InputError for bad input
 * @throws CommandError without Docker or the Dev Containers CLI
 */
export async function runDevcontainer({ stack, config, on = [], up, check }: DevcontainerOptions): Promise<number> {
    const root = repositoryRoot();
    const devcontainer = readDevcontainer(openCheckout(root), config);
    const { file } = devcontainer;
    if (check) {
        console.log(`${file} is valid`);
        return exit.done;
    }
    const fetched = on.length > 0 ? fetching(on, root) : undefined;
    const tools = await findTools(root, process.env);
    const { file: builds, settings, names } = fetched ?? (await building(devcontainer, root, stack));
    console.log(`1 of 2: ${fetched ? "fetching" : "building"} ${names.join(", ")} into the local Docker`);
    if ((await runBake(builds, settings)) !== 0) return failed(`${names.join(", ")}: the build failed`);
    console.log(`2 of 2: building ${file}${up ? " and starting it" : ""}`);
    const args = up ? ["up", "--remove-existing-container"] : ["build"];
    if ((await devcontainers(tools, root, file, args)) !== 0)
        return failed(`${file} was not ${up ? "started" : "built"}`);
    console.log(`${file} is built on ${names.join(", ")}; "Rebuild Container" in VS Code uses the same`);
    return exit.done;
}
