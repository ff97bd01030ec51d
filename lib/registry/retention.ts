import type { Layer } from "./manifest";

/* What of a repository is kept, and what may be removed: pure functions over what a registry lists and what names its content. */

/** A manifest of a repository, as the registry lists it. */
export interface StoredManifest {
    readonly digest: string;
    /** The tags that name it; empty if it is only part of an index, belongs to another manifest, or was left behind. */
    readonly tags: readonly string[];
    /** Digests of the manifests in it; empty unless it is an index. */
    readonly children: readonly string[];
    /** The digest of the manifest that it is about: an attestation, a signature, a list of packages. */
    readonly subject?: string;
    /** Its configuration and layers. */
    readonly blobs: readonly Layer[];
    /** The size of the manifest itself. */
    readonly bytes: number;
    /** When it was pushed, or when it was first seen, in milliseconds since 1970; absent if neither is known. */
    readonly since?: number;
}

/** Digests and tags that are named outside of the registry: by states, configuration, files and variables. */
export interface Named {
    readonly digests: ReadonlySet<string>;
    /** Tags in the forms of this program, without the repository. */
    readonly tags: ReadonlySet<string>;
}

/** How much is kept beyond what is named. */
export interface RetentionRules {
    /** The newest releases of each image. */
    readonly keepReleases: number;
    /** Releases that are younger than this many days. */
    readonly keepDays: number;
    /** Number of images that share the repository: `keepReleases` counts for each. */
    readonly images: number;
    /** Milliseconds since 1970. */
    readonly now: number;
}

/** What may be removed. */
export type RemovableKind = "release" | "build" | "cache" | "attestation" | "part" | "untagged";

/** A manifest that may be removed. */
export interface Removable {
    readonly manifest: StoredManifest;
    readonly kind: RemovableKind;
}

/** The result of `retain`. */
export interface Retention {
    /** Why each manifest is kept, by digest. */
    readonly kept: ReadonlyMap<string, string>;
    /** What may be removed, each index before its parts, so that an interrupted removal leaves no index without them. */
    readonly removable: readonly Removable[];
}

/**
 * Age in milliseconds below which everything is kept: a build may be running that has pushed its image and not yet the index that names it.
 * No job on GitHub runs longer than this.
 */
export const safety = 24 * 60 * 60 * 1000;

const day = 24 * 60 * 60 * 1000;

const releaseTag = /^r-[0-9a-f]{12}$/;
const buildTag = /^b-[0-9a-f]{12}-[a-z0-9-]+$/;
const cacheTag = /^cache-[\w.-]+$/;
/** Where a registry without the referrers interface has what is about a manifest (distribution-spec, "Referrers Tag Schema"; Cosign's suffixes). */
const aboutTag = /^(sha\d+)-([0-9a-f]{64,128})(?:\.[a-z]+)?$/;

/** Returns the digest that a tag is about: of `sha256-<hex>`, `sha256-<hex>.sig` and the like; undefined for other tags. */
export function subjectOfTag(tag: string): string | undefined {
    const [, algorithm, hex] = aboutTag.exec(tag) ?? [];
    return algorithm === undefined || hex === undefined ? undefined : `${algorithm}:${hex}`;
}

/** Whether a tag has a form that only this program gives to tags that it never moves: of a release or of a build. */
export const isImmutableTag = (tag: string): boolean => releaseTag.test(tag) || buildTag.test(tag);

/** Whether a tag keeps what it names by itself: it is none of this program's own forms, nor about another manifest. */
export const isForeignTag = (tag: string): boolean =>
    !isImmutableTag(tag) && !cacheTag.test(tag) && subjectOfTag(tag) === undefined;

/**
 * Finds digests, and tags in this program's forms, in a text. A hash of a package (`--hash=sha256:…`, `hash = "sha256:…"`) is no digest of an image.
 */
export function namesIn(text: string): Named {
    const digests = [...text.matchAll(/(hash"?\s*[=:]\s*"?)?(sha256:[0-9a-f]{64})(?![0-9a-f])/g)];
    const tags = text.matchAll(/(?<![\w.-])(?:r-[0-9a-f]{12}|b-[0-9a-f]{12}-[a-z0-9-]+|cache-[\w.-]+)(?![\w.-])/g);
    return {
        digests: new Set(digests.flatMap(([, hash, digest]) => (hash === undefined && digest ? [digest] : []))),
        tags: new Set([...tags].map(([tag]) => tag)),
    };
}

/** Returns everything that at least one of these names. */
export const together = (all: readonly Named[]): Named => ({
    digests: new Set(all.flatMap(({ digests }) => [...digests])),
    tags: new Set(all.flatMap(({ tags }) => [...tags])),
});

const isRelease = ({ tags }: StoredManifest): boolean => tags.some((tag) => releaseTag.test(tag));

/** Returns the digests that a manifest is about, by its own field and by its tags. */
const subjectsOf = ({ subject, tags }: StoredManifest): string[] =>
    [subject, ...tags.map(subjectOfTag)].filter((digest) => digest !== undefined);

