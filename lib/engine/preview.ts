import { z } from "zod";
import { type Texts, listIn, nameOf, textIn, textsIn } from "./resources";

/** The texts of a property that is a record; what is no text is left out. */
export const textsOf = (state: ResourceState | undefined, property: string): Texts => textsIn(state?.inputs[property]);

/** The text of a property; "" where it is none. */
export const textOf = (state: ResourceState, property: string): string => textIn(state.inputs[property]) ?? "";

/** The texts of a property that is a list. */
export const listOf = (state: ResourceState | undefined, property: string): readonly string[] =>
    listIn(state?.inputs[property]);

/** What the engine writes in place of a value that only an update can know (Pulumi, plugin.UnknownStringValue). */
export const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

const properties = z.record(z.string(), z.unknown()).default({});
const state = z.object({
    type: z.string(),
    /** Whether it is a resource of a provider, rather than a component. */
    custom: z.boolean().default(true),
    parent: z.string().optional(),
    inputs: properties,
    outputs: properties,
    retainOnDelete: z.boolean().default(false),
});
const step = z.object({
    op: z.string(),
    urn: z.string(),
    oldState: state.optional(),
    newState: state.optional(),
    diffReasons: z.array(z.string()).nullish(),
});
const diagnostic = z.object({ severity: z.string(), message: z.string().default(""), urn: z.string().optional() });
const preview = z.object({
    steps: z.array(step).default([]),
    diagnostics: z.array(diagnostic).nullish(),
});

/** A resource as the state has it, or as an update would make it. */
export type ResourceState = z.infer<typeof state>;

/** What an update would do with one resource. */
export interface Step {
    /** The engine's word: same, create, update, replace, delete … */
    readonly op: string;
    readonly urn: string;
    readonly type: string;
    readonly name: string;
    /** Name of the resource that it belongs to, "" for the stack. */
    readonly parent: string;
    readonly old: ResourceState | undefined;
    readonly new: ResourceState | undefined;
    /** Properties that differ, where the provider says so. */
    readonly reasons: readonly string[];
}

/** What `pulumi preview --json --show-sames --show-replacement-steps` said. */
export interface Preview {
    readonly steps: readonly Step[];
    /** Errors and warnings, in the engine's words. */
    readonly diagnostics: readonly { readonly severity: string; readonly message: string }[];
}

/**
 * Reads what a preview printed.
 *
 * @throws SyntaxError or z.ZodError when it is no preview
 */
export function readPreview(text: string): Preview {
    const { steps, diagnostics } = preview.parse(JSON.parse(text));
    return {
        steps: steps.map(({ op, urn, oldState, newState, diffReasons }) => ({
            op,
            urn,
            type: (newState ?? oldState)?.type ?? "",
            name: nameOf(urn),
            parent: nameOf((newState ?? oldState)?.parent ?? ""),
            old: oldState,
            new: newState,
            reasons: diffReasons ?? [],
        })),
        diagnostics: diagnostics ?? [],
    };
}

/** Steps that a replacement is made of beside the one that says it, `replace`. */
const partOfReplacement = ["create-replacement", "delete-replaced"];

/** The steps without the parts of replacements, and without what an earlier replacement left to be deleted. */
export const withoutParts = (steps: readonly Step[]): Step[] =>
    steps.filter(({ op }) => !partOfReplacement.includes(op));

/**
 * What an earlier update replaced and could not delete: the state has it beside its replacement, and the next update deletes it.
 */
export function leftovers(steps: readonly Step[]): Step[] {
    const replaced = new Set(steps.filter(({ op }) => op === "replace").map(({ urn }) => urn));
    return steps.filter(({ op, urn }) => op === "delete-replaced" && !replaced.has(urn));
}

/** Whether `value` holds something that only an update can know. */
export function isUnknown(value: unknown): boolean {
    if (typeof value === "string") return value === unknown;
    if (typeof value !== "object" || value === null) return false;
    return Object.values(value).some(isUnknown);
}

/** Whether two values are the same as far as both are known. */
export function sameWhereKnown(before: unknown, after: unknown): boolean {
    if (after === unknown) return true;
    if (typeof before !== "object" || typeof after !== "object" || before === null || after === null) {
        return before === after;
    }
    if (Array.isArray(before) !== Array.isArray(after)) return false;
    const [old, now] = [before, after].map((value) => new Map(Object.entries(value)));
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...names].every((name) => sameWhereKnown(old?.get(name), now?.get(name)));
}
