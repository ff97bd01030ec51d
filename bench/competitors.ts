import { cpSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { stringify } from "yaml";
import { builderAddress } from "../lab/servers/services";
import { registryExport } from "../lib/hierarchy/compression";
import { sourceDateEpoch } from "../lib/hierarchy/prepare";
import { hostPlatform } from "../lib/platform";
import { pushedRepository } from "../lib/registry/references";
import { run } from "../lib/system/process";
import { type TestLab, makeRepository, projectFile } from "../tests/lab";
import { installedProgram } from "../tests/package";
import { manifest } from "../tests/registry";
import { writeTree } from "../tests/writeTree";
import { type BenchHierarchy, type BenchImage, type Mark, baseKey } from "./hierarchies";
import type { Command } from "./meter";
import type { Case, Event } from "./scenarios";

/** Names of the competitors, as results have them. */
export const names = {
    ours: "layered-images up",
    bake: "bake, our exporter",
    usual: "bake, usual settings",
    filtered: "path filters",
    raw: "buildctl, changed images",
    bare: "same resources, bare",
    empty: "empty program",
} as const;

/** Something that is measured: this program, a peer that keeps the same images up to date, or a floor that does only a part of the work. */
export interface Competitor {
    readonly name: string;
    readonly kind: "ours" | "peer" | "floor";
    /** Whether it is measured in a case. */
    readonly takesPart: (one: Case) => boolean;
    /** Makes everything that is there before a first build: files and stack. */
    readonly prepare: () => Promise<void>;
    /**
     * Lets an event happen.
     *
     * @param root the root's new digest, as `<repository>@<digest>`, for the event `root`
     */
    readonly happen: (event: Event, mark: Mark, root: string) => void;
    /**
     * Returns the commands that bring the images up to date after a case: groups that run one after the other, each of commands that run
     * at the same time. On an empty builder each group starts with an empty one, as each workflow on a runner of its own does.
     */
    readonly commands: (one: Pick<Case, "event" | "changed">) => Command[][];
    /** Returns the digest of `latest` for each image that is published. */
    readonly digests: () => Promise<Readonly<Record<string, string>>>;
}

/** What a competitor is made from. */
interface Setup {
    readonly lab: TestLab;
    readonly hierarchy: BenchHierarchy;
    /** Names its folder, its part of the registry and its stack; a letter first, then letters, digits and hyphens. */
    readonly id: string;
}

/** What decides how a competitor's images are called in the registry. */
type Named = Pick<Setup, "id"> & { readonly lab: { readonly instance: Pick<TestLab["instance"], "registry"> } };

/** Platform that everything is built for. */
const platform = hostPlatform();
const stack = "bench";

const folderOf = ({ lab, id }: Setup) => path.join(lab.paths.state, id);

/** Returns an image's repository in a competitor's part of the registry; undefined for an image that is never pushed. */
const repositoryOf = ({ lab, id }: Named, { name }: Pick<BenchImage, "name">): string | undefined =>
    name === undefined ? undefined : pushedRepository(name, `${lab.instance.registry}/${id}`);

/** Returns the lab's root, as `<repository>@<digest>`. */
function firstRoot({ lab, hierarchy }: Setup): string {
    const pin = lab.instance.roots[hierarchy.root];
    if (pin === undefined) throw new Error(`the lab has no ${hierarchy.root}`);
    return pin;
}

async function digestsOf(setup: Setup): Promise<Record<string, string>> {
    const repositories = Object.entries(setup.hierarchy.images).flatMap(([key, image]) => {
        const repository = repositoryOf(setup, image);
        return repository === undefined ? [] : [[key, repository.slice(repository.indexOf("/") + 1)] as const];
    });
    const found = await Promise.all(
        repositories.map(async ([key, repository]): Promise<[string, string | undefined]> => {
            return [key, (await manifest(setup.lab, repository, "latest"))?.digest];
        }),
    );
    return Object.fromEntries(found.flatMap(([key, digest]) => (digest === undefined ? [] : [[key, digest]])));
}

/** Changes a file of a checkout, for an event that changes one. */
function changeFile({ hierarchy, ...setup }: Setup, event: Event, mark: Mark): void {
    if (event === "nothing" || event === "root" || event === "cold") return;
    const { file, edit } = hierarchy.edits[event];
    const place = path.join(folderOf({ hierarchy, ...setup }), file);
    writeFileSync(place, edit(readFileSync(place, "utf8"), mark));
}

/** Makes a new stack of the lab's file backend in a folder with a Pulumi.yaml. */
const makeStack = ({ env }: TestLab, cwd: string) =>
    run("pulumi", ["stack", "init", stack, "--non-interactive"], { cwd, env });

/** This program, as CI runs it: `layered-images up --stack bench`. */
function ours(setup: Setup): Competitor {
    const { lab, hierarchy, id } = setup;
    const folder = folderOf(setup);
    const writeConfig = (root: string) => {
        const given = Object.entries(hierarchy.images).filter(([, { buildArgs }]) => Object.keys(buildArgs).length > 0);
        const config = {
            [`${id}:registry`]: `${lab.instance.registry}/${id}`,
            [`${id}:platforms`]: "host",
            [`${id}:roots`]: { [hierarchy.root]: root },
            ...(given.length > 0 && {
                [`${id}:buildArgs`]: Object.fromEntries(given.map(([key, { buildArgs }]) => [key, buildArgs])),
            }),
        };
        const file = path.join(folder, `Pulumi.${stack}.yaml`);
        // Pulumi has added the salt of the stack's passphrase.
        const salt = /^encryptionsalt: .*$/m.exec(readFileSync(file, "utf8"))?.[0] ?? "";
        writeFileSync(file, `${stringify({ config })}${salt}\n`);
    };
    return {
        name: names.ours,
        kind: "ours",
        takesPart: () => true,
        prepare: async () => {
            makeRepository(folder, { ...hierarchy.files, "Pulumi.yaml": projectFile(id) });
            await makeStack(lab, folder);
            writeConfig(firstRoot(setup));
        },
        happen: (event, mark, root) => {
            changeFile(setup, event, mark);
            if (event === "root") writeConfig(root);
        },
        commands: () => [
            [{ command: process.execPath, args: [installedProgram, "up", "--stack", stack], cwd: folder }],
        ],
        digests: () => digestsOf(setup),
    };
}

/** The exporter and cache of a peer. */
interface PeerSettings {
    readonly output: string;
    readonly cacheTo: string;
    /** Whether builds get no provenance: their users have it, this program adds none. */
    readonly withoutProvenance: boolean;
    readonly buildArgs: Readonly<Record<string, string>>;
}

/** Exporter and cache as this program has them (components/platformImage.ts). */
export const asOurs: PeerSettings = {
    output: registryExport(),
    cacheTo: "mode=max,ignore-error=true,image-manifest=true,oci-mediatypes=true,compression=zstd",
    withoutProvenance: true,
    buildArgs: { SOURCE_DATE_EPOCH: sourceDateEpoch },
};

/** As the documentation of Bake and of docker/build-push-action shows them: gzip, times as they are, provenance. */
const asUsual: PeerSettings = { output: "type=registry", cacheTo: "mode=max", withoutProvenance: false, buildArgs: {} };

/**
 * Returns the key of a named context that replaces an image. BuildKit looks for it without `latest`; neither Bake nor buildctl takes the
 * tag away, as `buildx build --build-context` does.
 */
const contextKey = (name = ""): string => name.replace(/:latest$/, "");

/** Returns where a peer keeps the build steps of an image. It keeps those of every image, to spare an empty builder what it can. */
const cacheOf = ({ lab, id }: Named, key: string) => `type=registry,ref=${lab.instance.registry}/${id}/cache:${key}`;

/** Returns a Bake file in which the images of a hierarchy are linked targets. */
export function bakeFile(setup: Named & Pick<Setup, "hierarchy">, settings: PeerSettings, root: string): object {
    const { images, root: rootName } = setup.hierarchy;
    const onBase = { [contextKey(images[baseKey]?.name)]: `target:${baseKey}` };
    const target = ([key, image]: [string, BenchImage]): [string, object] => {
        const repository = repositoryOf(setup, image);
        return [
            key,
            {
                context: ".",
                dockerfile: image.dockerfile,
                platforms: [platform],
                args: { ...image.buildArgs, ...settings.buildArgs },
                labels: image.labels,
                contexts: key === baseKey ? { [contextKey(rootName)]: `docker-image://${root}` } : onBase,
                ...(repository !== undefined && { tags: [`${repository}:latest`] }),
                output: [repository === undefined ? "type=cacheonly" : settings.output],
                ...(settings.withoutProvenance && { attest: ["type=provenance,disabled=true"] }),
                "cache-from": [cacheOf(setup, key)],
                "cache-to": [`${cacheOf(setup, key)},${settings.cacheTo}`],
            },
        ];
    };
    return {
        group: { default: { targets: Object.keys(images) } },
        target: Object.fromEntries(Object.entries(images).map(target)),
    };
}

function bake(setup: Setup, name: string, settings: PeerSettings): Competitor {
    const folder = folderOf(setup);
    const file = "docker-bake.json";
    const written = (root: string) => ({ [file]: JSON.stringify(bakeFile(setup, settings, root), undefined, 2) });
    return {
        name,
        kind: "peer",
        takesPart: () => true,
        prepare: () => {
            writeTree(folder, { ...setup.hierarchy.files, ...written(firstRoot(setup)) });
            return Promise.resolve();
        },
        happen: (event, mark, root) => {
            changeFile(setup, event, mark);
            if (event === "root") writeTree(folder, written(root));
        },
        commands: () => [[{ command: "buildx", args: ["bake", "--file", file, "--progress", "plain"], cwd: folder }]],
        digests: () => digestsOf(setup),
    };
}

/**
 * Returns the images whose workflows run, in their order: those whose path filter has a changed file, and after the base's workflow, by
 * `workflow_run`, those of the images on it.
 *
 * @param changed paths of the changed files; undefined for the first push, which has every file
 */
export function triggered(
    images: Readonly<Record<string, Pick<BenchImage, "paths">>>,
    changed: readonly string[] | undefined,
): string[] {
    const matches = (filter: string) => (file: string) =>
        filter.endsWith("/") ? file.startsWith(filter) : file === filter;
    const byPath = Object.keys(images).filter(
        (key) => changed === undefined || images[key]?.paths.some((filter) => changed.some(matches(filter))),
    );
    return byPath.includes(baseKey) ? Object.keys(images) : byPath;
}

/** One workflow an image: `buildx build` with a registry cache, on the parent's `latest`. */
function filtered(setup: Setup): Competitor {
    const { lab, hierarchy } = setup;
    const { images } = hierarchy;
    const folder = folderOf(setup);
    const base = images[baseKey];
    const dockerfileOfBase = path.join(folder, base?.dockerfile ?? "");
    const from = (root: string) => {
        const text = readFileSync(dockerfileOfBase, "utf8");
        writeFileSync(dockerfileOfBase, text.replace(/^FROM .*$/m, `FROM ${root}`));
    };
    const changedFiles = (event: Event) => {
        if (event === "cold") return undefined;
        if (event === "nothing") return [];
        return [event === "root" ? (base?.dockerfile ?? "") : hierarchy.edits[event].file];
    };
    const build = (key: string): Command => {
        const image = images[key];
        const repository = image && repositoryOf(setup, image);
        const args = [
            ...["buildx", "build", "--progress", "plain", "--platform", platform, "--file", image?.dockerfile ?? ""],
            ...Object.entries(image?.buildArgs ?? {}).flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]),
            ...Object.entries(image?.labels ?? {}).flatMap(([name, value]) => ["--label", `${name}=${value}`]),
            ...(repository === undefined ? [] : ["--tag", `${repository}:latest`]),
            ...["--output", repository === undefined ? "type=cacheonly" : asUsual.output],
            ...["--cache-from", cacheOf(setup, key), "--cache-to", `${cacheOf(setup, key)},${asUsual.cacheTo}`, "."],
        ];
        return { command: args[0] ?? "", args: args.slice(1), cwd: folder };
    };
    return {
        name: names.filtered,
        kind: "peer",
        takesPart: () => true,
        prepare: () => {
            const latest = `${(base && repositoryOf(setup, base)) ?? ""}:latest`;
            const files = Object.entries(hierarchy.files).map(([file, text]) => [
                file,
                /Dockerfile[^/]*$/.test(file) ? text.replaceAll(base?.name ?? latest, latest) : text,
            ]);
            writeTree(folder, Object.fromEntries(files) as Record<string, string>);
            from(lab.instance.roots[hierarchy.root] ?? "");
            return Promise.resolve();
        },
        happen: (event, mark, root) => {
            changeFile(setup, event, mark);
            if (event === "root") from(root);
        },
        commands: ({ event }) => triggered(images, changedFiles(event)).map((key) => [build(key)]),
        digests: () => digestsOf(setup),
    };
}

