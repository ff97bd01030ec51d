import { InputError } from "../errors";
import type {
    Combination,
    Definitions,
    ImageDefinition,
    ImageDefinitions,
    Matrix,
    MatrixDefinition,
} from "./definition";
import { hasMatrix, matrixFieldProblems, releasePlaceholders } from "./validate";

/** Returns the variables that a template contains, of those that there are. */
const variablesIn = (template: string, known: readonly string[]): string[] =>
    known.filter((name) => template.includes(`{${name}}`));

/** Fills in a template: {NAME} is a value, and text in square brackets is left out if a value in it is empty. */
function fill(template: string, values: Combination): string {
    const names = Object.keys(values);
    const chosen = template.replace(/\[([^[\]]*)\]/g, (whole, optional: string) => {
        const inside = variablesIn(optional, names);
        if (inside.length === 0) return whole;
        return inside.some((name) => values[name] === "") ? "" : optional;
    });
    return chosen.replace(/\{(\w+)\}/g, (whole, name: string) =>
        Object.hasOwn(values, name) ? (values[name] ?? whole) : whole,
    );
}

/** Returns a value as it can be part of a key. */
const inKey = (value: string): string =>
    value
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, "-")
        .replace(/^-|-$/g, "");

const mapValues = <From, To>(record: Readonly<Record<string, From>>, change: (value: From) => To): Record<string, To> =>
    Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));

/** The fields that are templates, apart from those of which each value is one. */
const templates = ["description", "name", "dockerfile", "context", "target", "smokeTest"] as const;

/** Returns the templates of an entry by field. Those of `tags` may also contain placeholders that a release fills in. */
function templatesOf(entry: MatrixDefinition): (readonly [field: string, template: string])[] {
    const { additionalNames = [], buildArgs = {}, labels = {}, key } = entry;
    return [
        ...templates.flatMap((field) => (entry[field] === undefined ? [] : [[field, entry[field]] as const])),
        ...additionalNames.map((name) => ["additionalNames", name] as const),
        ...(key === undefined ? [] : [["key", key] as const]),
        ...Object.entries(buildArgs).map(([name, value]) => [`buildArgs.${name}`, value] as const),
        ...Object.entries(labels).map(([name, value]) => [`labels.${name}`, value] as const),
    ];
}

/** Returns the variables, of those that there are, that templates of what is built contain. */
function builtFrom(entry: MatrixDefinition, known: readonly string[]): string[] {
    const published = ["description", "name", "additionalNames", "key"];
    const built = templatesOf(entry).filter(([field]) => !published.includes(field));
    return known.filter((name) => built.some(([, template]) => variablesIn(template, [name]).length > 0));
}

/** Returns all combinations of the values, without those that are excluded; the last variable changes first. */
function combinationsOf({ matrix, exclude = [] }: MatrixDefinition): Combination[] {
    const all = Object.entries(matrix).reduce<Combination[]>(
        (combinations, [name, values]) =>
            combinations.flatMap((combination) => values.map((value) => ({ ...combination, [name]: value }))),
        [{}],
    );
    const isExcluded = (combination: Combination) =>
        exclude.some((values) => Object.entries(values).every(([name, value]) => combination[name] === value));
    return all.filter((combination) => !isExcluded(combination));
}

/** Names a combination in messages. */
const named = (values: Combination): string =>
    Object.entries(values)
        .map(([name, value]) => `${name}=${value === "" ? '""' : value}`)
        .join(" ");

const inBraces = (names: readonly string[]): string => names.map((name) => `{${name}}`).join(", ") || "no variable";

/** Returns the problems of a matrix itself and of what its entry makes of it, before it is expanded. */
function matrixProblems(entry: MatrixDefinition): string[] {
    const { matrix, exclude = [], buildArgs = {} } = entry;
    const variables = Object.keys(matrix);
    const reserved = Object.keys(releasePlaceholders);
    const ofVariables = Object.entries(matrix).flatMap(([name, values]) => {
        const repeated = values.filter((value, index) => values.indexOf(value) < index);
        return [
            ...(/^[A-Za-z_]\w*$/.test(name)
                ? []
                : [`the variable "${name}" of its matrix can't be a build argument: write letters, digits and _`]),
            ...(reserved.includes(`{${name}}`)
                ? [
                      `its matrix has the variable ${name}, but {${name}} in tags is that of a release: give it another name`,
                  ]
                : []),
            ...(values.length === 0 ? [`the variable ${name} of its matrix has no values`] : []),
            ...repeated.map((value) => `the variable ${name} of its matrix has the value "${value}" twice`),
            ...(name in buildArgs
                ? [`its buildArgs has ${name}, which is a variable of its matrix: remove it from one of them`]
                : []),
        ];
    });
    const ofExcluded = exclude.flatMap((values) =>
        Object.entries(values).flatMap(([name, value]) =>
            matrix[name]?.includes(value)
                ? []
                : [
                      `exclude has ${name}=${value}, which its matrix does not have: allowed are ${matrix[name]?.join(", ") ?? variables.join(", ")}`,
                  ],
        ),
    );
    const ofTemplates = templatesOf(entry).flatMap(([field, template]) =>
        (template.match(/\{\w+\}/g) ?? [])
            .filter((found) => !variables.includes(found.slice(1, -1)))
            .map((found) => `its ${field} has ${found}: its matrix has ${inBraces(variables)}`),
    );
    const isEmpty = variables.length === 0 || combinationsOf(entry).length === 0;
    return [
        ...ofVariables,
        ...ofExcluded,
        ...ofTemplates,
        ...(isEmpty && ofVariables.length === 0
            ? ["its matrix has no combination: add values, or remove the entry"]
            : []),
    ];
}

