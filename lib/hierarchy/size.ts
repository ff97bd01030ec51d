import { z } from "zod";

/** Bytes by unit, as registries and Docker write sizes: powers of 1000, or of 1024 with an "i". */
const units: Readonly<Record<string, number>> = {
    kB: 1e3,
    MB: 1e6,
    GB: 1e9,
    KiB: 2 ** 10,
    MiB: 2 ** 20,
    GiB: 2 ** 30,
};

const sizePattern = new RegExp(`^(\\d+(?:\\.\\d+)?) ?(${Object.keys(units).join("|")})$`);

/** What is allowed as a size, in words. */
const sizeForm = `a number and one of ${Object.keys(units).join(", ")}, such as "500 MB"`;

/** Returns the bytes of a size such as "500 MB"; undefined for a text that is none, and for one that nothing fits into. */
export function bytesOf(size: string): number | undefined {
    const [, number = "", unit = ""] = sizePattern.exec(size) ?? [];
    const bytes = Math.round(Number(number) * (units[unit] ?? 0));
    return bytes > 0 ? bytes : undefined;
}

/** A size, as images.ts and the stack's configuration write it. */
export const sizeSchema = z.string().refine((text) => bytesOf(text) !== undefined, { error: `not ${sizeForm}` });