/** Floor: BuildKit's own client builds and pushes exactly the images that changed, with the same exporter and cache. */
function raw(setup: Setup): Competitor {
    const { lab, hierarchy } = setup;
    const { images } = hierarchy;
    const folder = folderOf(setup);
    let pin = firstRoot(setup);
    const build = (key: string): Command => {
        const image = images[key];
        const repository = image && repositoryOf(setup, image);
        const base = images[baseKey];
        const context =
            key === baseKey
                ? `context:${contextKey(hierarchy.root)}=docker-image://${pin}`
                : `context:${contextKey(base?.name)}=docker-image://${(base && repositoryOf(setup, base)) ?? ""}:latest`;
        const options = {
            filename: path.basename(image?.dockerfile ?? ""),
            platform,
            ...Object.fromEntries(
                Object.entries({ ...image?.buildArgs, SOURCE_DATE_EPOCH: sourceDateEpoch }).map(([name, value]) => [
                    `build-arg:${name}`,
                    value,
                ]),
            ),
            ...Object.fromEntries(Object.entries(image?.labels ?? {}).map(([name, value]) => [`label:${name}`, value])),
        };
        const output = registryExport().replace("type=registry", "type=image,push=true");
        const cache = cacheOf(setup, key);
        const args = [
            ...["--addr", builderAddress(lab.paths), "build", "--progress", "plain", "--frontend", "dockerfile.v0"],
            ...["--local", "context=.", "--local", `dockerfile=${path.dirname(image?.dockerfile ?? "")}`],
            ...["--opt", context, ...Object.entries(options).flatMap(([name, value]) => ["--opt", `${name}=${value}`])],
            ...(repository === undefined ? [] : ["--output", `${output},name=${repository}:latest`]),
            ...(repository === undefined || image?.registryCache === false
                ? []
                : ["--import-cache", cache, "--export-cache", `${cache},${asOurs.cacheTo}`]),
        ];
        return { command: "buildctl", args, cwd: folder };
    };
    return {
        name: names.raw,
        kind: "floor",
        takesPart: ({ changed }) => changed.length > 0,
        prepare: () => {
            writeTree(folder, hierarchy.files);
            return Promise.resolve();
        },
        happen: (event, mark, root) => {
            changeFile(setup, event, mark);
            if (event === "root") pin = root;
        },
        commands: ({ changed }) => {
            const children = changed.filter((key) => key !== baseKey);
            const groups = [changed.filter((key) => key === baseKey), children];
            return groups.filter((group) => group.length > 0).map((group) => group.map(build));
        },
        digests: () => digestsOf(setup),
    };
}

