import { InputError } from "../errors";
import { UnreachableError } from "../github/api";
import type { Repository } from "../registry/inventory";
import { RegistryError } from "../registry/manifest";
import { parseReference } from "../registry/references";
import {
    type Named,
    type Removable,
    type RemovableKind,
    type RetentionRules,
    type StoredManifest,
    freedBytes,
    retain,
} from "../registry/retention";
import { isInterrupted } from "../system/process";
import { type Seen, datesOf, withDates } from "./seen";

/** A repository that a clean-up looks at. */
export interface Place {
    readonly repository: Repository;
    /** Keys of the images that are published in it. */
    readonly images: readonly string[];
}

/** How much is kept. */
export type Keep = Pick<RetentionRules, "keepReleases" | "keepDays">;

/** What a clean-up has to know, and reads again before it removes anything. */
export interface Sources {
    readonly places: readonly Place[];
    /** Collects what names images outside of the registries. */
    readonly names: () => Promise<Named>;
    readonly keep: Keep;
    /** Returns the time in milliseconds since 1970. */
    readonly now: () => number;
    /** When manifests were first seen, for registries that do not tell when they were pushed. */
    readonly seen: Seen;
}

/** A manifest that may be removed. */
export interface RemovableEntry {
    readonly kind: RemovableKind;
    readonly digest: string;
    readonly tags: readonly string[];
    /** When it was pushed or first seen: ISO 8601, UTC; absent if not known. */
    readonly since?: string;
    /** Bytes that its removal frees, with those before it in the list removed: nothing else has them. */
    readonly bytes: number;
}

/** A repository in the report. */
export interface PlaceReport {
    readonly repository: string;
    readonly images: readonly string[];
    /** Number of its manifests. */
    readonly manifests: number;
    /** Number of those that are kept, by reason. */
    readonly kept: Readonly<Record<string, number>>;
    /** Why its content is not known completely, so that nothing of it is removed. */
    readonly problem?: string;
    readonly removable: readonly RemovableEntry[];
}

/** What a clean-up found. */
export interface CleanupPlan {
    readonly places: readonly PlaceReport[];
    /** The dates to write down. */
    readonly seen: Seen;
}

/** Returns the message of an error that makes the content of a repository unknown. Throws every other error. */
function problemOf(error: unknown): string {
    if (error instanceof RegistryError || error instanceof InputError || error instanceof UnreachableError) {
        return error.message;
    }
    throw error;
}

const rulesFor = ({ keep, now }: Sources, { images }: Place): RetentionRules => ({
    ...keep,
    images: Math.max(1, images.length),
    now: now(),
});

interface Looked {
    readonly place: Place;
    readonly manifests: readonly StoredManifest[];
    readonly kept: ReadonlyMap<string, string>;
    readonly removable: readonly Removable[];
    readonly problem?: string;
}

/** Lists a repository, and decides what of it is kept. */
async function look(sources: Sources, place: Place, named: Named): Promise<Looked> {
    const { name } = place.repository;
    try {
        const listed = await place.repository.list(named.digests);
        const manifests = withDates(listed, sources.seen[name], sources.now());
        return { place, manifests, ...retain(manifests, named, rulesFor(sources, place)) };
    } catch (error) {
        return { place, manifests: [], kept: new Map(), removable: [], problem: problemOf(error) };
    }
}

function countReasons(kept: ReadonlyMap<string, string>): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const reason of kept.values()) counts[reason] = (counts[reason] ?? 0) + 1;
    return counts;
}

