import type { ReleasesDefinition } from "./definition";
import { type Job, type Step, attestAction } from "./document";
import { type GitHubLogin, type RegistryHost, logIns } from "./registries";
import { checkoutScripts, script, upEnvironment } from "./steps";

/** Outputs of the job `up`: JSON lists of what it promoted (`promotedIn`). Empty if the job ended before its update. */
export const upOutputs = {
    releases: "${{ steps.up.outputs.releases }}",
    builds: "${{ steps.up.outputs.builds }}",
} as const;

/** Starts a job if the update promoted something. What an update promoted before it failed is tested and published, so it counts too. */
const ifPromoted = (output: keyof typeof upOutputs) =>
    `\${{ !cancelled() && needs.up.outputs.${output} != '' && needs.up.outputs.${output} != '[]' }}`;

/** Permissions to sign with the workflow's identity, and to keep what was signed with the repository. */
const attesting = { "id-token": "write", attestations: "write" } as const;

/** File with the digests of the releases, as sha256sum writes it. */
const subjects = "subjects.txt";

/** Returns the job that says by which workflow and commit the releases were made, and signs them in their registries. */
function releasesJob(
    { provenance, signature }: ReleasesDefinition,
    branch: string,
    registries: readonly RegistryHost[],
    ghcr: GitHubLogin,
): Job {
    const isTokenPushing = signature === true && ghcr === "token";
    return {
        name: "Sign the releases",
        needs: "up",
        if: ifPromoted("releases"),
        "runs-on": "ubuntu-latest",
        "timeout-minutes": 20,
        environment: upEnvironment,
        permissions: {
            contents: "read",
            ...(provenance === true ? attesting : { "id-token": "write" }),
            ...(isTokenPushing && { packages: "write" }),
        },
        steps: [
            ...checkoutScripts(branch),
            script("List the releases", "subjects.sh", {
                RELEASES: "${{ needs.up.outputs.releases }}",
                FILE: subjects,
            }),
            ...(provenance === true
                ? [
                      {
                          name: "Attest which workflow and commit made them",
                          uses: attestAction,
                          with: { "subject-checksums": subjects },
                      },
                  ]
                : []),
            ...(signature === true
                ? [
                      { name: "Set up Cosign", uses: "sigstore/cosign-installer" },
                      ...logIns(registries, "push", ghcr),
                      script("Sign them in their registries", "sign.sh", { FILE: subjects }),
                  ]
                : []),
        ],
    };
}

/** Returns the job that lists the packages of each build, one run of it for each. */
const sbomJob = (registries: readonly RegistryHost[]): Job => ({
    name: "List the packages of ${{ matrix.image }} for ${{ matrix.platform }}",
    needs: "up",
    if: ifPromoted("builds"),
    // The types of workflows know only written-out matrices, but GitHub accepts an expression.
    strategy: {
        "fail-fast": false,
        matrix: { include: "${{ fromJSON(needs.up.outputs.builds) }}" },
    },
    "runs-on": "ubuntu-latest",
    "timeout-minutes": 30,
    environment: upEnvironment,
    permissions: { packages: "read", ...attesting },
    steps: [
        ...(logIns(registries, "read") as [Step, ...Step[]]),
        {
            name: "List the packages",
            uses: "anchore/sbom-action",
            with: {
                image: "${{ matrix.repository }}@${{ matrix.digest }}",
                format: "spdx-json",
                "output-file": "sbom.spdx.json",
                "upload-artifact": false,
                "upload-release-assets": false,
            },
        },
        {
            name: "Attest the list",
            uses: attestAction,
            with: {
                "subject-name": "${{ matrix.repository }}",
                "subject-digest": "${{ matrix.digest }}",
                "sbom-path": "sbom.spdx.json",
            },
        },
    ],
});

/** Returns the jobs that follow `up`, by key: those that say what a repository wants to be said about its releases. */
export const releaseJobs = (
    releases: ReleasesDefinition,
    branch: string,
    registries: readonly RegistryHost[],
    ghcr: GitHubLogin,
): Readonly<Record<string, Job>> => ({
    ...((releases.provenance === true || releases.signature === true) && {
        releases: releasesJob(releases, branch, registries, ghcr),
    }),
    ...(releases.sbom === true && { sbom: sbomJob(registries) }),
});
