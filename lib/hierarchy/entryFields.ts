import { z } from "zod";
import type { Definitions, ImageDefinition, RootDefinition } from "./definition";
import { referenceProblem, sameImage } from "../registry/references";

const text = z.string({ error: "not text" });
const texts = z.array(text, { error: "not a list" });
const pairs = z.record(text, text, { error: "not an object of texts" });
const flag = z.boolean({ error: "neither true nor false" });

/** What an entry of `images.ts` may say. Pulumi runs programs without checking their types, so nobody else looks. */
const entry = z.strictObject({
    description: text,
    name: text.optional(),
    dockerfile: text,
    context: text.optional(),
    target: text.optional(),
    platforms: z.union([z.literal("host"), texts], { error: 'neither "host" nor a list such as ["linux/amd64"]' }),
    buildArgs: pairs.optional(),
    plainArguments: texts.optional(),
    labels: pairs.optional(),
    secrets: texts.optional(),
    registryCache: flag.optional(),
    smokeTest: text.optional(),
} satisfies Record<keyof ImageDefinition, z.ZodType>);

/** What `images.ts` may say of a root. */
const root = z.strictObject({ onBuild: texts } satisfies Record<keyof RootDefinition, z.ZodType>);

function describe(named: string, kind: typeof entry | typeof root, issue: z.core.$ZodIssue, value: unknown): string {
    const known = Object.keys(kind.shape).join(", ");
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

/** What is wrong with the values of an object, by their kind. */
const problemsOf = (all: object, kind: typeof entry | typeof root, name: (key: string) => string): string[] =>
    Object.entries(all).flatMap(([key, value]) =>
        (kind.safeParse(value).error?.issues ?? []).map((issue) => describe(name(key), kind, issue, value)),
    );

/** What is wrong with the names of roots. */
function nameProblems(roots: object): string[] {
    const names = Object.keys(roots);
    const wrong = names.flatMap((name) => referenceProblem(name) ?? []);
    if (wrong.length > 0) return wrong.map((problem) => `roots: ${problem}`);
    const twice = names.filter((name, index) => names.findIndex((other) => sameImage(other, name)) < index);
    return twice.map((name) => `roots names one image twice: ${name}`);
}

/** What is wrong with what `images.ts` exports, a problem a text; where there is any, its type says nothing. */
export function fieldProblems({ images, roots = {} }: Partial<Definitions>): string[] {
    if (images === undefined) return ["exports no `images`"];
    return [
        ...problemsOf(images, entry, (key) => `image ${key}`),
        ...problemsOf(roots, root, (key) => `root ${key}`),
        ...nameProblems(roots),
    ];
}
