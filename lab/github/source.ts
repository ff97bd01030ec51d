import path from "node:path";

/** Where GitHub's description comes from: a package on npm that follows github/rest-api-description. */
export const source = {
    package: "@octokit/openapi",
    version: "23.0.2",
    integrity: "sha512-pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg==",
    file: "package/generated/api.github.com.json",
} as const;

/** The checked-in subset of it: made by `prune.ts`, never edited. */
export const descriptionFile = path.join(__dirname, "github-api.json");

/** Methods that GitHub's description uses; a path item's other keys are no operations. */
export const methods: ReadonlySet<string> = new Set(["get", "post", "put", "patch", "delete"]);
