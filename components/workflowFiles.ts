import * as github from "@pulumi/github";
import * as pulumi from "@pulumi/pulumi";
import { type WorkflowFilesInputs, componentTypes } from "../lib/engine/resources";
import { type Delivery, commitMessage, fileHash } from "../lib/github/delivery";
import { allMade, knownOutputs } from "./failures";
import { refusalHook } from "./hooks";
import { tidy } from "./leftovers";
import { WorkflowPullRequest, type WorkflowPullRequestArgs } from "./workflowPullRequest";

/** The arguments of the delivery of workflow files. */
export interface WorkflowFilesArgs extends Omit<
    WorkflowPullRequestArgs,
    "head" | "removes" | "there" | "starts" | "number"
> {
    /** What is left to deliver, and how, as GitHub was found before the update. */
    readonly delivery: Delivery;
}

/** The workflow files of a repository on GitHub: committed to a branch, or proposed by a pull request. */
export class WorkflowFiles extends pulumi.ComponentResource {
    /** The number of the open pull request, if any. */
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
            const closed = `pull request #${delivery.declined} with just these files was closed without merging`;
            void pulumi.log.warn(
                `${closed}: the files are not proposed again until they change. Reopen it to accept them`,
                this,
            );
        }
        this.delivered = pulumi.output([removed, this.pullRequest]);
        this.registerOutputs(knownOutputs({ pullRequest: this.pullRequest, removed }));
    }

    /** Commits the files, and returns the leftovers that were removed afterwards. */
    private commit(name: string, args: WorkflowFilesArgs, there: readonly string[]) {
        const { repository, branch, files } = args;
        // The commits must not start workflows: a started workflow would start the next `up`.
        const options = { quiet: true };
        const hooks = refusalHook(name, "a workflow file");
        const commits = Object.entries(files).map(
            ([file, content]) =>
                new github.RepositoryFile(
                    `${name}-${file}`,
                    {
                        ...{ repository, branch, file, content },
                        commitMessage: commitMessage(`Update ${file}`, options),
                        // Files of another origin were refused before the plan.
                        overwriteOnCreate: true,
                    },
                    {
                        parent: this,
                        deleteBeforeReplace: true,
                        // A change of the delivery mode must not remove the repository's CI: files are only removed as
                        // leftovers.
                        retainOnDelete: true,
                        hooks,
                        // A file that is on the branch but not in the state is imported, otherwise left alone: writing
                        // the same text again is an empty commit, which a protected branch refuses.
                        ...(there.includes(file) && {
                            import: `${repository}:${file}:${branch}`,
                            ignoreChanges: ["*"],
                        }),
                    },
                ),
        );
        // Leftovers are removed only after the new files exist. A refusal fails the run, but no image waits for it.
        return allMade(commits).apply((areMade) => (areMade ? tidy(args.removeLeftovers, branch, options) : []));
    }
}
