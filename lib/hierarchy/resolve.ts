import type { DockerfileReading, ReadStage } from "../dockerfile/reading";
import { InputError, placeOf } from "../errors";
import { type Platform, type PlatformUses, platformToUse } from "../platform";
import { namespaceOf, parseReference, sameImage, sameRepository, referenceProblem } from "../registry/references";
import { type ImageDefinition, type ImageDefinitions, declaredPlatforms } from "./definition";
import { entryProblems, namedImages } from "./validate";

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
            `image ${key} names its parent ${parent.key} for ${both} in one build, where a name can stand for one image ` +
            "only. Leave --platform away, or take one of them from another image"
        );
    }
    // What is for whatever machine builds it is left out where that machine's platform is not there.
    const lacking = definition.platforms === "host" ? [] : uses.filter((use) => !platformToUse(use, offered));
    if (lacking.length === 0) return [];
    const missing = [...new Set(lacking.flatMap(({ emulated }) => emulated))].join(", ");
    return (
        `image ${key} needs its parent ${parent.key} for ${missing}, which ${parent.key} is not built for (only for ` +
        `${offered.join(", ")}). Change \`platforms\` of one of them, or --platform in the Dockerfile`
    );
}

/** Parents that are not declared for a platform that an image needs of them, a problem a text. */
export function platformProblems(resolved: readonly ResolvedImage[]): string[] {
    const problems = resolved.flatMap((image) =>
        image.parents.flatMap((parent) => {
            const found = resolved.find(({ key }) => key === parent.key);
            return found ? parentProblem(image, parent, declaredPlatforms(found.definition)) : [];
        }),
    );
    return [...new Set(problems)];
}

/**
 * Refuses a stage that is named like an image which the build gets as a named context: BuildKit looks for contexts by the
 * names of stages first (dockerfile2llb, buildDispatchStates), puts the image in the stage's place and drops what the stage
 * does. A stage that only renames the image is refused as well: it is easier to rename than to be sure of.
 *
 * @param dockerfile path, for messages
 * @param contexts references, as the Dockerfile has them, that parents or pins replace
 * @throws InputError with file and line
 */
export function refuseReplacedStages(
    dockerfile: string,
    stages: readonly ReadStage[],
    contexts: readonly string[],
): void {
    for (const { name, line } of stages) {
        if (name === undefined || referenceProblem(name) !== undefined) continue;
        const context = contexts.find((one) => sameImage(one, name));
        if (context === undefined) continue;
        throw new InputError({
            problem:
                `stage ${name} has the name of ${context}, which this build gets by digest: BuildKit would put that image ` +
                "in the stage's place, without what the stage does",
            where: `${dockerfile}:${line}`,
            next: `rename the stage, and what names it in FROM and from=: FROM … AS ${name}-stage`,
        });
    }
}

/** An image with its place in the hierarchy. */
export interface ResolvedImage {
    readonly key: string;
    readonly definition: ImageDefinition;
    /** Other images that its Dockerfile names, the one it is built FROM first; `expanded` as BuildKit sees it. */
    readonly parents: readonly {
        readonly key: string;
        readonly expanded: string;
        /** Whether it is built FROM it, rather than copying from it. */
        readonly base: boolean;
        readonly platforms: PlatformUses;
    }[];
    /** External images that its Dockerfile names, as BuildKit sees them. */
    readonly roots: readonly string[];
    /** Those of them that are releases of images of ours, by digest. */
    readonly pinned: readonly { readonly key: string; readonly expanded: string; readonly where: string }[];
    /** The external image that reads its Dockerfile, as it is written; absent where the builder does. */
    readonly frontend?: string;
}

/** Docker's official images: nobody's own, even if an image is named like one. */
const officialImages = "docker.io/library";

/** Whether a reference has a digest: it means this one release, whatever is built later, and so is a root. */
const isPinned = (reference: string): boolean => parseReference(reference).digest !== undefined;

type Readings = Readonly<Record<string, DockerfileReading>>;

/** Images and what is known of them before their places in the hierarchy. */
interface Known {
    readonly images: ImageDefinitions;
    readonly readings: Readings;
    /** Whether a reference that no image has is meant all the same. */
    readonly isRoot: (reference: string) => boolean;
}

