import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import path from "node:path";
import { after, before, describe } from "mocha";
import { blobReader } from "../../lib/registry/blobs";
import type { StatusReport } from "../../lib/status/status";
import { configWith, fixture } from "../fixture";
import { type Reaction, type RegistryInterposer, interposeRegistry } from "../interposer";
import { type TestLab, makeRepository, startTestLab } from "../lab";
import { eventually, expect, test } from "../mocha";
import { deleteManifest, manifest, removeBlob, tags } from "../registry";
import { changesOf, command, imageOutputs, noChanges, up } from "../stack";

/* What happens while a registry fails, on a lab whose registry can be made to fail. */

let lab: TestLab;
let registry: RegistryInterposer;
before(async () => {
    lab = await startTestLab("host");
    registry = await interposeRegistry(lab);
});
after(async () => {
    registry.close();
    await lab.close();
});

/** A repository whose images are pushed to the registry that fails; each holds one file. */
function repositoryOf(
    name: string,
    images: readonly string[],
    {
        settings = "",
        dockerfile = "FROM scratch\nARG NAME\nLABEL name=$NAME\nCOPY a.txt /\n",
        smokeTest,
    }: { readonly settings?: string; readonly dockerfile?: string; readonly smokeTest?: string } = {},
): string {
    const entries = images.map(
        (image) =>
            `    "${image}": { description: "one file", name: "${registry.host}/${name}/${image}:latest", dockerfile: "Dockerfile", ` +
            `platforms: "host", tags: ["v-{release}"], registryCache: false, ${smokeTest === undefined ? "" : 'smokeTest: "smoke.sh", '}buildArgs: { NAME: "${image}" } },`,
    );
    return makeRepository(path.join(lab.paths.state, name), {
        ...fixture,
        "Pulumi.local.yaml": (configWith(settings)["Pulumi.local.yaml"] ?? "").replace('lab: "true"', 'lab: "false"'),
        "images.ts": `import type { ImageDefinitions } from "layered-images";\nexport const images: ImageDefinitions = {\n${entries.join("\n")}\n};\n`,
        Dockerfile: dockerfile,
        "a.txt": "a\n",
        ...(smokeTest !== undefined && { "smoke.sh": smokeTest }),
    });
}

interface Refusal {
    readonly method: string;
    /** The last part of the path. */
    readonly reference: RegExp;
    readonly agent?: RegExp;
    /** A status, or what else becomes of the request. */
    readonly answer: number | Reaction;
    /** How many requests are refused: clients repeat some by themselves, at once. */
    readonly times: number;
}

/** Has the registry refuse requests to the repositories of these images, and returns how often it did. */
function refuse(refusals: Readonly<Record<string, Refusal>>): Record<string, number> {
    const refused: Record<string, number> = {};
    registry.obey(({ method, path: where, agent }) => {
        const [, image = "", reference = ""] = /([^/]+)\/manifests\/(.*)$/.exec(where) ?? [];
        const refusal = refusals[image];
        if (refusal?.method !== method || !refusal.reference.test(reference)) return undefined;
        if (refusal.agent && !refusal.agent.test(agent)) return undefined;
        const times = (refused[image] ?? 0) + 1;
        if (times > refusal.times) return undefined;
        refused[image] = times;
        const { answer } = refusal;
        return typeof answer === "number" ? { kind: "answer", status: answer } : answer;
    });
    return refused;
}

const client = /^containerd/;
const forEver = Number.POSITIVE_INFINITY;

