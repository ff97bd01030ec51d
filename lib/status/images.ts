import { configFileOf } from "../engine/configFile";
import { type DeployedBuild, type DeployedImage, type DeployedTag, tagsOf } from "../engine/state";
import { parseReference, repositoryOf, digestOf, formatReference, withDigest } from "../registry/references";
import { size } from "../system/progress";
import { keyArguments, quote } from "../system/shell";
import { type Answer, type Finding, type Repair, unknownFindings } from "./findings";
import { type Answers, type Held, type LostBlob, copiesOf, refOf } from "./imageStatus";
import { type Commands, repairCommand } from "./repair";
import { typed, typedSilently } from "../system/commandLine";

/** A root of the stack: an external base image. */
export interface RootStatus {
    /** As Dockerfiles write it. */
    readonly root: string;
    /** "repository@sha256:…"; absent if the root is not pinned. */
    readonly pinned?: string;
    /** The tag to compare the pin with, in the repository of the pin. */
    readonly tag?: string;
    /** Digest that the tag points at; absent if unknown, null if the registry does not have the tag. */
    readonly found?: string | null;
    /** Keys of the images that are built from it. */
    readonly images: readonly string[];
}

/**
 * Returns the roots of the images, without duplicates. A root that a Dockerfile names by digest can't be outdated and
 * is left out.
 */
export function rootsOf(images: readonly DeployedImage[]): RootStatus[] {
    const names = [...new Set(images.flatMap(({ roots }) => Object.keys(roots)))];
    return names.flatMap((root) => {
        const { tag, digest } = parseReference(root);
        if (digest !== undefined || tag === undefined) return [];
        const users = images.filter(({ roots }) => root in roots);
        const pinned = users.flatMap(({ roots }) => roots[root] ?? [])[0];
        const rest = { root, images: users.map(({ image }) => image) };
        if (pinned === undefined) return [rest];
        // A mirror, such as the lab's, is compared with itself.
        return [{ ...rest, pinned, tag: formatReference({ ...parseReference(repositoryOf(pinned)), tag }) }];
    });
}

/** Returns the references to query from registries. */
export const rootQuestions = (roots: readonly RootStatus[]): string[] => roots.flatMap(({ tag }) => tag ?? []);

/** Returns the shell command that puts the lab's Pulumi on the PATH; "" for another stack. */
const labPulumi = ({ isLab }: Commands): string => (isLab ? `eval "$(${typedSilently("lab", "env")})" && ` : "");

/**
 * Returns the command that adopts the new root. The lab's root is not in the configuration, because its digest is specific
 * to this machine. If CI updates the stack, the next CI run would undo a local `up`, because it checks out the old pin: so
 * the pin is pushed first.
 *
 * @param pinned the stack's pin, "repository@sha256:…"
 * @param found digest that its tag points at
 * @param labRoot the lab's root of this name, "repository@sha256:…"
 */
function moveCommand(
    root: string,
    pinned: string,
    found: string,
    labRoot: string | undefined,
    commands: Commands,
): string {
    const up = repairCommand(commands, { by: "up" });
    if (labRoot !== undefined && repositoryOf(labRoot) === repositoryOf(pinned)) {
        return digestOf(labRoot) === found ? up : `${typed("lab", "start", "--renew-root")} && ${up}`;
    }
    const value = withDigest(repositoryOf(pinned), found);
    const set = `${labPulumi(commands)}pulumi config set --stack ${quote(commands.stack)} ${keyArguments(["roots", root])} ${value}`;
    if (!commands.isCi) return `${set} && ${up}`;
    const commit = `git commit --message ${quote(`Move the root ${root}`)} ${quote(configFileOf(commands.stack))}`;
    return `${set} && ${commit} && git push`;
}

/** Checks whether a digest is what a tag points at, or one of the platforms in it. */
const contains = (found: Held | undefined, digest: string | undefined): boolean =>
    digest !== undefined && (found?.digest === digest || Object.values(found?.platforms ?? {}).includes(digest));

