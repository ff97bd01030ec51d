import type { DockerfileReading, ReadStage } from "../dockerfile/reading";
import { InputError, placeOf } from "../errors";
import { type Platform, type PlatformUses, platformToUse } from "../platform";
import { byImage, namespaceOf, parseReference, repositoryOf, referenceProblem } from "../registry/references";
import { pinCommand } from "../system/shell";
import { type ImageDefinition, type Images, declaredPlatforms } from "./definition";
import { allNames, entryProblems } from "./validate";

function parentProblem(
    { key, definition }: ResolvedImage,
    parent: ResolvedImage["parents"][number],
    offered: readonly Platform[],
) {
    const platforms = declaredPlatforms(definition);
    const uses = platforms.flatMap((platform) => parent.platforms[platform] ?? []);
    const several = uses.find(({ emulated }) => emulated.length > 1);
    if (several) {
        const both = several.emulated.join(" and ");
        return (
            `image ${key} names its parent ${parent.key} for ${both} in one build, where a name can only stand for one image. ` +
            "Remove --platform, or take one of the platforms from another image"
        );
    }
    // An image for "host" is omitted if a parent is not built for this machine's platform; that is not an error.
    const lacking = definition.platforms === "host" ? [] : uses.filter((use) => !platformToUse(use, offered));
    if (lacking.length === 0) return [];
    const missing = [...new Set(lacking.flatMap(({ emulated }) => emulated))].join(", ");
    return (
        `image ${key} needs its parent ${parent.key} for ${missing}, but ${parent.key} is only built for ` +
        `${offered.join(", ")}. Change \`platforms\` of one of them, or --platform in the Dockerfile`
    );
}

/**
 * Returns a problem for each parent that is not declared for a platform that an image needs, one string per problem.
 */
export function platformProblems(resolved: readonly ResolvedImage[]): string[] {
    const byKey = new Map(resolved.map((image) => [image.key, image]));
    const problems = resolved.flatMap((image) =>
        image.parents.flatMap((parent) => {
            const declared = byKey.get(parent.key);
            return declared ? parentProblem(image, parent, declaredPlatforms(declared.definition)) : [];
        }),
    );
    return [...new Set(problems)];
}

/**
 * Refuses a stage with the same name as an image that the build receives as a named context. BuildKit looks up contexts
 * by the names of stages first (dockerfile2llb, buildDispatchStates), replaces the stage by the image, and drops the
 * stage's instructions. A stage that only renames the image is refused as well: renaming the stage is easier than
 * proving that it is harmless.
 *
 * @param dockerfile path, for messages
 * @param contexts references, as in the Dockerfile, that parents or pins replace
 * @throws InputError with file and line
 */
export function refuseReplacedStages(
    dockerfile: string,
    stages: readonly ReadStage[],
    contexts: readonly string[],
): void {
    const contextOf = byImage(contexts.map((reference) => [reference, reference]));
    for (const { name, line } of stages) {
        if (name === undefined || referenceProblem(name) !== undefined) continue;
        const context = contextOf(name);
        if (context === undefined) continue;
        throw new InputError({
            problem:
                `stage ${name} has the name of ${context}, which this build receives by digest: BuildKit would replace the stage ` +
                "by that image and drop the stage's instructions",
            where: `${dockerfile}:${line}`,
            next: `rename the stage, and its uses in FROM and from=: FROM … AS ${name}-stage`,
        });
    }
}

/** An image with its place in the hierarchy. */
export interface ResolvedImage {
    readonly key: string;
    readonly definition: ImageDefinition;
    /**
     * This repository's images that its Dockerfile names, starting with the image in FROM; `expanded` as BuildKit sees
     * it.
     */
    readonly parents: readonly {
        readonly key: string;
        readonly expanded: string;
        /** Whether the image is built FROM it, rather than copying files from it. */
        readonly base: boolean;
        readonly platforms: PlatformUses;
    }[];
    /** External images that its Dockerfile names, as BuildKit sees the references. */
    readonly roots: readonly string[];
    /**
     * The roots that are releases, by digest, of this repository's images; several `keys` if the reference does not
     * tell which of the images of its repository it is a release of.
     */
    readonly pinned: readonly { readonly keys: readonly string[]; readonly expanded: string; readonly where: string }[];
    /** The external image that reads its Dockerfile, as written; absent if the builder reads it. */
    readonly frontend?: string;
}

