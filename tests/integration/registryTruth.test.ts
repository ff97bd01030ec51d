import path from "node:path";
import { after, before, describe } from "mocha";
import { fixture } from "../fixture";
import { type TestLab, makeRepository, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { tags } from "../registry";
import { type RegistryProxy, type Treatment, startRegistryProxy } from "../registryProxy";
import { up } from "../stack";

/* What happens while a registry fails, on a lab whose registry can be made to fail. */

let lab: TestLab;
let registry: RegistryProxy;
before(async () => {
    lab = await startTestLab("host");
    registry = await startRegistryProxy(lab);
});
after(async () => {
    registry.stop();
    await lab.close();
});

/** A repository whose images are pushed to the registry that fails; each holds one file. */
function repositoryOf(name: string, images: readonly string[]): string {
    const entries = images.map(
        (image) =>
            `    "${image}": { description: "one file", name: "${registry.host}/${name}/${image}:latest", dockerfile: "Dockerfile", ` +
            `platforms: "host", tags: ["v-{release}"], registryCache: false, buildArgs: { NAME: "${image}" } },`,
    );
    return makeRepository(path.join(lab.paths.state, name), {
        ...fixture,
        "Pulumi.local.yaml": (fixture["Pulumi.local.yaml"] ?? "").replace('lab: "true"', 'lab: "false"'),
        "images.ts": `import type { ImageDefinitions } from "layered-images";\nexport const images: ImageDefinitions = {\n${entries.join("\n")}\n};\n`,
        Dockerfile: "FROM scratch\nARG NAME\nLABEL name=$NAME\nCOPY a.txt /\n",
        "a.txt": "a\n",
    });
}

interface Refusal {
    readonly method: string;
    /** The last part of the path. */
    readonly reference: RegExp;
    readonly agent?: RegExp;
    readonly answer: Treatment;
    /** How many requests are refused: clients repeat some by themselves, at once. */
    readonly times: number;
}

/** Has the registry refuse requests to the repositories of these images, and returns how often it did. */
function refuse(refusals: Readonly<Record<string, Refusal>>): Record<string, number> {
    const refused: Record<string, number> = {};
    registry.treat = ({ method, path: where, agent }) => {
        const [, image = "", reference = ""] = /([^/]+)\/manifests\/(.*)$/.exec(where) ?? [];
        const refusal = refusals[image];
        if (refusal?.method !== method || !refusal.reference.test(reference)) return "pass";
        if (refusal.agent && !refusal.agent.test(agent)) return "pass";
        const times = (refused[image] ?? 0) + 1;
        if (times > refusal.times) return "pass";
        refused[image] = times;
        return refusal.answer;
    };
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
            "release-reset": { method: "PUT", reference: /^r-/, answer: "reset", times: 2 },
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
        registry.treat = () => "pass";
        const second = await up(lab, program);
        expect(second.code, second.output).toBe(0);
        expect(await promoted()).toEqual(all);
    });
});
