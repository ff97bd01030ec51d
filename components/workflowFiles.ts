import * as github from "@pulumi/github";
import * as pulumi from "@pulumi/pulumi";
import { type WorkflowFilesInputs, componentTypes } from "../lib/engine/resources";
import { type Delivery, commitMessage, fileHash } from "../lib/github/delivery";
import { allMade, knownOutputs } from "./failures";
import { refusalHook } from "./hooks";
import { tidy } from "./leftovers";
import { WorkflowPullRequest, type WorkflowPullRequestArgs } from "./workflowPullRequest";

/** What the delivery of workflow files needs. */
export interface WorkflowFilesArgs extends Omit<WorkflowPullRequestArgs, "head" | "removes" | "number"> {
    readonly delivery: Delivery;
}

/** The workflow files of a repository on GitHub: committed to a branch, or proposed by a pull request. */
export class WorkflowFiles extends pulumi.ComponentResource {
    /** The pull request that waits to be merged. */
    public readonly pullRequest: pulumi.Output<number> | undefined;
    /** Known once everything is delivered. */
    public readonly delivered: pulumi.Output<unknown>;

    public constructor(name: string, args: WorkflowFilesArgs, opts?: pulumi.ComponentResourceOptions) {
        const { repository, branch, files, delivery } = args;
        const inputs: WorkflowFilesInputs = {
            ...{ repository, branch },
            files: Object.fromEntries(Object.entries(files).map(([file, text]) => [file, fileHash(text)])),
            ...(delivery.by === "nothing" && delivery.declined !== undefined && { declined: delivery.declined }),
            ...(delivery.by === "unknown" && { isUndecided: true }),
        };
        super(componentTypes.workflowFiles, name, inputs, opts);
        const removed = delivery.by === "commits" ? this.commit(name, args, delivery.there) : undefined;
        this.pullRequest =
            delivery.by === "pull-request"
                ? new WorkflowPullRequest(
                      `${name}-${delivery.head.slice(delivery.head.lastIndexOf("-") + 1)}`,
                      { ...args, ...delivery },
                      { parent: this },
                  ).number
                : undefined;
        const idle = delivery.by === "pull-request" && delivery.idle;
        this.pullRequest?.apply((number) => {
            if (idle) void pulumi.log.warn(`#${number} has nothing left to bring to branch ${branch}: close it`, this);
            else void pulumi.log.info(`waiting for #${number} to be merged`, this);
        });
        if (delivery.by === "nothing" && delivery.declined !== undefined) {
            const said = `pull request #${delivery.declined} with just these files was closed without merging`;
            void pulumi.log.warn(
                `${said}: nothing is proposed until they change. Reopen it to take them after all`,
                this,
            );
        }
        this.delivered = pulumi.output([removed, this.pullRequest]);
        this.registerOutputs(knownOutputs({ pullRequest: this.pullRequest, removed }));
    }

    /** Commits the files, and returns the leftovers that were removed then. */
    private commit(name: string, args: WorkflowFilesArgs, there: readonly string[]) {
        const { repository, branch, files } = args;
        // A workflow that starts because its file was delivered would start the next `up`.
        const options = { quiet: true };
        const hooks = refusalHook(name, "a workflow file");
        const commits = Object.entries(files).map(
            ([file, content]) =>
                new github.RepositoryFile(
                    `${name}-${file}`,
                    {
                        ...{ repository, branch, file, content },
                        commitMessage: commitMessage(`Update ${file}`, options),
                        // What is not ours was refused before the plan.
                        overwriteOnCreate: true,
                    },
                    {
                        parent: this,
                        deleteBeforeReplace: true,
                        // Another delivery, or none, takes the repository's CI from nobody: files go when they are leftovers.
                        retainOnDelete: true,
                        hooks,
                        // Taken over where the state does not have it, and left alone where it has: writing the same text again
                        // is a commit that brings nothing, and that a protected branch refuses.
                        ...(there.includes(file) && {
                            import: `${repository}:${file}:${branch}`,
                            ignoreChanges: ["*"],
                        }),
                    },
                ),
        );
        // Only what has taken their place may take them away. What is refused fails the run, and no image waits for it.
        return allMade(commits).apply((areMade) => (areMade ? tidy(args.removeLeftovers, branch, options) : []));
    }
}