/**
 * Compares the pins with the registries' answers to `rootQuestions`.
 *
 * @param labRoots the lab's roots, by name
 */
export function compareRoots(
    roots: readonly RootStatus[],
    answers: Answers,
    commands: Commands,
    labRoots: Readonly<Record<string, string>> = {},
): { readonly roots: RootStatus[]; readonly findings: Finding[] } {
    const findings: Finding[] = [];
    const statuses = roots.map((status): RootStatus => {
        const { root, pinned, tag } = status;
        const about = `root ${root}`;
        if (pinned === undefined || tag === undefined) {
            findings.push({ kind: "note", about, text: "it is not pinned: when it moves, nothing is rebuilt" });
            return status;
        }
        const answer = answers.get(tag);
        if (!answer || "unknown" in answer) return status;
        const found = answer.found?.digest;
        if (found === undefined) {
            findings.push({ kind: "note", about, text: `${tag} is not in the registry, so its pin can't be compared` });
        } else if (!contains(answer.found, digestOf(pinned))) {
            const text = `${tag} moved to ${found}; pinned is ${digestOf(pinned) ?? pinned}`;
            const command = moveCommand(root, pinned, found, labRoots[root], commands);
            findings.push({ kind: "drift", about, text, repair: { by: "command", command } });
        }
        return { ...status, found: found ?? null };
    });
    return { roots: statuses, findings };
}

/** Describes how a tag differs from the promoted digest; undefined if it does not differ. */
function movedText({ tag, digest }: DeployedTag, image: DeployedImage, found: Held | undefined): string | undefined {
    if (found?.digest === digest) return undefined;
    if (!found) return `${tag} is not in the registry; it was promoted to ${digest}`;
    const { promotion, builds } = image;
    const promoted = builds
        .filter((build) => promotion?.sources.includes(build.digest))
        .map(({ platform }) => platform);
    const missing = promoted.filter((platform) => found.platforms[platform] === undefined);
    const lacks = missing.length > 0 ? `; it lacks ${missing.join(" and ")}` : "";
    return `${tag} points at ${found.digest} instead of ${digest}, which was promoted${lacks}`;
}

/** Returns the registry's answer for a build; undefined if the query failed. */
function answerTo(build: DeployedBuild, answers: Answers): { readonly found: Held | undefined } | undefined {
    const answer = answers.get(refOf(build));
    return answer && "found" in answer ? answer : undefined;
}

const lostBlobs = ({ blobs }: Held): readonly LostBlob[] => (blobs && "lost" in blobs ? blobs.lost : []);

/** Describes a blob by its position in its image. */
function blobText({ digest }: LostBlob, { layers }: Held): string {
    const index = layers.findIndex((layer) => layer.digest === digest);
    return index < 0
        ? `its configuration (${digest})`
        : `layer ${index + 1} of ${layers.length} (${digest}, ${size(layers[index]?.size ?? 0)})`;
}

/** Describes the loss of a build or its blobs in a registry; undefined if nothing is missing. */
function lostText(build: DeployedBuild, answers: Answers): string | undefined {
    const { platform, digest } = build;
    const answer = answerTo(build, answers);
    if (!answer) return undefined;
    if (!answer.found) return `${platform}: ${digest} is not in the registry`;
    const { found } = answer;
    const lost = lostBlobs(found);
    if (lost.length === 0) return undefined;
    const it = lost.length > 1 ? "them" : "it";
    const remembered = lost.some((blob) => blob.remembered)
        ? `, but reports that it has ${it}: it accepts ${it} again only after a restart`
        : "";
    return `${platform}: of ${digest} the registry lost ${lost.map((blob) => blobText(blob, found)).join(" and ")}${remembered}`;
}

/** Whether a registry lost a build or some of its blobs; a build without an answer counts as present. */
export const isLost = (build: DeployedBuild, answers: Answers): boolean => lostText(build, answers) !== undefined;

