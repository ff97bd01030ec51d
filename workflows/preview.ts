import { findConfigFile } from "../lib/engine/configFile";
import { requireOwnChannel } from "../lib/engine/copiedSettings";
import { projectName } from "../lib/engine/stacks";
import { InputError } from "../lib/errors";
import { stackPlaceholder } from "../lib/hierarchy/channel";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import type { Platform } from "../lib/platform";
import { type PreviewDefinition, type WorkflowDefinitions, defaultPreview } from "./definition";
import type { Job, Workflow } from "./document";
import { environmentNames } from "../lib/github/environments";
import { registryLogin } from "../lib/github/names";
import { type RegistryHost, logIns } from "./registries";
import { trusted } from "./review";
import { checkout, command, onStack, previewEnvironment, setUpBuilder, setUpNode, setUpPulumi } from "./steps";
import { defaultMinutes } from "./timeLimits";

/** The stack whose file has the settings of all stacks of pull requests. */
const settingsStack = "preview";

/** GitHub environment of the jobs. Its credentials write states and images, and the code of every branch can use them. */
const environment = { name: environmentNames.preview, deployment: false } as const;

/** Timeout in minutes of the job that removes a stack. */
const removalTimeout = 20;

const onSettings = `--settings-of ${settingsStack}`;

/**
 * Refuses settings that the pull requests' stacks can't have: see `requireOwnChannel`.
 *
 * @param root the repository's root
 * @throws InputError that names the file
 */
export function checkPreviewSettings(root: string): void {
    const config = findConfigFile(root, settingsStack, projectName(root));
    if (config) {
        requireOwnChannel(config);
        return;
    }
    const where = `Pulumi.${settingsStack}.yaml`;
    throw new InputError({
        problem: "workflows.preview needs the settings of the pull requests' stacks, and there is no such file",
        where,
        next: `write channel: "${stackPlaceholder}" into ${where}, or leave preview out of workflows.ts`,
    });
}

/**
 * Returns the workflow that gives each pull request of the repository itself a stack with tags of its own, and removes both when it is closed. Runs of
 * one pull request come one after the other, and none is cancelled: a stack is never left in the middle of an update.
 *
 * @param registries the registries that images are published in
 * @param options how the jobs write to GitHub's registry
 */
export function previewWorkflow(
    images: readonly PreparedImage[],
    { file = defaultPreview.file, name = defaultPreview.name, minutes = defaultMinutes }: PreviewDefinition,
    registries: readonly RegistryHost[],
    { ghcr = "token" }: Pick<WorkflowDefinitions, "ghcr"> = {},
): Workflow {
    const job = {
        "runs-on": "ubuntu-latest",
        environment,
        permissions: {
            actions: "read",
            contents: "read",
            packages: ghcr === "token" ? "write" : "read",
            "id-token": "write",
        },
    } satisfies Partial<Job>;
    const platforms: Platform[] = [
        ...new Set(images.flatMap(({ definition }) => (definition.platforms === "host" ? [] : definition.platforms))),
    ];
    const packagesToken =
        ghcr === "token" ? "${{ github.token }}" : `\${{ secrets.${registryLogin("ghcr.io").password} }}`;
    return {
        file,
        name,
        // Without path filters: a pull request that no longer touches an image would leave its stack behind.
        on: { pull_request: { types: ["opened", "synchronize", "reopened", "closed"] } },
        concurrency: {
            group: "${{ github.workflow }}-${{ github.event.pull_request.number }}",
            "cancel-in-progress": false,
            queue: "max",
        },
        jobs: {
            up: {
                name: "Up",
                if: `github.event.action != 'closed' && ${trusted}`,
                ...job,
                "timeout-minutes": minutes,
                steps: [
                    checkout(),
                    ...setUpNode,
                    ...setUpPulumi("write", minutes),
                    ...setUpBuilder(platforms),
                    ...logIns(registries, "push", ghcr),
                    command("Build, test and promote", ["up", onStack, onSettings], previewEnvironment),
                ],
            },
            remove: {
                name: "Remove",
                if: `github.event.action == 'closed' && ${trusted}`,
                ...job,
                "timeout-minutes": removalTimeout,
                steps: [
                    // The merge commit of a pull request that is closed need not exist any more.
                    checkout({ ref: "${{ github.event.pull_request.head.sha }}" }),
                    ...setUpNode,
                    ...setUpPulumi("write", removalTimeout),
                    ...logIns(registries, "push", ghcr),
                    command("Remove the tags and the stack", ["remove-channel", onStack, onSettings, "--yes"], {
                        ...previewEnvironment,
                        PACKAGES_TOKEN: packagesToken,
                    }),
                ],
            },
        },
    };
}
