import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ensureCertificates } from "../../../lab/servers/tls";
import { readStackFile } from "../../../lib/engine/pulumi";
import { nameOf } from "../../../lib/engine/resources";
import { digestOf } from "../../../lib/registry/references";
import type { Reaction } from "../../interposer";
import { expect } from "../../mocha";
import { deleteManifest, manifest, removeBlob } from "../../registry";
import { dataOf, promotedTags } from "./oracle";
import {
    type Case,
    type Play,
    type Scene,
    failed,
    limitTimes,
    nothing,
    pushOf,
    reacting,
    registrySteps,
    strike,
    update,
    uploads,
} from "./plays";
import type { World } from "./world";

/** A registry's refusal, as the distribution specification words it. */
const refusal = (
    status: number,
    code: string,
    message: string,
    headers?: Readonly<Record<string, string>>,
): Reaction => ({
    kind: "answer",
    status,
    body: { errors: [{ code, message }] },
    ...(headers && { headers }),
});

const refusals: readonly (readonly [status: number, code: string, message: string])[] = [
    [401, "UNAUTHORIZED", "authentication required"],
    [403, "DENIED", "requested access to the resource is denied"],
    [405, "UNSUPPORTED", "The operation is unsupported"],
    [429, "TOOMANYREQUESTS", "too many requests"],
    [500, "UNKNOWN", "unknown error"],
];
const challenge = { "www-authenticate": 'Basic realm="registry"' };

/** Refusals of two steps of an update: the push of a build, and the move of `latest`. */
const registryRefusals = refusals.flatMap(([status, code, message], index): Case[] =>
    (["b-", "latest"] as const).map((tag, step) => ({
        name: `the registry answers ${status.toString()} to ${tag === "latest" ? "the move of `latest`" : "the push of a build"}`,
        // Each status at one of the two steps.
        ...(index % 2 === step && { chosen: "in a row" }),
        play: reacting("registry", pushOf(tag), refusal(status, code, message, status === 401 ? challenge : {})),
        code: failed,
        says: /\bnext: /,
    })),
);

/** Returns the resource of the stack with this name. */
function resourceOf({ repository }: Scene, name: string) {
    const found = readStackFile(repository.state).resources.find(({ urn }) => nameOf(urn) === name);
    if (!found) throw new Error(`the state has no ${name}`);
    return found;
}

/** Digest of the leaf's build that is deployed. */
const leafDigest = (scene: Scene): string => String(resourceOf(scene, "leaf-amd64").outputs.digest);

/** Removes something from the registry, and restores it with an update. */
const losing =
    (lose: (scene: Scene) => unknown): Play =>
    async (scene) => {
        await lose(scene);
        return await scene.run(["up", "--refresh"]);
    };

/** Moves `latest` of the leaf to its oldest release, as somebody who goes back by hand. */
function moveLatest({ world, repository }: Scene): void {
    const name = `${repository.namespace}/leaf`;
    const tags = promotedTags(world, repository).filter((one) => one.repository === name);
    const now = tags.find(({ tag }) => tag === "latest")?.digest;
    const other = tags.find(({ digest }) => digest !== now)?.digest;
    if (other === undefined) throw new Error(`${name} has one release only`);
    writeFileSync(path.join(dataOf(world), "repositories", name, "_manifests/tags/latest/current/link"), other);
}

/** A certificate with its key, as PEM. */
interface Presented {
    readonly cert: string;
    readonly key: string;
}

const text = (file: string) => readFileSync(file, "utf8");

/** Runs an update while the registry presents another certificate. */
const presenting =
    (other: (world: World) => Promise<Presented> | Presented): Play =>
    async ({ world, run }) => {
        const { certificate, key } = await ensureCertificates(world.lab.paths.state);
        world.registry.present(await other(world));
        const met = await run(["up"]);
        world.registry.present({ cert: text(certificate), key: text(key) });
        return met;
    };

/** Returns a certificate by an authority that nobody trusts. */
async function foreignCertificate({ lab }: World): Promise<Presented> {
    const { certificate, key } = await ensureCertificates(path.join(lab.paths.state, "other"));
    return { cert: text(certificate), key: text(key) };
}

/** Returns the registry's certificate, signed again by the lab's authority so that it ended yesterday. */
function expiredCertificate({ lab }: World): Presented {
    const at = (name: string) => path.join(lab.paths.state, "tls", name);
    const issuer = ["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial", "-extfile", at("extensions")];
    const args = ["x509", "-req", "-in", at("registry.csr"), ...issuer, "-days", "-1"];
    const cert = execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return { cert, key: text(at("registry.key")) };
}

