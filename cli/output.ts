import { writeFileSync } from "node:fs";
import { InputError } from "../lib/errors";
import { withoutSecrets } from "../lib/system/hidden";

/** Output formats of a review. */
export const forms = ["table", "markdown", "json", "html"] as const;
export type Form = (typeof forms)[number];

/**
 * Writes a file that the user requested with an option, without the secrets that this process knows.
 *
 * @param option the option that names the file, such as "--output"
 * @throws InputError if the file can't be written
 */
export function writeOutput(option: string, file: string, text: string): void {
    try {
        writeFileSync(file, withoutSecrets(text));
    } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new InputError({
            problem: `${option} ${file} can't be written: ${reason}`,
            next: "name a file in a folder that is there and may be written",
        });
    }
}
