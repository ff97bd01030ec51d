import { type ChannelTag, channelTags } from "../lib/cleanup/channelTags";
import { findConfigFile, textSettingIn } from "../lib/engine/configFile";
import { hasOwnFile, removeCopy } from "../lib/engine/copiedSettings";
import { backendAddress } from "../lib/engine/fileBackend";
import { stackLocks, updatedBy } from "../lib/engine/locks";
import { type Engine, engineError, exportStack } from "../lib/engine/pulumi";
import { labStack, projectName } from "../lib/engine/stacks";
import { CommandError, InputError } from "../lib/errors";
import { channelOf } from "../lib/hierarchy/channel";
import { type RegistryClient, registryClient } from "../lib/registry/blobs";
import { type Repository, listTags } from "../lib/registry/inventory";
import { RegistryError } from "../lib/registry/manifest";
import { shortDigest, withDigest } from "../lib/registry/references";
import { removeTag } from "../lib/registry/untag";
import { typed } from "../lib/system/commandLine";
import { guide } from "../lib/system/guide";
import { repositoryRoot } from "../lib/system/paths";
import { addSummary } from "./actions";
import { exit } from "./exitCodes";
import { openRepository } from "./openRepository";
import { openStack } from "./openStack";
import { doesStackExist } from "./stackOfSettings";

/** Options of `remove-channel`. */
export interface RemoveChannelOptions {
    /** Name of the stack. */
    readonly stack: string;
    /** The stack whose settings it was updated with, where it has no file of its own. */
    readonly settingsOf?: string;
    /** Remove what is listed, and the stack. */
    readonly yes?: boolean;
    /** Print JSON (`ChannelReport`) instead of text. */
    readonly json?: boolean;
}

/** A tag of the channel, and what became of it. */
export interface RemovedTag extends ChannelTag {
    /** `listed`: nothing was tried. `stays`: see `reason`. */
    readonly outcome: "listed" | "removed" | "gone" | "stays" | "failed";
    readonly reason?: string;
}

/** What `remove-channel` prints as JSON. */
export interface ChannelReport {
    readonly stack: string;
    /** Whether the backend has the stack. */
    readonly exists: boolean;
    /** Absent if the stack is gone. */
    readonly channel?: string;
    readonly tags: readonly RemovedTag[];
    /** Whether the stack was removed from its backend. */
    readonly removed: boolean;
}

/** Returns the channel of a stack. Undefined if its settings have none: those of another stack are not a stack's that has a file of its own. */
function configuredChannel({ stack, settingsOf = stack }: RemoveChannelOptions): string | undefined {
    const root = repositoryRoot();
    const config = findConfigFile(root, hasOwnFile(root, stack) ? stack : settingsOf, projectName(root));
    const setting = config && textSettingIn(config, "channel");
    return setting === undefined ? undefined : channelOf(setting, stack.split("/").at(-1) ?? stack);
}

/** Returns the tags of the channel, those of releases as the registry has them, and the stack's tags that are in another one. */
async function tagsIn(
    engine: Engine,
    client: RegistryClient,
    channel: string,
): Promise<{ readonly own: readonly ChannelTag[]; readonly others: readonly ChannelTag[] }> {
    const { tags, patterns, others } = channelTags(await exportStack(engine), channel);
    const repositories = [...new Set(patterns.map(({ repository }) => repository))];
    const listed = await Promise.all(repositories.map((name) => listTags(client, name)));
    const ofReleases = patterns.flatMap(({ image, repository, pattern }) =>
        (listed[repositories.indexOf(repository)] ?? [])
            .filter((tag) => pattern.test(tag))
            .map((tag) => ({ image, repository, tag })),
    );
    const more = ofReleases.filter(
        (one) => !tags.some(({ repository, tag }) => repository === one.repository && tag === one.tag),
    );
    return { own: [...tags, ...more], others };
}

/** Prints why a stack is not removed. */
function refuse(problem: string, next: string): number {
    console.error(`error: ${new InputError({ problem, next }).message}`);
    return exit.dangerous;
}

async function removeOne(client: RegistryClient, repository: Repository, tag: ChannelTag): Promise<RemovedTag> {
    try {
        const done = await removeTag(client, repository, tag.tag, tag.digest);
        if (typeof done === "string") return { ...tag, outcome: done };
        const reason = `it stands for ${shortDigest(withDigest("", done.other))} by now, which this stack did not promote`;
        return { ...tag, outcome: "stays", reason };
    } catch (error) {
        if (error instanceof RegistryError || error instanceof InputError || error instanceof CommandError)
            return { ...tag, outcome: "failed", reason: error.message };
        throw error;
    }
}

