import path from "node:path";
import { registryExport, sourceDateEpoch } from "../lib/hierarchy/prepare";
import { hostPlatform } from "../lib/platform";
import { run } from "../lib/system/process";
import { configWith, fixture } from "../tests/fixture";
import { type TestLab, makeRepository, startTestLab } from "../tests/lab";
import { manifest } from "../tests/registry";
import { writeTree } from "../tests/writeTree";
import { type Tool, measure, table } from "./measure";
import { scenarios } from "./scenarios";

/** Options of `npm run bench`. */
export interface BenchOptions {
    readonly runs: number;
    readonly json?: boolean;
}

const images = { base: "docker/Dockerfile.base", ci: "docker/Dockerfile.ci", bot: "docker/Dockerfile" };
const devcontainer = ".devcontainer/Dockerfile";

/**
 * The fixture for this machine's platform, without smoke tests, because Bake has no smoke tests. As in this repository,
 * the base takes the longest to build and has no registry cache, which would store its layers twice.
 */
const files = {
    ...fixture,
    "images.ts": (fixture["images.ts"] ?? "")
        .replace(/^ *smokeTest: .*\n/gm, "")
        .replace("    base: {", "    base: {\n        registryCache: false,"),
    "requirements/base.txt": "six==1.17.0\nnumpy==2.3.4\nnetworkx==3.5\n",
    "docker/Dockerfile.base": (fixture["docker/Dockerfile.base"] ?? "").replace(
        /grep .*/,
        "pip install --no-cache-dir --no-compile --root-user-action=ignore --requirement /tmp/base.txt",
    ),
    ...configWith(`  layered-images:platforms: ["${hostPlatform()}"]\n`),
};

/** Returns the digest of `latest` for each published image below a prefix of the lab's registry. */
async function digests(lab: TestLab, prefix: string): Promise<Record<string, string>> {
    const found = await Promise.all(
        Object.keys(images).map(async (image) => [
            image,
            (await manifest(lab, `${prefix}/${image}`, "latest"))?.digest,
        ]),
    );
    return Object.fromEntries(found.filter(([, digest]) => digest !== undefined)) as Record<string, string>;
}

function ours(lab: TestLab): Tool {
    const root = makeRepository(path.join(lab.paths.state, "ours"), files);
    return {
        name: "pulumi up",
        root,
        build: () => run("pulumi", ["up", "--yes", "--skip-preview", "--non-interactive"], { cwd: root, env: lab.env }),
        digests: () => digests(lab, "fixture"),
    };
}

/** The cache export options of `components/platformImage.ts`. */
const cacheExport = "mode=max,ignore-error=true,image-manifest=true,oci-mediatypes=true,compression=zstd";

/**
 * Returns a Bake file for the same Dockerfiles, builder and registry, with the same exporter and cache. The child
 * images use Bake's target `base` as their parent.
 */
function bakeFile(lab: TestLab): object {
    const { registry, roots } = lab.instance;
    const common = { context: ".", platforms: [hostPlatform()], args: { SOURCE_DATE_EPOCH: sourceDateEpoch } };
    const onRoots = Object.fromEntries(Object.entries(roots).map(([name, ref]) => [name, `docker-image://${ref}`]));
    const onBase = { "ghcr.io/fixture/base:latest": "target:base" };
    const published = ([image, dockerfile]: [string, string]) => {
        const repository = `${registry}/bake/${image}`;
        return [
            image,
            {
                ...common,
                dockerfile,
                contexts: image === "base" ? onRoots : onBase,
                tags: [`${repository}:latest`],
                output: [registryExport],
                attest: ["type=provenance,disabled=true"],
                ...(image !== "base" && {
                    "cache-from": [`type=registry,ref=${repository}:cache`],
                    "cache-to": [`type=registry,ref=${repository}:cache,${cacheExport}`],
                }),
            },
        ];
    };
    return {
        group: { default: { targets: [...Object.keys(images), "devcontainer"] } },
        target: {
            ...(Object.fromEntries(Object.entries(images).map(published)) as object),
            devcontainer: { ...common, dockerfile: devcontainer, contexts: onBase, output: ["type=cacheonly"] },
        },
    };
}

function bake(lab: TestLab): Tool {
    const root = path.join(lab.paths.state, "bake");
    writeTree(root, { ...files, "docker-bake.json": JSON.stringify(bakeFile(lab)) });
    return {
        name: "buildx bake",
        root,
        build: () =>
            run("buildx", ["bake", "--file", "docker-bake.json", "--progress", "plain"], { cwd: root, env: lab.env }),
        digests: () => digests(lab, "bake"),
    };
}

/**
 * Measures the cost of keeping a hierarchy up to date with this program and with `docker buildx bake`, side by side in
 * a separate lab, and prints a table or JSON (`Result[]`).
 *
 * @throws CommandError if a build fails
 */
export async function runBench({ runs, json }: BenchOptions): Promise<void> {
    const lab = await startTestLab("host");
    try {
        const tools: [Tool, Tool] = [ours(lab), bake(lab)];
        const emptyBuilder = () => run("buildx", ["prune", "--all", "--force"], { env: lab.env });
        const tell = (line: string) => {
            console.error(line);
        };
        const results = await measure(scenarios, tools, emptyBuilder, runs, tell);
        const [own, other] = tools.map(({ name }) => name) as [string, string];
        console.log(json ? JSON.stringify(results, undefined, 2) : table(results, own, other));
    } finally {
        await lab.close();
    }
}
