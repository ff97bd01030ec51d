import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { readStackFile } from "../../../lib/engine/pulumi";
import type { Deployment } from "../../../lib/engine/state";
import { dockerTypes, isSmokeTest, namedImages, pushedBy } from "../../../lib/engine/resources";
import { type BlobReader, blobReader } from "../../../lib/registry/blobs";
import { digestOf, repositoryOf, withDigest } from "../../../lib/registry/references";
import { reveals } from "../../canaries";
import { runIn } from "../../lab";
import { expect } from "../../mocha";
import { manifest } from "../../registry";
import type { Repository, Run, World } from "./world";

/*
 * What holds whatever fails:
 * (a) a command ends with 0, or says what to do next, or says what is documented for it;
 * (b) every digest that was good can be pulled, with its configuration and layers;
 * (c) every promoted tag names a release of digests whose smoke tests passed;
 * (d) the state can be read, and after at most two documented commands nothing in it is pending;
 * (e) then an update has nothing left to do;
 * (f) no secret is in what was printed.
 */

/** What was seen to be good so far. */
export interface Seen {
    /** "repository@digest" of manifests and indexes that were tested or promoted; one registry has them all, under several names. */
    readonly good: Set<string>;
    /** "repository@digest" of builds whose smoke test passed. */
    readonly tested: Set<string>;
}

/** Returns "repository@digest" or "repository:tag" of a reference to an image in a registry. */
const withoutHost = (ref: string): string => ref.slice(ref.indexOf("/") + 1);

export const nothingSeen = (): Seen => ({ good: new Set(), tested: new Set() });

/**
 * Adds what a stack's state proves: the engine records a smoke test after it has passed, and a tag after it was moved. Does nothing for
 * a state that can't be read.
 */
export function remember({ state, hasTests }: Pick<Repository, "state" | "hasTests">, { good, tested }: Seen): void {
    let resources: Deployment["resources"];
    try {
        ({ resources } = readStackFile(state));
    } catch {
        return;
    }
    const passed = resources.flatMap(({ type, inputs, outputs }) => {
        if (type !== dockerTypes.image) return [];
        if (isSmokeTest(inputs)) return Object.values(namedImages(inputs));
        return hasTests ? [] : (pushedBy({ inputs, outputs }) ?? []);
    });
    for (const ref of passed) {
        tested.add(withoutHost(ref));
        good.add(withoutHost(ref));
    }
    for (const { type, outputs } of resources) {
        const ref = typeof outputs.ref === "string" ? outputs.ref : "";
        const digest = digestOf(ref);
        if (type === dockerTypes.index && digest !== undefined)
            good.add(withoutHost(withDigest(repositoryOf(ref), digest)));
    }
}

/** Returns what is deployed now, as `Seen` names it: the builds and releases that the state names. */
export function current(repository: Pick<Repository, "state">): readonly string[] {
    return readStackFile(repository.state).resources.flatMap(({ type, inputs, outputs }) => {
        const pushed = type === dockerTypes.image ? pushedBy({ inputs, outputs }) : undefined;
        if (pushed !== undefined) return withoutHost(pushed);
        const ref = type === dockerTypes.index && typeof outputs.ref === "string" ? outputs.ref : "";
        const digest = digestOf(ref);
        return digest === undefined ? [] : withoutHost(withDigest(repositoryOf(ref), digest));
    });
}

/** The registry's data, as docker-registry stores it. */
export const dataOf = ({ lab }: World) => path.join(lab.paths.state, "registry", "data", "docker", "registry", "v2");

/** Returns those of "repository@digest" that can't be pulled with all that belongs to them. */
export async function notPullable(world: World, refs: Iterable<string>): Promise<string[]> {
    const reader = blobReader(world.lab.env);
    const known = new Map<string, Promise<boolean>>();
    const lost: string[] = [];
    try {
        for (const ref of refs) if (!(await isPullable(world, reader, known, ref))) lost.push(ref);
        return lost;
    } finally {
        await reader.close();
    }
}

