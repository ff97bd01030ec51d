import path from "node:path";
import { z } from "zod";
import type { TestLab } from "../../tests/lab";
import { registryExport } from "../../lib/hierarchy/compression";
import { type Hierarchy as Prepared, sourceDateEpoch } from "../../lib/hierarchy/prepare";
import { hostPlatform } from "../../lib/platform";
import { CommandError } from "../../lib/errors";
import { capture } from "../../lib/system/process";
import { passes } from "../../tests/github/paths";
import { writeTree } from "../../tests/writeTree";
import { readFileSync } from "node:fs";
import type { Edit, Hierarchy } from "./corpus";

/* What the corpus compares with: `docker buildx bake`, and workflows with path filters. */

/** A target of a bake file. */
const target = (lab: TestLab, name: string, image: Prepared["images"][number]): object => {
    const { key, definition, parents, roots, buildArgs } = image;
    const { context = ".", dockerfile, labels, target: stage } = definition;
    const contexts = [
        ...parents.map((parent) => [withoutLatest(parent.expanded), `target:${parent.key}`]),
        ...roots.map(({ expanded, pin = "" }) => [expanded, `docker-image://${pin}`]),
    ];
    return {
        context,
        // bake looks for it from the context.
        dockerfile: path.relative(context, dockerfile),
        platforms: [hostPlatform()],
        args: { ...buildArgs, SOURCE_DATE_EPOCH: sourceDateEpoch },
        ...(labels && { labels }),
        ...(stage !== undefined && { target: stage }),
        contexts: Object.fromEntries(contexts) as object,
        tags: [`${lab.instance.registry}/bake/${name}/${key}:latest`],
        output: [registryExport()],
        attest: ["type=provenance,disabled=true"],
    };
};

/** BuildKit looks named contexts up without `latest`; bake takes their names as they are. */
const withoutLatest = (reference: string): string => reference.replace(/:latest$/, "");

const metadata = z.record(z.string(), z.unknown());
const progress = z.object({
    vertexes: z
        .array(
            z.object({
                digest: z.string(),
                name: z.string(),
                started: z.string().optional(),
                completed: z.string().optional(),
                cached: z.boolean().default(false),
                error: z.string().optional(),
            }),
        )
        .nullish(),
});

/** What a build of all targets did. */
export interface BakeOutcome {
    /** Digests by image. */
    readonly digests: Readonly<Record<string, string>>;
    /** Steps that BuildKit executed, by image: instructions as it prints them, without what it found in its cache. */
    readonly executed: Readonly<Record<string, readonly string[]>>;
}

/** An instruction that BuildKit executed. */
export interface ExecutedStep {
    readonly digest: string;
    /** As BuildKit prints it: "[build 2/4] RUN true", with bake after the target: "[base build 2/4] RUN true". */
    readonly name: string;
}

const stepName = /^\[(?:\S+ +){0,2}\d+\/\d+\] (?!FROM )/;

/** Returns the steps in a log of BuildKit (`--progress rawjson`) that were executed: those that it did not find in its cache. */
export function executedSteps(log: string): ExecutedStep[] {
    const vertexes = new Map<string, ExecutedStep & { readonly ran: boolean }>();
    for (const line of log.split("\n")) {
        if (!line.startsWith("{")) continue;
        for (const { digest, name, completed, cached } of progress.parse(JSON.parse(line)).vertexes ?? []) {
            if (completed !== undefined) vertexes.set(`${digest} ${name}`, { digest, name, ran: !cached });
        }
    }
    return [...vertexes.values()]
        .filter(({ name, ran }) => ran && stepName.test(name))
        .map(({ digest, name }) => ({ digest, name }));
}

/**
 * Returns the executed steps of each target. A target that is built on another one has the steps of both, so a step belongs to the first
 * that has it.
 *
 * @param keys of the targets, parents first
 */
export function stepsByTarget(steps: readonly ExecutedStep[], keys: readonly string[]): Record<string, string[]> {
    const rank = ({ name }: ExecutedStep) => keys.findIndex((key) => name.startsWith(`[${key} `));
    const first = new Map<string, ExecutedStep>();
    for (const step of [...steps].sort((a, b) => rank(a) - rank(b))) {
        if (rank(step) >= 0 && !first.has(step.digest)) first.set(step.digest, step);
    }
    const found: Record<string, string[]> = {};
    for (const step of first.values()) (found[keys[rank(step)] ?? ""] ??= []).push(step.name);
    return found;
}

/**
 * Builds all images with bake, with targets that are built on each other, on a builder that still has every step of earlier builds.
 *
 * @param root the repository's folder
 * @throws CommandError if a build fails
 */
export async function bake(lab: TestLab, name: string, root: string, { images }: Prepared): Promise<BakeOutcome> {
    const file = path.join(lab.paths.state, `bake-${name}.json`);
    const result = `${file}.metadata`;
    const targets = Object.fromEntries(images.map((image) => [image.key, target(lab, name, image)]));
    const content = { group: { default: { targets: Object.keys(targets) } }, target: targets };
    writeTree(path.dirname(file), { [path.basename(file)]: JSON.stringify(content) });
    const args = ["bake", "--file", file, "--metadata-file", result, "--progress", "rawjson", "--allow", "fs=*"];
    const { failure, stderr } = await capture("buildx", args, { cwd: root, env: lab.env });
    if (failure !== undefined) throw new CommandError(`buildx bake: ${failure}\n${stderr.slice(-2000)}`);
    const read = metadata.parse(JSON.parse(readFileSync(result, "utf8")));
    const digests = images.map(({ key }) => {
        const { "containerimage.digest": digest } = z
            .looseObject({ "containerimage.digest": z.string() })
            .parse(read[key]);
        return [key, digest] as const;
    });
    const executed = stepsByTarget(
        executedSteps(stderr),
        images.map(({ key }) => key),
    );
    return { digests: Object.fromEntries(digests), executed };
}

/** Definitions of an image that stand in its workflow where there is no images.ts. */
const inWorkflow = ["buildArgs", "labels", "target", "matrix", "exclude", "name", "platforms", "dockerfile"];

/** Returns the entries whose workflow files an edit changes, where people keep definitions and build arguments in workflows. */
function changedWorkflows(one: Edit, { images }: Pick<Hierarchy, "images">): string[] {
    if (!("set" in one)) return [];
    const { of, value, path: keys } = one.set;
    const [first = "", second] = keys;
    // A new image comes with a workflow, and the workflow of a removed one goes.
    if (of === "images" && second === undefined) return value === undefined ? [] : [first];
    if (of === "images" && second !== undefined && !inWorkflow.includes(second)) return [];
    // A build argument of a variant stands in the workflow of its entry.
    const key = of === "stack" ? (second ?? "") : first;
    return Object.keys(images).filter((name) => key === name || key.startsWith(`${name}-`));
}

/**
 * Returns the entries that workflows with path filters would rebuild: those with a changed path, or whose own file changed, and all that
 * start after them.
 *
 * @param changed paths that git says a commit changed
 */
export function filteredEntries(hierarchy: Hierarchy, edits: readonly Edit[], changed: readonly string[]): Set<string> {
    const started = new Set<string>();
    const start = (entry: string) => {
        if (started.has(entry)) return;
        started.add(entry);
        for (const [other, { after }] of Object.entries(hierarchy.workflows)) if (after.includes(entry)) start(other);
    };
    for (const entry of edits.flatMap((one) => changedWorkflows(one, hierarchy))) start(entry);
    for (const [entry, { paths }] of Object.entries(hierarchy.workflows)) if (passes(paths, changed)) start(entry);
    return started;
}