/** Returns why a manifest is kept for its own sake; undefined if only another one can keep it. */
function ownReason(manifest: StoredManifest, named: Named, now: number): string | undefined {
    const { digest, tags, since } = manifest;
    const foreign = tags.find(isForeignTag);
    if (foreign !== undefined) return `tag ${foreign}`;
    if (named.digests.has(digest) || tags.some((tag) => named.tags.has(tag))) return "named";
    if (since === undefined) return "its age is not known";
    if (now - since < safety) return "new";
    return undefined;
}

/** Returns the releases that are kept because they are among the newest, or young. */
function recentReleases(
    manifests: readonly StoredManifest[],
    { keepReleases, keepDays, images, now }: RetentionRules,
): StoredManifest[] {
    const times = (releases: readonly StoredManifest[]) => releases.map(({ since = now }) => since);
    const releases = manifests.filter(isRelease);
    const newestFirst = times(releases).sort((a, b) => b - a);
    const count = keepReleases * images;
    // Releases of the same time as the last one that counts stay too: which of them is older is not known.
    const oldest = count === 0 ? Infinity : (newestFirst[count - 1] ?? -Infinity);
    return releases.filter(({ since = now }) => since >= oldest || now - since < keepDays * day);
}

function kindOf({ tags, subject }: StoredManifest, isPart: boolean): RemovableKind {
    if (tags.some((tag) => releaseTag.test(tag))) return "release";
    if (tags.some((tag) => buildTag.test(tag))) return "build";
    if (tags.some((tag) => cacheTag.test(tag))) return "cache";
    if (subject !== undefined || tags.some((tag) => subjectOfTag(tag) !== undefined)) return "attestation";
    return isPart ? "part" : "untagged";
}

/** Sorts manifests so that each comes before those in it, and what is about another one before that. */
function parentsFirst(manifests: readonly StoredManifest[]): StoredManifest[] {
    const byDigest = new Map(manifests.map((manifest) => [manifest.digest, manifest]));
    const sorted: StoredManifest[] = [];
    const seen = new Set<string>();
    const visit = (manifest: StoredManifest) => {
        if (seen.has(manifest.digest)) return;
        seen.add(manifest.digest);
        for (const digest of [...manifest.children, ...subjectsOf(manifest)]) {
            const next = byDigest.get(digest);
            if (next) visit(next);
        }
        sorted.push(manifest);
    };
    for (const manifest of manifests) visit(manifest);
    return sorted.reverse();
}

/**
 * Decides what of a repository is kept. Kept are manifests that a tag of another form than this program's own names (`latest`, tags that
 * people or `tags` in images.ts add), that are named elsewhere, that are newer than `safety` or of unknown age, and the newest and youngest
 * releases; everything in them; and everything that is about them. Everything else may be removed, tagged or not.
 *
 * @param manifests all manifests of the repository
 */
export function retain(manifests: readonly StoredManifest[], named: Named, rules: RetentionRules): Retention {
    const byDigest = new Map(manifests.map((manifest) => [manifest.digest, manifest]));
    const about = new Map<string, StoredManifest[]>();
    for (const manifest of manifests) {
        for (const digest of subjectsOf(manifest)) about.set(digest, [...(about.get(digest) ?? []), manifest]);
    }
    const kept = new Map<string, string>();
    const waiting: [digest: string, reason: string][] = [
        ...manifests.flatMap((manifest): [string, string][] => {
            const reason = ownReason(manifest, named, rules.now);
            return reason === undefined ? [] : [[manifest.digest, reason]];
        }),
        ...recentReleases(manifests, rules).map(({ digest }): [string, string] => [digest, "recent release"]),
    ];
    // A plain loop: a repository may hold thousands, and what an index keeps is added behind.
    for (let next = waiting.shift(); next; next = waiting.shift()) {
        const [digest, reason] = next;
        if (kept.has(digest)) continue;
        kept.set(digest, reason);
        for (const child of byDigest.get(digest)?.children ?? []) waiting.push([child, "part of what is kept"]);
        for (const other of about.get(digest) ?? []) waiting.push([other.digest, "about what is kept"]);
    }
    const parts = new Set(manifests.flatMap(({ children }) => children));
    const removable = parentsFirst(manifests.filter(({ digest }) => !kept.has(digest)));
    return {
        kept: new Map([...kept].filter(([digest]) => byDigest.has(digest))),
        removable: removable.map((manifest) => ({ manifest, kind: kindOf(manifest, parts.has(manifest.digest)) })),
    };
}

/**
 * Returns the bytes that the removal of each manifest frees: the manifest, and those of its blobs that nothing kept and nothing before it in
 * the list has. A registry stores a blob once, whatever the number of repositories that have it.
 *
 * @param removable in the order of the result
 * @param kept all manifests that are kept in the same registry
 */
export function freedBytes(removable: readonly StoredManifest[], kept: readonly StoredManifest[]): number[] {
    const counted = new Set(kept.flatMap(({ blobs }) => blobs.map(({ digest }) => digest)));
    return removable.map(({ bytes, blobs }) => {
        const own = blobs.filter(({ digest }) => {
            const isNew = !counted.has(digest);
            counted.add(digest);
            return isNew;
        });
        return own.reduce((sum, { size }) => sum + size, bytes);
    });
}
