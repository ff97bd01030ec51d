import path from "node:path";
import { readStatements } from "../dockerfile/parse";
import { readDockerfile } from "../dockerfile/read";
import type { DockerfileReading } from "../dockerfile/reading";
import { InputError } from "../errors";
import type { ImageDefinition, MatrixDefinition } from "../hierarchy/definition";
import { expandImages } from "../hierarchy/matrix";
import { isPlatform, normalPlatform, type Platform } from "../platform";
import { formatReference, parseReference, referenceProblem, repositoryOf, sameImage } from "../registry/references";
import { escapeRegExp } from "../system/regExp";
import { type Build, type Note, kinds } from "./build";
import type { RepositoryOnGitHub } from "./workflows";

/** An image for images.ts. */
export interface Entry {
    readonly key: string;
    readonly definition: ImageDefinition;
    /** The files and lines that it was read from. */
    readonly from: readonly string[];
}

/** What `entriesOf` takes. */
export interface EntryOptions {
    /** Dockerfiles that git tracks, by path. */
    readonly dockerfiles: Readonly<Record<string, string>>;
    /** Names that the user gave, by Dockerfile. */
    readonly names: Readonly<Record<string, string>>;
    /** Whether a file or folder exists, by its path from the repository's root. */
    readonly exists: (file: string) => boolean;
    readonly repository?: RepositoryOnGitHub;
}

/** The images of a repository. */
export interface Entries {
    readonly entries: readonly Entry[];
    readonly notes: readonly Note[];
    /** Dockerfiles without an entry, because nothing says that or how they are built. */
    readonly unused: readonly string[];
}

/** Builds that make the same image, the most telling one first. */
type Group = [Build, ...Build[]];

const sameTarget = (a: Build, b: Build) =>
    a.dockerfile === b.dockerfile && (a.target ?? "") === (b.target ?? "") && a.context === b.context;

const sameArguments = (a: Build, b: Build) =>
    JSON.stringify(Object.entries(a.buildArgs).sort()) === JSON.stringify(Object.entries(b.buildArgs).sort());

const sharedName = (a: Build, b: Build) => a.names.find((name) => b.names.some((other) => sameImage(name, other)));

/** The architectures that tags of single platforms end in. */
const architectures: Readonly<Record<string, Platform>> = {
    amd64: "linux/amd64",
    x86_64: "linux/amd64",
    arm64: "linux/arm64",
    aarch64: "linux/arm64",
    arm: "linux/arm/v7",
    armv7: "linux/arm/v7",
};

/** Returns a build without the architecture in its tags: workflows push a tag for each platform, and join them afterwards. */
function withoutArchitecture(build: Build): Build {
    const names = build.names.map((name) => {
        const [, rest, architecture = ""] = /^(.*:[^/]*?)-(amd64|x86_64|arm64|aarch64|armv7|arm)$/.exec(name) ?? [];
        const platform = architectures[architecture];
        const isOnly = build.platforms.length === 1 && platform !== undefined;
        return rest !== undefined && isOnly && normalPlatform(build.platforms[0] as Platform) === platform
            ? rest
            : name;
    });
    return { ...build, names: [...new Set(names)] };
}

/** Whether a name has neither a registry nor an owner, so that it names an image on the machine that builds it. */
const isLocal = (name: string): boolean => !name.includes("/");