/** An image of a matrix. */
interface Variant {
    readonly key: string;
    readonly values: Combination;
    readonly image: ImageDefinition;
}

/** Fields that an entry of an image does not have, and templates, which `variant` fills in. */
const changedFields: readonly string[] = [
    "matrix",
    "exclude",
    "key",
    ...templates,
] satisfies (keyof MatrixDefinition)[];

/** Returns the image of one combination: what a person would write instead of the entry. */
function variant(entryKey: string, entry: MatrixDefinition, values: Combination): Variant {
    const { key, additionalNames, tags, labels, buildArgs = {} } = entry;
    const filled = (template: string) => fill(template, values);
    const inKeys = mapValues(values, inKey);
    const kept = Object.entries(entry).filter(([field]) => !changedFields.includes(field));
    // A field that becomes empty, such as the target of a variant without CUDA, is one that the image does not have.
    const fields = templates.flatMap((field) => {
        const text = entry[field] === undefined ? "" : filled(entry[field]);
        return text === "" && field !== "description" ? [] : [[field, text]];
    });
    return {
        key: key === undefined ? [entryKey, ...Object.values(inKeys).filter(Boolean)].join("-") : fill(key, inKeys),
        values,
        image: {
            ...(Object.fromEntries([...kept, ...fields]) as ImageDefinition),
            ...(additionalNames && { additionalNames: additionalNames.map(filled) }),
            ...(tags && { tags: tags.map(filled) }),
            ...(labels && { labels: mapValues(labels, filled) }),
            buildArgs: { ...values, ...mapValues(buildArgs, filled) },
        },
    };
}

/** Returns a problem for each combination that has the same key or name as an earlier one. */
function repeatedProblems(variants: readonly Variant[]): string[] {
    return variants.flatMap((one, index) => {
        const problem = (
            what: "key" | "name",
            value: string | undefined,
            valueOf: (other: Variant) => string | undefined,
        ) => {
            const first =
                value === undefined ? undefined : variants.slice(0, index).find((other) => valueOf(other) === value);
            if (!first) return [];
            const different = Object.keys(one.values).filter((name) => one.values[name] !== first.values[name]);
            return [
                `${named(first.values)} and ${named(one.values)} have the same ${what} ${value ?? ""}: write ${inBraces(different)} in its ${what}`,
            ];
        };
        return [
            ...problem("key", one.key, ({ key }) => key),
            ...problem("name", one.image.name, ({ image }) => image.name),
        ];
    });
}

/**
 * Replaces each entry of `images.ts` that has a matrix by its images, in the order of the matrix. Nothing else looks at
 * matrices, so an image of a matrix is like any other.
 *
 * @returns images by key, and the matrices if there are any; other entries stay as they are, checked by `readHierarchy`
 * @throws InputError with one line per problem of a matrix, also if two combinations, or one and another entry, have the
 *     same key
 */
export function expandImages(written: ImageDefinitions): Pick<Definitions, "images" | "matrices"> {
    const refuse = (problems: readonly string[]) => {
        if (problems.length === 0) return;
        throw new InputError({ problem: problems.join("\n  "), where: "images.ts", next: "correct images.ts" });
    };
    const entries = Object.entries(written);
    refuse(matrixFieldProblems(written));
    refuse(
        entries.flatMap(([key, entry]) =>
            hasMatrix(entry) ? matrixProblems(entry).map((problem) => `image ${key}: ${problem}`) : [],
        ),
    );
    const problems: string[] = [];
    const images: Record<string, ImageDefinition> = {};
    const matrices: Record<string, Matrix> = {};
    // A key stands for an entry or for an image, but for both only if every value of the image's combination is empty.
    const owners = new Map(entries.map(([key]) => [key, key]));
    for (const [entryKey, entry] of entries) {
        if (!hasMatrix(entry)) {
            images[entryKey] = entry;
            continue;
        }
        const variants = combinationsOf(entry).map((values) => variant(entryKey, entry, values));
        problems.push(...repeatedProblems(variants).map((problem) => `image ${entryKey}: ${problem}`));
        for (const { key, values, image } of variants) {
            const owner = owners.get(key) ?? entryKey;
            if (owner !== entryKey) {
                problems.push(
                    `image ${entryKey}: ${named(values)} has the key ${key}, which image ${owner} has too: change its key`,
                );
            }
            owners.set(key, owner);
            images[key] = image;
        }
        const variables = Object.keys(entry.matrix);
        matrices[entryKey] = {
            images: variants.map(({ key }) => key),
            variables,
            inTemplates: builtFrom(entry, variables),
        };
    }
    refuse(problems);
    return { images, ...(Object.keys(matrices).length > 0 && { matrices }) };
}
