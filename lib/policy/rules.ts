import { type ImageInputs, type Texts, imageInputs, pinIn } from "../engine/resources";
import { InputError } from "../errors";
import type { PreparedImage } from "../hierarchy/prepare";
import { looksSecret } from "../hierarchy/secrets";
import { bytesOf } from "../hierarchy/size";
import { isPinned } from "../registry/references";
import { keyArguments, pinCommand } from "../system/shell";
import { type PolicySettings, type Rule, levelOf } from "./settings";

/* The rules of a policy: pure functions over what an image's resources hold. The program asks them before it makes a resource, and the
   policy pack when the engine shows it one. */

/** What the rules read of an image. */
export interface JudgedImage {
    /** Key in images.ts. */
    readonly image: string;
    /** Whether it is pushed: the rules leave other images alone. */
    readonly isPublished: boolean;
    /** The inputs of its component. */
    readonly inputs: Pick<ImageInputs, "roots" | "frontend" | "smokeTests" | "pin">;
    /** Named build contexts that are images: by the name in the Dockerfile, the reference that replaces it, as far as it is known. */
    readonly contexts: Texts;
    readonly buildArgs: Texts;
    /** Build arguments that look like secrets but are public. */
    readonly plainArguments: readonly string[];
}

/** Returns what the rules read of an image that the program has prepared. Its parents are always passed by digest. */
export const judged = (image: PreparedImage): JudgedImage => ({
    image: image.key,
    isPublished: image.repository !== undefined,
    inputs: imageInputs(image),
    contexts: {},
    buildArgs: image.buildArgs,
    plainArguments: image.definition.plainArguments ?? [],
});

/** What a rule refuses. */
export interface Violation {
    readonly rule: Rule;
    /** The image, the value that is refused, and what is allowed. */
    readonly problem: string;
    readonly next: string;
}

/** Refuses a published image that nothing tests. */
function untested({ image, inputs }: JudgedImage): Violation[] {
    if (Object.keys(inputs.smokeTests).length > 0) return [];
    return [
        {
            rule: "smoke-test",
            problem: `image ${image} is published and has no smoke test: it, or an image that it is built FROM, has to have one`,
            next: `write a script that fails if the image does not work, and name it as smokeTest of ${image} in images.ts`,
        },
    ];
}

/** Refuses images and files that a build takes from whatever a tag names at that time. */
function parentsByTag({ image, inputs: { roots, frontend }, contexts }: JudgedImage): Violation[] {
    const replaced = {
        ...Object.fromEntries(Object.entries(roots).map(([root, pin]) => [root, pinIn(pin)])),
        ...contexts,
    };
    // The frontend is no part of the image: it only reads the Dockerfile.
    const tags = Object.entries(replaced).filter(
        ([name, reference = name]) => name !== frontend && !isPinned(reference),
    );
    return tags.map(([name, reference = name]) => ({
        rule: "parent-by-digest",
        problem: `image ${image} is built from ${name === reference ? name : `${name} (${reference})`}, a tag that can move: <repository>@sha256:… is allowed`,
        next: `pin it: ${pinCommand(name)}`,
    }));
}

/** Refuses build arguments that look like secrets, without their values. */
function credentials({ image, buildArgs, plainArguments }: JudgedImage): Violation[] {
    const found = Object.entries(buildArgs).filter(
        ([name, value]) => !plainArguments.includes(name) && looksSecret(name, value),
    );
    return found.map(([name]) => ({
        rule: "no-credentials",
        problem: `build argument ${name} of image ${image} looks like a secret, and everyone who can pull the image can read it: secrets are allowed in \`secrets\` alone`,
        next:
            `add it to \`secrets\` of ${image} in images.ts, read it with RUN --mount=type=secret,id=${name}, and set it: ` +
            `pulumi config set --secret ${keyArguments(["buildSecrets", name])}`,
    }));
}

/** Returns what the rules refuse of an image before anything is built. */
export function violationsOf(image: JudgedImage): readonly Violation[] {
    // The builds of a pinned release were judged when they were made.
    if (!image.isPublished || image.inputs.pin) return [];
    return [...untested(image), ...parentsByTag(image), ...credentials(image)];
}

const sizeText = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB (${bytes} bytes)`;

/**
 * Returns what the rule for sizes refuses of a build.
 *
 * @param built the build's reference, with the bytes of its layers as the registry has them: compressed, of one platform
 * @param budget such as "500 MB"
 */
export function tooLarge(
    image: string,
    built: { readonly ref: string; readonly bytes: number },
    budget: string,
): readonly Violation[] {
    if (built.bytes <= (bytesOf(budget) ?? Infinity)) return [];
    return [
        {
            rule: "max-size",
            problem: `image ${image} is too large: the layers of ${built.ref} have ${sizeText(built.bytes)}, and ${budget} are allowed`,
            next: `make it smaller, or raise maxSize of ${image} in images.ts`,
        },
    ];
}

/** How each refusal begins: the commands know by it that an update was refused, not that it failed. */
const mark = "refused by policy ";

/** Whether a text of the engine or an error says that a policy refused an update. */
export const saysRefused = (text: string): boolean => text.includes(mark);

/** Returns a violation as a message that refuses, with the next step. */
export const refusal = ({ rule, problem, next }: Violation): string => `${mark}${rule}: ${problem}\n  next: ${next}`;

/**
 * Refuses what a policy does not allow.
 *
 * @param refused the refusals of `judge`, each with its next step; nothing happens if there are none
 * @throws InputError with all of them
 */
export function refuseAll(refused: readonly string[]): void {
    if (refused.length > 0) throw new InputError({ problem: refused.join("\n") });
}

/** Returns a violation as a message that only advises. */
export const advice = ({ rule, problem, next }: Violation): string => `policy ${rule}: ${problem}; next: ${next}`;

/** Divides violations by the levels that a stack gives their rules. */
export function judge(
    settings: PolicySettings | undefined,
    violations: readonly Violation[],
): { readonly refused: readonly string[]; readonly advised: readonly string[] } {
    const at = (level: "mandatory" | "advisory") => violations.filter(({ rule }) => levelOf(settings, rule) === level);
    return { refused: at("mandatory").map(refusal), advised: at("advisory").map(advice) };
}
