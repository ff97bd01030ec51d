import type { DeployedBuild, DeployedImage, DeployedPromotion } from "../engine/state";
import { parseReference, repositoryOf, digestOf, formatReference, withDigest } from "../registry/references";
import { size } from "../system/progress";
import { keyArguments, quote } from "../system/shell";
import { type Answer, type Finding, type Repair, unknownFindings } from "./findings";
import { type Answers, type Held, type LostBlob, refOf } from "./imageStatus";
import { type Commands, repairCommand } from "./repair";

/** A root of the stack: an external image that others stand on. */
export interface RootStatus {
    /** As Dockerfiles write it. */
    readonly root: string;
    /** "repository@sha256:…", or absent where nothing is pinned. */
    readonly pinned?: string;
    /** The tag that the pin is compared with, at the place that it is pinned to. */
    readonly tag?: string;
    /** Digest that the tag points at now; absent when it is not known, null when the tag is not there. */
    readonly found?: string | null;
    /** Keys of the images that stand on it. */
    readonly images: readonly string[];
}

/** The roots of the images, each once. One that a Dockerfile names by digest can't be behind and is left out. */
export function rootsOf(images: readonly DeployedImage[]): RootStatus[] {
    const names = [...new Set(images.flatMap(({ roots }) => Object.keys(roots)))];
    return names.flatMap((root) => {
        const { tag, digest } = parseReference(root);
        if (digest !== undefined || tag === undefined) return [];
        const on = images.filter(({ roots }) => root in roots);
        const pinned = on.flatMap(({ roots }) => roots[root] ?? [])[0];
        const rest = { root, images: on.map(({ image }) => image) };
        if (pinned === undefined) return [rest];
        // A mirror, such as the lab's, is compared with itself.
        return [{ ...rest, pinned, tag: formatReference({ ...parseReference(repositoryOf(pinned)), tag }) }];
    });
}

/** The references that registries are asked for. */
export const rootQuestions = (roots: readonly RootStatus[]): string[] => roots.flatMap(({ tag }) => tag ?? []);

/** The lab's own Pulumi is not on everybody's PATH. */
const labPulumi = ({ isLab }: Commands): string => (isLab ? 'eval "$(npm run --silent lab -- env)" && ' : "");

/** The file with the configuration of a stack. */
const stackFile = ({ stack }: Commands): string => `Pulumi.${stack.split("/").at(-1) ?? stack}.yaml`;

/**
 * The command that takes the new root. The lab's own is in no configuration: its digest is this machine's. Where CI runs the stack,
 * an `up` from here would be undone by the next run, which checks out the old pin: the pin goes there first.
 *
 * @param pinned "repository@sha256:…" that the stack stands on
 * @param found digest that its tag points at now
 * @param own the lab's root of this name, "repository@sha256:…"
 */
function moveCommand(root: string, pinned: string, found: string, own: string | undefined, commands: Commands): string {
    const up = repairCommand(commands, { by: "up" });
    if (own !== undefined && repositoryOf(own) === repositoryOf(pinned)) {
        return digestOf(own) === found ? up : `npm run lab -- start --renew-root && ${up}`;
    }
    const value = withDigest(repositoryOf(pinned), found);
    const set = `${labPulumi(commands)}pulumi config set --stack ${quote(commands.stack)} ${keyArguments(["roots", root])} ${value}`;
    if (!commands.isCi) return `${set} && ${up}`;
    const commit = `git commit --message ${quote(`Move the root ${root}`)} ${quote(stackFile(commands))}`;
    return `${set} && ${commit} && git push`;
}

/**
 * Compares the pins with what registries answered to `rootQuestions`.
 *
 * @param labRoots the lab's own roots, by name
 */
