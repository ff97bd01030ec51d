import type { Frontend } from "../lib/dockerfile/frontends";
import type { PreparedImage, Root } from "../lib/hierarchy/prepare";
import { RegistryError, readManifest } from "../lib/registry/manifest";
import { formatReference, parseReference } from "../lib/registry/references";
import { typedSilently } from "../lib/system/commandLine";

/** Registries for which the lab's BuildKit uses the lab's registry as a mirror. */
export const mirroredRegistries = ["ghcr.io", "docker.io"] as const;

/** Milliseconds that a preview waits for a registry. */
const timeout = 5000;

/** Reads a manifest from a registry; undefined if it does not exist. */
type Query = (ref: string, env: NodeJS.ProcessEnv, timeout: number) => Promise<unknown>;

/** Returns the references under which the lab's BuildKit looks for an image, in this order. */
function locationsOf(reference: string, registry: string): string[] {
    const parsed = parseReference(reference);
    const isMirrored = mirroredRegistries.some((mirrored) => mirrored === parsed.registry);
    return [...new Set([...(isMirrored ? [{ ...parsed, registry }] : []), parsed].map(formatReference))];
}

/** Returns the reasons why no location has the image; undefined if any location has it. */
async function whyMissing(locations: readonly string[], query: Query): Promise<string | undefined> {
    const reasons = await Promise.all(
        locations.map(async (location) => {
            try {
                const manifest = await query(location, process.env, timeout);
                return manifest === undefined ? `${location} does not exist` : undefined;
            } catch (error) {
                if (!(error instanceof RegistryError)) throw error;
                return error.message;
            }
        }),
    );
    return reasons.includes(undefined) ? undefined : reasons.join("; ");
}

function nextFor({ official, expanded }: Root & Frontend, registry: string): string {
    if (official) {
        return (
            "BuildKit has a built-in version of it, and uses that after: " +
            `eval "$(${typedSilently("lab", "env")})" && pulumi config set builtinFrontend true`
        );
    }
    const [location = ""] = locationsOf(expanded, registry);
    return `Let this machine reach it, or put a copy there: buildx imagetools create --tag ${location} <copy>`;
}

/**
 * Checks that the frontend images (`# syntax=`) of the Dockerfiles are available. The lab often has no network: a build would then fail
 * in its first step, without a warning in the preview.
 *
 * @param registry the lab's registry; undefined if the stack is not the lab's, because its builder may be on any machine
 * @param query replaces the query of the registry in tests
 * @returns the images, with `unreadable` set if the frontend of their Dockerfile is not available
 */
export async function askFrontends(
    images: readonly PreparedImage[],
    registry: string | undefined,
    query: Query = readManifest,
): Promise<PreparedImage[]> {
    if (registry === undefined) return [...images];
    const queries = new Map<string, Promise<string | undefined>>();
    const withReason = async (image: PreparedImage): Promise<PreparedImage> => {
        const { key, frontend } = image;
        if (!frontend) return image;
        const { where, expanded, pin } = frontend;
        const ref = pin ?? expanded;
        const pending = queries.get(ref) ?? whyMissing(locationsOf(ref, registry), query);
        queries.set(ref, pending);
        const reason = await pending;
        if (reason === undefined) return image;
        const name = pin === undefined ? expanded : `${expanded} (${pin})`;
        const problem = `${where}: image ${key} can't be built here, because ${name}, the frontend of its Dockerfile, is not available: ${reason}`;
        return { ...image, unreadable: `${problem}. ${nextFor(frontend, registry)}` };
    };
    return await Promise.all(images.map(withReason));
}
