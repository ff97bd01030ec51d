import { type ImageStep, hasMoved } from "./steps";
import { parseReference, repositoryOf } from "../registry/references";
import { type Layer, type Manifest, RegistryError, readManifest } from "../registry/manifest";

/** Asks a registry for a manifest: `readManifest`, or what stands in for it. */
export type Ask = (ref: string) => Promise<Manifest | undefined>;

/** The layers of a platform behind a reference, through an index where it is one; none where nothing is there. */
async function layersOf(ref: string, platform: string | undefined, ask: Ask): Promise<readonly Layer[]> {
    const manifest = await ask(ref);
    const inIndex = platform === undefined ? undefined : manifest?.platforms[platform];
    if (inIndex === undefined) return manifest?.layers ?? [];
    return (await ask(`${repositoryOf(ref)}@${inIndex}`))?.layers ?? [];
}

async function pushedBy(step: ImageStep, pushed: string, ask: Ask): Promise<number> {
    if (hasMoved(step) === false) return 0;
    const { registry } = parseReference(pushed);
    const known = new Set<string>();
    for (const ref of [...(step.former === undefined ? [] : [step.former]), ...step.bases]) {
        // The builder mounts what another repository of the same registry has, and pushes what another registry has.
        if (parseReference(ref).registry !== registry) continue;
        for (const { digest } of await layersOf(ref, step.platform, ask)) known.add(digest);
    }
    const layers = (await layersOf(pushed, step.platform, ask)).filter(({ digest }) => !known.has(digest));
    return layers.reduce((sum, { size }) => sum + size, 0);
}

/**
 * Compressed bytes that builds pushed: of layers that neither the former digest nor what they stand on had in that
 * registry. A registry that can't be asked is asked once, and costs the numbers.
 *
 * @returns bytes by a build's `pushed`, and the registries that could not be asked
 */
export async function pushedBytes(
    steps: readonly ImageStep[],
    env: NodeJS.ProcessEnv,
    read: typeof readManifest = readManifest,
): Promise<{ readonly bytes: ReadonlyMap<string, number>; readonly unasked: readonly RegistryError[] }> {
    const asked = new Map<string, Promise<Manifest | undefined>>();
    const ask: Ask = (ref) => {
        const answer = asked.get(ref) ?? read(ref, env);
        asked.set(ref, answer);
        return answer;
    };
    const unasked = new Map<string, RegistryError>();
    const bytes = new Map<string, number>();
    for (const step of steps) {
        const { pushed, operation } = step;
        if (pushed === undefined || operation === "same") continue;
        if (unasked.has(parseReference(pushed).registry)) continue;
        try {
            bytes.set(pushed, await pushedBy(step, pushed, ask));
        } catch (error) {
            if (!(error instanceof RegistryError)) throw error;
            unasked.set(error.registry, error);
        }
    }
    return { bytes, unasked: [...unasked.values()] };
}
