import { z } from "zod";
import { isPlatform, knownPlatforms, normalPlatform } from "../platform";
import { byImage, parseReference, referenceProblem, repositoryOf, withoutCapitals } from "../registry/references";
import { escapeRegExp } from "../system/regExp";
import type {
    Definitions,
    ImageDefinition,
    ImageDefinitions,
    Images,
    MatrixDefinition,
    RootDefinition,
} from "./definition";
import { rebuildIntervals } from "./rebuild";
import { sizeSchema } from "./size";

const text = z.string({ error: "not text" });
const texts = z.array(text, { error: "not a list" });
const pairs = z.record(text, text, { error: "not an object of texts" });
const flag = z.boolean({ error: "neither true nor false" });

/** The schema of an entry of `images.ts`. Pulumi runs programs without type checks, so this is the only validation. */
const entry = z.strictObject({
    description: text,
    name: text.optional(),
    additionalNames: texts.optional(),
    tags: texts.optional(),
    dockerfile: text,
    context: text.optional(),
    target: text.optional(),
    platforms: z.union([z.literal("host"), texts], { error: 'neither "host" nor a list such as ["linux/amd64"]' }),
    buildArgs: pairs.optional(),
    plainArguments: texts.optional(),
    labels: pairs.optional(),
    secrets: texts.optional(),
    registryCache: flag.optional(),
    rebuild: z.enum(rebuildIntervals, { error: `none of ${rebuildIntervals.join(", ")}` }).optional(),
    maxSize: sizeSchema.optional(),
    smokeTest: text.optional(),
} satisfies Record<keyof ImageDefinition, z.ZodType>);

/** The schema of an entry with a matrix. */
const matrixEntry = entry.extend({
    matrix: z.record(text, texts, { error: "not an object of lists" }),
    exclude: z.array(pairs, { error: "not a list" }).optional(),
    key: text.optional(),
} satisfies Record<Exclude<keyof MatrixDefinition, keyof ImageDefinition>, z.ZodType>);

type Kind = typeof entry | typeof matrixEntry | typeof root;

/** The schema of a root in `images.ts`. */
const root = z.strictObject({ onBuild: texts } satisfies Record<keyof RootDefinition, z.ZodType>);

function describe(named: string, kind: Kind, issue: z.core.$ZodIssue, value: unknown): string {
    const known = Object.keys((kind === entry ? matrixEntry : kind).shape).join(", ");
    const ofMatrix =
        issue.code === "unrecognized_keys" && kind === entry && issue.keys.find((key) => key in matrixEntry.shape);
    if (ofMatrix) return `${named} has the field ${ofMatrix}, but no matrix`;
    if (issue.code === "unrecognized_keys") {
        const fields = issue.keys.map((field) => `"${field}"`).join(" and ");
        return `${named} has an unknown field ${fields}; known are ${known}`;
    }
    const [field] = issue.path;
    if (field === undefined) return `${named} is not an object with the fields ${known}`;
    const given = (value as Readonly<Record<PropertyKey, unknown>>)[field];
    if (given === undefined) return `${named} lacks the field ${String(field)}`;
    return `${named}: its ${issue.path.map(String).join(".")} is ${issue.message}`;
}

/** Returns the problems of an object's values. */
const problemsOf = (values: object, kind: Kind, name: (key: string) => string): string[] =>
    Object.entries(values).flatMap(([key, value]) =>
        (kind.safeParse(value).error?.issues ?? []).map((issue) => describe(name(key), kind, issue, value)),
    );

/** Returns the problems of the roots' names. */
function rootNameProblems(roots: object): string[] {
    const names = Object.keys(roots);
    const invalid = names.flatMap((name) => referenceProblem(name) ?? []);
    if (invalid.length > 0) return invalid.map((problem) => `roots: ${problem}`);
    const firstOf = byImage(names.map((name) => [name, name]));
    const repeated = names.filter((name) => firstOf(name) !== name);
    return repeated.map((name) => `roots lists an image twice: ${name}`);
}

/** Whether an entry of `images.ts` stands for several images. Its type can't be relied on. */
export const hasMatrix = (value: unknown): value is MatrixDefinition =>
    typeof value === "object" && value !== null && "matrix" in value;

/**
 * Returns the problems of the fields of the entries with a matrix, one string per problem. If there is any, their type
 * can't be relied on.
 */
