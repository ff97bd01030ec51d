import fc from "fast-check";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { InputError } from "../errors";
import type { Repository } from "../registry/inventory";
import { RegistryError } from "../registry/manifest";
import { type Named, type StoredManifest, retain } from "../registry/retention";
import { type Place, type PlaceReport, type Sources, planCleanup, removeListed } from "./cleanup";

const now = Date.parse("2026-11-27T12:00:00Z");
const old = now - 90 * 24 * 60 * 60 * 1000;
const at = (index: number) => `sha256:${index.toString(16).padStart(64, "0")}`;
const short = (index: number) => index.toString(16).padStart(12, "0");

/** A registry in memory, and the names outside of it. */
class World {
    readonly manifests = new Map<string, StoredManifest>();
    readonly names = new Set<string>();
    readonly removed: string[] = [];
    /** What happens before each reading of the names. */
    events: (() => void)[] = [];
    fails: Error | undefined;
    refuses = new Set<string>();

    add(digest: string, tags: readonly string[], children: readonly string[] = [], since = old): void {
        this.manifests.set(digest, { digest, tags, children, blobs: [], bytes: 1, since });
    }

    /** Moves a tag, as a registry does: only to what it has. */
    tag(tag: string, digest: string): void {
        if (!this.manifests.has(digest)) return;
        for (const one of this.manifests.values()) {
            const tags = one.tags.filter((other) => other !== tag);
            this.manifests.set(one.digest, { ...one, tags: one.digest === digest ? [...tags, tag] : tags });
        }
    }

    /** Pushes an index, which a registry takes only if it has all its parts. */
    push(digest: string, children: readonly string[]): void {
        if (children.every((child) => this.manifests.has(child))) this.add(digest, ["latest"], children, now);
    }

    readonly named = (): Named => ({ digests: new Set(this.names), tags: new Set() });

    readonly repository: Repository = {
        name: "registry.test/us/app",
        list: () => (this.fails ? Promise.reject(this.fails) : Promise.resolve([...this.manifests.values()])),
        remove: ({ digest }) => {
            if (this.refuses.has(digest)) return Promise.resolve({ refused: "too popular" });
            this.removed.push(digest);
            this.manifests.delete(digest);
            return Promise.resolve("removed" as const);
        },
    };

    readonly place: Place = { repository: this.repository, images: ["app"] };
    readonly sources: Sources = {
        places: [this.place],
        names: () => {
            this.events.shift()?.();
            return Promise.resolve(this.named());
        },
        keep: { keepReleases: 1, keepDays: 30 },
        now: () => now,
        seen: {},
    };
}

/** Releases of two builds each, the first promoted; builds and indexes have increasing numbers. */
function world(releases: number): World {
    const made = new World();
    for (let index = 0; index < releases; index++) {
        const builds = [3 * index, 3 * index + 1];
        for (const build of builds) made.add(at(build), [`b-${short(build)}-amd64`], [], old - index);
        made.add(at(3 * index + 2), [`r-${short(index)}`], builds.map(at), old - index);
    }
    made.tag("latest", at(2));
    return made;
}

async function planOf({ sources }: World): Promise<PlaceReport> {
    const [place] = (await planCleanup(sources)).places;
    if (!place) throw new Error("no place");
    return place;
}

const event = fc.record({
    kind: fc.constantFrom("move", "name", "push", "nothing"),
    to: fc.nat(14),
    with: fc.nat(14),
});