export function compareRoots(
    roots: readonly RootStatus[],
    answers: Answers,
    commands: Commands,
    labRoots: Readonly<Record<string, string>> = {},
): { readonly roots: RootStatus[]; readonly findings: Finding[] } {
    const findings: Finding[] = [];
    const statuses = roots.map((one): RootStatus => {
        const { root, pinned, tag } = one;
        const about = `root ${root}`;
        if (pinned === undefined || tag === undefined) {
            findings.push({ kind: "note", about, text: "it is not pinned: when it moves, nothing is rebuilt" });
            return one;
        }
        const answer = answers.get(tag);
        if (!answer || "unknown" in answer) return one;
        const found = answer.found?.digest;
        if (found === undefined) {
            findings.push({ kind: "note", about, text: `${tag} is not in the registry, so its pin can't be compared` });
        } else if (digestOf(pinned) !== found) {
            const text = `${tag} moved to ${found}; pinned is ${digestOf(pinned) ?? pinned}`;
            const command = moveCommand(root, pinned, found, labRoots[root], commands);
            findings.push({ kind: "drift", about, text, repair: { by: "command", command } });
        }
        return { ...one, found: found ?? null };
    });
    return { roots: statuses, findings };
}

/** How `latest` differs from what it was promoted to; undefined when it does not. */
function movedText(tag: string, image: DeployedImage, found: Held | undefined): string | undefined {
    const { promotion, builds } = image;
    if (!promotion || found?.digest === promotion.digest) return undefined;
    if (!found) return `${tag} is not in the registry; it was promoted to ${promotion.digest}`;
    const promoted = builds.filter(({ digest }) => promotion.sources.includes(digest)).map(({ platform }) => platform);
    const missing = promoted.filter((platform) => found.platforms[platform] === undefined);
    const lacks = missing.length > 0 ? `; it lacks ${missing.join(" and ")}` : "";
    return `${tag} points at ${found.digest} instead of ${promotion.digest}, which was promoted${lacks}`;
}

/** What a registry has of a build; undefined when it could not be asked. */
function answerTo(build: DeployedBuild, answers: Answers): { readonly found: Held | undefined } | undefined {
    const answer = answers.get(refOf(build));
    return answer && "found" in answer ? answer : undefined;
}

const lostBlobs = ({ blobs }: Held): readonly LostBlob[] => (blobs && "lost" in blobs ? blobs.lost : []);

/** A blob by its place in the image that it is of. */
function blobText({ digest }: LostBlob, { layers }: Held): string {
    const index = layers.findIndex((layer) => layer.digest === digest);
    return index < 0
        ? `its configuration (${digest})`
        : `layer ${index + 1} of ${layers.length} (${digest}, ${size(layers[index]?.size ?? 0)})`;
}

/** What a registry lost of a build; undefined when it has all that was looked for. */
function lostText(build: DeployedBuild, answers: Answers): string | undefined {
    const { platform, digest } = build;
    const answer = answerTo(build, answers);
    if (!answer) return undefined;
    if (!answer.found) return `${platform}: ${digest} is not in the registry`;
    const { found } = answer;
    const lost = lostBlobs(found);
    if (lost.length === 0) return undefined;
    const it = lost.length > 1 ? "them" : "it";
    const remembered = lost.some((one) => one.remembered)
        ? `, and says that it has ${it}: it takes ${it} again once it is started anew`
        : "";
    return `${platform}: of ${digest} the registry lost ${lost.map((one) => blobText(one, found)).join(" and ")}${remembered}`;
}

/** Whether a registry lost a build, or something of it; what could not be asked counts as there. */
export const isLost = (build: DeployedBuild, answers: Answers): boolean => lostText(build, answers) !== undefined;

/**
 * Whether what a registry lost of a build only comes back when the registry was started anew: it says of blobs that are gone that it
 * has them, and a push leaves out what a registry has.
 */
const isRemembered = (build: DeployedBuild, answers: Answers): boolean => {
    const found = answerTo(build, answers)?.found;
    return found !== undefined && lostBlobs(found).some(({ remembered }) => remembered);
};

/**
 * The registries that have to be started anew before an update can bring back what they lost.
 *
 * @param answers of `askBlobs`
 * @returns hosts, each once
 */
export const registriesToRestart = (images: readonly DeployedImage[], answers: Answers): string[] => [
    ...new Set(
        images
            .flatMap(({ builds }) => builds.filter((build) => isRemembered(build, answers)))
            .map(({ repository }) => parseReference(repository).registry),
    ),
];

/** Whether the registry says of a promoted tag that it has nothing under it. */
const isGone = ({ tag }: DeployedPromotion, answers: Answers): boolean => {
    const answer = answers.get(tag);
    return answer !== undefined && "found" in answer && answer.found === undefined;
};

const lostIn = (image: DeployedImage, answers: Answers): DeployedBuild[] =>
    image.builds.filter((build) => isLost(build, answers));