describe("a promotion that the registry refuses", () => {
    test("for the moment is done again; for ever, or for a reason that stays, it has a next step, and the others are promoted", async () => {
        const passing: Readonly<Record<string, Refusal>> = {
            // As docker-registry did in CI while another tag of the release was being written.
            "digest-500": { method: "HEAD", reference: /^sha256:/, agent: client, answer: 500, times: 2 },
            "release-502": { method: "PUT", reference: /^r-/, answer: 502, times: 1 },
            "latest-503": { method: "PUT", reference: /^latest$/, answer: 503, times: 2 },
            "release-429": { method: "PUT", reference: /^r-/, answer: 429, times: 6 },
            "release-reset": { method: "PUT", reference: /^r-/, answer: { kind: "cut" }, times: 2 },
            "read-500": { method: "HEAD", reference: /^r-/, agent: /^regclient/, answer: 500, times: 8 },
            "tag-503": { method: "PUT", reference: /^v-/, answer: 503, times: 2 },
        };
        const lasting: Readonly<Record<string, Refusal>> = {
            "always-500": { method: "PUT", reference: /^latest$/, answer: 500, times: forEver },
            "always-403": { method: "PUT", reference: /^latest$/, answer: 403, times: forEver },
        };
        const images = [...Object.keys(passing), ...Object.keys(lasting), "well"];
        const program = repositoryOf("refusing", images);
        const refused = refuse({ ...passing, ...lasting });
        const made = await up(lab, program, "--continue-on-error");
        expect(made.code).not.toBe(0);
        expect(refused).toMatchObject({ "always-403": 1, "always-500": 10 });
        const advised = [...made.output.matchAll(/error: image (\S+): next: (.*)/g)].map(([, image, next]) => [
            image,
            next,
        ]);
        expect(Object.fromEntries(advised)).toEqual({
            "always-500": expect.stringContaining(`${registry.host} failed: the reason is in its log`) as string,
            "always-403": expect.stringContaining(`docker login ${registry.host} as a user`) as string,
        });
        const promoted = async () =>
            Object.fromEntries(
                await Promise.all(
                    images.map(async (image) => [image, (await tags(lab, `refusing/${image}`)).map((tag) => tag[0])]),
                ),
            ) as Record<string, string[]>;
        const all = Object.fromEntries(images.map((image) => [image, ["b", "l", "r", "v"]]));
        expect(await promoted()).toEqual({ ...all, "always-500": ["b", "r"], "always-403": ["b", "r"] });
        registry.obey(undefined);
        const second = await up(lab, program);
        expect(second.code, second.output).toBe(0);
        expect(await promoted()).toEqual(all);
    });
});

describe("a time limit", () => {
    test("ends what hangs, says which image it is and what to do, and leaves nothing running; the others are promoted", async () => {
        const [root = ""] = Object.values(lab.instance.roots);
        const program = repositoryOf("hanging", ["test", "push", "well"], {
            settings: `  layered-images:timeLimits: { build: 1, test: 1, promotion: 1 }\n  layered-images:roots: { "python:3.12-slim": "${root}" }\n`,
            dockerfile: "FROM python:3.12-slim\nARG NAME\nENV NAME=$NAME\nCOPY a.txt /\n",
            smokeTest: "#!/bin/sh\ncase $NAME in test) exec sleep 3601 ;; esac\n",
        });
        refuse({
            push: { method: "PUT", reference: /^b-/, answer: { kind: "hold" }, times: forEver },
        });
        const made = await up(lab, program, "--continue-on-error");
        registry.obey(undefined);
        expect(made.code).not.toBe(0);
        for (const [image, work] of [
            ["test", "smoke test"],
            ["push", "build"],
        ] as const)
            expect(made.output).toMatch(
                new RegExp(
                    `error: image ${image}: its ${work} for \\S+ did not end within its time limit of 1 minute, and was ended: next: `,
                ),
            );
        const published = ["test", "push", "well"].map((image) => tags(lab, `hanging/${image}`));
        expect((await Promise.all(published)).map((all) => all.map((tag) => tag[0]))).toEqual([
            ["b"],
            [],
            ["b", "l", "r", "v"],
        ]);
        await eventually(() => {
            expect(spawnSync("pgrep", ["-f", "^sleep 3601$"], { encoding: "utf8" }).stdout).toBe("");
        });
    });
});

