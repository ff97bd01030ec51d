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
import { dockerTypes, listIn, pushedBy, stackType } from "../lib/engine/resources";
import { fullStackName } from "../lib/engine/stacks";
import type { PlatformStacks } from "../lib/hierarchy/platformStacks";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import { type Sources, type Taken, missingSource, takeBuilds } from "../lib/hierarchy/taken";
import type { Platform } from "../lib/platform";
import { repositoryOf } from "../lib/registry/references";
import type { FormerState } from "./formerState";
import { buildName } from "./platformImage";

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

async function readBuilds(name: string): Promise<Said> {
    if (!(await exists(name))) return "missing";
    const details = await new pulumi.StackReference(name).getOutputDetails("builds");
    return parseBuilds(details.value ?? details.secretValue);
}

/** Returns a function that reads what stacks have, each once: the engine refuses a second reference to a stack, and both settings may name it. */
function buildsReader(): (stack: string) => Promise<Said> {
    const read = new Map<string, Promise<Said>>();
    return (stack) => {
        const name = fullName(stack);
        const said = read.get(name) ?? readBuilds(name);
        read.set(name, said);
        return said;
    };
}

/**
 * Compares what the stacks of other platforms built with the checkout. An update is refused while one of them is behind; a preview warns, and goes on
 * with digests that are not known yet.
 */
async function findPlatforms(
    stacks: PlatformStacks,
    images: readonly PreparedImage[],
    buildsOf: ReturnType<typeof buildsReader>,
): Promise<Elsewhere> {
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

/** Reads from where builds can be taken. A stack that has nothing yet is no error: then everything is built here. */
async function readSources(
    stacks: readonly string[],
    former: FormerState,
    buildsOf: ReturnType<typeof buildsReader>,
): Promise<Sources> {
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
        const ref = outputs && pushedBy({ inputs: {}, outputs });
        if (ref === undefined) return undefined;
        const [tag = ""] = listIn(outputs?.tags);
        return { ref, tag: tag.slice(repositoryOf(ref).length + 1) };
    };
    const stackName = `${pulumi.getProject()}-${pulumi.getStack()}`;
    const taken = parseBuilds(former.outputsOf(stackType, stackName)?.builds) ?? {};
    const isSelf = (stack: string) => fullName(stack) === fullName(pulumi.getStack());
    return { isSelf, own, others, taken };
}

/** What the stack's settings say about other stacks. */
export interface OtherStacksArgs {
    /** The setting `platformStacks`: stacks without whose builds nothing begins. */
    readonly platformStacks?: PlatformStacks | undefined;
    /** The setting `buildsFrom`: stacks from which builds are taken, where they have them. */
    readonly buildsFrom?: readonly string[] | undefined;
    /** What the stack has itself before this run. */
    readonly former: FormerState;
    /** Keys of images that are to be built without cache, and so are not taken. */
    readonly uncached: readonly string[];
}

/**
 * Finds what other stacks have built of the stack's images, from their outputs.
 *
 * @param images in build order
 * @throws InputError for a stack of `buildsFrom` that does not exist, and in an update for stacks of `platformStacks` that are behind the checkout, with
 *     the commands that build there
 */
export async function readOtherStacks(
    images: readonly PreparedImage[],
    { platformStacks, buildsFrom, former, uncached }: OtherStacksArgs,
): Promise<Taken> {
    const buildsOf = buildsReader();
    const elsewhere = platformStacks ? await findPlatforms(platformStacks, images, buildsOf) : nothingElsewhere;
    if (!buildsFrom) return { images, elsewhere };
    return takeBuilds(images, elsewhere, await readSources(buildsFrom, former, buildsOf), uncached);
}
