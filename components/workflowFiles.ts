import * as github from "@pulumi/github";
import * as pulumi from "@pulumi/pulumi";
import { type Delivery, trailer } from "../lib/delivery";
import { WorkflowPullRequest } from "./workflowPullRequest";

/** What the delivery of workflow files needs. */
export interface WorkflowFilesArgs {
    /** Name of the repository; its owner is the GitHub provider's. */
    readonly repository: string;
    /** The branch that the files are for. */
    readonly branch: string;
    /** Texts by path from the repository's root. */
    readonly files: Readonly<Record<string, string>>;
    readonly delivery: Delivery;
}

/** The workflow files of a repository on GitHub: committed to a branch, or proposed by a pull request. */
export class WorkflowFiles extends pulumi.ComponentResource {
    /** The pull request that waits to be merged. */
    public readonly pullRequest: pulumi.Output<number> | undefined;

    public constructor(name: string, args: WorkflowFilesArgs, opts?: pulumi.ComponentResourceOptions) {
        const { repository, branch, files, delivery } = args;
        super("layered-images:components:WorkflowFiles", name, { repository, branch, files: Object.keys(files) }, opts);
        if (delivery.by === "commits") {
            for (const [file, content] of Object.entries(files)) {
                const overwriteOnCreate = delivery.overwrite.has(file);
                // A workflow that starts because its file was delivered would start the next `up`.
                const commitMessage = `Update ${file} [skip ci]\n\n${trailer}`;
                new github.RepositoryFile(
                    `${name}-${file}`,
                    { repository, branch, file, content, commitMessage, overwriteOnCreate },
                    // It matters when the file is made, and differs from run to run: alone it is no reason for a commit.
                    { parent: this, ignoreChanges: ["overwriteOnCreate"], deleteBeforeReplace: true },
                );
            }
        }
        this.pullRequest =
            delivery.by === "pull-request"
                ? new WorkflowPullRequest(
                      `${name}-${delivery.head.slice(delivery.head.lastIndexOf("-") + 1)}`,
                      { repository, branch, files, head: delivery.head },
                      { parent: this },
                  ).number
                : undefined;
        if (this.pullRequest) {
            this.pullRequest.apply((number) => {
                void pulumi.log.info(`waiting for #${number} to be merged`, this);
            });
        }
        if (delivery.by === "nothing" && delivery.declined !== undefined) {
            const said = `pull request #${delivery.declined} with just these files was closed without merging`;
            void pulumi.log.warn(
                `${said}: nothing is proposed until they change. Reopen it to take them after all`,
                this,
            );
        }
        this.registerOutputs({ pullRequest: this.pullRequest });
    }
}