/** What a registry refuses, loses and holds back. */
export const registryCases: readonly Case[] = [
    ...registryRefusals,
    {
        name: "the registry refuses the login before anything is built",
        chosen: "in a row",
        play: reacting("registry", () => true, refusal(401, "UNAUTHORIZED", "authentication required", challenge)),
        code: failed,
        says: /next: docker login/,
    },
    {
        name: "the registry is slow",
        play: reacting("registry", () => true, { kind: "meanwhile", act: () => pause(100) }),
    },
    {
        name: "the registry only reads",
        play: reacting("registry", uploads, refusal(405, "UNSUPPORTED", "The operation is unsupported")),
        code: failed,
        says: /next: .* accepts no pushes here/,
    },
    {
        name: "the registry's disk is full",
        play: reacting("registry", uploads, refusal(500, "UNKNOWN", "filesystem: write: no space left on device")),
        code: failed,
    },
    {
        name: "the registry closes the connection in the middle of an upload, once",
        chosen: "in a row",
        play: strike("registry", uploads, "after", nothing),
        code: [0, ...failed],
    },
    {
        name: "the registry does not answer when `up --refresh` asks for layers",
        change: nothing,
        play: reacting(
            "registry",
            ({ method, subject }) => method === "GET" && subject.startsWith("blob "),
            { kind: "before", act: nothing },
            ["up", "--refresh"],
        ),
        code: failed,
        says: /is not built again[^]*same command again/,
    },
    {
        name: "the registry cuts every manifest that it sends",
        change: ({ repository, fresh }) => {
            repository.write("base.txt", `${fresh()}\n`);
        },
        play: reacting(
            "registry",
            ({ method, subject }) => method === "GET" && subject.startsWith("manifest sha256:"),
            {
                kind: "halve",
            },
        ),
        code: [0, ...failed],
    },
    {
        name: "the registry presents a certificate that nobody vouches for",
        chosen: "in a row",
        play: presenting(foreignCertificate),
        code: failed,
        says: /next: make this machine and the builder trust/,
    },
    {
        name: "the registry presents a certificate that has expired",
        play: presenting(expiredCertificate),
        code: failed,
        says: /next: renew the certificate of registry\.localhost/,
    },
    {
        name: "the manifest of a build is deleted",
        change: nothing,
        play: losing((scene) =>
            deleteManifest(scene.world.lab, `${scene.repository.namespace}/leaf`, leafDigest(scene)),
        ),
    },
    {
        name: "the index of a release, and with it every tag on it, is deleted",
        change: nothing,
        play: losing((scene) => {
            const digest = digestOf(String(resourceOf(scene, "leaf").outputs.ref)) ?? "";
            return deleteManifest(scene.world.lab, `${scene.repository.namespace}/leaf`, digest);
        }),
    },
    ...(["layer", "configuration"] as const).map((blob) => ({
        name: `a ${blob} of a build is lost`,
        change: nothing,
        play: losing(async (scene) => {
            const { lab } = scene.world;
            const found = await manifest(lab, `${scene.repository.namespace}/leaf`, leafDigest(scene));
            removeBlob(lab, (blob === "layer" ? found?.layers?.at(-1) : found?.config)?.digest ?? "");
        }),
    })),
    {
        name: "`latest` is moved by somebody else: `status` names the command that moves it back",
        change: nothing,
        play: async (scene) => {
            moveLatest(scene);
            return await scene.run(["status"]);
        },
        code: [2],
        says: /layered-images up --replace/,
        recovery: "as told",
    },
    {
        name: "`latest` is moved by somebody else between the preview and the update",
        play: async (scene) => {
            expect((await scene.run(["preview"])).code).toBe(0);
            moveLatest(scene);
            return await scene.run(["up"]);
        },
    },
    // After those that go back to an earlier release: none is left.
    {
        name: "a whole repository is deleted from the registry",
        change: nothing,
        losesOld: true,
        play: losing(({ world, repository }) => {
            rmSync(path.join(dataOf(world), "repositories", repository.namespace, "leaf"), { recursive: true });
        }),
    },
    {
        name: "the images move to another registry, and back",
        change: ({ world, repository }) => {
            const text = repository.read("Pulumi.local.yaml");
            repository.write("Pulumi.local.yaml", text.replaceAll(world.registry.host, world.lab.instance.registry));
        },
        play: update,
    },
    ...Object.entries(registrySteps).map(([tag, step]) => ({
        name: `the registry never answers ${step}`,
        ...(tag !== "b-" && { lacking: "docker-build 0.0.22 does not end an Index whose push gets no answer" }),
        change: (scene: Scene) => {
            limitTimes(scene);
            scene.repository.write("leaf.txt", `${scene.fresh()}\n`);
        },
        play: reacting("registry", pushOf(tag), { kind: "hold" }),
        code: failed,
    })),
];
