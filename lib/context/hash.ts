import { createHash } from "node:crypto";
import { type Platform, archOf } from "../platform";
import type { InputFile } from "./walk";

/** Everything that decides a build except the digests of its base images. */
export interface InputHashParts {
    /** Text of the Dockerfile to build; for an image, its meaning. */
    readonly dockerfile: string;
    readonly files: readonly InputFile[];
    readonly target: string | undefined;
    readonly buildArgs: Readonly<Record<string, string>> | undefined;
    readonly labels: Readonly<Record<string, string>> | undefined;
    /** Names only: secret values must not enter a published hash. */
    readonly secrets: readonly string[] | undefined;
    readonly exporter: string;
    /** Settings of the registry cache, or whether it is used. */
    readonly cache: boolean | string | undefined;
    /** The period of its last scheduled rebuild. */
    readonly rebuild?: string | undefined;
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Returns JSON with sorted keys: equal values give equal texts, different values different texts. */
function canonical(value: unknown): string {
    return JSON.stringify(value, (_key, field: unknown) =>
        typeof field === "object" && field !== null && !Array.isArray(field)
            ? Object.fromEntries(Object.entries(field).sort(([a], [b]) => byText(a, b)))
            : field,
    );
}

/** Returns 12 hex digits of the hash of a JSON value; the order of keys does not matter. */
export const hash12 = (value: unknown): string =>
    createHash("sha256").update(canonical(value)).digest("hex").slice(0, 12);

/** An empty record is the same as an absent record. */
const withoutEmpty = (record: Readonly<Record<string, string>> | undefined) =>
    record && Object.keys(record).length > 0 ? record : undefined;

/**
 * Returns the input hash: 12 hex digits over `parts`. The order of keys, files and secrets does not matter, nor do
 * empty records.
 */
export const inputHash = (parts: InputHashParts): string =>
    hash12({
        ...parts,
        buildArgs: withoutEmpty(parts.buildArgs),
        labels: withoutEmpty(parts.labels),
        secrets: [...(parts.secrets ?? [])].sort(byText),
        files: [...parts.files].sort((a, b) => byText(a.path, b.path)),
    });

/**
 * Returns the build tag `b-<12 hex>-<arch>`, which names one build and never moves.
 *
 * @param parts.base digests of the base images, in any order (references for images without a pin)
 */
export function buildTag(parts: {
    readonly inputHash: string;
    readonly platform: Platform;
    readonly base: readonly string[];
}): string {
    return `b-${hash12({ ...parts, base: [...parts.base].sort(byText) })}-${archOf(parts.platform)}`;
}
