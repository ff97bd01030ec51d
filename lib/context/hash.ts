import { createHash } from "node:crypto";
import { type Platform, archOf } from "../platform";
import type { InputFile } from "./walk";

/** Everything that decides a build except the digests it stands on. */
export interface InputHashParts {
    /** Text of the Dockerfile that is built: of an image's, its meaning. */
    readonly dockerfile: string;
    readonly files: readonly InputFile[];
    readonly target: string | undefined;
    readonly buildArgs: Readonly<Record<string, string>> | undefined;
    readonly labels: Readonly<Record<string, string>> | undefined;
    /** Names only: a value never enters a hash that is published. */
    readonly secrets: readonly string[] | undefined;
    readonly exporter: string;
    /** Settings of the registry cache, or whether there is one. */
    readonly cache: boolean | string | undefined;
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** JSON with sorted keys: the same value gives the same text, another value another text. */
function canonical(value: unknown): string {
    return JSON.stringify(value, (_key, one: unknown) =>
        typeof one === "object" && one !== null && !Array.isArray(one)
            ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => byText(a, b)))
            : one,
    );
}

/** 12 hex over a JSON value; the order of keys does not matter. */
export const hash12 = (value: unknown): string =>
    createHash("sha256").update(canonical(value)).digest("hex").slice(0, 12);

/** A record that says nothing is the same as none. */
const orNone = (record: Readonly<Record<string, string>> | undefined) =>
    record && Object.keys(record).length > 0 ? record : undefined;

/** The input hash: 12 hex over `parts`. Neither the order of keys, files and secrets nor an empty record matters. */
export const inputHash = (parts: InputHashParts): string =>
    hash12({
        ...parts,
        buildArgs: orNone(parts.buildArgs),
        labels: orNone(parts.labels),
        secrets: [...(parts.secrets ?? [])].sort(byText),
        files: [...parts.files].sort((a, b) => byText(a.path, b.path)),
    });

/**
 * The build tag `b-<12 hex>-<arch>`: it names one build and is never moved.
 *
 * @param parts.base digests (or names, where nobody pinned them) of what the image is built on, in any order
 */
export function buildTag(parts: {
    readonly inputHash: string;
    readonly platform: Platform;
    readonly base: readonly string[];
}): string {
    return `b-${hash12({ ...parts, base: [...parts.base].sort(byText) })}-${archOf(parts.platform)}`;
}
