import type { Frontend } from "../lib/dockerfile/frontends";
import type { PreparedImage, Root } from "../lib/hierarchy/prepare";
import { RegistryError, readManifest } from "../lib/registry/manifest";
import { formatReference, parseReference } from "../lib/registry/references";

/** Registries whose images the lab's BuildKit looks for in the lab's own registry first. */
export const mirroredRegistries = ["ghcr.io", "docker.io"] as const;

/** Milliseconds that a preview waits for a registry. */
const patience = 5000;

/** How registries are asked. */
type Ask = (ref: string, env: NodeJS.ProcessEnv, patience: number) => Promise<unknown>;

/** Where the lab's BuildKit looks for an image. */
function placesOf(reference: string, registry: string): string[] {
    const parsed = parseReference(reference);
    const isMirrored = mirroredRegistries.some((one) => one === parsed.registry);
    return [...new Set([...(isMirrored ? [{ ...parsed, registry }] : []), parsed].map(formatReference))];
}

/** Why none of the places has an image; undefined where one has it. */
async function missing(places: readonly string[], ask: Ask): Promise<string | undefined> {
    const answers = await Promise.all(
        places.map(async (place) => {
            try {
                const found = await ask(place, process.env, patience);
                return found === undefined ? `${place} is not there` : undefined;
            } catch (error) {
                if (!(error instanceof RegistryError)) throw error;
                return error.message;
            }
        }),
    );
    return answers.includes(undefined) ? undefined : answers.join("; ");
}

function nextFor({ official, expanded }: Root & Frontend, registry: string): string {
    if (official) {
        return (
            "BuildKit has a version of it built in, and takes that after: " +
            'eval "$(npm run --silent lab -- env)" && pulumi config set builtinFrontend true'
        );
    }
    const [place = ""] = placesOf(expanded, registry);
    return `Let this machine reach it, or put a copy there: buildx imagetools create --tag ${place} <copy>`;
}

/**
 * Asks for the images that are to read Dockerfiles: in the lab, which often has no network, a build would fail with its first step, and
 * a preview would not have said so.
 *
 * @param registry the lab's; absent where the stack is not the lab's, whose builder may be anywhere
 * @returns the images, with `unreadable` where nobody has what is to read their Dockerfiles
 */
export async function askFrontends(
    images: readonly PreparedImage[],
    registry: string | undefined,
    ask: Ask = readManifest,
): Promise<PreparedImage[]> {
    if (registry === undefined) return [...images];
    const asked = new Map<string, Promise<string | undefined>>();
    const withAnswer = async (image: PreparedImage): Promise<PreparedImage> => {
        const { key, frontend } = image;
        if (!frontend) return image;
        const { where, expanded, pin } = frontend;
        const ref = pin ?? expanded;
        const answer = asked.get(ref) ?? missing(placesOf(ref, registry), ask);
        asked.set(ref, answer);
        const why = await answer;
        if (why === undefined) return image;
        const named = pin === undefined ? expanded : `${expanded} (${pin})`;
        const problem = `${where}: image ${key} can't be built here, because ${named}, which is to read its Dockerfile, can't be had: ${why}`;
        return { ...image, unreadable: `${problem}. ${nextFor(frontend, registry)}` };
    };
    return await Promise.all(images.map(withAnswer));
}
