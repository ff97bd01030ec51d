import { createHash, randomUUID } from "node:crypto";
import { z } from "zod";
import { type RegistryClient, registryError } from "./blobs";
import { type Repository, accept } from "./inventory";
import { RegistryError } from "./manifest";
import { parseReference } from "./references";

/*
 * Removal of a tag that leaves what it stands for, and its other tags. Registries remove manifests, each with all of its tags, and most of them no
 * single tag. So the tag is first moved to a manifest of its own, and that one is removed.
 */

/** A manifest as a registry sent it, or as it is sent. */
interface Raw {
    readonly mediaType: string;
    readonly bytes: Buffer;
    readonly digest: string;
}

const raw = (mediaType: string, bytes: Buffer): Raw => ({
    mediaType,
    bytes,
    digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`,
});

const indexType = "application/vnd.oci.image.index.v1+json";
/** The annotation of a manifest that is made to be removed with its tag. */
const annotation = "layered-images.removed-tag";

/** Returns an index of nothing that no other tag has. */
const emptyIndex = (ref: string): Raw =>
    raw(
        indexType,
        Buffer.from(
            JSON.stringify({
                schemaVersion: 2,
                mediaType: indexType,
                manifests: [],
                annotations: { [annotation]: `${ref} ${randomUUID()}` },
            }),
        ),
    );

const annotated = z.object({ annotations: z.object({ [annotation]: z.string() }) });

/** Whether a manifest is one of `emptyIndex`: left by a run that was killed before it could remove it. */
function isLeftBehind({ bytes }: Raw): boolean {
    try {
        return annotated.safeParse(JSON.parse(bytes.toString("utf8"))).success;
    } catch {
        return false;
    }
}

async function readRaw(client: RegistryClient, repository: string, tag: string): Promise<Raw | undefined> {
    const { registry } = parseReference(repository);
    try {
        const response = await client.request(repository, `manifests/${tag}`, { headers: { accept } });
        const bytes = Buffer.from(await response.arrayBuffer());
        if (response.status === 404) return undefined;
        if (response.status === 200) return raw(response.headers.get("content-type") ?? indexType, bytes);
        throw new RegistryError(registry, `it answered ${response.status} for ${repository}:${tag}`);
    } catch (error) {
        throw registryError(error, repository);
    }
}

async function write(client: RegistryClient, repository: string, tag: string, manifest: Raw): Promise<void> {
    const { registry } = parseReference(repository);
    const { mediaType, bytes: body } = manifest;
    try {
        const headers = { "content-type": mediaType };
        const response = await client.request(repository, `manifests/${tag}`, { method: "PUT", headers, body });
        await response.text();
        if (response.ok) return;
        throw new RegistryError(registry, `it answered ${response.status} when ${repository}:${tag} was to be moved`);
    } catch (error) {
        throw registryError(error, repository);
    }
}

/** What the removal of a tag came to: it is removed, was gone already, or stays because it stands for another digest by now. */
export type Untagged = "removed" | "gone" | { readonly other: string };

/**
 * Removes a tag, and neither the manifest that it stands for nor another tag of that. If the registry refuses, the tag stands for what it stood
 * for before.
 *
 * @param repository by the interface that its registry has for removals
 * @param digest what the tag is expected to stand for
 * @throws InputError or RegistryError if the registry can't be asked, or refuses
 */
export async function removeTag(
    client: RegistryClient,
    repository: Repository,
    tag: string,
    digest: string | undefined,
): Promise<Untagged> {
    const { name } = repository;
    const found = await readRaw(client, name, tag);
    if (!found) return "gone";
    const isLeft = isLeftBehind(found);
    if (!isLeft && digest !== undefined && found.digest !== digest) return { other: found.digest };
    const own = isLeft ? found : emptyIndex(`${name}:${tag}`);
    if (!isLeft) await write(client, name, tag, own);
    try {
        const removed = await repository.remove({
            ...{ digest: own.digest, tags: [tag], children: [], blobs: [] },
            bytes: own.bytes.length,
        });
        const { registry } = parseReference(name);
        if (removed !== "removed") throw new RegistryError(registry, removed.refused);
        const after = await readRaw(client, name, tag);
        if (after?.digest !== own.digest) return removed;
        throw new RegistryError(registry, `it removed what ${name}:${tag} stands for, and still has it`);
    } catch (error) {
        if (!isLeft) await write(client, name, tag, found);
        throw error;
    }
}
