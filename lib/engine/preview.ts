import { z } from "zod";
import { type Texts, listIn, nameOf, textIn, textsIn } from "./resources";

/** Returns the strings of a property that is a record; other values are left out. */
export const textsOf = (state: ResourceState | undefined, property: string): Texts => textsIn(state?.inputs[property]);

/** Returns a property that is a string; "" if it is not a string. */
export const textOf = (state: ResourceState, property: string): string => textIn(state.inputs[property]) ?? "";

/** Returns the strings of a property that is a list. */
export const listOf = (state: ResourceState | undefined, property: string): readonly string[] =>
    listIn(state?.inputs[property]);

/** The engine's placeholder for a value that only an update can determine (Pulumi, plugin.UnknownStringValue). */
export const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

const properties = z.record(z.string(), z.unknown()).default({});
const state = z.object({
    type: z.string(),
    /** Whether it is a provider's resource, not a component. */
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

/** A resource as recorded in the state, or as an update would create it. */
export type ResourceState = z.infer<typeof state>;

/** The operation that an update would perform on one resource. */
export interface Step {
    /** The engine's word: same, create, update, replace, delete … */
    readonly op: string;
    readonly urn: string;
    readonly type: string;
    readonly name: string;
    /** Name of its parent resource, "" for the stack. */
    readonly parent: string;
    readonly old: ResourceState | undefined;
    readonly new: ResourceState | undefined;
    /** Properties that differ, if the provider reports them. */
    readonly reasons: readonly string[];
}

/** The output of `pulumi preview --json --show-sames --show-replacement-steps`. */
export interface Preview {
    readonly steps: readonly Step[];
    /** Errors and warnings, in the engine's words. */
    readonly diagnostics: readonly { readonly severity: string; readonly message: string }[];
}

/**
 * Reads the output of a preview.
 *
 * @throws SyntaxError or z.ZodError if the text is not a preview
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

/** Operations that a replacement consists of, in addition to the `replace` step that announces it. */
const partOfReplacement = ["create-replacement", "delete-replaced"];

/**
 * Returns the steps without the parts of replacements and without deletions that an earlier replacement left pending.
 */
export const withoutParts = (steps: readonly Step[]): Step[] =>
    steps.filter(({ op }) => !partOfReplacement.includes(op));

/**
 * Returns the resources that an earlier update replaced but could not delete: the state holds them next to their
 * replacements, and the next update deletes them.
 */
export function leftovers(steps: readonly Step[]): Step[] {
    const replaced = new Set(steps.filter(({ op }) => op === "replace").map(({ urn }) => urn));
    return steps.filter(({ op, urn }) => op === "delete-replaced" && !replaced.has(urn));
}

/** Whether `value` contains a value that only an update can determine. */
export function isUnknown(value: unknown): boolean {
    if (typeof value === "string") return value === unknown;
    if (typeof value !== "object" || value === null) return false;
    return Object.values(value).some(isUnknown);
}

/** Whether two values are equal wherever both are known. */
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