/** Docker's official images: never this repository's namespace, even if an image is named like one of them. */
const officialImages = "docker.io/library";

/** Checks whether a reference has a digest. It then means one release, regardless of later builds, and is a root. */
const isPinned = (reference: string): boolean => parseReference(reference).digest !== undefined;

/** The names of all images, and what a reference has to do with them. */
interface Names {
    readonly all: ReturnType<typeof allNames>;
    /** Returns the key of the image that a reference names. */
    readonly keyOf: (reference: string) => string | undefined;
    /** Returns the images that have a name in a reference's repository. */
    readonly inRepository: (reference: string) => ReturnType<typeof allNames>;
    /** Whether a reference is in a namespace of the images. */
    readonly isOurs: (reference: string) => boolean;
}

function namesOf(images: Images): Names {
    const all = allNames(images);
    const namespaces = new Set(all.map(({ name }) => namespaceOf(name)).filter((space) => space !== officialImages));
    const repositories = new Map<string, ReturnType<typeof allNames>>();
    for (const named of all) {
        // Host names ignore case, and repositories have no capital letters.
        const repository = repositoryOf(named.name).toLowerCase();
        const others = repositories.get(repository);
        if (others) others.push(named);
        else repositories.set(repository, [named]);
    }
    return {
        all,
        keyOf: byImage(all.map(({ key, name }) => [name, key])),
        inRepository: (reference) => repositories.get(repositoryOf(reference).toLowerCase()) ?? [],
        isOurs: (reference) => namespaces.has(namespaceOf(reference)),
    };
}

/** Returns the keys of the images that a reference with a digest can be a release of. */
function releasedBy(expanded: string, { inRepository }: Names): string[] {
    if (!isPinned(expanded)) return [];
    const { tag } = parseReference(expanded);
    const released = inRepository(expanded);
    const tagged = released.filter(({ name }) => parseReference(name).tag === tag);
    return [...new Set((tagged.length > 0 ? tagged : released).map(({ key }) => key))];
}

type Readings = Readonly<Record<string, DockerfileReading>>;

/** The images, before their places in the hierarchy are known. */
interface Known {
    readonly images: Images;
    readonly readings: Readings;
    /** Whether a reference in this repository's namespace is a root although no image has that name. */
    readonly isRoot: (reference: string) => boolean;
}

function place(
    key: string,
    { readings, images, isRoot }: Known,
    names: Names,
    problems: string[],
): ResolvedImage | undefined {
    const definition = images[key];
    const reading = readings[key];
    if (!definition || !reading) return undefined;
    const { isOurs } = names;
    const parents: ResolvedImage["parents"][number][] = [];
    const roots: string[] = [];
    const pinned: ResolvedImage["pinned"][number][] = [];
    const ordered = [...reading.references].sort((a, b) => Number(b.base) - Number(a.base));
    for (const { expanded, line, triggeredBy, base, platforms } of ordered) {
        const where = placeOf(`${definition.dockerfile}:${line}`, { triggeredBy });
        const match = names.keyOf(expanded);
        const released = releasedBy(expanded, names);
        if (released.length > 0 && !released.includes(key)) pinned.push({ keys: released, expanded, where });
        if (match === key) problems.push(`${where}: image ${key} is its own parent (${expanded}): name another image`);
        else if (match !== undefined) parents.push({ key: match, expanded, base, platforms });
        else if (!isOurs(expanded) || isPinned(expanded) || isRoot(expanded)) roots.push(expanded);
        else {
            const allowed = names.all.map(({ name }) => name).join(", ");
            problems.push(
                `${where}: ${expanded} is in the namespace of this repository's images, but no image of that name is declared; ` +
                    `allowed: ${allowed}. Correct the reference, or add the image to images.ts; pin an image that another repository ` +
                    `builds: ${pinCommand(expanded)}`,
            );
        }
    }
    const { frontend } = reading;
    if (frontend && isOurs(frontend.reference) && !isPinned(frontend.reference) && !isRoot(frontend.reference)) {
        problems.push(
            `${frontend.where}: the frontend ${frontend.reference} is in the namespace of this repository's images, but it must exist ` +
                "before anything is built. Pin a release of it: " +
                pinCommand(frontend.reference),
        );
    }
    return { key, definition, parents, roots, pinned, ...(frontend && { frontend: frontend.reference }) };
}

