import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { InputError } from "../lib/errors";
import type { Definitions } from "../lib/hierarchy/definition";

/** The file that defines a repository's images. */
const file = "images.ts";

/**
 * Loads the repository's image definitions. Only the running command knows which repository that is, so they can't be imported.
 *
 * @param root the repository's root
 * @throws InputError if images.ts does not exist or exports no `images`; errors that images.ts throws pass through
 */
export function loadDefinitions(root: string): Definitions {
    const module = path.join(root, file);
    if (!existsSync(module)) {
        throw new InputError({
            problem: "there is no such file, and it defines the images of the hierarchy",
            where: module,
            next: "write it: README.md shows how",
        });
    }
    const exported = createRequire(module)(module) as { readonly images?: unknown };
    if (typeof exported.images === "object" && exported.images !== null) return exported as Definitions;
    throw new InputError({
        problem: "it exports no images",
        where: module,
        next: "export const images: ImageDefinitions = { … }; README.md shows how",
    });
}