describe("a removal", () => {
    test("takes what was listed, and a second one nothing", async () => {
        const one = world(4);
        const plan = await planOf(one);
        expect(plan.removable.length).toBe(9);
        const { removed, spared } = await removeListed(one.sources, one.place, plan);
        expect([removed.length, spared, [...one.manifests.keys()]]).toEqual([9, [], [at(0), at(1), at(2)]]);
        expect((await planOf(one)).removable).toEqual([]);
        expect((await removeListed(one.sources, one.place, plan)).removed).toEqual([]);
    });

    test("never takes what something names by then, whatever happens between listing and removing", async () => {
        await fc.assert(
            fc.asyncProperty(
                fc.array(event, { maxLength: 12 }),
                fc.integer({ min: 1, max: 4 }),
                async (drawn, batch) => {
                    const one = world(5);
                    const plan = await planOf(one);
                    const listed = new Set(plan.removable.map(({ digest }) => digest));
                    one.events = drawn.map(({ kind, to, with: other }, index) => () => {
                        if (kind === "move") one.tag("latest", at(to));
                        if (kind === "name" && one.manifests.has(at(to))) one.names.add(at(to));
                        if (kind === "push") one.push(at(100 + index), [at(to), at(other)]);
                    });
                    const { remove } = one.repository;
                    const place: Place = {
                        ...one.place,
                        repository: {
                            ...one.repository,
                            remove: (manifest) => {
                                const rules = { ...one.sources.keep, images: 1, now };
                                const { kept } = retain([...one.manifests.values()], one.named(), rules);
                                expect(kept.has(manifest.digest)).toBe(false);
                                expect(listed.has(manifest.digest)).toBe(true);
                                return remove(manifest);
                            },
                        },
                    };
                    const { removed, spared } = await removeListed(
                        { ...one.sources, places: [place] },
                        place,
                        plan,
                        batch,
                    );
                    expect(removed.length + spared.length).toBe(listed.size);
                    // Every index that is there has all its parts.
                    const parts = [...one.manifests.values()].flatMap(({ children }) => children);
                    expect(parts.filter((part) => !one.manifests.has(part))).toEqual([]);
                },
            ),
        );
    });

    test("leaves the parts of what the registry never removes", async () => {
        const one = world(3);
        one.refuses.add(at(8));
        const plan = await planOf(one);
        const { removed, refused } = await removeListed(one.sources, one.place, plan);
        expect([[...removed].sort(), refused]).toEqual([
            [at(3), at(4), at(5)],
            [{ digest: at(8), reason: "too popular" }],
        ]);
    });

    test("removes nothing of a repository that can't be read completely, also if that happens later", async () => {
        const one = world(3);
        const plan = await planOf(one);
        one.fails = new RegistryError("registry.test", "no manifest that is known");
        expect(await planOf(one)).toMatchObject({ removable: [], problem: expect.stringContaining("no manifest") });
        const { removed, problem = "" } = await removeListed(one.sources, one.place, plan);
        expect([removed, problem.includes("no manifest")]).toEqual([[], true]);
    });

    test("ends with the reason if what names images is not known any more", async () => {
        const one = world(3);
        const plan = await planOf(one);
        const sources = {
            ...one.sources,
            names: () => Promise.reject(new InputError({ problem: "stack ci is locked" })),
        };
        expect(await removeListed(sources, one.place, plan)).toMatchObject({
            removed: [],
            problem: "stack ci is locked",
        });
    });
});

test("what was never seen before is kept until the rules say otherwise, and its date is written down", async () => {
    const one = world(3);
    for (const manifest of [...one.manifests.values()]) {
        const { digest, tags, children, blobs, bytes } = manifest;
        one.manifests.set(digest, { digest, tags, children, blobs, bytes });
    }
    const first = await planCleanup(one.sources);
    expect([first.places[0]?.removable, Object.keys(first.seen["registry.test/us/app"] ?? {}).length]).toEqual([[], 9]);
    const later = { ...one.sources, seen: first.seen, now: () => now + 40 * 24 * 60 * 60 * 1000 };
    // All releases were seen at the same time, so which of them is the newest is not known.
    expect((await planCleanup(later)).places[0]?.removable).toEqual([]);
    const none = { ...later, keep: { keepReleases: 0, keepDays: 30 } };
    expect((await planCleanup(none)).places[0]?.removable.length).toBe(6);
});
