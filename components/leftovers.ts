import * as pulumi from "@pulumi/pulumi";
import { InputError } from "../lib/errors";
import { UnreachableError } from "../lib/github/api";
import { nextAfterRefusal } from "../lib/github/refusals";

/**
 * Removes from a branch the workflows of ours that are generated no longer, and returns their paths. Quiet: by commits that
 * start nothing.
 */
export type RemoveLeftovers = (branch: string, options: { readonly quiet: boolean }) => Promise<readonly string[]>;

/**
 * Removes leftovers and says so, in an update only. No resource can say that a file shall not be there: one that leaves the
 * state is deleted or kept whyever it leaves, and a file that never was in this stack's state has none.
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
        const next = nextAfterRefusal([error.message], "a workflow file") ?? error.next;
        throw new pulumi.RunError(`${error.message}\n  next: ${next}`);
    }
}
