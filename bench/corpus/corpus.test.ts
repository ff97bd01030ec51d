import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Hierarchy as Prepared, PreparedImage } from "../../lib/hierarchy/prepare";
import { expect, test } from "../../tests/mocha";
import { temporaryFolder } from "../../tests/tree";
import {
    type Change,
    type Hierarchy,
    checkOut,
    firstSettings,
    makeEdit,
    makeEdits,
    prepare,
    readCorpus,
    snapshot,
} from "./corpus";

const corpus = readCorpus();
const rows = corpus.flatMap((hierarchy) =>
    hierarchy.changes.map((change): [string, Hierarchy, Change] => [
        `${hierarchy.name}/${change.id}`,
        hierarchy,
        change,
    ]),
);

const pinOf = (name: string, version: string) =>
    `registry.example/root@sha256:${createHash("sha256").update(`${name} ${version}`).digest("hex")}`;

/** What was read of a hierarchy as it is before a change, by its name and what was published then. */
const before = new Map<string, Prepared>();

/** Reads a hierarchy before and after a change, each edit of which must change something. */
function around(hierarchy: Hierarchy, { published, edits }: Change): [Prepared, Prepared] {
    const root = temporaryFolder();
    checkOut(hierarchy, root);
    let settings = makeEdits(root, firstSettings(hierarchy), published);
    const key = JSON.stringify([hierarchy.name, published]);
    const read = before.get(key) ?? prepare(root, settings, pinOf);
    before.set(key, read);
    let was = snapshot(root);
    for (const one of edits) {
        const next = makeEdit(root, settings, one);
        const is = snapshot(root);
        // An edit without effect would make a label that any tool can meet.
        expect(isDeepStrictEqual([was, settings], [is, next]), JSON.stringify(one)).toBe(false);
        [settings, was] = [next, is];
    }
    return [read, prepare(root, settings, pinOf)];
}

/** What a build is made from, except its parents' digests. */
const ownInputs = ({ inputHash, roots }: PreparedImage) => JSON.stringify([inputHash, roots.map(({ pin }) => pin)]);

/** Returns the images that an update builds: those with other inputs of their own, and those with a parent that comes back changed. */
function planned([before, after]: readonly [Prepared, Prepared], same: readonly string[]): string[] {
    const known = new Map(before.images.map((image) => [image.key, ownInputs(image)]));
    const built: string[] = [];
    // Parents come first.
    for (const image of after.images) {
        const isMoved = image.parents.some(({ key }) => built.includes(key) && !same.includes(key));
        if (isMoved || known.get(image.key) !== ownInputs(image)) built.push(image.key);
    }
    return built.sort();
}

/**
 * Builds that the program starts without need. They repeat no step and come back as they were, so nothing that stands on them is built.
 *
 * - It knows of a parent only its digest, and not which of its files an image copies.
 * - Names of stages stay in what is built, because people look for them in what BuildKit prints.
 * - A link that COPY follows is an input beside its target.
 * - The default of an argument counts, also of one that is given: otherwise giving one would seem to change the Dockerfile.
 */
const needless: Readonly<Record<string, readonly string[]>> = {
    "diamond/tools-manual": ["report", "service"],
    "diamond/tools-label": ["report", "service"],
    "diamond/tools-stage-renamed": ["tools"],
    "light/argument-default-overridden": ["bot"],
    "twelve/batch-link-to-file": ["batch"],
    "twelve/root-of-stages-moved": ["web"],
    "twelve/tools-other-program": ["web"],
    "twelve/worker-argument-default": ["worker-3-11", "worker-3-12"],
};

test("the corpus has sixty changes or more, each with an id of its own", () => {
    expect(corpus).toHaveLength(3);
    expect(rows.length).toBeGreaterThanOrEqual(60);
    expect(new Set(rows.map(([name]) => name)).size).toBe(rows.length);
    const names = rows.map(([name]) => name);
    expect(Object.keys(needless).filter((name) => !names.includes(name))).toEqual([]);
});

test.each(corpus.map((one): [string, Hierarchy] => [one.name, one]))(
    "the workflows of %s are those of its images, and start after those of all parents",
    (_name, hierarchy) => {
        const root = temporaryFolder();
        checkOut(hierarchy, root);
        const { images, definitions } = prepare(root, firstSettings(hierarchy), pinOf);
        const entryOf = (key: string) =>
            Object.entries(definitions.matrices ?? {}).find(([, matrix]) => matrix.images.includes(key))?.[0] ?? key;
        const after: Record<string, Set<string>> = {};
        for (const { key, parents } of images) {
            const found = (after[entryOf(key)] ??= new Set());
            for (const parent of parents) found.add(entryOf(parent.key));
        }
        const written = Object.entries(hierarchy.workflows).map(([key, one]) => [key, new Set(one.after)]);
        expect(Object.fromEntries(written)).toEqual(after);
    },
);

test.each(rows)("is planned as it is labelled: %s", (name, hierarchy, change) => {
    const [before, after] = around(hierarchy, change);
    const keys = (read: Prepared) => read.images.map(({ key }) => key);
    const more = needless[name] ?? [];
    // Only images that there are can be rebuilt, and only those that there were can come back as they were.
    expect(change.rebuilt.filter((key) => !keys(after).includes(key))).toEqual([]);
    expect(change.same.filter((key) => !keys(before).includes(key) || !change.rebuilt.includes(key))).toEqual([]);
    expect(planned([before, after], [...change.same, ...more])).toEqual([...change.rebuilt, ...more].sort());
});
