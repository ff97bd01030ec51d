import * as pulumi from "@pulumi/pulumi";
import {
    type Elsewhere,
    type StackBuilds,
    behindError,
    findElsewhere,
    nothingElsewhere,
    stackBuildsSchema,
    unreadableStack,
} from "../lib/hierarchy/elsewhere";
import { dockerTypes, listIn, stackType, textIn } from "../lib/engine/resources";
import { fullStackName } from "../lib/engine/stacks";
import type { PlatformStacks } from "../lib/hierarchy/platformStacks";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import { type Taken, missingSource, takeBuilds } from "../lib/hierarchy/taken";
import { repositoryOf, withDigest } from "../lib/registry/references";
import type { FormerState } from "./formerState";
import { buildName } from "./platformImage";
import type { Platform } from "../lib/platform";

/** Returns the complete name of a stack: by itself it is one of this project and organization. */
const fullName = (stack: string): string =>
    fullStackName(stack, { organization: pulumi.getOrganization(), project: pulumi.getProject() });

/**
 * Whether the backend has a stack. A reference to one that does not exist ends the program without a word of ours.
 *
 * @throws InputError if the backend says something else, for example of a name that can't be one
 */
async function exists(name: string): Promise<boolean> {
    try {
        await pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", { name });
        return true;
    } catch (error) {
        if (!(error instanceof Error)) throw error;
        if (/unknown stack|not found/i.test(error.message)) return false;
        throw unreadableStack(name, error.message);
    }
}

/** Parses the stack output `builds`. */
const parseBuilds = (value: unknown): StackBuilds | undefined => stackBuildsSchema.safeParse(value).data;

/** What a stack says that it has: undefined if it was never updated, or last by a version that did not say so. "missing" if it does not exist. */
type Said = StackBuilds | undefined | "missing";

/** What was read, by the stack's complete name: the engine refuses to read a stack twice, and both settings may name it. */
const read = new Map<string, Promise<Said>>();

async function readBuilds(name: string): Promise<Said> {
    if (!(await exists(name))) return "missing";
    const details = await new pulumi.StackReference(name).getOutputDetails("builds");
    return parseBuilds(details.value ?? details.secretValue);
}

function buildsOf(stack: string): Promise<Said> {
    const name = fullName(stack);
    const said = read.get(name) ?? readBuilds(name);
    read.set(name, said);
    return said;
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
    const builds = await Promise.all(
        names.map(async (name) => {
            const ofStack = await buildsOf(name);
            return [name, ofStack === "missing" ? undefined : ofStack] as const;
        }),
    );
    const elsewhere = findElsewhere(images, new Map(builds));
    if (elsewhere.behind.length === 0) return elsewhere;
    const error = behindError(elsewhere.behind);
    if (!pulumi.runtime.isDryRun()) throw error;
    await pulumi.log.warn(error.message);
    return elsewhere;
}

/**
 * Takes from other stacks what they have built from the same inputs, so that it is not built here. A stack that has nothing yet is no error: then everything is
 * built here.
 *
 * @param stacks the setting `buildsFrom`
 * @param images in build order
 * @param former what the stack has itself before this run
 * @param uncached keys of images that are to be built without cache, and so are not taken
 * @throws InputError for a stack that does not exist
 */
export async function readTaken(
    stacks: readonly string[] | undefined,
    images: readonly PreparedImage[],
    elsewhere: Elsewhere,
    former: FormerState,
    uncached: readonly string[],
): Promise<Taken> {
    if (!stacks) return { images, elsewhere };
    const others = await Promise.all(
        stacks.map(async (stack, index) => {
            const builds = await buildsOf(stack);
            if (builds === "missing") throw missingSource(stack, index);
            if (!builds) void pulumi.log.info(`stack ${stack} has built nothing yet that could be taken`);
            return [stack, builds ?? {}] as const;
        }),
    );
    const own = (key: string, platform: Platform) => {
        const outputs = former.outputsOf(dockerTypes.image, buildName(key, platform));
        const [tag] = listIn(outputs?.tags);
        const digest = textIn(outputs?.digest);
        if (tag === undefined || digest === undefined) return undefined;
        const repository = repositoryOf(tag);
        return { ref: withDigest(repository, digest), tag: tag.slice(repository.length + 1) };
    };
    const stackName = `${pulumi.getProject()}-${pulumi.getStack()}`;
    const taken = parseBuilds(former.outputsOf(stackType, stackName)?.builds) ?? {};
    return takeBuilds(images, elsewhere, { own, others, taken }, uncached);
}