/** Groups builds of the same image. */
function grouped(builds: readonly Build[], notes: Note[]): Group[] {
    const rank = ({ kind, pushed }: Build) => kinds.indexOf(kind) - (pushed ? kinds.length : 0);
    const ordered = [...builds].sort((a, b) => rank(a) - rank(b));
    const groups: Group[] = [];
    for (const build of ordered.filter(({ names }) => names.length > 0)) {
        const same = groups.find(
            ([first]) =>
                sameTarget(first, build) && (sharedName(first, build) !== undefined || sameArguments(first, build)),
        );
        const taken = groups.find(([first]) => sharedName(first, build) !== undefined);
        if (same) {
            const [first] = same;
            if (!sameArguments(first, build)) {
                notes.push({
                    where: build.where,
                    text: `builds ${build.names[0] ?? ""} with other build arguments than ${first.where}, which counts`,
                });
            }
            same[0] = {
                ...first,
                names: union(first.names, build.names),
                platforms: [...new Set([...first.platforms, ...build.platforms])],
            };
            same.push(build);
        } else if (taken) {
            const [first] = taken;
            notes.push({
                where: build.where,
                text: `builds ${sharedName(first, build) ?? ""} from ${build.dockerfile}, and ${first.where} builds it from ${first.dockerfile}: only that is written`,
            });
        } else groups.push([build]);
    }
    for (const build of ordered.filter(({ names }) => names.length === 0)) {
        const same = groups.find(
            ([first]) => first.dockerfile === build.dockerfile && (first.target ?? "") === (build.target ?? ""),
        );
        if (same) same.push(build);
        else groups.push([build]);
    }
    return groups;
}

const union = (a: readonly string[], b: readonly string[]): string[] => [
    ...a,
    ...b.filter((name) => !a.some((other) => sameImage(name, other))),
];

/** Reads a Dockerfile on its own; undefined if it can't be read with these arguments. */
export function readingOf(
    text: string,
    { dockerfile, target, buildArgs = {} }: Pick<ImageDefinition, "dockerfile" | "target" | "buildArgs">,
): DockerfileReading | undefined {
    try {
        return readDockerfile(text, {
            path: dockerfile,
            platforms: ["linux/amd64"],
            buildArgs,
            ...(target !== undefined && { target }),
        });
    } catch (error) {
        if (error instanceof InputError) return undefined;
        throw error;
    }
}

/** Returns the image of a FROM as it is written, with its line. */
function fromTexts(text: string, dockerfile: string): { readonly image: string; readonly line: number }[] {
    try {
        return readStatements(text, dockerfile)
            .statements.filter(({ keyword }) => keyword === "FROM")
            .map(({ rest, line }) => ({ image: rest.trim().split(/\s+/)[0] ?? "", line }));
    } catch (error) {
        if (error instanceof InputError) return [];
        throw error;
    }
}

const lastPart = (name: string): string => path.posix.basename(parseReference(name).repository);

/**
 * Returns the build arguments with which a FROM names an image: for `${REGISTRY}/base:latest` and `ghcr.io/acme/base:latest`, REGISTRY is
 * `ghcr.io/acme`; undefined if it can't name that image.
 *
 * @param written the image as FROM has it
 */
function argumentsFor(written: string, name: string): Readonly<Record<string, string>> | undefined {
    const variables: string[] = [];
    const pattern = written
        .split(/(\$\{\w+(?::?[-+][^}]*)?\}|\$\w+)/)
        .map((part) => {
            const variable = /^\$\{?(\w+)/.exec(part)?.[1];
            if (variable === undefined) return escapeRegExp(part);
            const earlier = variables.indexOf(variable);
            variables.push(variable);
            return earlier < 0 ? `(.+)` : `(\\${earlier + 1})`;
        })
        .join("");
    const shorter = name.replace(/:latest$/, "");
    const found = new RegExp(`^${pattern}$`).exec(name) ?? new RegExp(`^${pattern}$`).exec(shorter);
    return found
        ? Object.fromEntries(variables.map((variable, index) => [variable, found[index + 1] ?? ""]))
        : undefined;
}

/**
 * Returns the build arguments that lead a Dockerfile, whose FROM has variables, to images of this repository instead of those that it
 * names by default, such as copies in another registry.
 */
