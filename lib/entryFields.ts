import { z } from "zod";
import type { ImageDefinition, ImageDefinitions } from "./images";

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

function describe(key: string, issue: z.core.$ZodIssue, value: unknown): string {
    const known = Object.keys(entry.shape).join(", ");
    if (issue.code === "unrecognized_keys") {
        const fields = issue.keys.map((field) => `"${field}"`).join(" and ");
        return `image ${key} has an unknown field ${fields}; known are ${known}`;
    }
    const [field] = issue.path;
    if (field === undefined) return `image ${key} is not an object with the fields ${known}`;
    const given = (value as Readonly<Record<PropertyKey, unknown>>)[field];
    if (given === undefined) return `image ${key} lacks the field ${String(field)}`;
    return `image ${key}: its ${issue.path.map(String).join(".")} is ${issue.message}`;
}

/** What is wrong with the fields of `images.ts`, a problem a text; where there is any, its type says nothing. */
export const fieldProblems = (images: ImageDefinitions): string[] =>
    Object.entries(images).flatMap(([key, image]) =>
        (entry.safeParse(image).error?.issues ?? []).map((issue) => describe(key, issue, image)),
    );