/**
 * Whether lost blobs of a build can only be restored after a restart of the registry: it still reports them as present, and
 * a push skips blobs that the registry reports as present.
 */
const isRemembered = (build: DeployedBuild, answers: Answers): boolean => {
    const found = answerTo(build, answers)?.found;
    return found !== undefined && lostBlobs(found).some(({ remembered }) => remembered);
};

/**
 * Returns the registries that must be restarted before an update can restore lost blobs.
 *
 * @param answers result of `askBlobs`
 * @returns hosts, without duplicates
 */
export const registriesToRestart = (images: readonly DeployedImage[], answers: Answers): string[] => [
    ...new Set(
        images
            .flatMap((image) => [...image.builds, ...copiesOf(image)].filter((build) => isRemembered(build, answers)))
            .map(({ repository }) => parseReference(repository).registry),
    ),
];

/** Whether the registry does not have a tag of an image. */
const isGone = ({ tag }: DeployedTag, answers: Answers): boolean => {
    const answer = answers.get(tag);
    return answer !== undefined && "found" in answer && answer.found === undefined;
};

/** Returns the lost builds of an image that an update can build again. Those of a pinned release are built no more, those of other stacks there. */
const lostIn = ({ pinned, builds }: DeployedImage, answers: Answers): DeployedBuild[] =>
    pinned ? [] : builds.filter((build) => build.from === undefined && isLost(build, answers));

/**
 * Returns the findings about builds that other stacks made and a registry lost. A stack that has gone on to other inputs, or is gone, no longer knows of
 * what was taken from it.
 */
const foreignFindings = (
    { image, builds }: DeployedImage,
    answers: Answers,
    { stack, isLab }: Pick<Commands, "stack" | "isLab">,
): Finding[] =>
    builds.flatMap((build): Finding[] => {
        const { from } = build;
        const text = from === undefined ? undefined : lostText(build, answers);
        if (from === undefined || text === undefined) return [];
        const command = typed("status", "--stack", quote(from));
        const here = typed("up", "--rebuild", image, ...(isLab ? [] : ["--stack", quote(stack)]));
        return [
            {
                ...{ kind: "drift", about: `image ${image}`, repair: { by: "command", command } },
                text:
                    `${text}; stack ${from} built it, and its status says how it is built again. If that stack is gone or has gone on to other ` +
                    `inputs, what was taken from it (buildsFrom) is built again here: ${here}`,
            },
        ];
    });

/** Returns the findings about the pin of an image: that there is one is no difference. */
function pinFindings(
    { image, pinned, builds, promotion }: DeployedImage,
    answers: Answers,
    { stack, isLab }: Pick<Commands, "stack" | "isLab">,
): Finding[] {
    if (!pinned) return [];
    const about = `image ${image}`;
    const options = isLab ? [] : ["--stack", quote(stack)];
    const lost = builds.flatMap((build) => lostText(build, answers) ?? []);
    const unpin = { by: "command", command: typed("unpin", image, ...options) } as const;
    const changed = pinned.changed ? "; its inputs changed since, and it is built when the pin goes" : "";
    const other = `${typed("releases", image, ...options)} lists others`;
    return [
        ...lost.map((text): Finding => ({
            kind: "drift",
            about,
            text: `${text}; it is pinned to this release: ${other}`,
        })),
        ...(promotion && promotion.digest !== pinned.digest
            ? [
                  {
                      kind: "note",
                      about,
                      text: `it is not promoted yet: ${pinned.release}`,
                      repair: { by: "up" },
                  } as const,
              ]
            : []),
        { kind: "note", about, text: `it is pinned to ${pinned.release}${changed}`, repair: unpin },
    ];
}

/** Returns what other repositories lost of their copies of an image's release. */
const lostCopies = (image: DeployedImage, answers: Answers): DeployedBuild[] =>
    copiesOf(image).filter((build) => isLost(build, answers));