function parentArguments(
    text: string,
    build: Build,
    names: readonly string[],
): { readonly buildArgs: Readonly<Record<string, string>>; readonly where: readonly string[] } {
    const buildArgs: Record<string, string> = {};
    const where: string[] = [];
    const references = readingOf(text, build)?.references ?? [];
    for (const { image, line } of fromTexts(text, build.dockerfile)) {
        const given = [...image.matchAll(/\$\{?(\w+)/g)].map(([, name = ""]) => name);
        const current = references.find((reference) => reference.line === line)?.expanded;
        if (given.length === 0 || current === undefined || given.some((name) => name in build.buildArgs)) continue;
        if (names.some((name) => sameImage(name, current))) continue;
        const alike = names.filter(
            (name) => lastPart(name) === lastPart(current) && argumentsFor(image, name) !== undefined,
        );
        const { tag } = parseReference(current);
        const [only, ...others] = alike.filter((name) => alike.length === 1 || parseReference(name).tag === tag);
        if (only === undefined || others.length > 0) continue;
        Object.assign(buildArgs, argumentsFor(image, only));
        where.push(`${build.dockerfile}:${line}`);
    }
    return { buildArgs, where };
}

/** Returns the name of an image whose Dockerfile nothing names: other Dockerfiles' FROM, if its last part is this Dockerfile's own. */
function nameFromChildren(dockerfile: string, dockerfiles: Readonly<Record<string, string>>): string | undefined {
    const base = path.posix.basename(dockerfile);
    const folder = path.posix.basename(path.posix.dirname(dockerfile));
    const [, own = folder] =
        /^(?:Dockerfile|Containerfile)[.-](.+)$/i.exec(base) ??
        /^(.+)\.(?:Dockerfile|Containerfile)$/i.exec(base) ??
        [];
    const referencesIn = (file: string, text: string) =>
        readingOf(text, { dockerfile: file })?.references.map(({ expanded }) => expanded) ?? [];
    const mine = referencesIn(dockerfile, dockerfiles[dockerfile] ?? "");
    const candidates = Object.entries(dockerfiles)
        .filter(([file]) => file !== dockerfile)
        .flatMap(([file, text]) => referencesIn(file, text))
        .filter((name) => name.includes("/") && !name.includes("@") && lastPart(name) === own)
        .filter((name) => !mine.some((other) => sameImage(name, other)));
    const distinct = candidates.filter(
        (name, index) => candidates.findIndex((other) => sameImage(name, other)) === index,
    );
    return distinct.length === 1 ? distinct[0] : undefined;
}

/** Returns a text as part of a key: lower-case letters, digits and dashes. */
const asKey = (text: string): string =>
    text
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, "-")
        .replace(/^[^a-z]+|-+$/g, "");

/** Returns keys for the groups: the last part of the name, with the tag where images share a repository. */
function keysOf(groups: readonly { readonly name: string | undefined; readonly build: Build }[]): string[] {
    const wanted = groups.map(({ name, build }) => {
        if (name === undefined) {
            if (build.kind === "devcontainer") return "devcontainer";
            const file = path.posix
                .basename(build.dockerfile)
                .replace(/^(?:Dockerfile|Containerfile)\.?|\.(?:Dockerfile|Containerfile)$/gi, "");
            const folder = path.posix.basename(path.posix.dirname(build.dockerfile)).replace(/^\.+/, "");
            return asKey([folder, file, build.target ?? ""].filter(Boolean).join("-")) || "image";
        }
        const sharing = groups.filter(
            (other) => other.name !== undefined && repositoryOf(other.name) === repositoryOf(name),
        );
        const { tag = "latest" } = parseReference(name);
        const own = asKey(lastPart(name)) || "image";
        return sharing.length > 1 && tag !== "latest"
            ? `${own}-${asKey(`v${tag}`).replace(/^v(?=[a-z])/, "")}`.replace(/-v(?=\d)/, "-")
            : own;
    });
    const used = new Set<string>();
    return wanted.map((key) => {
        // Names of smoke tests end so.
        const plain = key.endsWith("-test") ? `${key}s` : key;
        let unique = plain;
        for (let count = 2; used.has(unique); count++) unique = `${plain}-${count}`;
        used.add(unique);
        return unique;
    });
}

