import { InputError } from "./errors";
import { type Platform, hostPlatform } from "./images";
import { parseReference } from "./references";
import type { Source } from "./sources";
import { type Stage, type Use, openStage, readInStage } from "./stages";
import { type Statement, readStatements } from "./statements";
import { automaticArguments, readArg } from "./variables";

/** What a Dockerfile says of its place in the hierarchy: the images it stands on and the files it reads. */
export interface DockerfileReading {
    /** External images of the stages that the target needs, in order, each once. */
    readonly references: readonly {
        /** The reference as BuildKit sees it after expansion: the key of a named build context. */
        readonly expanded: string;
        readonly line: number;
        readonly instruction: Use["instruction"];
        /** Whether the target is built FROM it, rather than copying from it. */
        readonly base: boolean;
    }[];
    /** What the needed stages read from the build context. */
    readonly sources: readonly (Source & { readonly line: number; readonly instruction: string })[];
    /** Where the target has ONBUILD instructions ("docker/Dockerfile:3"): they run when something is built FROM it. */
    readonly triggers: readonly string[];
}

/** How a Dockerfile is read. */
export interface ReadOptions {
    /** Path, for messages. */
    readonly path: string;
    /** Stage to build, by name or number; the last one without. */
    readonly target?: string;
    readonly buildArgs?: Readonly<Record<string, string>>;
    readonly platforms: readonly Platform[];
}

function readStages(
    statements: readonly Statement[],
    escape: string,
    options: ReadOptions,
    platform: Platform,
): Stage[] {
    const { buildArgs = {} } = options;
    const scope = { globals: automaticArguments(platform, hostPlatform(), buildArgs), buildArgs, escape };
    const stages: Stage[] = [];
    for (const statement of statements) {
        const stage = stages.at(-1);
        if (statement.keyword === "FROM") stages.push(openStage(statement, scope, stages));
        else if (stage) readInStage(statement, scope, stage);
        else if (statement.keyword === "ARG") readArg(statement, scope);
        else
            throw new InputError({
                problem: `${statement.keyword} stands before the first FROM`,
                where: statement.where,
            });
    }
    if (stages.length > 0) return stages;
    throw new InputError({
        problem: "no FROM",
        where: options.path,
        next: "a Dockerfile starts with FROM <image>",
    });
}

function targetIndex(stages: readonly Stage[], { path, target }: ReadOptions): number {
    if (target === undefined) return stages.length - 1;
    const named = stages.findLastIndex(({ name }) => name === target.toLowerCase());
    const index = named < 0 && /^\d+$/.test(target) ? Number(target) : named;
    if (index in stages) return index;
    const allowed = stages.flatMap(({ name }) => name ?? []);
    throw new InputError({ problem: `there is no stage "${target}"`, where: path, allowed });
}

/** The stage that a use names, by number; undefined for an image. */
function stageOf({ stage, from, byNumber, where }: Use, stages: readonly Stage[], own: number): number | undefined {
    if (stage !== undefined || from === undefined) return stage;
    const numbered = byNumber && /^[+-]?\d+$/.test(from);
    const found = numbered ? Number(from) : stages.findLastIndex(({ name }) => name === from.toLowerCase());
    if (!numbered && found < 0) return undefined;
    if (found >= 0 && found < own) return found;
    const allowed = stages.slice(0, own).map(({ name }, index) => name ?? index.toString());
    throw new InputError({ problem: `"${from}" is not a stage before this one`, where, allowed });
}

/** The stages that the target needs, each with the stages or images that its uses name. */
function neededStages(stages: readonly Stage[], target: number): { use: Use; stage: number | undefined }[] {
    const needed = new Map<number, { use: Use; stage: number | undefined }[]>();
    const visit = (index: number): void => {
        const { uses = [], problems = [] } = stages[index] ?? {};
        if (needed.has(index)) return;
        if (problems[0]) throw problems[0];
        const named = uses.map((use) => ({
            use,
            stage: use.instruction === "FROM" ? use.stage : stageOf(use, stages, index),
        }));
        needed.set(index, named);
        for (const { stage } of named) if (stage !== undefined) visit(stage);
    };
    visit(target);
    return [...needed].sort(([a], [b]) => a - b).flatMap(([, uses]) => uses);
}

/** The FROM by which the target's chain ends in an external image. */
function baseUse(stages: readonly Stage[], target: number): Use | undefined {
    const from = stages[target]?.uses[0];
    return from?.stage === undefined ? from : baseUse(stages, from.stage);
}

function checkReference(from: string, { where }: Use): string {
    try {
        parseReference(from);
        return from;
    } catch (error) {
        throw error instanceof InputError ? new InputError({ where, ...error.input }) : error;
    }
}

/**
 * Reads a Dockerfile as BuildKit does for `platforms`, and returns the union: only stages that the target needs count,
 * with ARG defaults, build arguments and ENV expanded (Dockerfile reference; moby/buildkit v0.31 frontend/dockerfile).
 * ONBUILD of an external image can't be seen.
 *
 * @throws InputError with file and line for what BuildKit would refuse, and where a variable has no value
 */
export function readDockerfile(text: string, options: ReadOptions): DockerfileReading {
    const { escape, statements } = readStatements(text, options.path);
    const references = new Map<string, DockerfileReading["references"][number]>();
    const sources = new Map<string, DockerfileReading["sources"][number]>();
    const triggers = new Set<string>();
    for (const platform of options.platforms) {
        const stages = readStages(statements, escape, options, platform);
        const target = targetIndex(stages, options);
        const base = baseUse(stages, target);
        for (const { where } of stages[target]?.triggers ?? []) triggers.add(where);
        for (const { use, stage } of neededStages(stages, target)) {
            const { line, instruction, from } = use;
            if (from !== undefined && stage === undefined && from !== "scratch") {
                const expanded = checkReference(from, use);
                const known = references.get(expanded);
                if (!known || (use === base && !known.base)) {
                    references.set(expanded, { expanded, line, instruction, base: use === base });
                }
            }
            for (const source of use.sources ?? []) {
                const one = { ...source, line, instruction };
                sources.set(JSON.stringify(one), one);
            }
        }
    }
    return { references: [...references.values()], sources: [...sources.values()], triggers: [...triggers] };
}
