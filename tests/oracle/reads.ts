import path from "node:path";
import fc from "fast-check";
import { readDockerfile } from "../../lib/dockerfile/read";
import type { DockerfileReading } from "../../lib/dockerfile/reading";
import { InputError } from "../../lib/errors";
import { hostPlatform } from "../../lib/platform";
import { formatReference, parseReference, sameImage } from "../../lib/registry/references";
import type { Oracle } from "./oracle";

/** A Dockerfile and its surroundings. */
export interface Case {
    readonly dockerfile: string;
    readonly buildArgs: Readonly<Record<string, string>>;
    readonly target?: string | undefined;
    readonly platform: "linux/amd64" | "linux/arm64";
    /** External images with ONBUILD triggers, by reference. */
    readonly images: Readonly<Record<string, { readonly onBuild: readonly string[] }>>;
}

/** The sources, references and secrets that a build reads, as texts. */
export interface Reads {
    readonly copies: readonly string[];
    readonly mounts: readonly string[];
    readonly references: readonly string[];
    readonly secrets: readonly string[];
}

interface Answer {
    readonly copies: readonly { readonly source: string; readonly include: string[]; readonly exclude: string[] }[];
    readonly mounts: readonly string[];
    readonly references: readonly { readonly reference: string; readonly platform: string }[];
    readonly resolved: Answer["references"];
    readonly secrets: readonly { readonly id: string; readonly required: boolean }[];
}

const texts = (all: readonly unknown[]) => [...new Set(all.map((one) => JSON.stringify(one)))].sort();

const full = (reference: string) => formatReference(parseReference(reference));

const named = (all: Answer["references"]) => texts(all.map(({ reference, platform }) => [reference, platform]));

const fromOracle = ({ copies, mounts, references, secrets }: Answer): Reads => ({
    // A trailing slash in a pattern has no meaning (moby/patternmatcher).
    copies: texts(
        copies.map(({ source, include, exclude }) => [
            source,
            include.map((pattern) => pattern.replace(/\/$/, "")),
            exclude,
        ]),
    ),
    mounts: texts(mounts),
    references: named(references),
    secrets: texts(secrets.map(({ id, required }) => [id, required])),
});

const atRoot = (pattern: string) => path.posix.join("/", pattern).replace(/(.)\/$/, "$1");

function fromReading({ sources, references, secrets }: DockerfileReading, { platform }: Case): Reads {
    const copied = sources.filter(({ instruction }) => instruction !== "RUN");
    const mounted = sources.filter(({ instruction }) => instruction === "RUN");
    return {
        copies: texts(
            copied.map(({ pattern, include, exclude }) => [
                atRoot(pattern),
                include === undefined ? [] : [include],
                exclude,
            ]),
        ),
        mounts: texts(mounted.map(({ pattern }) => atRoot(pattern))),
        references: texts(
            references.flatMap(({ expanded, platforms }) =>
                (platforms[platform]?.native ?? []).map((one) => [full(expanded), one]),
            ),
        ),
        secrets: texts(secrets.map(({ id, required }) => [id, required])),
    };
}

function read({ dockerfile, buildArgs, target, platform, images }: Case): DockerfileReading | InputError {
    try {
        return readDockerfile(dockerfile, {
            path: "Dockerfile",
            ...{ buildArgs, platforms: [platform] },
            ...(target !== undefined && { target }),
            triggersOf: (reference) => {
                const known = Object.entries(images).find(([image]) => sameImage(image, reference));
                return (known?.[1].onBuild ?? []).map((text) => ({ text, where: "base" }));
            },
        });
    } catch (error) {
        if (error instanceof InputError) return error;
        throw error;
    }
}

/** Messages with which the program refuses cases that BuildKit may build. */
const stricter: readonly RegExp[] = [
    // A value that only an external image's environment defines would require a registry request.
    /depends on the environment of the base image/,
    // BuildKit counts images used as copy sources as stages after the Dockerfile's stages, in no fixed order.
    /"\d" is not a stage before this one/,
    // If an id expands to an empty string, BuildKit uses the last part of the target.
    /a secret mount names no secret/,
];

/** Messages with which BuildKit refuses cases that the program accepts: without a build, no input is missed. */
const laxer: readonly RegExp[] = [
    // Only BuildKit checks the fields of mounts that do not affect which files are read.
    /invalid value \S+ for |unexpected key |unsupported mount type|both source and id|not allowed for|does not support|'from' doesn't support/,
    /failed to parse csv mounts|failed to parse platform|can't find = in|unexpected end of statement/,
    // BuildKit also reads, in part, ONBUILD triggers that no build runs.
    /arrays must be comprised of strings only|endless triggers/,
];

/**
 * Returns the program's and BuildKit's results for a case, which must be equal; undefined if only one of the two
 * refuses the case, for a known reason.
 */