/** Whether a manifest, and everything below it, can be pulled from the lab's registry itself, not through the proxy. */
function isPullable(
    world: World,
    reader: BlobReader,
    known: Map<string, Promise<boolean>>,
    ref: string,
): Promise<boolean> {
    const { lab } = world;
    const [repository = "", ofManifest = ""] = ref.split("@");
    const look = async () => {
        const found = await manifest(lab, repository, ofManifest);
        if (!found) return false;
        for (const { digest } of found.manifests ?? []) {
            if (!(await isPullable(world, reader, known, withDigest(repository, digest)))) return false;
        }
        for (const blob of [...(found.config ? [found.config] : []), ...(found.layers ?? [])]) {
            const place = `${lab.instance.registry}/${repository}`;
            if ((await reader.look(place, blob.digest)) !== "there") return false;
        }
        return true;
    };
    const answer = known.get(ref) ?? look();
    known.set(ref, answer);
    return answer;
}

const blobText = (world: World, digest: string): string | undefined => {
    const hex = digest.slice("sha256:".length);
    const file = path.join(dataOf(world), "blobs", "sha256", hex.slice(0, 2), hex, "data");
    return existsSync(file) ? readFileSync(file, "utf8") : undefined;
};

const index = z.object({ manifests: z.array(z.object({ digest: z.string() })) });

/** A tag in the registry's own storage, with the digests that it leads to. */
interface StoredTag {
    readonly repository: string;
    readonly tag: string;
    readonly digest: string;
    /** Digests of the builds; undefined if the registry has lost the index. */
    readonly builds: readonly string[] | undefined;
}

/** Returns the promoted tags of a repository's images: `latest` and the releases, from the registry's files. */
export function promotedTags(world: World, { namespace }: Pick<Repository, "namespace">): StoredTag[] {
    const repositories = path.join(dataOf(world), "repositories", namespace);
    if (!existsSync(repositories)) return [];
    return readdirSync(repositories).flatMap((image) => {
        const tags = path.join(repositories, image, "_manifests", "tags");
        if (!existsSync(tags)) return [];
        return readdirSync(tags)
            .filter((tag) => tag === "latest" || tag.startsWith("r-"))
            .flatMap((tag) => {
                const link = path.join(tags, tag, "current", "link");
                if (!existsSync(link)) return [];
                const digest = readFileSync(link, "utf8");
                const text = blobText(world, digest);
                const builds = text === undefined ? undefined : index.parse(JSON.parse(text)).manifests;
                return { repository: `${namespace}/${image}`, tag, digest, builds: builds?.map((one) => one.digest) };
            });
    });
}

/** Checks (c), and that no promoted tag is broken if nothing was taken from the registry. */
export function expectTested(world: World, repository: Repository, { tested }: Seen): void {
    const untested = promotedTags(world, repository).flatMap(({ repository: name, tag, builds = [] }) =>
        builds.filter((digest) => !tested.has(withDigest(name, digest))).map((digest) => `${name}:${tag} → ${digest}`),
    );
    expect(untested, "promoted without a test that passed").toEqual([]);
}

/** What a failed command must say: what to do next, or which image waits for what. */
const actionable = /\bnext: |\bleft to do:/;

/** Checks (a) and (f) of a command that has ended. */
export function expectAnswer({ typed, code, output }: Run, documented?: RegExp): void {
    expect(reveals(output), `${typed} reveals a secret:\n${output}`).toBe(false);
    expect(output, `${typed} shows a stack trace`).not.toMatch(/\n\s+at .*:\d+:\d+/);
    const said = documented ?? (code === 0 ? undefined : actionable);
    if (said) expect(output, `${typed} ended with ${code.toString()}`).toMatch(said);
}

/** Checks (d) and (e), and (b) of what is deployed: the fault is over, and the repository's stack is in step again. */
export async function expectSettled(world: World, repository: Repository, seen: Seen): Promise<void> {
    const { lab } = world;
    expect(readStackFile(repository.state).pending).toEqual([]);
    const preview = ["preview", "--stack", "local", "--expect-no-changes", "--non-interactive", "--color", "never"];
    const { code, output } = await runIn(lab, repository.root, "pulumi", preview);
    expect(code, output).toBe(0);
    expect(reveals(output)).toBe(false);
    remember(repository, seen);
    expectTested(world, repository, seen);
    const deployed = current(repository);
    expect(deployed.length).toBeGreaterThan(0);
    expect(await notPullable(world, deployed)).toEqual([]);
    const names = new Set(deployed.map((ref) => ref.split("@")[0]));
    for (const { repository: name, tag, digest } of promotedTags(world, repository)) {
        if (tag === "latest" && names.has(name)) expect(deployed, `${name}:${tag}`).toContain(withDigest(name, digest));
    }
}