/**
 * The builds that a registry lost, or lost something of: what has to be replaced for them to be there again.
 *
 * @param images parents first
 * @param answers of `askRegistries` to `imageQuestions`, and of `askBlobs` where layers count; what could not be asked counts as there
 * @returns URNs, the parents' first
 */
export const lostBuilds = (images: readonly DeployedImage[], answers: Answers): string[] =>
    images.flatMap((image) => lostIn(image, answers).map(({ urn }) => urn));

/**
 * The promotions whose tag is gone from its registry, the whole repository being gone included. A tag that somebody moved is none:
 * what it points at may be wanted.
 *
 * @param images parents first
 * @param answers of `askRegistries` to `imageQuestions`; what could not be asked counts as there
 * @returns URNs, the parents' first
 */
export const lostPromotions = (images: readonly DeployedImage[], answers: Answers): string[] =>
    images.flatMap(({ promotion }) => (promotion && isGone(promotion, answers) ? [promotion.urn] : []));

/** The images that one is built on, all the way down, parents first. */
function ancestorsOf({ parents }: DeployedImage, all: readonly DeployedImage[]): DeployedImage[] {
    const own = all.filter(({ image }) => parents.includes(image));
    return [...new Set([...own.flatMap((parent) => ancestorsOf(parent, all)), ...own])];
}

/** How what was lost is made again: after what it is made from, where that was lost, too. */
function replacing(
    urn: string,
    own: readonly DeployedBuild[],
    from: readonly DeployedBuild[],
    answers: Answers,
): Repair {
    const restart = [...own, ...from].some((build) => isRemembered(build, answers));
    return {
        ...{ by: "replace", urn },
        ...(from.length > 0 && { from: from.map((build) => build.urn) }),
        ...(restart && { restart }),
    };
}

/**
 * How an image differs from what registries answered to `imageQuestions`.
 *
 * @param all images, parents first
 */
export function imageFindings(image: DeployedImage, all: readonly DeployedImage[], answers: Answers): Finding[] {
    const { promotion, builds } = image;
    const about = `image ${image.image}`;
    const below = ancestorsOf(image, all).flatMap((one) => lostIn(one, answers));
    const lostHere = lostIn(image, answers);
    const lost = lostHere.map((build): Finding => {
        const repair = replacing(build.urn, [build], below, answers);
        return { kind: "drift", about, text: lostText(build, answers) ?? "", repair };
    });
    // An index over manifests that are not there would be refused: they come first.
    const fromLost = lostHere.length > 0 ? [...below, ...lostHere] : [];
    const answer = promotion && answers.get(promotion.tag);
    const moved = answer && "found" in answer ? movedText(promotion.tag, image, answer.found) : undefined;
    const waiting = builds.filter(({ digest }) => !promotion?.sources.includes(digest));
    return [
        ...lost,
        ...(promotion && moved !== undefined
            ? [{ kind: "drift", about, text: moved, repair: replacing(promotion.urn, [], fromLost, answers) } as const]
            : []),
        ...(waiting.length > 0
            ? [
                  {
                      kind: "note",
                      about,
                      text: `${waiting.map(({ platform }) => platform).join(" and ")} was built and not promoted: its smoke test failed, or the update was cut off`,
                      repair: { by: "up" },
                  } as const,
              ]
            : []),
    ];
}

/** Why a question has no answer, or one without what became of the blobs; undefined where there is all that was asked for. */
export function unansweredReason(answer: Answer<Held>): string | undefined {
    if ("unknown" in answer) return answer.unknown;
    const blobs = answer.found?.blobs;
    return blobs && "unknown" in blobs ? blobs.unknown : undefined;
}

/** What registries could not be asked, a finding for each registry and reason. */
export function unansweredFindings(answers: Answers): Finding[] {
    const byRegistry = new Map<string, { what: string; reason: string }[]>();
    for (const [ref, answer] of answers) {
        const reason = unansweredReason(answer);
        if (reason === undefined) continue;
        const { registry } = parseReference(ref);
        const what = repositoryOf(ref).slice(registry.length + 1);
        byRegistry.set(registry, [...(byRegistry.get(registry) ?? []), { what, reason }]);
    }
    return [...byRegistry].flatMap(([registry, failed]) => unknownFindings(`registry ${registry}`, failed));
}