/**
 * Returns the builds, and the copies of releases, that a registry lost completely or in part: they must be replaced.
 *
 * @param images parents first
 * @param answers answers of `askRegistries` to `imageQuestions`, completed by `askBlobs` to include layers; builds without
 *     an answer count as present
 * @returns URNs, parents first
 */
export const lostBuilds = (images: readonly DeployedImage[], answers: Answers): string[] => [
    ...new Set(
        images.flatMap((image) => [...lostIn(image, answers), ...lostCopies(image, answers)].map(({ urn }) => urn)),
    ),
];

/**
 * Returns the promotions whose tag, or whole repository, is missing from its registry. A moved tag is not included: its new
 * target may be intended.
 *
 * @param images parents first
 * @param answers answers of `askRegistries` to `imageQuestions`; tags without an answer count as present
 * @returns URNs, parents first
 */
export const lostPromotions = (images: readonly DeployedImage[], answers: Answers): string[] =>
    images.flatMap((image) => tagsOf(image).flatMap((tag) => (isGone(tag, answers) ? [tag.urn] : [])));

/** Returns all direct and indirect parents of an image, parents first. */
function ancestorsOf({ parents }: DeployedImage, all: readonly DeployedImage[]): DeployedImage[] {
    const direct = all.filter(({ image }) => parents.includes(image));
    return [...new Set([...direct.flatMap((parent) => ancestorsOf(parent, all)), ...direct])];
}

/** Returns the repair of a lost resource: it is created again after its lost sources, if any. */
function replacing(
    urn: string,
    lost: readonly DeployedBuild[],
    from: readonly DeployedBuild[],
    answers: Answers,
): Repair {
    const restart = [...lost, ...from].some((build) => isRemembered(build, answers));
    return {
        ...{ by: "replace", urn },
        ...(from.length > 0 && { from: from.map((build) => build.urn) }),
        ...(restart && { restart }),
    };
}

/**
 * Returns the differences between an image and the registries' answers to `imageQuestions`.
 *
 * @param all all images, parents first
 */
export function imageFindings(
    image: DeployedImage,
    all: readonly DeployedImage[],
    answers: Answers,
    commands: Pick<Commands, "stack" | "isLab">,
): Finding[] {
    const { promotion, builds, pinned } = image;
    const about = `image ${image.image}`;
    const lostAncestors = ancestorsOf(image, all).flatMap((ancestor) => lostIn(ancestor, answers));
    const lostHere = lostIn(image, answers);
    const lost = lostHere.map((build): Finding => {
        const repair = replacing(build.urn, [build], lostAncestors, answers);
        return { kind: "drift", about, text: lostText(build, answers) ?? "", repair };
    });
    // A registry refuses an index over missing manifests, so they are created first.
    const fromLost = lostHere.length > 0 ? [...lostAncestors, ...lostHere] : [];
    const copies = lostCopies(image, answers).map((build): Finding => {
        const text = `${build.repository}, ${lostText(build, answers) ?? ""}`;
        return { kind: "drift", about, text, repair: replacing(build.urn, [build], fromLost, answers) };
    });
    const moved = tagsOf(image).flatMap((tag): Finding[] => {
        const answer = answers.get(tag.tag);
        const text = answer && "found" in answer ? movedText(tag, image, answer.found) : undefined;
        return text === undefined
            ? []
            : [{ kind: "drift", about, text, repair: replacing(tag.urn, [], fromLost, answers) }];
    });
    const waiting = pinned ? [] : builds.filter(({ digest }) => !promotion?.sources.includes(digest));
    return [
        ...lost,
        ...foreignFindings(image, answers, commands),
        ...copies,
        ...moved,
        ...pinFindings(image, answers, commands),
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

/** Returns the reason why a query, or the check of its blobs, failed; undefined if both succeeded. */
export function unansweredReason(answer: Answer<Held>): string | undefined {
    if ("unknown" in answer) return answer.unknown;
    const blobs = answer.found?.blobs;
    return blobs && "unknown" in blobs ? blobs.unknown : undefined;
}

/** Returns the findings for failed queries, one per registry and reason. */
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
