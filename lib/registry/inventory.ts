import { createHash } from "node:crypto";
import { z } from "zod";
import { InputError } from "../errors";
import { type RegistryClient, registryError } from "./blobs";
import { RegistryError } from "./manifest";
import { isDigest, parseReference } from "./references";
import { type StoredManifest, isImmutableTag } from "./retention";

/* What a repository of a registry holds, by the interface that every registry has (OCI distribution-spec), and its removal. */

/** What the removal of a manifest came to: it is gone, or the registry never removes it, with the registry's reason. */
export type Removed = "removed" | { readonly refused: string };

/** A repository from which manifests can be removed. */
export interface Repository {
    /** "registry/repository" */
    readonly name: string;
    /**
     * Lists all manifests that the registry tells about. A later call reads again what may have changed, which for tags in this
     * program's immutable forms is only whether they are there.
     *
     * @param named digests that are named elsewhere: a registry tells about a manifest without a tag only if it is asked for it
     * @throws RegistryError if anything can't be read: nothing is known then about what it would have kept
     */
    readonly list: (named: ReadonlySet<string>) => Promise<readonly StoredManifest[]>;
    /**
     * Removes a manifest, with all its tags. One that is gone already is no error.
     *
     * @throws InputError with the next step if the registry refuses every removal
     * @throws RegistryError if it can't be asked
     */
    readonly remove: (manifest: StoredManifest) => Promise<Removed>;
}

/** Maximum number of parallel requests to a registry. */
const atOnce = 16;

/** Calls `work` for each item, up to `atOnce` in parallel. The first error ends it. */
export async function each<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
    const results: R[] = [];
    let next = 0;
    const run = async () => {
        while (next < items.length) {
            const index = next++;
            results[index] = await work(items[index] as T);
        }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, run));
    return results;
}

const descriptor = z.object({ digest: z.string().refine(isDigest, "not a digest"), size: z.int().min(0) });
const about = { subject: descriptor.optional() };
/** image-spec v1.1: an image or artifact, an index, and the artifact manifest of its release candidates; Docker's formats have these fields. */
const schema = z.union([
    z.object({ ...about, config: descriptor, layers: z.array(descriptor) }),
    z.object({ ...about, manifests: z.array(descriptor) }),
    z.object({ ...about, blobs: z.array(descriptor), artifactType: z.string() }),
]);

/** The content of a manifest that decides what it keeps. */
export type Content = Omit<StoredManifest, "tags" | "since">;

/**
 * Parses a manifest. Formats whose references are not known, such as Docker's first, are refused: what they name would not be kept.
 *
 * @param bytes as the registry sent them
 * @throws Error if it is no manifest of a known format
 */