export async function answersTo(
    one: Case,
    oracle: Oracle,
): Promise<{ readonly ours: Reads | string; readonly theirs: Reads | string } | undefined> {
    const images = Object.fromEntries(Object.entries(one.images).map(([name, image]) => [full(name), image]));
    const ask = (dockerfile: string) =>
        oracle.ask<Answer>("reads", { ...one, dockerfile, builder: hostPlatform(), images });
    const reading = read(one);
    const whole = await ask(one.dockerfile);
    if (reading instanceof InputError) {
        const isKnown = stricter.some((reason) => reason.test(reading.message));
        return isKnown
            ? undefined
            : { ours: reading.message, theirs: whole.answer ? fromOracle(whole.answer) : whole.error };
    }
    // Stages that the target does not need are not built, so errors in them do not matter.
    const { answer, error } = whole.answer ? whole : await ask(reading.meaning.text);
    const ours = fromReading(reading, one);
    if (!answer) {
        // BuildKit also reads the triggers of an image that is only a copy source, and stages that exist only so that
        // later stages keep their numbers.
        const isCopied = reading.references.some(
            ({ expanded, from }) => full(expanded) in images && Object.keys(from).length === 0,
        );
        const isCounted = (reading.meaning.text.match(/^FROM /gm) ?? []).length > reading.stages.length;
        const isKnown = isCopied || isCounted || laxer.some((reason) => reason.test(error));
        return isKnown ? undefined : { ours, theirs: error };
    }
    // An image must exist even if no step uses its files.
    const resolved = named(answer.resolved);
    const references = [...fromOracle(answer).references, ...ours.references.filter((each) => resolved.includes(each))];
    return { ours, theirs: { ...fromOracle(answer), references: [...new Set(references)].sort() } };
}

const variables = ["A", "B", "C"];
const stages = ["one", "two", "Three"];
const external = ["base", "reg.test/us/base:1", "busybox:1"];

const pick = (...all: readonly string[]) => fc.constantFrom(...all);
const joined = (parts: readonly fc.Arbitrary<string>[], by = "") =>
    fc.tuple(...parts).map((all) => all.filter((part) => part !== "").join(by));
const maybe = (part: fc.Arbitrary<string>) => fc.oneof(fc.constant(""), part);

const variable = fc
    .tuple(pick(...variables), pick("", "", ":-x", "-x", ":+x", "+x", "#a", "%b", "/a/x", ":-$B"))
    .chain(([name, form]) => (form === "" ? pick(`$${name}`, `\${${name}}`) : fc.constant(`\${${name}${form}}`)));

/** A word that COPY and mounts accept. */
const word = fc
    .array(
        fc.oneof(pick("a", "b", "a/b", "./a", "*", "c.d", "'a'", '"b"', "\\$A", "a\\*b", "`", "../a", "/"), variable),
        {
            minLength: 1,
            maxLength: 3,
        },
    )
    .map((parts) => parts.join(""));

/** A value of ARG and ENV. */
const value = fc.oneof(word, pick('"a b"', "a\\ b", "'$A'", '""', "x"));

const argument = fc.oneof(
    pick(...variables),
    fc.tuple(pick(...variables), maybe(value)).map(([name, text]) => `${name}=${text}`),
);

const rarely = (usual: fc.Arbitrary<string>, other: fc.Arbitrary<string>) =>
    fc.oneof({ weight: 15, arbitrary: usual }, { weight: 1, arbitrary: other });

/** Generates the value of `from=` in a stage, given the stage's number: mostly images and stages that exist. */
const from = (number: number) =>
    rarely(
        pick(
            ...external,
            "scratch",
            ...stages.slice(0, number),
            ...stages.slice(0, number).map((name) => name.toUpperCase()),
        ),
        pick("$A", ...stages, "2"),
    );

const copyFlags = joined(
    [
        maybe(pick("--link", "--chown=1:2", "--chmod=755")),
        maybe(pick("--parents", "--parents=false")),
        maybe(pick("--exclude=*.md", "--exclude='a b'", "--exclude=$A", '--exclude="b"')),
    ],
    " ",
);

const files = rarely(
    fc.oneof(
        { weight: 3, arbitrary: joined([word, maybe(word), fc.constant("/to/")], " ") },
        fc.array(word, { minLength: 1, maxLength: 2 }).map((all) => JSON.stringify([...all, "/to/"])),
        pick("a <<EOF /to/\ntext $A\nEOF", "<<EOF /to/\nCOPY a b\nEOF", "<<A b <<-'B' /to/\nA\n\tB"),
    ),
    pick("a", "[a, /to/]", '["a", 1]', "<<EOF /to/\nopen", "https://example.test/a /to/"),
);

const sourceField = fc.tuple(pick("source", "src", "Source"), word).map((all) => all.join("="));