describe("what a registry lost", () => {
    const kinds = ["manifest", "configuration", "layer", "index", "tag", "repository", "well"] as const;
    const folder = (...names: string[]) =>
        path.join(lab.paths.state, "registry", "data", "docker", "registry", "v2", "repositories", "gone", ...names);
    const restarted = async (program: string) => {
        for (const args of [["down"], ["lab", "start"]])
            expect(await command(lab, program, args), args.join(" ")).toMatchObject({ code: 0 });
    };

    test.thorough(
        "is found and brought back by `up --refresh`, with its layers and tags, also after the registry was restarted",
        async () => {
            const entries = kinds.map(
                (kind) =>
                    `    "${kind}": { description: "one file", name: "ghcr.io/gone/${kind}:latest", dockerfile: "Dockerfile", ` +
                    `platforms: "host", tags: ["stable"], registryCache: false, buildArgs: { NAME: "${kind}" } },`,
            );
            const program = makeRepository(path.join(lab.paths.state, "gone"), {
                ...fixture,
                "images.ts": `import type { ImageDefinitions } from "layered-images";\nexport const images: ImageDefinitions = {\n${entries.join("\n")}\n};\n`,
                Dockerfile: "FROM scratch\nARG NAME\nCOPY ${NAME}.txt /\n",
                ...Object.fromEntries(kinds.map((kind) => [`${kind}.txt`, `${kind}\n`])),
            });
            const made = await command(lab, program, ["up"]);
            expect(made.code, made.output).toBe(0);
            const outputs = await imageOutputs(lab, program);
            const build = (kind: string) => Object.values(outputs[kind]?.platforms ?? {})[0] ?? "";
            await deleteManifest(lab, "gone/manifest", build("manifest"));
            await deleteManifest(lab, "gone/index", outputs.index?.digest ?? "");
            removeBlob(lab, (await manifest(lab, "gone/configuration", build("configuration")))?.config?.digest ?? "");
            removeBlob(lab, (await manifest(lab, "gone/layer", build("layer")))?.layers?.[0]?.digest ?? "");
            for (const lost of [folder("tag", "_manifests", "tags", "stable"), folder("repository")])
                rmSync(lost, { recursive: true });
            const status = await command(lab, program, ["status", "--json"]);
            const { findings } = JSON.parse(status.stdout) as StatusReport;
            const lost = new Set(findings.filter(({ kind }) => kind === "drift").map(({ about }) => about));
            expect([...lost].sort()).toEqual(
                kinds
                    .slice(0, -1)
                    .map((kind) => `image ${kind}`)
                    .sort(),
            );
            const repaired = await command(lab, program, ["up", "--refresh"]);
            expect(repaired.code, repaired.output).toBe(0);
            await restarted(program);
            const reader = blobReader(lab.env);
            const states: Record<string, unknown> = {};
            for (const kind of kinds) {
                const { layers = [], config } = (await manifest(lab, `gone/${kind}`, build(kind))) ?? {};
                const repository = `${lab.instance.registry}/gone/${kind}`;
                const blobs = [...layers, ...(config ? [config] : [])].map(({ digest }) =>
                    reader.look(repository, digest),
                );
                const digests = ["latest", "stable"].map(
                    async (tag) => (await manifest(lab, `gone/${kind}`, tag))?.digest,
                );
                states[kind] = { blobs: await Promise.all(blobs), digests: await Promise.all(digests) };
            }
            await reader.close();
            const whole = (kind: string) => ({
                blobs: ["there", "there"],
                digests: [outputs[kind]?.digest, outputs[kind]?.digest],
            });
            expect(states).toEqual(Object.fromEntries(kinds.map((kind) => [kind, whole(kind)])));
            expect(await command(lab, program, ["status"])).toMatchObject({ code: 0 });
            expect(changesOf(await up(lab, program, "--expect-no-changes"))).toEqual(noChanges);
        },
    );
});