export function parseContent(bytes: Buffer): Content {
    const { data, error } = schema.safeParse(JSON.parse(bytes.toString("utf8")));
    if (!data) throw new Error(z.prettifyError(error));
    const blobs = "config" in data ? [data.config, ...data.layers] : "blobs" in data ? data.blobs : [];
    return {
        digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`,
        children: "manifests" in data ? data.manifests.map(({ digest }) => digest) : [],
        ...(data.subject && { subject: data.subject.digest }),
        blobs: blobs.map(({ digest, size }) => ({ digest, size })),
        bytes: bytes.length,
    };
}

/** The formats of manifests that are read, for the header Accept. */
export const accept = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/** Reads manifests of a repository, each once: a digest names the same content for ever. */
export interface ManifestReader {
    /**
     * @param reference tag or digest
     * @returns undefined if the registry has no such manifest
     * @throws RegistryError if it can't be read or parsed
     */
    readonly read: (reference: string) => Promise<Content | undefined>;
}

/**
 * Returns a reader for the manifests of a repository.
 *
 * @param repository "registry/repository"
 */
export function manifestReader(client: RegistryClient, repository: string): ManifestReader {
    const known = new Map<string, Content>();
    const { registry } = parseReference(repository);
    return {
        read: async (reference) => {
            const found = known.get(reference);
            if (found) return found;
            let bytes: Buffer;
            try {
                const response = await client.request(repository, `manifests/${reference}`, { headers: { accept } });
                bytes = Buffer.from(await response.arrayBuffer());
                if (response.status === 404) return undefined;
                if (response.status !== 200) {
                    throw new RegistryError(registry, `it answered ${response.status} for ${repository}:${reference}`);
                }
            } catch (error) {
                throw registryError(error, repository);
            }
            let content: Content;
            try {
                content = parseContent(bytes);
            } catch (error) {
                const reason = error instanceof Error ? error.message : String(error);
                throw new RegistryError(registry, `${repository}:${reference} is no manifest that is known: ${reason}`);
            }
            if (isDigest(reference) && content.digest !== reference) {
                throw new RegistryError(registry, `it answered with ${content.digest} for ${repository}@${reference}`);
            }
            known.set(content.digest, content);
            return content;
        },
    };
}

const tagsSchema = z.object({ tags: z.array(z.string()).nullable() });

/** Returns the path of the next page, relative to the repository, from a `Link` header (RFC 8288); undefined on the last page. */
function nextPage(link: string | null, repository: string): string | undefined {
    const [, target] = /<([^>]*)>\s*;[^,]*\brel="?next"?/.exec(link ?? "") ?? [];
    if (target === undefined) return undefined;
    const { pathname, search } = new URL(target, "https://registry.invalid");
    const prefix = `/v2/${parseReference(repository).repository}/`;
    return pathname.startsWith(prefix) ? pathname.slice(prefix.length) + search : undefined;
}

/** Lists the tags of a repository; empty if there is no such repository. */
export async function listTags(client: RegistryClient, repository: string): Promise<string[]> {
    const { registry } = parseReference(repository);
    const tags = new Set<string>();
    try {
        for (let page: string | undefined = "tags/list?n=1000"; page !== undefined;) {
            const response = await client.request(repository, page);
            const text = await response.text();
            if (response.status === 404) return [];
            if (response.status !== 200) {
                throw new RegistryError(registry, `it answered ${response.status} for the tags of ${repository}`);
            }
            const { data } = tagsSchema.safeParse(JSON.parse(text));
            if (!data) throw new RegistryError(registry, `its answer for the tags of ${repository} is no list`);
            for (const tag of data.tags ?? []) tags.add(tag);
            const next = nextPage(response.headers.get("link"), repository);
            // A registry that sends the same page again would be asked for ever.
            page = next === page ? undefined : next;
        }
    } catch (error) {
        throw registryError(error, repository);
    }
    return [...tags];
}

const refusesHere = "the registry does not allow to remove images";

/** Returns the error for a registry in which nothing can be removed. */
const disabled = (repository: string): InputError =>
    new InputError({
        problem: `${repository}: ${refusesHere} (405)`,
        next:
            "allow it in its configuration (docker-registry: REGISTRY_STORAGE_DELETE_ENABLED=true, and restart it), or let the registry's " +
            "own rules remove what this command lists",
    });

const forbidden = (repository: string, status: number): InputError =>
    new InputError({
        problem: `${repository}: this login may not remove images (${status})`,
        next: `docker login ${parseReference(repository).registry} as a user with permission to delete in this repository`,
    });

/** Options of `plainRepository`. */
export interface PlainOptions {
    /**
     * Returns when each manifest was pushed, in milliseconds since 1970, by digest, for a registry whose storage can be read: also of manifests
     * without a tag, about which the interface tells nothing.
     */
    readonly pushed?: () => ReadonlyMap<string, number>;
}

/**
 * Returns a repository of any registry.
 *
 * @param name "registry/repository"
 */
export function plainRepository(
    client: RegistryClient,
    name: string,
    { pushed = () => new Map<string, number>() }: PlainOptions = {},
): Repository {
    const { registry } = parseReference(name);
    const { read } = manifestReader(client, name);
    /** The digests of tags that never move. */
    const immutable = new Map<string, string>();
    let hasReferrers = true;

    /** Returns what the registry has about a manifest, if it has that interface. Tags have it otherwise. */
    async function referrersOf(digest: string): Promise<readonly string[]> {
        if (!hasReferrers) return [];
        const response = await client.request(name, `referrers/${digest}`);
        const bytes = Buffer.from(await response.arrayBuffer());
        if (response.status === 200) return parseContent(bytes).children;
        if (response.status !== 404) throw new RegistryError(registry, `it answered ${response.status} for referrers`);
        hasReferrers = false;
        return [];
    }

    async function digestOf(tag: string): Promise<string> {
        const known = immutable.get(tag);
        if (known !== undefined) return known;
        const content = await read(tag);
        // It may have been removed at this moment, or the registry may have lost what the tag keeps.
        if (!content) throw new RegistryError(registry, `it lists the tag ${name}:${tag}, and has no manifest for it`);
        if (isImmutableTag(tag)) immutable.set(tag, content.digest);
        return content.digest;
    }

    async function list(named: ReadonlySet<string>): Promise<readonly StoredManifest[]> {
        const dates = pushed();
        const tags = await listTags(client, name);
        const tagsOf = new Map<string, string[]>();
        const digests = await each(tags, async (tag) => ({ tag, digest: await digestOf(tag) }));
        for (const { tag, digest } of digests) tagsOf.set(digest, [...(tagsOf.get(digest) ?? []), tag]);
        const found = new Map<string, Content>();
        const asked = new Set<string>();
        for (let wanted = [...tagsOf.keys(), ...dates.keys(), ...named]; wanted.length > 0;) {
            const round = [...new Set(wanted)].filter((digest) => !asked.has(digest));
            for (const digest of round) asked.add(digest);
            const further = await each(round, async (digest) => {
                const content = await read(digest);
                if (!content) return [];
                found.set(digest, content);
                return [...content.children, ...(await referrersOf(digest))];
            });
            wanted = further.flat();
        }
        return [...found.values()].map((content) => {
            const since = dates.get(content.digest);
            return { ...content, tags: tagsOf.get(content.digest) ?? [], ...(since !== undefined && { since }) };
        });
    }

    async function removeReference(reference: string): Promise<number> {
        try {
            const response = await client.request(name, `manifests/${reference}`, { method: "DELETE" });
            await response.text();
            return response.status;
        } catch (error) {
            throw registryError(error, name);
        }
    }

    /** Decides on the status of a removal: whether it is done. */
    function isDone(status: number): boolean {
        if ([200, 202, 204, 404].includes(status)) return true;
        if (status === 401 || status === 403) throw forbidden(name, status);
        if (status === 400 || status === 405) return false;
        throw new RegistryError(registry, `it answered ${status} for the removal of a manifest`);
    }

    async function remove({ digest, tags }: StoredManifest): Promise<Removed> {
        if (isDone(await removeReference(digest))) return "removed";
        // Some registries remove tags only, and what has no tag by rules of their own (distribution-spec 1.1, "Deleting tags").
        if (tags.length === 0) return { refused: "it has no tag, and the registry removes tags only" };
        for (const tag of tags) {
            // The tag may have moved since it was listed.
            if ((await read(tag))?.digest === digest && !isDone(await removeReference(tag))) throw disabled(name);
        }
        return "removed";
    }

    return { name, list, remove };
}
