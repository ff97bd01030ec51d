import type { DockerfileReading } from "./dockerfile";
import { InputError } from "./errors";
import type { ImageDefinition, ImageDefinitions } from "./images";
import { formatReference, namespaceOf, parseReference, repositoryOf, sameImage } from "./references";

/** An image with its place in the hierarchy. */
export interface Layer {
    readonly key: string;
    readonly definition: ImageDefinition;
    /** Other images that its Dockerfile names, the one it is built FROM first; `expanded` as BuildKit sees it. */
    readonly parents: readonly { readonly key: string; readonly expanded: string }[];
    /** External images that its Dockerfile names, as BuildKit sees them. */
    readonly roots: readonly string[];
}

const keyPattern = /^[a-z][a-z0-9-]*$/;
const platformPattern = /^linux\/[a-z0-9]+(\/v[0-9]+)?$/;

function duplicates(images: ImageDefinitions, of: (name: string) => string): string[] {
    const seen = new Map<string, string[]>();
    for (const [key, { name }] of Object.entries(images)) {
        if (name !== undefined) seen.set(of(name), [...(seen.get(of(name)) ?? []), key]);
    }
    return [...seen]
        .filter(([, keys]) => keys.length > 1)
        .map(([text, keys]) => `${keys.join(" and ")} are both ${text}`);
}

/** What is wrong with single entries of images.ts. */
function entryProblems(images: ImageDefinitions): string[] {
    const problems: string[] = [];
    for (const [key, { platforms }] of Object.entries(images)) {
        if (!keyPattern.test(key)) problems.push(`"${key}" is not a key: lower-case letters, digits and dashes`);
        if (platforms === "host") continue;
        if (platforms.length === 0) problems.push(`image ${key} has no platforms`);
        const invalid = platforms.filter((platform) => !platformPattern.test(platform));
        for (const one of invalid) problems.push(`image ${key}: "${one}" is not a platform such as linux/amd64`);
        if (new Set(platforms).size < platforms.length) problems.push(`image ${key} names a platform twice`);
    }
    return problems;
}

function place(key: string, definition: ImageDefinition, reading: DockerfileReading, images: ImageDefinitions): Layer {
    const named = Object.entries(images).flatMap(([other, { name }]) =>
        name === undefined ? [] : [{ key: other, name }],
    );
    const namespaces = new Set(named.map(({ name }) => namespaceOf(name)));
    const parents: Layer["parents"][number][] = [];
    const roots: string[] = [];
    const ordered = [...reading.references].sort((a, b) => Number(b.base) - Number(a.base));
    for (const { expanded, line } of ordered) {
        const where = `${definition.dockerfile}:${line.toString()}`;
        const { digest, ...tagged } = parseReference(expanded);
        // A digest pins which build is meant; which image it is, the tag or the repository alone says.
        const same = digest === undefined ? expanded : formatReference({ tag: "latest", ...tagged });
        const match = named.find(({ name }) => sameImage(name, same));
        if (match?.key === key)
            throw new InputError({ problem: `image ${key} is built on itself (${expanded})`, where });
        if (match) parents.push({ key: match.key, expanded });
        else if (namespaces.has(namespaceOf(expanded))) {
            throw new InputError({
                problem: `${expanded} is in our own namespace, and no image of that name is declared`,
                where,
                allowed: named.map(({ name }) => name),
                next: "correct the reference, or add the image to images.ts",
            });
        } else roots.push(expanded);
    }
    return { key, definition, parents, roots };
}

/** Parents first, in the order of declaration otherwise. */
function inBuildOrder(layers: readonly Layer[]): Layer[] {
    const ordered: Layer[] = [];
    const visit = (layer: Layer, path: readonly string[]): void => {
        if (path.includes(layer.key)) {
            const cycle = [...path.slice(path.indexOf(layer.key)), layer.key];
            throw new InputError({
                problem: `images are built on each other in a circle: ${cycle.join(" → ")}`,
                next: "change the FROM of one of them",
            });
        }
        if (ordered.includes(layer)) return;
        for (const parent of layer.parents) {
            const found = layers.find(({ key }) => key === parent.key);
            if (found) visit(found, [...path, layer.key]);
        }
        ordered.push(layer);
    };
    for (const layer of layers) visit(layer, []);
    return ordered;
}

function missingPlatforms(layers: readonly Layer[]): string[] {
    return layers.flatMap(({ key, definition, parents }) =>
        parents.flatMap((parent) => {
            const offered = layers.find((layer) => layer.key === parent.key)?.definition.platforms;
            if (definition.platforms === "host" || offered === undefined || offered === "host") return [];
            const missing = definition.platforms.filter((platform) => !offered.includes(platform));
            return missing.map((one) => `image ${key} is built for ${one}, its parent ${parent.key} is not`);
        }),
    );
}

function refuse(problems: readonly string[]): void {
    if (problems.length > 0) throw new InputError({ problem: problems.join("\n"), next: "correct images.ts" });
}

/**
 * Derives the hierarchy from what the Dockerfiles name, and returns it in build order, parents first.
 *
 * @param readings by key, what each image's Dockerfile says
 * @throws InputError for cycles, undeclared names in our own namespace, duplicates, platforms that a parent lacks
 */
export function resolveHierarchy(
    images: ImageDefinitions,
    readings: Readonly<Record<string, DockerfileReading>>,
): Layer[] {
    const twice = duplicates(images, (name) => formatReference(parseReference(name)));
    refuse([...entryProblems(images), ...(twice.length > 0 ? twice : duplicates(images, repositoryOf))]);
    const nothing: DockerfileReading = { references: [], sources: [] };
    const layers = Object.entries(images).map(([key, definition]) =>
        place(key, definition, readings[key] ?? nothing, images),
    );
    const ordered = inBuildOrder(layers);
    refuse(missingPlatforms(ordered));
    return ordered;
}

/** Keys of the images that `key` stands on, nearest first. */
export function ancestors(layers: readonly Layer[], key: string): string[] {
    const found = new Set<string>();
    const queue = [key];
    for (const one of queue) {
        for (const parent of layers.find((layer) => layer.key === one)?.parents ?? []) {
            if (!found.has(parent.key)) queue.push(parent.key);
            found.add(parent.key);
        }
    }
    return [...found];
}

/** Keys of the images that stand on `key`, in build order. */
export const descendants = (layers: readonly Layer[], key: string): string[] =>
    layers.filter((layer) => ancestors(layers, layer.key).includes(key)).map((layer) => layer.key);
