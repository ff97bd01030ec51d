import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe } from "mocha";
import { blobBytes, pushedTimes } from "../../lab/servers/registryData";
import { choosePort } from "../../lab/servers/ports";
import { type Place, type Sources, planCleanup, removeListed } from "../../lib/cleanup/cleanup";
import { deployedImages, parseDeployment } from "../../lib/engine/state";
import type { CleanupReport } from "../../lib/forms/cleanupText";
import { type RegistryClient, registryClient } from "../../lib/registry/blobs";
import { type Repository, each, plainRepository } from "../../lib/registry/inventory";
import { type Named, namesIn } from "../../lib/registry/retention";
import { removeTag } from "../../lib/registry/untag";
import { fixture } from "../fixture";
import { type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { eventually, expect, test } from "../mocha";
import { manifest, tags } from "../registry";
import { changesOf, command, noChanges, up } from "../stack";

const patience = { timeout: 20_000 };
const day = 24 * 60 * 60 * 1000;

/** Folder in which a registry keeps the date of a manifest, as docker-registry lays out its storage. */
const revision = (state: string, repository: string, digest: string): string => {
    const data = path.join(state, "registry", "data", "docker", "registry", "v2", "repositories", repository);
    return path.join(data, "_manifests", "revisions", digest.replace(":", "/"), "link");
};

/** Makes manifests look as if they were pushed at another time. */
function setPushed(state: string, repository: string, digest: string, time: number): void {
    utimesSync(revision(state, repository, digest), time / 1000, time / 1000);
}

/* A registry without TLS, and manifests that are pushed without building anything. */

describe("three days of twenty pushes each", () => {
    let [state, port, process_]: [string, number, ChildProcess | undefined] = ["", 0, undefined];
    let client: RegistryClient;
    const file = () => path.join(state, "config.yml");
    const repository = "acme/bot";
    const name = () => `127.0.0.1:${port.toString()}/${repository}`;

    const start = async (mayDelete: boolean) => {
        const storage = {
            filesystem: { rootdirectory: path.join(state, "registry", "data") },
            delete: { enabled: mayDelete },
        };
        const http = { addr: `127.0.0.1:${port.toString()}` };
        writeFileSync(file(), JSON.stringify({ version: "0.1", log: { level: "error" }, storage, http }));
        process_ = spawn("docker-registry", ["serve", file()], { stdio: "ignore" });
        await eventually(async () => {
            expect((await fetch(`http://127.0.0.1:${port.toString()}/v2/`)).status).toBe(200);
        }, patience);
    };
    const stop = async () => {
        const child = process_;
        process_ = undefined;
        if (!child) return;
        const ended = once(child, "exit");
        child.kill();
        await ended;
    };
    before(async () => {
        state = mkdtempSync(path.join(tmpdir(), "layered-images-gc-"));
        mkdirSync(path.join(state, "registry", "data"), { recursive: true });
        port = await choosePort(18443);
        client = registryClient({});
        await start(true);
    });
    after(async () => {
        await client.close();
        await stop();
        rmSync(state, { recursive: true });
    });

    const url = (where: string) => `http://127.0.0.1:${port.toString()}/v2/${repository}/${where}`;
    const digestOf = (bytes: Buffer | string) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    const pushBlob = async (bytes: Buffer) => {
        const opened = await fetch(url("blobs/uploads/"), { method: "POST" });
        const target = new URL(opened.headers.get("location") ?? "");
        target.searchParams.set("digest", digestOf(bytes));
        expect((await fetch(target, { method: "PUT", body: new Uint8Array(bytes) })).status).toBe(201);
        return { digest: digestOf(bytes), size: bytes.length };
    };
    const push = async (kind: "index" | "manifest", content: object, ...names: string[]) => {
        const mediaType = `application/vnd.oci.image.${kind}.v1+json`;
        const body = JSON.stringify({ schemaVersion: 2, mediaType, ...content });
        for (const one of [digestOf(body), ...names]) {
            const init = { method: "PUT", headers: { "content-type": mediaType }, body };
            expect((await fetch(url(`manifests/${one}`), init)).status).toBe(201);
        }
        return { digest: digestOf(body), size: body.length, mediaType };
    };
    const layerOf = "application/vnd.oci.image.layer.v1.tar";
    const short = (text: string) => digestOf(text).slice(7, 19);
    const [pushes, perDay] = [60, 20];
    const now = Date.parse("2026-11-27T12:00:00Z");
    /** Every fourth release has a signature, in the way of Cosign. */
    const isSigned = (index: number) => index % 4 === 0;

    /** Pushes what an `up` pushes for an image with two platforms; returns the digest of its release. */
    const pushRelease = async (index: number, shared: { digest: string; size: number }) => {
        const builds = await Promise.all(
            ["amd64", "arm64"].map(async (architecture) => {
                const config = await pushBlob(Buffer.from(JSON.stringify({ architecture, index })));
                const own = await pushBlob(Buffer.alloc(20_000, `${architecture} ${index.toString()}`));
                const layers = [shared, own].map((layer) => ({ ...layer, mediaType: layerOf }));
                const content = {
                    config: { ...config, mediaType: "application/vnd.oci.image.config.v1+json" },
                    layers,
                };
                const pushed = await push(
                    "manifest",
                    content,
                    `b-${short(`${architecture} ${index.toString()}`)}-${architecture}`,
                );
                return { ...pushed, platform: { os: "linux", architecture } };
            }),
        );
        const release = await push(
            "index",
            { manifests: builds },
            `r-${short(index.toString())}`,
            ...(index === pushes - 1 ? ["latest"] : []),
        );
        const about = isSigned(index)
            ? [
                  await push(
                      "manifest",
                      { config: { ...shared, mediaType: layerOf }, layers: [], annotations: { of: release.digest } },
                      `${release.digest.replace(":", "-")}.sig`,
                  ),
              ]
            : [];
        for (const { digest } of [...builds, release, ...about]) {
            setPushed(state, repository, digest, now - ((pushes - 1 - index) / perDay) * day);
        }
        return release.digest;
    };

    /** Reads everything that a digest needs: manifests and, to their last byte, blobs. Returns the number of manifests. */
    const pull = async (digest: string): Promise<number> => {
        const accept = ["index", "manifest"].map((kind) => `application/vnd.oci.image.${kind}.v1+json`).join(", ");
        const answer = await fetch(url(`manifests/${digest}`), { headers: { accept } });
        expect(answer.status, digest).toBe(200);
        const found = (await answer.json()) as {
            manifests?: { digest: string }[];
            config?: { digest: string };
            layers?: { digest: string }[];
        };
        for (const blob of [found.config, ...(found.layers ?? [])]) {
            if (blob === undefined) continue;
            const bytes = Buffer.from(await (await fetch(url(`blobs/${blob.digest}`))).arrayBuffer());
            expect(digestOf(bytes)).toBe(blob.digest);
        }
        const parts = await Promise.all((found.manifests ?? []).map((part) => pull(part.digest)));
        return parts.reduce((sum, count) => sum + count, 1);
    };

    const opened = (): Repository =>
        plainRepository(client, name(), { pushed: () => pushedTimes({ state }, repository) });
    const sourcesFor = (named: Named, place: Place): Sources => ({
        ...{ places: [place], names: () => Promise.resolve(named), now: () => now, seen: {} },
        keep: { keepReleases: 10, keepDays: 1 },
    });

    test("leaves what is used and the newest releases, and nothing that is kept is lost", async () => {
        const shared = await pushBlob(Buffer.alloc(1_000_000, "base"));
        const releases = await each(
            Array.from({ length: pushes }, (_, index) => index),
            (index) => pushRelease(index, shared),
        );
        // A host still runs an old release: its state names the index alone.
        const [deployed = ""] = releases;
        const place = { repository: opened(), images: ["bot"] };
        const sources = sourcesFor(namesIn(`"${name()}@${deployed}"`), place);
        const before = { manifests: pushedTimes({ state }, repository).size, bytes: blobBytes({ state }) };
        const plan = await planCleanup(sources);
        const [found] = plan.places;
        if (!found) throw new Error("no place");
        expect([found.problem, before.manifests, found.manifests]).toEqual([
            undefined,
            pushes * 3 + pushes / 4,
            pushes * 3 + pushes / 4,
        ]);
        const done = await removeListed(sources, place, found);
        expect([done.removed.length, done.refused, done.problem, done.spared]).toEqual([
            found.removable.length,
            [],
            undefined,
            [],
        ]);
        // A day of releases, and the one that is deployed.
        const kept = [deployed, ...releases.slice(-perDay)];
        const manifests = kept.length * 3 + kept.filter((digest) => isSigned(releases.indexOf(digest))).length;
        expect(pushedTimes({ state }, repository).size).toBe(manifests);
        // What a registry holds in memory may say that a removed blob is still there, so it is stopped.
        await stop();
        expect(spawnSync("docker-registry", ["garbage-collect", file()]).status).toBe(0);
        await start(true);
        expect((await each(kept, pull)).reduce((sum, count) => sum + count, 0)).toBe(kept.length * 3);
        expect(
            (
                await fetch(url("manifests/latest"), { headers: { accept: "application/vnd.oci.image.index.v1+json" } })
            ).headers.get("docker-content-digest"),
        ).toBe(releases.at(-1));
        const freed = before.bytes - blobBytes({ state });
        expect(freed).toBe(found.removable.reduce((sum, { bytes }) => sum + bytes, 0));
        console.log(
            `      ${before.manifests.toString()} manifests before, ${manifests.toString()} after; ${freed.toString()} of ${before.bytes.toString()} bytes freed`,
        );
        const again = await planCleanup({ ...sources, places: [{ ...place, repository: opened() }] });
        expect(again.places[0]?.removable).toEqual([]);
    });

    const headOf = async (reference: string) => {
        const accept = "application/vnd.oci.image.index.v1+json";
        const answer = await fetch(url(`manifests/${reference}`), { method: "HEAD", headers: { accept } });
        return answer.status === 200 ? answer.headers.get("docker-content-digest") : undefined;
    };

    test("removes one tag of several, also where a run was killed halfway, and none that stands for something else", async () => {
        const { digest } = await push("index", { manifests: [] }, "stays", "goes");
        expect(await removeTag(client, opened(), "goes", digestOf("other"))).toEqual({ other: digest });
        expect(await removeTag(client, opened(), "goes", digest)).toBe("removed");
        expect(await removeTag(client, opened(), "goes", digest)).toBe("gone");
        expect([await headOf("goes"), await headOf("stays"), await headOf(digest)]).toEqual([
            undefined,
            digest,
            digest,
        ]);
        // A killed run has moved the tag, and not removed what it was moved to.
        await push("index", { manifests: [] }, "goes");
        const killed = { ...opened(), remove: () => new Promise<never>(() => undefined) };
        void removeTag(client, killed, "goes", digest);
        await eventually(async () => {
            expect(await headOf("goes")).not.toBe(digest);
        }, patience);
        expect(await removeTag(client, opened(), "goes", digest)).toBe("removed");
        expect([await headOf("goes"), await headOf("stays")]).toEqual([undefined, digest]);
    });

    test("names the setting of a registry that removes nothing, and removes nothing", async () => {
        const { digest } = await push("index", { manifests: [] }, "stays", "goes");
        await stop();
        await start(false);
        await expect(removeTag(client, opened(), "goes", digest)).rejects.toThrow(
            "does not allow to remove images (405)",
        );
        expect(await headOf("goes")).toBe(digest);
        const place = { repository: opened(), images: ["bot"] };
        const sources = { ...sourcesFor(namesIn(""), place), keep: { keepReleases: 1, keepDays: 0 } };
        const [found] = (await planCleanup(sources)).places;
        if (!found) throw new Error("no place");
        const { removed, problem = "" } = await removeListed(sources, place, found);
        expect([found.removable.length > 0, removed]).toEqual([true, []]);
        expect(problem).toMatch(/does not allow to remove images \(405\)\n.*REGISTRY_STORAGE_DELETE_ENABLED=true/s);
    });
});

/* The command, on the lab's stack. */

describe("gc", () => {
    let lab: TestLab;
    let program: string;
    const repository = "gc/app";
    before(async () => {
        lab = await startTestLab("host");
        program = makeRepository(path.join(lab.paths.state, "program"), {
            "Pulumi.local.yaml": fixture["Pulumi.local.yaml"] ?? "",
            "images.ts": `import type { ImageDefinitions } from "layered-images";
export const images: ImageDefinitions = {
    app: { description: "small", name: "ghcr.io/gc/app:latest", dockerfile: "Dockerfile", platforms: ["linux/amd64", "linux/arm64"] },
};
`,
            Dockerfile: "FROM scratch\nCOPY a.txt /\n",
        });
    });
    after(async () => {
        await lab.close();
    });

    /** Publishes a release with this content, and makes it look that old. Returns the digest of the release and of its build. */
    const publish = async (text: string, days: number): Promise<[release: string, build: string]> => {
        writeFileSync(path.join(program, "a.txt"), text);
        const { code, output } = await up(lab, program);
        expect(code, output).toBe(0);
        const { digest = "", manifests = [] } = (await manifest(lab, repository, "latest")) ?? {};
        const made: [string, string] = [digest, manifests[0]?.digest ?? ""];
        for (const one of made) setPushed(lab.paths.state, repository, one, Date.now() - days * day);
        return made;
    };
    const gc = async (...args: string[]) => {
        const outcome = await command(lab, program, [
            "gc",
            "--keep-releases",
            "1",
            "--keep-days",
            "1",
            "--json",
            ...args,
        ]);
        return {
            ...outcome,
            report: outcome.stdout === "" ? undefined : (JSON.parse(outcome.stdout) as CleanupReport),
        };
    };
    const found = ({ report }: Awaited<ReturnType<typeof gc>>) =>
        report?.repositories.flatMap(({ removable }) => removable.map(({ kind, digest }) => [kind, digest]));
    const pullable = async (digest: string): Promise<number[]> => {
        const { stdout } = await runIn(lab, program, "buildx", [
            "imagetools",
            "inspect",
            "--raw",
            `${lab.instance.registry}/${repository}@${digest}`,
        ]);
        const { layers = [] } = JSON.parse(stdout) as { layers?: { digest: string }[] };
        const client = registryClient(lab.env);
        try {
            return await each(layers, async (layer) => {
                const response = await client.request(
                    `${lab.instance.registry}/${repository}`,
                    `blobs/${layer.digest}`,
                );
                return (await response.arrayBuffer()).byteLength > 0 ? response.status : 0;
            });
        } finally {
            await client.close();
        }
    };

    test("removes what nothing names, and what it removed can be built and published again", async () => {
        // The digest of the first build stays the id of its resource in the state, so that build is kept.
        const [first] = await publish("zero\n", 70);
        const [oldRelease, oldBuild] = await publish("one\n", 60);
        const [pinned, pinnedBuild] = await publish("two\n", 50);
        const [current, currentBuild] = await publish("three\n", 40);
        // Something in the checkout still runs the second one.
        writeFileSync(path.join(program, "compose.yaml"), `services: { app: { image: ghcr.io/gc/app@${pinned} } }\n`);
        const listed = await gc();
        expect([listed.code, found(listed)?.sort()], listed.output).toEqual([
            0,
            [["build", oldBuild], ...[first, oldRelease].sort().map((digest) => ["release", digest])],
        ]);
        expect(listed.report?.removals).toBeUndefined();
        expect((await manifest(lab, repository, oldRelease))?.digest).toBe(oldRelease);

        const done = await gc("--yes");
        const removed = done.report?.removals?.[0]?.removed ?? [];
        expect([done.code, [...removed].sort()], done.output).toEqual([0, [first, oldRelease, oldBuild].sort()]);
        expect(removed.indexOf(oldRelease) < removed.indexOf(oldBuild)).toBe(true);
        expect(done.report?.freedOnDisk ?? 0).toBeGreaterThan(0);
        expect(await manifest(lab, repository, oldRelease)).toBeUndefined();
        for (const build of [pinnedBuild, currentBuild]) expect(await pullable(build)).toEqual([200]);
        expect((await manifest(lab, repository, pinned))?.digest).toBe(pinned);
        expect((await manifest(lab, repository, "latest"))?.digest).toBe(current);
        expect((await tags(lab, repository)).filter((tag) => /^[rb]-/.test(tag)).length).toBe(5);

        const again = await gc("--yes");
        expect([again.code, found(again), again.report?.removals], again.output).toEqual([0, [], []]);
        expect(changesOf(await up(lab, program))).toEqual(noChanges);
        // The same content has the same digests again, with its layers, although the registry once had them.
        expect(await publish("one\n", 0)).toEqual([oldRelease, oldBuild]);
        expect(await pullable(oldBuild)).toEqual([200]);
    });

    test("refuses to say anything while a stack of the project can't be read", async () => {
        const { stdout } = await runIn(lab, program, "pulumi", ["stack", "export"]);
        expect(deployedImages(parseDeployment(stdout)).map(({ image }) => image)).toEqual(["app"]);
        const stacks = path.join(lab.paths.state, "pulumi", ".pulumi", "stacks");
        const { output } = await runIn(lab, program, "pulumi", ["stack", "init", "other", "--no-select"]);
        const [project = ""] = readdirSync(stacks);
        expect(readdirSync(path.join(stacks, project)), output).toContain("other.json");
        writeFileSync(path.join(stacks, project, "other.json"), '{"version": 3, "checkpoint": {');
        const refused = await gc("--yes");
        expect([refused.code, refused.stdout], refused.output).toEqual([3, ""]);
        expect(refused.output).toMatch(/other\.json: the state of the stack can't be read[^]*next: restore the copy/);
    });
});
