import path from "node:path";

/** Source of GitHub's description: a package on npm that follows github/rest-api-description. */
export const source = {
    package: "@octokit/openapi",
    version: "23.0.2",
    integrity: "sha512-pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg==",
    file: "package/generated/api.github.com.json",
} as const;

/** The checked-in subset of the description: written by `prune.ts`, never edited. */
export const descriptionFile = path.join(__dirname, "github-api.json");

/** Methods in GitHub's description; the other keys of a path item are not operations. */
export const methods: ReadonlySet<string> = new Set(["get", "post", "put", "patch", "delete"]);
