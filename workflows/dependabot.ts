import path from "node:path";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import { smokeDockerfile } from "../lib/hierarchy/smokeTests";

/** An entry of `updates` (GitHub's Dependabot options reference). */
interface Update {
    readonly "package-ecosystem": string;
    readonly directory?: string;
    readonly directories?: readonly string[];
    readonly [option: string]: unknown;
}

/**
 * Dependabot's configuration: once a week a pull request an ecosystem, for releases that have been out for a week. What it
 * can't do is in docs/operations.md, "Pull requests": roots are pinned where it does not look, and requirements have to be
 * compiled afterwards.
 */
export function dependabot(images: readonly PreparedImage[]): unknown {
    const folders = [...images.map(({ definition }) => definition.dockerfile), smokeDockerfile].map((file) =>
        path.posix.dirname(file),
    );
    const update = (one: Update) => ({
        ...one,
        schedule: { interval: "weekly" },
        cooldown: { "default-days": 7 },
        groups: { all: { patterns: ["*"] } },
    });
    return {
        version: 2,
        updates: [
            update({ "package-ecosystem": "github-actions", directory: "/" }),
            update({ "package-ecosystem": "npm", directory: "/" }),
            // Not `pip`, which would compile the files anew, by another program and for one platform.
            update({ "package-ecosystem": "uv", directory: "/requirements" }),
            update({
                "package-ecosystem": "docker",
                directories: [...new Set(folders)].map((folder) => path.posix.join("/", folder)).sort(),
                // The requirements are compiled for one minor version of Python: it moves with them, by hand.
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