/**
 * Sorts images: parents first, otherwise in the order of declaration. `unordered` images are part of a cycle or depend
 * on one.
 */
function inBuildOrder(resolved: readonly ResolvedImage[]): {
    readonly ordered: ResolvedImage[];
    readonly unordered: ResolvedImage[];
} {
    const indices = new Map(resolved.map(({ key }, index) => [key, index]));
    const children = resolved.map((): number[] => []);
    // The parents that an image still waits for.
    const waiting = resolved.map(({ parents }, index) => {
        const keys = new Set(parents.map(({ key }) => key));
        for (const key of keys) children[indices.get(key) ?? -1]?.push(index);
        return keys.size;
    });
    // The images that are ready, as indices in descending order: the next one is the last.
    const ready = waiting.flatMap((count, index) => (count === 0 ? [index] : [])).reverse();
    const ordered = new Set<ResolvedImage>();
    for (let index = ready.pop(); index !== undefined; index = ready.pop()) {
        const image = resolved[index];
        if (image) ordered.add(image);
        // In descending order, each child belongs at the end or near it.
        for (const child of (children[index] ?? []).reverse()) {
            const count = (waiting[child] ?? 0) - 1;
            waiting[child] = count;
            if (count > 0) continue;
            ready.splice(ready.findLastIndex((other) => other > child) + 1, 0, child);
        }
    }
    return { ordered: [...ordered], unordered: resolved.filter((image) => !ordered.has(image)) };
}

/**
 * Returns the cycle that an unordered image leads to, as keys from child to parent; the first key is repeated at the
 * end.
 */
function cycleFrom(image: ResolvedImage, unordered: ReadonlyMap<string, ResolvedImage>): string[] {
    const path = new Set<string>();
    for (let current: ResolvedImage | undefined = image; current;) {
        const { key, parents }: ResolvedImage = current;
        if (path.has(key)) return [...[...path].slice([...path].indexOf(key)), key];
        path.add(key);
        const above: string | undefined = parents.map((parent) => parent.key).find((parent) => unordered.has(parent));
        current = above === undefined ? undefined : unordered.get(above);
    }
    return [...path];
}

function cycleProblems(unordered: readonly ResolvedImage[]): string[] {
    const seen = new Set<string>();
    const byKey = new Map(unordered.map((image) => [image.key, image]));
    return unordered.flatMap((image) => {
        const cycle = cycleFrom(image, byKey);
        const isReported = cycle.some((key) => seen.has(key));
        for (const key of cycle) seen.add(key);
        return isReported ? [] : [`the images form a cycle: ${cycle.join(" → ")}. Change the FROM of one of them`];
    });
}

function refuse(problems: readonly string[]): void {
    if (problems.length === 0) return;
    const problem =
        problems.length === 1 ? (problems[0] ?? "") : ["the hierarchy is invalid:", ...problems].join("\n  ");
    throw new InputError({ problem, next: "correct images.ts or the Dockerfiles" });
}

/**
 * Derives the hierarchy from the references in the Dockerfiles, and returns it in build order: parents first, otherwise
 * in the order of declaration.
 *
 * @param known.readings the contents of each image's Dockerfile, by key
 * @param known.isRoot whether a reference is a root although it is in this repository's namespace
 * @throws InputError with one line per problem: keys, names, platforms, undeclared names in this repository's
 *     namespace, cycles
 */
export function resolveHierarchy(known: Known): ResolvedImage[] {
    const { images } = known;
    const problems = entryProblems(images);
    refuse(problems);
    const names = namesOf(images);
    const resolved = Object.keys(images).flatMap((key) => place(key, known, names, problems) ?? []);
    const { ordered, unordered } = inBuildOrder(resolved);
    refuse([...problems, ...cycleProblems(unordered), ...platformProblems(resolved)]);
    return ordered;
}