const none = () => Promise.resolve({});
const pulumiUp = (cwd: string): Command => ({
    command: "pulumi",
    args: ["up", "--stack", stack, "--yes", "--skip-preview", "--non-interactive"],
    cwd,
});

/** Floor: an engine and a program that registers nothing, in plain JavaScript. */
function empty(setup: Setup): Competitor {
    const folder = folderOf(setup);
    return {
        name: names.empty,
        kind: "floor",
        takesPart: ({ event }) => event === "nothing",
        prepare: async () => {
            makeRepository(folder, {
                "Pulumi.yaml": projectFile(setup.id),
                "index.cjs": 'require("@pulumi/pulumi");\n',
            });
            await makeStack(setup.lab, folder);
        },
        happen: () => undefined,
        commands: () => [[pulumiUp(folder)]],
        digests: none,
    };
}

/** A resource in the output of `pulumi stack export`. */
interface StateResource {
    readonly type: string;
    readonly urn: string;
    readonly custom?: boolean;
    readonly inputs?: Readonly<Record<string, unknown>>;
}

/**
 * Returns the resources to register bare: every resource of a provider, by the name of its class in @pulumi/docker-build.
 *
 * @throws Error for a resource of another provider
 */
export function bareResources(resources: readonly StateResource[]): { class: string; name: string; inputs: object }[] {
    const custom = resources.filter(({ custom, type }) => custom && !type.startsWith("pulumi:"));
    return custom.map(({ type, urn, inputs = {} }) => {
        const found = /^docker-build:index:(Image|Index)$/.exec(type)?.[1];
        if (found === undefined)
            throw new Error(`${urn} is no resource of docker-build: the bare program can't register it`);
        return { class: found, name: urn.split("::").at(-1) ?? "", inputs };
    });
}