export const matrixFieldProblems = (images: ImageDefinitions): string[] =>
    problemsOf(
        Object.fromEntries(Object.entries(images).filter(([, value]) => hasMatrix(value))),
        matrixEntry,
        (key) => `image ${key}`,
    );

/**
 * Returns the problems of definitions whose matrices were expanded, one string per problem. If there is any, their type
 * can't be relied on.
 */
export function fieldProblems({ images, roots = {} }: Partial<Definitions>): string[] {
    if (images === undefined) return ["does not export `images`"];
    const unexpanded = Object.keys(images).filter((key) => hasMatrix(images[key]));
    if (unexpanded.length > 0)
        return unexpanded.map(
            (key) => `image ${key} has a matrix that was not expanded: read images.ts by loadDefinitions`,
        );
    return [
        ...problemsOf(images, entry, (key) => `image ${key}`),
        ...problemsOf(roots, root, (key) => `root ${key}`),
        ...rootNameProblems(roots),
    ];
}

/** The suffix of the names of smoke tests, which are resources next to the images. */
const reservedSuffix = "-test";

const keyPattern = /^[a-z][a-z0-9-]*$/;

/** Returns the names of all images, additional names included, as Dockerfiles may write them. */
export const allNames = (images: Images): { readonly key: string; readonly name: string }[] =>
    Object.entries(images).flatMap(([key, { name, additionalNames = [] }]) =>
        name === undefined ? [] : [name, ...additionalNames].map((one) => ({ key, name: one })),
    );

/** Returns the images that are pushed. */
export const namedImages = (images: Images): { readonly key: string; readonly name: string }[] =>
    Object.entries(images).flatMap(([key, { name }]) => (name === undefined ? [] : [{ key, name }]));

function platformProblems({ platforms }: ImageDefinition): string[] {
    if (platforms === "host") return [];
    if (platforms.length === 0) return ['has no platforms: list them, or write "host"'];
    const invalid = platforms.filter((platform) => !isPlatform(platform));
    const normal = platforms.map(normalPlatform);
    const repeated = platforms.filter((_platform, index) => normal.indexOf(normal[index] ?? "linux/") < index);
    return [
        ...invalid.map((platform) => {
            const normal = normalPlatform(platform);
            const allowed = isPlatform(normal)
                ? normal
                : `one of ${knownPlatforms.join(", ")}, with a variant or without`;
            return `: "${platform}" is not a platform: write ${allowed}`;
        }),
        ...repeated.map((platform) => `lists a platform twice: ${platform}`),
    ];
}

/** A tag that the program itself can give to a build, a release or a registry cache. */
const ownTag = /^(b-[0-9a-f]{12}-.*|r-[0-9a-f]{12}|cache-.*)$/;

function nameProblems({ name }: Pick<ImageDefinition, "name">): string[] {
    if (name === undefined) return [];
    const problem = referenceProblem(name);
    if (problem !== undefined) return [`: ${problem}`];
    const { tag, digest } = parseReference(name);
    const lower = withoutCapitals(name);
    // The image could be pushed there, but logins are stored under the host in lower case.
    if (lower !== undefined) return [`: its name ${name} has capital letters in its host: write ${lower}`];
    if (ownTag.test(tag ?? ""))
        return [`: the tag of its name ${name} is reserved for registry caches and builds: take another`];
    return digest === undefined ? [] : [`: its name ${name} has a digest: write the tag to promote`];
}

function additionalNameProblems({ name, additionalNames = [] }: ImageDefinition): string[] {
    const problems = additionalNames.flatMap((other) => nameProblems({ name: other }));
    if (name === undefined || problems.length > 0 || nameProblems({ name }).length > 0) return problems;
    const places = [name, ...additionalNames].map(repositoryOf);
    return additionalNames
        .filter((other) => places.indexOf(repositoryOf(other)) < places.lastIndexOf(repositoryOf(other)))
        .map((other) => `: its additional name ${other} repeats a repository: write the tag in \`tags\``);
}

/** The placeholders in tags that only a release has: what each can become, and the longest of it. */
export const releasePlaceholders: Readonly<Record<string, { readonly pattern: RegExp; readonly longest: string }>> = {
    "{commit}": { pattern: /[0-9a-f]{12}(-dirty)?/, longest: "0123456789ab-dirty" },
    "{date}": { pattern: /\d{4}-\d{2}-\d{2}/, longest: "2026-01-31" },
    "{release}": { pattern: /[0-9a-f]{12}/, longest: "0123456789ab" },
};

const placeholder = /\{[^{}]*\}/g;

