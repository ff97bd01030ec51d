import type { ImageDefinition, ImageDefinitions } from "./definition";
import { isPlatform, knownPlatforms, normalPlatform } from "./place";
import { formatReference, parseReference, referenceProblem, repositoryOf, withoutCapitals } from "../registry/references";

/** Names of smoke tests end so, beside those of the images. */
const reservedEnd = "-test";

const keyPattern = /^[a-z][a-z0-9-]*$/;

/** The images that are pushed. */
export const namedImages = (images: ImageDefinitions): { readonly key: string; readonly name: string }[] =>
    Object.entries(images).flatMap(([key, { name }]) => (name === undefined ? [] : [{ key, name }]));

function platformProblems({ platforms }: ImageDefinition): string[] {
    if (platforms === "host") return [];
    if (platforms.length === 0) return ['has no platforms: list them, or write "host"'];
    const wrong = platforms.filter((platform) => !isPlatform(platform));
    const normal = platforms.map(normalPlatform);
    const twice = platforms.filter((_platform, index) => normal.indexOf(normal[index] ?? "linux/") < index);
    return [
        ...wrong.map((one) => {
            const normal = normalPlatform(one);
            const allowed = isPlatform(normal)
                ? normal
                : `one of ${knownPlatforms.join(", ")}, with a variant or without`;
            return `: "${one}" is not a platform: write ${allowed}`;
        }),
        ...twice.map((one) => `names a platform twice: ${one}`),
    ];
}

function nameProblems({ name }: ImageDefinition): string[] {
    if (name === undefined) return [];
    const problem = referenceProblem(name);
    if (problem !== undefined) return [`: ${problem}`];
    const { digest } = parseReference(name);
    const lower = withoutCapitals(name);
    // It would be pushed there, but logins are kept for the host in lower case.
    if (lower !== undefined) return [`: its name ${name} has capital letters in its host: write ${lower}`];
    return digest === undefined ? [] : [`: its name ${name} has a digest: write the tag that is promoted`];
}

/** Settings that are about what is pushed, on an image that never is: silence would pass for a test. */
function unpublishedProblems({ name, smokeTest, registryCache }: ImageDefinition): string[] {
    if (name !== undefined) return [];
    return [
        ...(smokeTest === undefined
            ? []
            : [
                  `has no name, so it is never pushed and its smokeTest ${smokeTest} never run: give it a name, or run the ` +
                      "script as the last step of its Dockerfile",
              ]),
        ...(registryCache === true ? ["has no name, and so no repository for its registryCache: remove that"] : []),
    ];
}

function duplicates(images: ImageDefinitions): string[] {
    const byRepository = new Map<string, string[]>();
    for (const { key, name } of namedImages(images)) {
        if (nameProblems({ ...images[key], name } as ImageDefinition).length > 0) continue;
        byRepository.set(repositoryOf(name), [...(byRepository.get(repositoryOf(name)) ?? []), key]);
    }
    return [...byRepository]
        .filter(([, keys]) => keys.length > 1)
        .map(([repository, keys]) => {
            const names = new Set(keys.map((key) => formatReference(parseReference(images[key]?.name ?? ""))));
            const [same = repository] = names.size === 1 ? names : [];
            return `${keys.join(" and ")} are both ${same}: an image has a repository of its own`;
        });
}

/** What is wrong with `images.ts` itself, a problem a text. */
export function entryProblems(images: ImageDefinitions): string[] {
    const problems = Object.entries(images).flatMap(([key, image]) => [
        ...(keyPattern.test(key)
            ? []
            : [`"${key}" is not a key: a letter, then lower-case letters, digits and dashes`]),
        ...(key.endsWith(reservedEnd)
            ? [`image ${key}: a key can't end in "${reservedEnd}": smoke tests are named so`]
            : []),
        ...[...platformProblems(image), ...nameProblems(image), ...unpublishedProblems(image)].map(
            (problem) => `image ${key}${problem.startsWith(":") ? "" : " "}${problem}`,
        ),
    ]);
    return [...problems, ...duplicates(images)];
}