/**
 * Floor: the resources of another competitor's stack, registered with the same inputs by a program in plain JavaScript that does nothing
 * else.
 */
function bare(setup: Setup, copied: string): Competitor {
    const { lab, id } = setup;
    const folder = folderOf(setup);
    return {
        name: names.bare,
        kind: "floor",
        takesPart: ({ event }) => event === "nothing",
        prepare: async () => {
            const exported = await run("pulumi", ["stack", "export", "--stack", stack], { cwd: copied, env: lab.env });
            const { deployment } = JSON.parse(exported) as { deployment: { resources: StateResource[] } };
            makeRepository(folder, {
                "Pulumi.yaml": projectFile(id),
                "resources.json": JSON.stringify(bareResources(deployment.resources), undefined, 2),
                "index.cjs": `const docker = require("@pulumi/docker-build");
for (const { class: name, ...one } of require("./resources.json"))
    new docker[name](one.name, one.inputs, { retainOnDelete: true });
`,
            });
            cpSync(path.join(copied, ".stage"), path.join(folder, ".stage"), { recursive: true });
            await makeStack(lab, folder);
        },
        happen: () => undefined,
        commands: () => [[pulumiUp(folder)]],
        digests: none,
    };
}

/**
 * Returns the competitors that keep a hierarchy's images up to date, in the order in which they have to be prepared.
 *
 * @param suffix makes their folders and their parts of the registry new; "" for those that are measured again and again
 */
export function builders(lab: TestLab, hierarchy: BenchHierarchy, suffix = ""): Competitor[] {
    const setup = (id: string): Setup => ({ lab, hierarchy, id: `${id}${suffix}` });
    return [
        ours(setup("ours")),
        bake(setup("bake"), names.bake, asOurs),
        bake(setup("bake-usual"), names.usual, asUsual),
        filtered(setup("filtered")),
        raw(setup("raw")),
    ];
}

/** Returns the floors of a run that has nothing to do. They are prepared after the first build of `builders`. */
export function floors(lab: TestLab, hierarchy: BenchHierarchy): Competitor[] {
    const setup = (id: string): Setup => ({ lab, hierarchy, id });
    return [bare(setup("bare"), folderOf(setup("ours"))), empty(setup("empty"))];
}
