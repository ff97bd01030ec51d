import { copyFileSync, existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { stringify } from "yaml";
import { z } from "zod";
import { stackFile, labStack } from "../../lib/engine/stacks";
import { readPreview } from "../../lib/engine/preview";
import { CommandError } from "../../lib/errors";
import { expandImages } from "../../lib/hierarchy/matrix";
import { keysOf } from "../../lib/hierarchy/definition";
import { registryExport } from "../../lib/hierarchy/compression";
import { sourceDateEpoch } from "../../lib/hierarchy/prepare";
import { makePlan } from "../../lib/plan/plan";
import { hostPlatform } from "../../lib/platform";
import { backendFolder } from "../../lib/system/paths";
import { capture, run } from "../../lib/system/process";
import { imageSteps } from "../../lib/update/steps";
import { type TestLab, makeRepository, projectFile } from "../../tests/lab";
import { up } from "../../tests/stack";
import { writeTree } from "../../tests/writeTree";
import { type Change, type Hierarchy, type Settings, checkOut, firstSettings, makeEdits, prepare } from "./corpus";
import { type BakeOutcome, bake, executedSteps, filteredEntries } from "./peers";

/** What each tool did for a change: keys of images. */
export interface Measured {
    readonly hierarchy: string;
    readonly change: string;
    /** The label: images that have to be rebuilt. */
    readonly rebuilt: readonly string[];
    readonly ours: {
        /** Builds that `up` ran. */
        readonly built: readonly string[];
        /** Those that executed an instruction, or came back with another digest. */
        readonly changed: readonly string[];
        /** What the review had announced. */
        readonly announced: Readonly<Record<string, string>>;
    };
    /** Images of which bake executed an instruction, or whose digest changed. It visits every target every time. */
    readonly bake: readonly string[];
    readonly pathFilters: readonly string[];
}

/** External images, published in the lab: by reference and version, `<repository>@<digest>` for each tool. */
export type Roots = Readonly<Record<string, { readonly ours: string; readonly bake: string }>>;

const rootKey = (name: string, version: string) => `${name} ${version}`;

/**
 * Publishes two versions of each external image. Bake gets others than we do, which differ in a file: what one tool has built is then
 * nothing that the other finds in the builder's cache. (That leaves what copies files into `scratch`: a label that only such a step tells
 * would be lost.)
 */
export async function publishRoots(lab: TestLab, names: readonly string[]): Promise<Roots> {
    const folder = path.join(lab.paths.state, "corpus-roots");
    const marks = names.flatMap((name) =>
        ["first", "moved"].flatMap((version) => ["ours", "bake"].map((tool) => ({ name, version, tool }))),
    );
    const idOf = ({ name, version, tool }: (typeof marks)[number]) =>
        `${name.replace(/[^a-z0-9]+/g, "-")}-${version}-${tool}`;
    const [pinned = ""] = Object.values(lab.instance.roots);
    const target = Object.fromEntries(
        marks.map((mark) => [
            idOf(mark),
            {
                context: folder,
                args: { MARK: idOf(mark), SOURCE_DATE_EPOCH: sourceDateEpoch },
                contexts: { root: `docker-image://${pinned}` },
                platforms: [hostPlatform()],
                tags: [`${lab.instance.registry}/roots/${idOf(mark)}:latest`],
                output: [registryExport()],
                attest: ["type=provenance,disabled=true"],
            },
        ]),
    );
    writeTree(folder, {
        Dockerfile: 'FROM root\nARG MARK\nRUN echo "$MARK" > /root-version\n',
        "bake.json": JSON.stringify({ group: { default: { targets: Object.keys(target) } }, target }),
    });
    const metadata = path.join(folder, "metadata.json");
    await run("buildx", ["bake", "--file", "bake.json", "--metadata-file", metadata], { cwd: folder, env: lab.env });
    const read = z.record(z.string(), z.looseObject({ "containerimage.digest": z.string() }));
    const digests = read.parse(
        Object.fromEntries(
            Object.entries(JSON.parse(readFileSync(metadata, "utf8")) as object).filter(([id]) => id in target),
        ),
    );
    const ref = (mark: (typeof marks)[number]) =>
        `${lab.instance.registry}/roots/${idOf(mark)}@${digests[idOf(mark)]?.["containerimage.digest"] ?? ""}`;
    return Object.fromEntries(
        names.flatMap((name) =>
            ["first", "moved"].map((version) => [
                rootKey(name, version),
                { ours: ref({ name, version, tool: "ours" }), bake: ref({ name, version, tool: "bake" }) },
            ]),
        ),
    );
}

/** Names in a repository's folder that are no part of the hierarchy's files. */
const kept = ["node_modules", ".stage", ".updates", ".git", "index.cjs", "Pulumi.yaml", "package.json"];
/** Files that are written from the settings: in a repository without this program their content stands in workflows. */
const written = ["images.ts", `Pulumi.${labStack}.yaml`];

/** Name of a hierarchy's project, which is also the namespace of its configuration. */
const projectOf = ({ name }: Hierarchy): string => `corpus-${name}`;

/** The files of a repository that say what Settings say. */
const settingsFiles = (
    project: string,
    { images, stack, roots }: Settings,
    published: Roots,
): Record<string, string> => ({
    "images.ts": `export const images = ${JSON.stringify(images, undefined, 4)};\n`,
    [`Pulumi.${labStack}.yaml`]: stringify({
        config: {
            [`${project}:lab`]: "true",
            [`${project}:platforms`]: "host",
            [`${project}:roots`]: Object.fromEntries(
                Object.entries(roots).map(([name, version]) => [name, published[rootKey(name, version)]?.ours]),
            ),
            ...Object.fromEntries(Object.entries(stack).map(([key, value]) => [`${project}:${key}`, value])),
        },
        encryptionsalt: "v1:DRDI6WCkP8w=:v1:29rKpGK4WbQtbVzr:tMXilMgD5kYYvf9gz1LaYzmkDMMHJQ==",
    }),
});

/** A hierarchy that is published by every tool. */
export interface Published {
    readonly hierarchy: Hierarchy;
    readonly root: string;
    readonly roots: Roots;
    readonly bake: BakeOutcome;
    /** Copy of the stack's state. */
    readonly state: string;
    /** The stack's state. */
    readonly stack: string;
}

const git = (root: string, ...args: string[]) =>
    run("git", ["-c", "user.name=corpus", "-c", "user.email=corpus@example.com", ...args], { cwd: root });

/** Runs `up`, and fails if it fails. */
async function update(lab: TestLab, root: string) {
    const outcome = await up(lab, root);
    if (outcome.code !== 0 || !outcome.log) throw new CommandError(`up failed in ${root}:\n${outcome.output}`);
    return imageSteps(outcome.log);
}

const bakePins = (roots: Roots) => (name: string, version: string) => roots[rootKey(name, version)]?.bake ?? "";

/** Publishes a hierarchy with every tool. */
export async function publish(lab: TestLab, hierarchy: Hierarchy, roots: Roots): Promise<Published> {
    const root = path.join(lab.paths.state, "corpus", hierarchy.name);
    const settings = firstSettings(hierarchy);
    const isNew = !existsSync(path.join(root, ".git"));
    if (isNew) {
        makeRepository(root, { "Pulumi.yaml": projectFile(projectOf(hierarchy)) });
        await git(root, "init", "--quiet");
        writeTree(path.join(root, ".git", "info"), {
            exclude: ["__pycache__", ...[...kept, ...written].map((name) => `/${name}`), ""].join("\n"),
        });
    }
    checkOut(hierarchy, root, kept);
    if (isNew) {
        await git(root, "add", "--all");
        await git(root, "commit", "--quiet", "--message", "published");
    }
    writeTree(root, settingsFiles(projectOf(hierarchy), settings, roots));
    const stack = stackFile(backendFolder(lab.paths), labStack, root);
    if (!existsSync(stack)) {
        await run("pulumi", ["stack", "init", labStack, "--non-interactive", "--no-select"], {
            cwd: root,
            env: lab.env,
        });
    }
    await update(lab, root);
    const state = path.join(lab.paths.state, "corpus", `${hierarchy.name}.json`);
    copyFileSync(stack, state);
    return {
        ...{ hierarchy, root, roots, state, stack },
        bake: await bake(lab, hierarchy.name, root, prepare(root, settings, bakePins(roots))),
    };
}

const listed = z.object({ ref: z.string(), created_at: z.coerce.date() });

/** Returns whether BuildKit executed an instruction of an image, in the builds of a repository since a time. */
async function hasExecuted(lab: TestLab, root: string, image: string, since: Date): Promise<boolean> {
    const history = (...args: string[]) => run("buildx", ["history", ...args], { cwd: root, env: lab.env });
    const lines = (await history("ls", "--format", "json")).split("\n").filter(Boolean);
    for (const { ref, created_at: at } of lines.map((line) => listed.parse(JSON.parse(line)))) {
        if (at < since) continue;
        const id = ref.split("/").at(-1) ?? ref;
        const { Context } = z
            .looseObject({ Context: z.string().default("") })
            .parse(JSON.parse(await history("inspect", id, "--format", "json")));
        if (!path.resolve(root, Context).startsWith(path.join(root, ".stage", image, "/"))) continue;
        // The log comes where progress is shown, not where results are printed.
        const { stderr } = await capture("buildx", ["history", "logs", id, "--progress", "rawjson"], {
            cwd: root,
            env: lab.env,
        });
        if (executedSteps(stderr).length > 0) return true;
    }
    return false;
}

/** Makes a change to a published hierarchy, and returns what each tool did. The next change starts from the published state again. */
export async function measureChange(lab: TestLab, published: Published, change: Change): Promise<Measured> {
    const { hierarchy, root, roots, state, stack } = published;
    const write = (settings: Settings) => {
        writeTree(root, settingsFiles(projectOf(hierarchy), settings, roots));
        return settings;
    };
    checkOut(hierarchy, root, kept);
    copyFileSync(state, stack);
    let bakeBefore = published.bake;
    const readForBake = (settings: Settings) => prepare(root, settings, bakePins(roots));
    const before = write(makeEdits(root, firstSettings(hierarchy), change.published));
    let base = "HEAD";
    if (change.published.length > 0) {
        bakeBefore = await bake(lab, hierarchy.name, root, readForBake(before));
        await update(lab, root);
        await git(root, "add", "--all");
        base = (await git(root, "write-tree")).trim();
    }
    const after = write(makeEdits(root, before, change.edits));
    await git(root, "add", "--all");
    const names = await git(root, "diff", "--cached", "--name-only", "--no-renames", "-z", base);
    const entries = filteredEntries(hierarchy, change.edits, names.split("\0").filter(Boolean));
    const definitions = expandImages(after.images);
    const filtered = [...entries].flatMap((entry) => keysOf(definitions, entry));

    const baked = await bake(lab, hierarchy.name, root, readForBake(after));
    const bakeRebuilt = Object.keys(baked.digests).filter(
        (key) => key in baked.executed || baked.digests[key] !== bakeBefore.digests[key],
    );

    const preview = ["preview", "--json", "--show-sames", "--show-replacement-steps"];
    const plan = makePlan({
        stack: labStack,
        preview: readPreview(await run("pulumi", preview, { cwd: root, env: lab.env })),
        history: [],
    });
    const since = new Date();
    const steps = await update(lab, root);
    const builds = steps.filter(
        ({ kind, operation }) => kind === "build" && ["create", "update", "replace"].includes(operation),
    );
    const changed: string[] = [];
    for (const { image, pushed, former } of builds) {
        const isMoved = pushed !== undefined && pushed !== former;
        if (isMoved || (await hasExecuted(lab, root, image, since))) changed.push(image);
    }
    return {
        hierarchy: hierarchy.name,
        change: change.id,
        rebuilt: [...change.rebuilt].sort(),
        ours: {
            built: builds.map(({ image }) => image).sort(),
            changed: changed.sort(),
            announced: Object.fromEntries(plan.images.map(({ image, action }) => [image, action])),
        },
        bake: bakeRebuilt.sort(),
        pathFilters: filtered.sort(),
    };
}
