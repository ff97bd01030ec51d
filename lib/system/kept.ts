import type { ZodType } from "zod";
import { InputError, restoreOwner } from "../errors";
import { type Damage, type Kept, readKept } from "./files";

/**
 * Reads a JSON file that an earlier run wrote.
 *
 * @param schema what it holds
 * @returns its value, or what is wrong with it; undefined if there is no such file
 */
export const readKeptJson = <T>(file: string, schema: ZodType<T>): Kept<T> | undefined =>
    readKept(file, (text) => {
        const { data, error } = schema.safeParse(JSON.parse(text));
        if (error === undefined) return data;
        throw new Error(
            error.issues.map(({ path, message }) => [path.join("."), message].filter(Boolean).join(": ")).join("; "),
        );
    });

/** Returns the value of a file that was read, and undefined for one that is missing or damaged. */
export const valueOf = <T>(kept: Kept<T> | undefined): T | undefined =>
    kept !== undefined && "value" in kept ? kept.value : undefined;

/** Whether an error of the operating system says that another user owns a file. */
export const isForeign = (error: unknown): boolean =>
    ["EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "");

/**
 * Returns the error for a damaged file about which the user has to decide.
 *
 * @param what names the file: "the lab's instance file"
 * @param next the next step, unless the file belongs to another user
 */
export const damageError = (
    file: string,
    damage: Damage,
    { what, next }: { readonly what: string; readonly next: string },
): InputError =>
    new InputError({
        problem: `${what} can't be read: ${damage.damage}`,
        where: file,
        next: isForeign(damage) ? restoreOwner(file) : next,
    });
