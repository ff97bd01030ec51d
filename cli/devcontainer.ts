import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { loadDefinitions } from "../definitions";
import { openCheckout } from "../lib/context/checkout";
import { type Devcontainer, imageOf, readDevcontainer } from "../lib/devcontainer/file";
import { type DevcontainerTools, findTools } from "../lib/devcontainer/tools";
import { preview } from "../lib/engine/pulumi";
import { readImage } from "../lib/engine/resources";
import { readBuildSecrets, readSecrets } from "../lib/engine/secrets";
import { InputError } from "../lib/errors";
import { type BakeFile, bakeFile, unknownContexts } from "../lib/plan/bake";
import { groups } from "../lib/plan/groups";
import { makePlan } from "../lib/plan/plan";
import { hostPlatform } from "../lib/platform";
import { buildx } from "../lib/registry/manifest";
import { isPinned } from "../lib/registry/references";
import { repositoryRoot } from "../lib/system/paths";
import { runMasked } from "../lib/system/process";
import { builderOptions, secretVariable } from "./build";
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

/** Builds of a bake file, and what they need. */
interface Builds {
    readonly file: BakeFile;
    readonly options: readonly string[];
    readonly env: NodeJS.ProcessEnv;
    readonly secrets: readonly string[];
}

/** Puts an image in the store of the local Docker, in a form that every version reads: before 23, Docker reads no zstd. */
const intoDocker = (name: string): string => `type=docker,name=${name},compression=uncompressed,force-compression=true`;

/** Returns the builds that only fetch images, and name them. */
function fetching(given: readonly string[], root: string): BakeFile {
    const targets = given.map((text, index) => {
        const at = text.indexOf("=");
        const [name, ref] = [text.slice(0, at), text.slice(at + 1)];
        if (at < 1 || !isPinned(ref)) {
            throw new InputError({
                problem: `--on ${text}`,
                allowed: ["<name>=<repository>@sha256:<64 hex>"],
                next: "copy the reference from `pulumi stack output images`, or leave --on out to build from this checkout",
            });
        }
        const target = {
            ...{ context: root, "dockerfile-inline": `FROM ${ref}\n`, contexts: {}, args: {} },
            ...{ platforms: [hostPlatform()], output: [intoDocker(name)] },
        };
        return [`parent-${String(index)}`, target] as const;
    });
    return { group: { default: { targets: targets.map(([key]) => key) } }, target: Object.fromEntries(targets) };
}

/** Returns the builds of what the devcontainer stands on, from this checkout and with the stack's settings. */
async function building(devcontainer: Devcontainer, root: string, stack: string | undefined): Promise<Builds> {
    const { images: definitions } = loadDefinitions(root);
    const candidates = Object.entries(definitions).map(([key, { name, dockerfile }]) => ({ key, name, dockerfile }));
    const { key, by } = imageOf(devcontainer, candidates);
    const engine = await openStack({ stack, start: true, use: "review" });
    const [{ steps, ...previewed }, secrets, values] = await Promise.all([
        preview(engine),
        readSecrets(engine),
        readBuildSecrets(engine),
    ]);
    const { images } = makePlan({ stack: engine.stack, preview: { ...previewed, steps }, history: [] });
    const parents = new Map(
        groups(steps).map(({ image, component }) => [image, readImage(component.new?.inputs).parents] as const),
    );
    const needed = (one: string): string[] => [one, ...(parents.get(one) ?? []).flatMap(needed)];
    const direct = by === "image" ? [key] : (parents.get(key) ?? []);
    const names = Object.fromEntries(
        candidates.flatMap((one) => (one.name === undefined ? [] : [[one.key, one.name]])),
    );
    const output = (one: string) => {
        const name = direct.includes(one) ? names[one] : undefined;
        return name === undefined ? "type=cacheonly" : intoDocker(name);
    };
    const outputs = new Map(direct.flatMap(needed).map((one) => [one, output(one)]));
    const file = bakeFile({ steps, images, names, platform: hostPlatform(), root, secretVariable, outputs });
    if (!file) {
        throw new InputError({
            problem: `what ${devcontainer.file} stands on is not built for ${hostPlatform()} in stack ${engine.stack}`,
            next: `build on an image of images.ts, and add ${hostPlatform()} to its platforms`,
        });
    }
    const [unknown] = unknownContexts(file);
    if (unknown !== undefined) throw new Error(`the build context ${unknown} is not known`);
    const env = {
        ...engine.env,
        ...Object.fromEntries(Object.entries(values).map(([name, value]) => [secretVariable(name), value])),
    };
    return { file, options: await builderOptions(engine, root), env, secrets };
}

/** Runs the builds; resolves to the exit code of buildx. */
async function bake({ file, options, env, secrets }: Builds): Promise<number> {
    const folder = mkdtempSync(path.join(tmpdir(), "layered-images-devcontainer-"));
    try {
        const bakeJson = path.join(folder, "bake.json");
        writeFileSync(bakeJson, JSON.stringify(file));
        const [command, ...args] = buildx(env);
        return await runMasked(command, [...args, "bake", ...options, "--file", bakeJson, "--progress", "plain"], {
            env,
            secrets,
        });
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
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
    const given = on.length > 0 ? fetching(on, root) : undefined;
    const tools = await findTools(root, process.env);
    const builds = given
        ? { file: given, options: [], env: process.env, secrets: [] }
        : await building(devcontainer, root, stack);
    const loaded = Object.values(builds.file.target).flatMap(
        ({ output }) => /name=([^,]+)/.exec(output[0] ?? "")?.[1] ?? [],
    );
    console.log(`1 of 2: ${given ? "fetching" : "building"} ${loaded.join(", ")} into the local Docker`);
    if ((await bake(builds)) !== 0) {
        console.error("error: the build failed\n  next: correct what it says above, and run the same command again");
        return exit.failed;
    }
    console.log(`2 of 2: building ${file}${up ? " and starting it" : ""}`);
    const args = up ? ["up", "--remove-existing-container"] : ["build"];
    if ((await devcontainers(tools, root, file, args)) !== 0) {
        console.error(
            `error: ${file} was not ${up ? "started" : "built"}\n  next: correct what it says above, and run the same command again`,
        );
        return exit.failed;
    }
    console.log(`${file} is built on ${loaded.join(", ")}; "Rebuild Container" in VS Code uses the same`);
    return exit.done;
}