/** Returns a regular expression for the tags that a tag with placeholders of a release can become. */
export function tagsOfReleases(tag: string): RegExp {
    const parts = tag.split(/(\{[^{}]*\})/);
    return new RegExp(
        `^${parts.map((part) => releasePlaceholders[part]?.pattern.source ?? escapeRegExp(part)).join("")}$`,
    );
}

/** A placeholder for the value of a build argument. */
export const argumentPlaceholder = /\{ARG:([A-Za-z_]\w*)\}/g;

/** Whether a tag names the release that gets it, so that the next release does not move it. */
export const namesRelease = (tag: string): boolean => Object.keys(releasePlaceholders).some((one) => tag.includes(one));

/** Tags that the program itself gives to builds, releases and registry caches. */
const ownTags = /^(b|r|cache)-/;

/**
 * Returns what is wrong with a tag whose build arguments have their values; undefined for a valid tag.
 *
 * @param name the image's name, whose tag it may not repeat
 */
export function tagProblem(tag: string, name: string | undefined): string | undefined {
    const unknown = (tag.match(placeholder) ?? []).filter((one) => !(one in releasePlaceholders));
    if (unknown.length > 0) {
        const allowed = [...Object.keys(releasePlaceholders), "{ARG:<build argument>}"].join(", ");
        return `has ${unknown.join(" and ")}: a tag can have ${allowed}`;
    }
    if (ownTags.test(tag))
        return "begins like the tags of builds, releases and caches (b-, r-, cache-): begin it otherwise";
    if (name !== undefined && parseReference(name).tag === tag)
        return `is the tag of its name ${name}, which moves anyway: remove it`;
    const longest = tag.replace(placeholder, (one) => releasePlaceholders[one]?.longest ?? "");
    return /^\w[\w.-]{0,127}$/.test(longest)
        ? undefined
        : `gives ${longest}, which is no tag: up to 128 letters, digits, "_", "." and "-", not "." or "-" first`;
}

function tagProblems({ tags = [], name }: ImageDefinition): string[] {
    const repeated = tags.filter((tag, index) => tags.indexOf(tag) < index);
    const known = name === undefined || referenceProblem(name) !== undefined ? undefined : name;
    return [
        // The values of build arguments may come from the stack: `publication.ts` checks tags with them again.
        ...tags.flatMap(
            (tag) =>
                tagProblem(tag.replace(argumentPlaceholder, "any.value"), known)?.replace(/^/, `: its tag "${tag}" `) ??
                [],
        ),
        ...repeated.map((tag) => `lists a tag twice: ${tag}`),
    ];
}

/** Refuses settings that have no effect without a name: an ignored smoke test would look like a passed test. */
function unpublishedProblems(image: ImageDefinition): string[] {
    const { name, additionalNames = [], tags = [], smokeTest, registryCache, maxSize } = image;
    if (name !== undefined) return [];
    return [
        ...(additionalNames.length === 0
            ? []
            : ["has additionalNames and no name: make one of them the name that Dockerfiles write"]),
        ...(tags.length === 0
            ? []
            : ["has no name, so it is never pushed and gets no tags: give it a name, or remove tags"]),
        ...(smokeTest === undefined
            ? []
            : [
                  `has no name, so it is never pushed and its smokeTest ${smokeTest} is never run: give it a name, or run the ` +
                      "script as the last step of its Dockerfile",
              ]),
        ...(maxSize === undefined
            ? []
            : ["has no name, so it is never pushed and its maxSize has no effect: give it a name, or remove maxSize"]),
        ...(registryCache === true
            ? ["has no name, so it has no repository for a registryCache: remove registryCache"]
            : []),
    ];
}

/** Returns the problems of the entries of `images.ts`, one string per problem. */
export function entryProblems(images: Images): string[] {
    return Object.entries(images).flatMap(([key, image]) => [
        ...(keyPattern.test(key)
            ? []
            : [`"${key}" is not a key: a letter, then lower-case letters, digits and dashes`]),
        ...(key.endsWith(reservedSuffix)
            ? [`image ${key}: a key can't end in "${reservedSuffix}", which is reserved for smoke tests`]
            : []),
        ...[
            ...platformProblems(image),
            ...nameProblems(image),
            ...additionalNameProblems(image),
            ...tagProblems(image),
            ...unpublishedProblems(image),
        ].map((problem) => `image ${key}${problem.startsWith(":") ? "" : " "}${problem}`),
    ]);
}
