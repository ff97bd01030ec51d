import path from "node:path";
import type { PreparedImage } from "../lib/hierarchy/prepare";

/** An entry of `updates` (GitHub's Dependabot options reference). */
interface Update {
    readonly "package-ecosystem": string;
    readonly directory?: string;
    readonly directories?: readonly string[];
    readonly [option: string]: unknown;
}

/**
 * Returns Dependabot's configuration: one pull request per ecosystem and week, for releases that are at least a week old.
 * docs/operations.md, "Pull requests", lists its limits: it does not find the pins of root images, and requirements have to be compiled
 * afterwards.
 */
export function dependabot(images: readonly PreparedImage[]): unknown {
    const folders = images.map(({ definition }) => path.posix.dirname(definition.dockerfile));
    const update = (entry: Update) => ({
        ...entry,
        schedule: { interval: "weekly" },
        cooldown: { "default-days": 7 },
        groups: { all: { patterns: ["*"] } },
    });
    return {
        version: 2,
        updates: [
            update({ "package-ecosystem": "github-actions", directory: "/" }),
            update({ "package-ecosystem": "npm", directory: "/" }),
            // Not `pip`, which would recompile the files with a different program and for a single platform.
            update({ "package-ecosystem": "uv", directory: "/requirements" }),
            update({
                "package-ecosystem": "docker",
                directories: [...new Set(folders)].map((folder) => path.posix.join("/", folder)).sort(),
                // The requirements are compiled for one minor version of Python, so both are updated together, by hand.
                ignore: [
                    {
                        "dependency-name": "python",
                        "update-types": ["version-update:semver-major", "version-update:semver-minor"],
                    },
                ],
            }),
        ],
    };
}
