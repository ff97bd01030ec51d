import path from "node:path";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import type { DependabotDefinition } from "./definition";

/** An entry of `updates` (GitHub's Dependabot options reference). */
interface Update {
    readonly "package-ecosystem": string;
    readonly directory?: string;
    readonly directories?: readonly string[];
    readonly [option: string]: unknown;
}

/**
 * Returns Dependabot's configuration: one pull request per ecosystem and week, for releases that are at least a week old.
 * docs/operations.md, "Pull requests", lists its limits: for example, it does not find the pins of root images.
 */
export function dependabot(
    images: readonly PreparedImage[],
    { ecosystems = [], patchesOnly = [] }: DependabotDefinition,
): unknown {
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
            ...ecosystems.map(({ ecosystem, directory }) => update({ "package-ecosystem": ecosystem, directory })),
            update({
                "package-ecosystem": "docker",
                directories: [...new Set(folders)].map((folder) => path.posix.join("/", folder)).sort(),
                ...(patchesOnly.length > 0 && {
                    ignore: patchesOnly.map((name) => ({
                        "dependency-name": name,
                        "update-types": ["version-update:semver-major", "version-update:semver-minor"],
                    })),
                }),
            }),
        ],
    };
}