/** Removes tags one after the other: a registry may read, add and write a manifest's list of tags in steps. */
async function removeTags(engine: Engine, client: RegistryClient, tags: readonly ChannelTag[]): Promise<RemovedTag[]> {
    const repositories = new Map<string, Repository>();
    const removed: RemovedTag[] = [];
    for (const tag of tags) {
        const repository = repositories.get(tag.repository) ?? openRepository(client, tag.repository, engine);
        repositories.set(tag.repository, repository);
        removed.push(await removeOne(client, repository, tag));
    }
    return removed;
}

const lineOf = ({ image, repository, tag, outcome, reason }: RemovedTag): string =>
    `  ${repository}:${tag} (${image})${outcome === "listed" ? "" : `  ${outcome}${reason === undefined ? "" : `: ${reason}`}`}`;

/** Returns the report as text. */
export function channelText({ stack, exists, channel, tags, removed }: ChannelReport): string {
    if (!exists) return `stack ${stack} is gone already: nothing to remove\n`;
    const failed = tags.some(({ outcome }) => outcome === "failed");
    return [
        `stack ${stack} has channel ${channel ?? ""}, with ${tags.length} ${tags.length === 1 ? "tag" : "tags"} in the registry:`,
        ...tags.map(lineOf),
        removed
            ? `removed stack ${stack}; what it built is left to: ${typed("gc")}`
            : failed
              ? `stack ${stack} stays, because not all of its tags could be removed; next: mend that, then the same command again`
              : "nothing was removed; to remove these tags and the stack, repeat the command with --yes",
        "",
    ].join("\n");
}

/** Prints the report, also into the summary of a step in GitHub Actions. */
function print(report: ChannelReport, json: boolean | undefined): void {
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : channelText(report));
    addSummary(`\`\`\`\n${channelText(report)}\`\`\`\n`);
}

/** Refuses to remove the tags of a stack that is being updated. */
function refuseUpdated({ stack, env }: Engine): void {
    const running = updatedBy(stackLocks(backendAddress(env, repositoryRoot()), stack) ?? [], { elsewhere: true });
    if (running.length === 0) return;
    throw new InputError({
        problem: `stack ${stack} is being updated: ${running.join("; ")}`,
        next: `wait until that has ended, then run the same command again (if it ended on another machine: ${guide("lock")})`,
    });
}

/**
 * Runs `npm run remove-channel`: lists the tags that a stack promoted to in its channel, and with `yes` removes these tags from the registry, and the
 * stack from its backend. What it built stays in the registry for `gc`, and nothing is deleted anywhere else.
 *
 * @returns exit code: 0 done, or nothing to do; 1 if a registry refused, and the stack stays; 3 for a stack without a channel, and for one that promoted to other tags
 * @throws InputError for a stack that is being updated
 */
export async function runRemoveChannel(options: RemoveChannelOptions): Promise<number> {
    const { stack, yes = false, json } = options;
    const root = repositoryRoot();
    if (stack !== labStack && !(await doesStackExist(stack))) {
        removeCopy(root, stack);
        print({ stack, exists: false, tags: [], removed: false }, json);
        return exit.done;
    }
    const channel = configuredChannel(options);
    if (channel === undefined) {
        const isNamed = options.settingsOf !== undefined || hasOwnFile(root, stack);
        return refuse(
            `stack ${stack} has no channel: its tags are those of images.ts, which are never removed`,
            isNamed
                ? "name a stack whose settings have `channel`"
                : "name the stack whose settings it was updated with: --settings-of <stack>",
        );
    }
    const engine = await openStack({ stack, start: true });
    const client = registryClient(engine.env);
    try {
        refuseUpdated(engine);
        const { own, others } = await tagsIn(engine, client, channel);
        if (others.length > 0) {
            const names = others.map(({ repository, tag }) => `${repository}:${tag}`).join(", ");
            return refuse(
                `stack ${stack} has promoted to tags that are not in channel ${channel}: ${names}`,
                "name the stack whose settings it was updated with (--settings-of); if these had another channel then, `up` moves it to the new one, and " +
                    "leaves the tags of the former",
            );
        }
        const listed = { stack, exists: true, channel, removed: false };
        if (!yes) {
            print({ ...listed, tags: own.map((tag) => ({ ...tag, outcome: "listed" })) }, json);
            return exit.done;
        }
        const removed = await removeTags(engine, client, own);
        const failed = removed.some(({ outcome }) => outcome === "failed");
        if (!failed) {
            // Forced, because its resources are forgotten and not deleted. Its file is removed below, if it is a copy.
            const done = await engine.pulumi([
                "stack",
                "rm",
                "--force",
                "--yes",
                "--preserve-config",
                "--non-interactive",
            ]);
            if (done.failure !== undefined) throw engineError(`stack ${stack} can't be removed`, done);
            removeCopy(root, stack);
        }
        print({ ...listed, tags: removed, removed: !failed }, json);
        return failed ? exit.failed : exit.done;
    } finally {
        await client.close();
    }
}
