import * as pulumi from "@pulumi/pulumi";
import { InputError } from "../lib/errors";
import { UnreachableError } from "../lib/github/api";
import { nextAfterRefusal } from "../lib/github/refusals";

/**
 * Removes from a branch the workflows of this program that are no longer generated, and returns their paths.
 *
 * @param options.quiet whether the commits must not start workflows
 */
export type RemoveLeftovers = (branch: string, options: { readonly quiet: boolean }) => Promise<readonly string[]>;

/**
 * Removes leftover workflows and logs each one; in updates only. No resource can express that a file must not exist: a
 * resource that leaves the state is deleted or kept for every reason alike, and a file that this stack never had in its
 * state has no resource.
 */
export async function tidy(
    remove: RemoveLeftovers,
    ...[branch, options]: Parameters<RemoveLeftovers>
): Promise<readonly string[]> {
    if (pulumi.runtime.isDryRun()) return [];
    try {
        const removed = await remove(branch, options);
        for (const file of removed) void pulumi.log.info(`removed ${file} from branch ${branch}: generated no longer`);
        return removed;
    } catch (error) {
        if (error instanceof InputError) throw new pulumi.RunError(error.message);
        if (!(error instanceof UnreachableError)) throw error;
        const next =
            nextAfterRefusal([error.message], "a workflow file", options.quiet ? "direct" : "pull-request") ??
            error.next;
        throw new pulumi.RunError(`${error.message}\n  next: ${next}`);
    }
}
