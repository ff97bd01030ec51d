import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { loadDefinitions } from "../definitions";
import { readyBuilder } from "../lib/builders/instance";
import { builderSchema, instancesFor } from "../lib/builders/settings";
import { type Engine, preview } from "../lib/engine/pulumi";
import { readBuildSecrets, readSecrets } from "../lib/engine/secrets";
import { InputError } from "../lib/errors";
import { type BakeFile, type BakeSources, bakeFile, unknownContexts } from "../lib/plan/bake";
import { makePlan } from "../lib/plan/plan";
import { hostPlatform } from "../lib/platform";
import { buildx } from "../lib/registry/manifest";
import { repositoryRoot } from "../lib/system/paths";
import { runMasked } from "../lib/system/process";
import { readHistory } from "../lib/update/history";
import { addSummary } from "./actions";
import { exit } from "./exitCodes";
import { builderSetting, openStack } from "./openStack";

/** Returns the environment variable that passes a build secret: on the command line every user of the machine could read it. */
const secretVariable = (name: string): string => `LAYERED_IMAGES_SECRET_${Buffer.from(name).toString("hex")}`;

/** How builds run. */
export interface BakeSettings {
    readonly env: NodeJS.ProcessEnv;
    /** What is masked in their output. */
    readonly secrets: readonly string[];
    /** Options of buildx. */
    readonly options: readonly string[];
}

/**
 * Makes and checks the builder that the stack sets, as an update does, and returns how builds run with the stack's settings.
 */
export async function settingsFor(engine: Engine, root: string): Promise<BakeSettings> {
    const [secrets, values] = await Promise.all([readSecrets(engine), readBuildSecrets(engine)]);
    const env = {
        ...engine.env,
        ...Object.fromEntries(Object.entries(values).map(([name, value]) => [secretVariable(name), value])),
    };
    // The preview has checked the settings.
    const setting = builderSetting(engine.stack, root);
    if (setting === undefined) return { env, secrets, options: [] };
    const instances = instancesFor(builderSchema.parse(setting), [hostPlatform()], root);
    await readyBuilder(instances, engine.env);
    return { env, secrets, options: [...instances.values()].flatMap(({ name }) => ["--builder", name]) };
}

/**
 * Returns the builds as `bakeFile` does.
 *
 * @throws InputError if one of them needs a digest that is not known before an update
 */
export function knownBakeFile(sources: Omit<BakeSources, "secretVariable">): BakeFile | undefined {
    const file = bakeFile({ ...sources, secretVariable });
    const [missing] = file ? unknownContexts(file) : [];
    if (missing === undefined) return file;
    throw new InputError({
        problem: `the digest of ${missing} is not known before an update, and it is not built for ${sources.platform}`,
        next: "build it by an update, for all platforms",
    });
}

/** Runs builds; resolves to the exit code of buildx. */
export async function runBake(file: BakeFile, { env, secrets, options }: BakeSettings): Promise<number> {
    const folder = mkdtempSync(path.join(tmpdir(), "layered-images-build-"));
    try {
        const bake = path.join(folder, "bake.json");
        writeFileSync(bake, JSON.stringify(file));
        const [command, ...args] = buildx(env);
        const all = [...args, ...options, "bake", "--file", bake, "--progress", "plain"];
        return await runMasked(command, all, { env, secrets });
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
}

/**
 * Runs `npm run build`: builds and tests what an update of the stack would build, for this machine's platform. It reads the stack and the
 * registry, and changes neither: nothing is pushed, promoted or recorded.
 *
 * @returns the exit code: 0, or 1 if a build or a smoke test failed
 * @throws InputError for bad input, and if the preview fails
 */
export async function runBuild({ stack }: { readonly stack?: string }): Promise<number> {
    const engine = await openStack({ stack, start: true, use: "review" });
    const [previewed, history] = await Promise.all([preview(engine), readHistory(engine.stack, engine.env)]);
    const { images } = makePlan({ stack: engine.stack, preview: previewed, history });
    const root = repositoryRoot();
    const definitions = Object.entries(loadDefinitions(root).images);
    const names = Object.fromEntries(
        definitions.flatMap(([key, { name }]) => (name === undefined ? [] : [[key, name]])),
    );
    const [platform, { steps }] = [hostPlatform(), previewed];
    const file = knownBakeFile({ steps, images, names, platform, root });
    if (!file) {
        console.log(`an update of stack ${engine.stack} would build nothing for ${platform}`);
        addSummary(`Nothing is built for ${platform}.\n`);
        return exit.done;
    }
    const keys = Object.keys(file.target).join(", ");
    console.log(`building ${keys} for ${platform}; nothing is pushed`);
    const code = await runBake(file, await settingsFor(engine, root));
    addSummary(`${code === 0 ? "Built" : "Failed to build"} for ${platform}, without pushing: ${keys}.\n`);
    return code === 0 ? exit.done : exit.failed;
}