function place(key: string, { readings, images, isRoot }: Known, problems: string[]): ResolvedImage | undefined {
    const definition = images[key];
    const reading = readings[key];
    if (!definition || !reading) return undefined;
    const named = namedImages(images);
    const namespaces = new Set(named.map(({ name }) => namespaceOf(name)).filter((one) => one !== officialImages));
    const isOurs = (reference: string) => namespaces.has(namespaceOf(reference));
    const parents: ResolvedImage["parents"][number][] = [];
    const roots: string[] = [];
    const pinned: ResolvedImage["pinned"][number][] = [];
    const ordered = [...reading.references].sort((a, b) => Number(b.base) - Number(a.base));
    for (const { expanded, line, triggeredBy, base, platforms } of ordered) {
        const where = placeOf(`${definition.dockerfile}:${line}`, { triggeredBy });
        const match = named.find(({ name }) => sameImage(expanded, name));
        const release = named.find(({ name }) => isPinned(expanded) && sameRepository(expanded, name));
        if (release && release.key !== key) pinned.push({ key: release.key, expanded, where });
        if (match?.key === key)
            problems.push(`${where}: image ${key} is built on itself (${expanded}): name another image`);
        else if (match) parents.push({ key: match.key, expanded, base, platforms });
        else if (!isOurs(expanded) || isPinned(expanded) || isRoot(expanded)) roots.push(expanded);
        else {
            const known = named.map(({ name }) => name).join(", ");
            problems.push(
                `${where}: ${expanded} is in our own namespace, and no image of that name is declared; ` +
                    `allowed: ${known}. Correct the reference, or add the image to images.ts; one that another repository ` +
                    `makes is pinned: pulumi config set --path 'roots["${expanded}"]' <repository>@sha256:<digest>`,
            );
        }
    }
    const { frontend } = reading;
    if (frontend && isOurs(frontend.reference) && !isPinned(frontend.reference) && !isRoot(frontend.reference)) {
        problems.push(
            `${frontend.where}: ${frontend.reference}, which is to read this Dockerfile, is in our own namespace: a frontend has to ` +
                "be there before anything is built. Pin a release of it: " +
                `pulumi config set --path 'roots["${frontend.reference}"]' <repository>@sha256:<digest>`,
        );
    }
    return { key, definition, parents, roots, pinned, ...(frontend && { frontend: frontend.reference }) };
}

/** Parents first; among those that are ready the one that is declared first. What is left over stands on a cycle. */
function inBuildOrder(resolved: readonly ResolvedImage[]): {
    readonly ordered: ResolvedImage[];
    readonly left: ResolvedImage[];
} {
    const ordered: ResolvedImage[] = [];
    const left = [...resolved];
    const isReady = ({ parents }: ResolvedImage) =>
        parents.every(({ key }) => ordered.some((image) => image.key === key));
    for (let index = left.findIndex(isReady); index >= 0; index = left.findIndex(isReady)) {
        ordered.push(...left.splice(index, 1));
    }
    return { ordered, left };
}

/** The cycle that an image of those left over leads to, as keys from child to parent, the first one again at the end. */
function cycleFrom(image: ResolvedImage, left: readonly ResolvedImage[]): string[] {
    const path: string[] = [];
    for (let current: ResolvedImage | undefined = image; current;) {
        path.push(current.key);
        if (path.indexOf(current.key) < path.length - 1) return path.slice(path.indexOf(current.key));
        const { parents }: ResolvedImage = current;
        current = left.find(({ key }) => parents.some((parent) => parent.key === key));
    }
    return path;
}

function cycleProblems(left: readonly ResolvedImage[]): string[] {
    const seen = new Set<string>();
    return left.flatMap((image) => {
        const cycle = cycleFrom(image, left);
        const isKnown = cycle.some((key) => seen.has(key));
        for (const key of cycle) seen.add(key);
        return isKnown ? [] : [`images stand on each other: ${cycle.join(" → ")}. Change the FROM of one of them`];
    });
}

function refuse(problems: readonly string[]): void {
    if (problems.length === 0) return;
    const problem = problems.length === 1 ? (problems[0] ?? "") : ["the hierarchy is wrong:", ...problems].join("\n  ");
    throw new InputError({ problem, next: "correct images.ts or the Dockerfiles" });
}

/**
 * Derives the hierarchy from what the Dockerfiles name, and returns it in build order: parents first, in the order of
 * declaration otherwise.
 *
 * @param known.readings by key, what each image's Dockerfile says
 * @param known.isRoot whether a reference is a root although it is in our own namespace
 * @throws InputError that lists every problem on a line of its own: keys, names, platforms, undeclared names in our own
 *     namespace, cycles
 */
export function resolveHierarchy(known: Known): ResolvedImage[] {
    const { images } = known;
    const problems = entryProblems(images);
    refuse(problems);
    const resolved = Object.keys(images).flatMap((key) => place(key, known, problems) ?? []);
    const { ordered, left } = inBuildOrder(resolved);
    refuse([...problems, ...cycleProblems(left), ...platformProblems(resolved)]);
    return ordered;
}