/** Returns what an image is, as its Dockerfile's label or first comment says it. */
function descriptionOf(text: string, dockerfile: string): string {
    const label =
        /^\s*(?:LABEL\s.*?)?org\.opencontainers\.image\.description["']?\s*=\s*(?:"([^"$]+)"|'([^'$]+)')/im.exec(text);
    return label?.[1] ?? label?.[2] ?? `built from ${dockerfile}`;
}

/** Returns the platforms of an image, and notes for those that the program can't build. */
function platformsOf([first, ...more]: Group, name: string | undefined, notes: Note[]): ImageDefinition["platforms"] {
    const all = [...new Set([first, ...more].flatMap(({ platforms }) => platforms))];
    const possible = all.filter((platform) => platform !== "host");
    const normal = [
        ...new Set(
            possible
                .filter((platform) => isPlatform(normalPlatform(platform as Platform)))
                .map((platform) => normalPlatform(platform as Platform)),
        ),
    ];
    for (const platform of possible.filter((one) => !isPlatform(normalPlatform(one as Platform)))) {
        notes.push({ where: first.where, text: `the platform ${platform} is not one of Linux` });
    }
    if (normal.length > 0) return normal;
    return name === undefined ? "host" : ["linux/amd64"];
}

/** Turns builds into entries of images.ts. */
export function entriesOf(
    found: readonly Build[],
    { dockerfiles, names: given, exists, repository }: EntryOptions,
): Entries {
    const notes: Note[] = [];
    const references = Object.entries(dockerfiles).flatMap(
        ([dockerfile, text]) => readingOf(text, { dockerfile })?.references.map(({ expanded }) => expanded) ?? [],
    );
    const isNamed = (name: string) => references.some((reference) => sameImage(reference, name));
    const valid = (build: Build): Build => {
        const names = build.names.filter((name) => {
            const problem = referenceProblem(name);
            if (problem !== undefined) notes.push({ where: build.where, text: problem });
            return problem === undefined && !(isLocal(name) && !isNamed(name));
        });
        return { ...build, names };
    };
    const builds = found.map(withoutArchitecture).flatMap((build) => {
        if (build.dockerfile in dockerfiles) return [valid(build)];
        notes.push({ where: build.where, text: `git tracks no ${build.dockerfile}, from which it builds` });
        return [];
    });
    const groups = grouped(builds, notes);
    const built = new Set(groups.map(([{ dockerfile }]) => dockerfile));
    const isAll = groups.length === 0;
    const unused: string[] = [];
    for (const dockerfile of Object.keys(dockerfiles).filter((file) => !built.has(file))) {
        const name = nameFromChildren(dockerfile, dockerfiles);
        if (name === undefined && given[dockerfile] === undefined && !isAll) unused.push(dockerfile);
        else groups.push([plainBuild(dockerfile, { name, text: dockerfiles[dockerfile] ?? "", exists })]);
    }
    const all = groups.map(([first]) => first.names).flat();
    const chosen = groups.map((group) => {
        const [{ names, dockerfile }] = group;
        const own = given[dockerfile];
        const name =
            own ?? names.find(isNamed) ?? names.find((one) => parseReference(one).tag === "latest") ?? names[0];
        return { group, build: group[0], name: name === undefined ? undefined : withTag(name), names };
    });
    const keys = keysOf(chosen);
    const nameOfId = (reference: string) => chosen.find(({ group }) => group.some(({ id }) => id === reference))?.name;
    const entries = chosen.map(({ group, build, name, names }, index): Entry => {
        const text = dockerfiles[build.dockerfile] ?? "";
        const parents = parentArguments(text, build, all);
        const linked = linkedArguments(text, build, nameOfId, notes);
        const buildArgs = { ...build.buildArgs, ...parents.buildArgs, ...linked };
        const mounted = readingOf(text, { ...build, buildArgs })?.secrets.map(({ id }) => id) ?? [];
        const secrets = [...new Set([...group.flatMap((one) => one.secrets), ...mounted])].filter((id) =>
            mounted.includes(id),
        );
        const source =
            repository && name?.startsWith("ghcr.io/") === true
                ? `https://github.com/${repository.owner}/${repository.name}`
                : undefined;
        return {
            key: keys[index] ?? "image",
            definition: {
                description: descriptionOf(text, build.dockerfile),
                ...(name !== undefined && { name, ...otherNames(name, names) }),
                dockerfile: build.dockerfile,
                ...(build.context !== "." && { context: build.context }),
                ...(build.target !== undefined && { target: build.target }),
                platforms: platformsOf(group, name, notes),
                ...(Object.keys(buildArgs).length > 0 && { buildArgs }),
                ...(source !== undefined && { labels: { "org.opencontainers.image.source": source } }),
                ...(secrets.length > 0 && { secrets }),
            },
            from: [...new Set([...group.map(({ where }) => where), ...parents.where])],
        };
    });
    return { entries, notes, unused };
}

/** Returns the fields for what an image is called besides its name: other repositories, and other tags, which it gets in all of them. */
function otherNames(name: string, names: readonly string[]): Pick<ImageDefinition, "additionalNames" | "tags"> {
    const tagOf = (one: string) => parseReference(one).tag ?? "latest";
    const repositories = [...new Set(names.map(repositoryOf))].filter(
        (repository) => repository !== repositoryOf(name),
    );
    const additionalNames = repositories.flatMap((repository) => {
        const own = names.filter((other) => repositoryOf(other) === repository);
        const found = own.find((other) => tagOf(other) === tagOf(name)) ?? own[0];
        return found === undefined ? [] : [withTag(found)];
    });
    const written = [name, ...additionalNames];
    const tags = [...new Set(names.filter((other) => !written.some((one) => sameImage(one, other))).map(tagOf))];
    return { ...(additionalNames.length > 0 && { additionalNames }), ...(tags.length > 0 && { tags }) };
}

/** Returns a build of a Dockerfile of which nothing else is known. Its context is the folder in which more of its files exist. */
function plainBuild(
    dockerfile: string,
    { name, text, exists }: { readonly name: string | undefined; readonly text: string } & Pick<EntryOptions, "exists">,
): Build {
    const sources = readingOf(text, { dockerfile })?.sources.filter(({ pattern }) => !/[*?[]/.test(pattern)) ?? [];
    const foundIn = (context: string) =>
        sources.filter(({ pattern }) => exists(path.posix.join(context, pattern))).length;
    const folder = path.posix.dirname(dockerfile);
    return {
        ...{ where: dockerfile, kind: "command", context: foundIn(folder) > foundIn(".") ? folder : ".", dockerfile },
        ...{
            names: name === undefined ? [] : [name],
            pushed: false,
            buildArgs: {},
            platforms: [],
            secrets: [],
            contexts: {},
        },
    };
}

/** Returns a name with its tag, as FROM and the tags of a release need it. */
const withTag = (name: string): string =>
    formatReference(parseReference(name)).endsWith(":latest") && !name.endsWith(":latest") ? `${name}:latest` : name;

/**
 * Returns the build arguments that stand for named contexts which are other builds (`contexts = { base = "target:base" }`). If a FROM has
 * no variable for such a name, the Dockerfile has to be changed, and a note says how.
 */
function linkedArguments(
    text: string,
    build: Build,
    nameOfId: (id: string) => string | undefined,
    notes: Note[],
): Readonly<Record<string, string>> {
    const buildArgs: Record<string, string> = {};
    const references = readingOf(text, build)?.references ?? [];
    for (const [context, value] of Object.entries(build.contexts)) {
        const isReference = /^(?:target|service):/.test(value);
        const name = isReference ? nameOfId(value) : /^docker-image:\/\/(.+)$/.exec(value)?.[1];
        const uses = references.filter(
            ({ expanded }) => referenceProblem(context) === undefined && sameImage(expanded, context),
        );
        if (name !== undefined && sameImage(name, context)) continue;
        for (const { line, instruction } of uses) {
            const where = `${build.dockerfile}:${line}`;
            const written = fromTexts(text, build.dockerfile).find((from) => from.line === line)?.image ?? "";
            const values =
                instruction === "FROM" && name !== undefined && written.includes("$")
                    ? argumentsFor(written, name)
                    : undefined;
            if (values) Object.assign(buildArgs, values);
            else if (name === undefined) {
                const what = isReference ? "which has no name" : "which is not an image";
                notes.push({
                    where,
                    text: `${instruction} of ${context} is replaced by ${value} in ${build.where}, ${what}: name an image here`,
                });
            } else {
                notes.push({
                    where,
                    text: `${instruction} of ${context} is replaced by ${value} in ${build.where}. Name the image here: ${name}, or in an ARG with that default`,
                });
            }
        }
    }
    return buildArgs;
}

/** An entry as images.ts writes it: of one image, or of a matrix of images. */
export interface WrittenEntry extends Omit<Entry, "definition"> {
    readonly definition: ImageDefinition | MatrixDefinition;
}

/** Returns a text that is equal for values that differ only in the order of their properties. */
const canonical = (value: unknown): string =>
    JSON.stringify(value, (_key, inner: unknown) =>
        typeof inner === "object" && inner !== null && !Array.isArray(inner)
            ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
            : inner,
    );

/** Replaces the values of build arguments in a text by their names in braces. */
const templateOf = (text: string, values: Readonly<Record<string, string>>): string =>
    Object.entries(values)
        .filter(([, value]) => value !== "")
        .sort(([, a], [, b]) => b.length - a.length)
        .reduce((template, [name, value]) => {
            // The last place is the tag, if the value is part of the name as well.
            const at = template.lastIndexOf(value);
            return at < 0 ? template : `${template.slice(0, at)}{${name}}${template.slice(at + value.length)}`;
        }, text);

/** Returns an entry with a matrix that stands for all of these entries; undefined if there is none. */
function matrixOf(entries: readonly Entry[]): WrittenEntry | undefined {
    const [first] = entries;
    const name = first?.definition.name;
    if (!first || entries.length < 2 || name === undefined) return undefined;
    const { buildArgs = {}, ...rest } = first.definition;
    const valuesOf = (argument: string) => [
        ...new Set(entries.map(({ definition }) => definition.buildArgs?.[argument] ?? "")),
    ];
    const differing = Object.keys(buildArgs).filter((argument) => valuesOf(argument).length > 1);
    // An argument such as the parent's name may follow from another one.
    const variables = differing.filter(
        (argument) =>
            !differing.some(
                (other) =>
                    other !== argument &&
                    (buildArgs[other] ?? "") !== "" &&
                    buildArgs[argument]?.includes(buildArgs[other] ?? ""),
            ),
    );
    const values = Object.fromEntries(variables.map((variable) => [variable, buildArgs[variable] ?? ""]));
    const others = Object.entries(buildArgs).filter(([argument]) => !variables.includes(argument));
    const key = asKey(lastPart(name));
    const definition: MatrixDefinition = {
        ...rest,
        name: templateOf(name, values),
        ...(rest.tags && { tags: rest.tags.map((tag) => templateOf(tag, values)) }),
        ...(rest.additionalNames && { additionalNames: rest.additionalNames.map((one) => templateOf(one, values)) }),
        matrix: Object.fromEntries(variables.map((variable) => [variable, valuesOf(variable)])),
        ...(others.length > 0 && {
            buildArgs: Object.fromEntries(others.map(([argument, value]) => [argument, templateOf(value, values)])),
        }),
    };
    const { images } = expandImages({ [key]: definition });
    const wanted = entries.map((entry) => canonical([entry.definition])).sort();
    const isSame =
        canonical(
            Object.values(images)
                .map((image) => canonical([image]))
                .sort(),
        ) === canonical(wanted);
    return isSame ? { key, definition, from: [...new Set(entries.flatMap(({ from }) => from))] } : undefined;
}

/**
 * Returns entries as images.ts writes them: images that differ only in the values of build arguments, and whose names contain these values,
 * become one entry with a matrix.
 */
export function writtenEntries(entries: readonly Entry[]): readonly WrittenEntry[] {
    const shape = ({ definition: { dockerfile, target, context, name } }: Entry) =>
        JSON.stringify([dockerfile, target, context, name === undefined ? undefined : repositoryOf(name)]);
    const used = new Set<Entry>();
    const written = entries.flatMap((entry): WrittenEntry[] => {
        if (used.has(entry)) return [];
        const alike = entries.filter((other) => shape(other) === shape(entry));
        let matrix: WrittenEntry | undefined;
        try {
            matrix = matrixOf(alike);
        } catch (error) {
            if (!(error instanceof InputError)) throw error;
        }
        for (const one of matrix ? alike : [entry]) used.add(one);
        return [matrix ?? entry];
    });
    const isUnique = new Set(written.map(({ key }) => key)).size === written.length;
    return isUnique ? written : entries;
}
