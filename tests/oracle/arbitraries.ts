import fc from "fast-check";

/** Names with a special meaning in patterns, regular expressions or comments. */
const names = [
    "a",
    "b",
    "ab",
    "a.b",
    ".env",
    "c+",
    "a b",
    "#a",
    "!a",
    "(a)",
    "a^b",
    "é",
    "1",
    "[a]",
    "a]",
    "{a}",
    "a$",
];

const isBelow = (file: string, folder: string) => file.startsWith(`${folder}/`);

/** Generates paths of a context's files; no path is a parent folder of another path. */
export const trees = (of: readonly string[] = names) =>
    fc
        .uniqueArray(
            fc.array(fc.constantFrom(...of), { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/")),
            { minLength: 1, maxLength: 8 },
        )
        .map((files) => files.filter((file) => !files.some((other) => isBelow(other, file))));

/** A few names only, so that sources and links often point to existing entries. */
const fewNames = ["a", "b", "ab", ".env", "!a", "[a]"];

const targets = [
    "a",
    "b",
    "ab",
    ".env",
    "../a",
    "../ab",
    "a/b",
    "../../b",
    "/a",
    "/b/a",
    "/etc/passwd",
    "nowhere",
    "..",
    ".",
    "/",
    "b/../a",
];

/** An entry of a context: a file, an empty folder, or a symbolic link to any target. */
export type Entry = "file" | "folder" | { readonly target: string };

/** Contexts with links and empty folders; no entry is below a file or a link. */
export const contexts = fc
    .uniqueArray(
        fc.tuple(
            fc.array(fc.constantFrom(...fewNames), { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/")),
            fc.oneof(
                { weight: 4, arbitrary: fc.constant<Entry>("file") },
                { weight: 1, arbitrary: fc.constant<Entry>("folder") },
                { weight: 2, arbitrary: fc.constantFrom(...targets).map((target): Entry => ({ target })) },
            ),
        ),
        { minLength: 1, maxLength: 8, selector: ([file]) => file },
    )
    .map((all) => Object.fromEntries(all.filter(([file]) => !all.some(([other]) => isBelow(other, file)))));

const joined = (units: readonly string[], maxLength: number) =>
    fc.array(fc.constantFrom(...units), { minLength: 1, maxLength }).map((parts) => parts.join(""));

/** Generates patterns that are likely to match a file. */
const likely = (of: readonly string[]) => {
    const part = fc.constantFrom(...of, "*", "**", "?", "a*", "**b", "[a-b]", "[^a]", "..", ".", "");
    const parts = fc.array(part, { minLength: 1, maxLength: 3 }).map((all) => all.join("/"));
    return fc
        .tuple(fc.constantFrom("", "", "!", "/", "!/"), parts, fc.constantFrom("", "", "/", "/**"))
        .map((all) => all.join(""));
};

/** Patterns that reveal differences between grammars. */
const unlikely = joined(
    [
        ...Array.from("ab1/*?![]\\^-.+()|{}$#: \t\rédDswQEpLzx"),
        "**",
        "../",
        "\u0085",
        "\u00a0",
        "[:alpha:]",
        "\\d",
        "\\pL",
        "[^",
        "\\Q",
    ],
    7,
);

/** Texts of ignore files. */
export const ignoreFiles = fc
    .tuple(
        fc.constantFrom("", "", "", "\uFEFF"),
        fc.array(fc.oneof({ weight: 3, arbitrary: likely(names) }, { weight: 1, arbitrary: unlikely }), {
            minLength: 1,
            maxLength: 5,
        }),
        fc.constantFrom("\n", "\n", "\r\n", " \n"),
    )
    .map(([mark, lines, end]) => mark + lines.join(end));

/** Names that a COPY in JSON form accepts unchanged. */
export const plainNames = names.filter((name) => !/[$\s]/.test(name));

/** Patterns that a flag accepts unchanged. */
export const flagPatterns = likely(plainNames);

/** Ignore files that keep most of a context. */
export const shortIgnoreFiles = fc.array(likely(plainNames), { maxLength: 2 }).map((lines) => lines.join("\n"));

const sourcesOf = (names: readonly string[], maxLength: number) =>
    fc
        .tuple(
            fc.constantFrom("", "", "./", "/"),
            fc.array(fc.constantFrom(...names, "*", "**", "?", "a*", "[a-b]", "."), { minLength: 1, maxLength }),
            fc.constantFrom("", "", "/"),
        )
        .map(([start, parts, end]) => start + parts.join("/") + end);

/** Sources of COPY: plain, with wildcards, with a pivot. */
export const copySources = fc.oneof(
    { weight: 1, arbitrary: sourcesOf(plainNames, 3) },
    { weight: 3, arbitrary: sourcesOf(fewNames, 2) },
);

/** Sources of mounts: paths, including paths that look like patterns. */
export const mountSources = fc
    .array(fc.constantFrom("a", "b", "ab", ".env", "!a", "[a]", "."), { minLength: 1, maxLength: 2 })
    .map((parts) => parts.join("/"));