/** Generates a mount with fields of its type, for a stage given by number. */
const mount = (number: number) => {
    const fromField = from(number).map((name) => `from=${name}`);
    const fields: Readonly<Record<string, fc.Arbitrary<string>>> = {
        bind: fc.oneof(sourceField, fromField, pick("ro", "rw", "readonly=true", "rw=false", "target=/t")),
        cache: fc.oneof(sourceField, fromField, pick("id=C", "sharing=locked", "uid=1", "mode=0700", "ro")),
        secret: fc.oneof(
            pick("id=S", "id=$A", "src=T", "target=/s/U", "required", "required=false", "mode=0400", "env=E"),
            word.map((one) => `id=${one}`),
        ),
        ssh: pick("id=S", "required", "mode=0600"),
        tmpfs: pick("size=1", "target=/t"),
    };
    return pick(...Object.keys(fields)).chain((type) =>
        fc
            .array(rarely(fields[type] ?? fromField, pick("from=$A", "uid=x", "none=1", "type=$A")), { maxLength: 3 })
            .map((all) => {
                const shown = type === "bind" ? [] : [`type=${type}`];
                const target = type === "secret" || type === "ssh" ? [] : ["target=/m"];
                return `--mount=${[...shown, ...all, ...target].join(",")}`;
            }),
    );
};

/** Generates an instruction of a stage, given the stage's number. */
const instruction = (number: number) =>
    fc.oneof(
        { weight: 2, arbitrary: joined([pick("ARG", "arg"), argument, maybe(argument)], " ") },
        {
            weight: 2,
            arbitrary: fc.oneof(
                fc.tuple(pick(...variables), value).map(([name, text]) => `ENV ${name}=${text}`),
                fc.tuple(pick(...variables), value).map(([name, text]) => `ENV ${name} ${text}`),
                fc
                    .tuple(pick(...variables), value, pick(...variables), value)
                    .map(([a, x, b, y]) => `ENV ${a}=${x} ${b}=${y}`),
            ),
        },
        { weight: 4, arbitrary: joined([pick("COPY", "copy"), copyFlags, files], " ") },
        { weight: 1, arbitrary: pick("0", "0", "1").map((from) => `COPY --from=${from} a /to/`) },
        {
            weight: 2,
            arbitrary: fc.tuple(from(number), word).map(([name, text]) => `COPY --from=${name} ${text} /to/`),
        },
        {
            weight: 1,
            arbitrary: joined(
                [
                    pick("ADD"),
                    maybe(pick("--exclude=a")),
                    fc.oneof(
                        files,
                        pick(
                            "https://example.test/$A /to/",
                            "https://example.test/a.git /to/",
                            "git@example.test:a/b.git a /to/",
                        ),
                    ),
                ],
                " ",
            ),
        },
        {
            weight: 4,
            arbitrary: joined(
                [
                    fc.constant("RUN"),
                    mount(number),
                    maybe(mount(number)),
                    pick("true", "<<EOF\nCOPY a b\nEOF", '["true"]'),
                ],
                " ",
            ),
        },
        pick(
            "WORKDIR /w",
            "USER 1",
            "LABEL a=b",
            "RUN true",
            "CMD true",
            "COPY a \\\n# comment\n  b /to/",
            'SHELL ["sh"]',
        ),
    );

const stage = (number: number) =>
    fc
        .record({
            base: rarely(
                pick(
                    ...external,
                    ...stages.slice(0, number).map((name) => name.toLowerCase()),
                    "scratch",
                    "base:${B:-1}",
                    "base",
                ),
                pick("$A", "Three", "three"),
            ),
            platform: rarely(
                maybe(pick("--platform=$BUILDPLATFORM", "--platform=linux/arm64", "--platform=$TARGETPLATFORM")),
                pick("--platform=$C"),
            ),
            name: rarely(pick(`AS ${stages[number] ?? ""}`), pick("AS one", "")),
            steps: fc.array(
                fc.oneof(
                    { weight: 5, arbitrary: instruction(number) },
                    instruction(number + 1).map((one) => `ONBUILD ${one}`),
                ),
                { maxLength: 4 },
            ),
        })
        .map(({ base, platform, name, steps }) =>
            [["FROM", platform, base, name].filter((one) => one !== "").join(" "), ...steps].join("\n"),
        );

/** Cases that reveal differences between the two readings. */
export const cases: fc.Arbitrary<Case> = fc.record({
    dockerfile: fc
        .tuple(
            maybe(pick("# escape=`\n", "# comment\n")),
            fc.array(
                argument.map((one) => `ARG ${one}\n`),
                { maxLength: 2 },
            ),
            fc
                .integer({ min: 1, max: stages.length })
                .chain((count) => fc.tuple(...Array.from({ length: count }, (_one, number) => stage(number)))),
        )
        .map(([start, globals, all]) => `${start}${globals.join("")}${all.join("\n")}\n`),
    buildArgs: fc.dictionary(pick(...variables, "X"), pick("a", "1", "base", "x y", ""), { maxKeys: 2 }),
    target: fc.option(pick("one", "one", "two"), { nil: undefined, freq: 4 }),
    platform: fc.constantFrom("linux/amd64", "linux/arm64"),
    images: fc.dictionary(pick(...external), fc.record({ onBuild: fc.array(instruction(2), { maxLength: 3 }) })),
});