/** Describes what was found, with sizes: a blob counts once in a registry. */
function report(all: readonly Looked[]): PlaceReport[] {
    const registryOf = ({ place }: Looked) => parseReference(place.repository.name).registry;
    const bytes = new Map<Removable, number>();
    for (const registry of new Set(all.map(registryOf))) {
        const here = all.filter((one) => registryOf(one) === registry);
        const kept = here.flatMap((one) => one.manifests.filter(({ digest }) => one.kept.has(digest)));
        const removable = here.flatMap((one) => one.removable);
        const freed = freedBytes(
            removable.map(({ manifest }) => manifest),
            kept,
        );
        removable.forEach((one, index) => bytes.set(one, freed[index] ?? 0));
    }
    return all.map(({ place, manifests, kept, removable, problem }) => ({
        repository: place.repository.name,
        images: place.images,
        manifests: manifests.length,
        kept: countReasons(kept),
        ...(problem !== undefined && { problem }),
        removable: removable.map((one) => {
            const { digest, tags, since } = one.manifest;
            const date = since === undefined ? {} : { since: new Date(since).toISOString() };
            return { kind: one.kind, digest, tags, ...date, bytes: bytes.get(one) ?? 0 };
        }),
    }));
}

/**
 * Finds what may be removed. Nothing is changed.
 *
 * @throws UnknownNamesError if what names images is not known
 */
export async function planCleanup(sources: Sources): Promise<CleanupPlan> {
    const named = await sources.names();
    const all: Looked[] = [];
    for (const place of sources.places) all.push(await look(sources, place, named));
    const dates = all.flatMap(({ place, manifests, problem }) =>
        problem === undefined ? [[place.repository.name, datesOf(manifests)] as const] : [],
    );
    return { places: report(all), seen: { ...sources.seen, ...Object.fromEntries(dates) } };
}

/** What was removed of a repository. */
export interface RemovalReport {
    readonly repository: string;
    readonly removed: readonly string[];
    /** Digests that were to be removed, and are kept because something names them by now. */
    readonly spared: readonly string[];
    /** What the registry never removes, with its reason. */
    readonly refused: readonly { readonly digest: string; readonly reason: string }[];
    /** Why the removal ended early. */
    readonly problem?: string;
}

/** Number of removals after which everything is read again: GitHub allows a workflow a thousand requests an hour. */
const usualBatch = 100;

/** Removes one batch, in order. It ends at a refusal, because what a refused manifest keeps may come next. */
async function removeBatch(
    { remove }: Repository,
    manifests: readonly StoredManifest[],
    done: (manifest: StoredManifest, refused: string | undefined) => void,
): Promise<void> {
    for (const manifest of manifests) {
        if (isInterrupted()) return;
        const result = await remove(manifest);
        done(manifest, result === "removed" ? undefined : result.refused);
        if (result !== "removed") return;
    }
}

/**
 * Removes what a plan lists of one repository. Before each batch everything that may keep it is read again, so that a tag which moved
 * meanwhile, a new release or a new state counts: what is removed was removable when the plan was made and is so now.
 *
 * @param report of the repository, from `planCleanup`
 * @param batch number of removals after which everything is read again
 */
export async function removeListed(
    sources: Sources,
    place: Place,
    { removable }: PlaceReport,
    batch = usualBatch,
): Promise<RemovalReport> {
    const waiting = new Set(removable.map(({ digest }) => digest));
    const [removed, refused]: [string[], { digest: string; reason: string }[]] = [[], []];
    const finish = (problem?: string): RemovalReport => ({
        repository: place.repository.name,
        removed,
        spared: problem === undefined && !isInterrupted() ? [...waiting] : [],
        refused,
        ...(problem !== undefined && { problem }),
    });
    try {
        while (waiting.size > 0 && !isInterrupted()) {
            const { digests, tags } = await sources.names();
            // What the registry never removes keeps its parts.
            const named = { digests: new Set([...digests, ...refused.map(({ digest }) => digest)]), tags };
            const now = await look(sources, place, named);
            if (now.problem !== undefined) return finish(now.problem);
            const next = now.removable.map(({ manifest }) => manifest).filter(({ digest }) => waiting.has(digest));
            if (next.length === 0) break;
            await removeBatch(place.repository, next.slice(0, batch), ({ digest }, reason) => {
                waiting.delete(digest);
                if (reason === undefined) removed.push(digest);
                else refused.push({ digest, reason });
            });
        }
        return finish();
    } catch (error) {
        return finish(problemOf(error));
    }
}
