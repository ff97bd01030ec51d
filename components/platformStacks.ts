import * as pulumi from "@pulumi/pulumi";
import {
    type Elsewhere,
    type StackBuilds,
    behindError,
    findElsewhere,
    nothingElsewhere,
    stackBuildsSchema,
} from "../lib/hierarchy/elsewhere";
import type { PlatformStacks } from "../lib/hierarchy/platformStacks";
import type { PreparedImage } from "../lib/hierarchy/prepare";

/** Returns the complete name of a stack: by itself it is one of this project and organization. */
const fullName = (stack: string): string =>
    stack.includes("/") ? stack : `${pulumi.getOrganization()}/${pulumi.getProject()}/${stack}`;

/** Whether the backend has a stack. A reference to one that does not exist ends the program without a word of ours. */
async function exists(name: string): Promise<boolean> {
    try {
        await pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", { name });
        return true;
    } catch (error) {
        if (error instanceof Error && /unknown stack|not found/i.test(error.message)) return false;
        throw error;
    }
}

/** Reads what a stack says that it built; undefined if it does not exist, was never updated, or promotes by itself. */
async function buildsOf(stack: string): Promise<StackBuilds | undefined> {
    const name = fullName(stack);
    if (!(await exists(name))) return undefined;
    const details = await new pulumi.StackReference(name).getOutputDetails("builds");
    return stackBuildsSchema.safeParse(details.value ?? details.secretValue).data;
}

/**
 * Reads from their stacks what other stacks built, and compares it with the checkout. An update is refused while one of them is behind, before
 * anything is built; a preview warns, and goes on with digests that are not known yet.
 *
 * @param images in build order
 * @throws InputError in an update, with the stacks that are behind, and the commands that build there
 */
export async function readElsewhere(
    stacks: PlatformStacks | undefined,
    images: readonly PreparedImage[],
): Promise<Elsewhere> {
    if (!stacks) return nothingElsewhere;
    const names = [...new Set(Object.values(stacks))];
    const builds = await Promise.all(names.map(async (name) => [name, await buildsOf(name)] as const));
    const elsewhere = findElsewhere(images, new Map(builds));
    if (elsewhere.behind.length === 0) return elsewhere;
    const error = behindError(elsewhere.behind);
    if (!pulumi.runtime.isDryRun()) throw error;
    await pulumi.log.warn(error.message);
    return elsewhere;
}
