import { InputError } from "../errors";
import { normalPlatform, type Platform, hostPlatform } from "../platform";
import { sameImage } from "../registry/references";
import { readForeign } from "./foreign";
import { frontendOf, withoutSyntax } from "./frontends";
import { meaningOf } from "./meaning";
import { type Statement, readStatements } from "./parse";
import type { ReadStage, DockerfileReading } from "./reading";
import { readStages, checkReference, type ReadOptions, type Stage, type Use } from "./stages";
import type { Environment } from "./variables";

/** What decides which stages count. */
interface Target {
    /** The Dockerfile's path, for messages. */
    readonly path: string;
    /** Name of the stage to build; the last one without. BuildKit takes no number here (dockerfile2llb, resolveTarget). */
    readonly target?: string;
}

/** A stage that a target needs. */
export interface NeededStage {
    readonly stage: Stage;
    /** From 0, as BuildKit counts. */
    readonly number: number;
    /** Whether it is the target or in its chain of FROMs, and not only copied from. */
    readonly base: boolean;
}

/** A use of the stages that a target needs. */
export interface NeededUse {
    readonly use: Use;
    /** The stage that it names, by number; undefined for an image. */
    readonly stage: number | undefined;
    /** Whether the target's chain of FROMs ends in it. */
    readonly base: boolean;
}

function targetIndex(stages: readonly Stage[], { path, target }: Target): number {
    if (target === undefined) return stages.length - 1;
    const index = stages.findLastIndex(({ name }) => name === target.toLowerCase());
    if (index >= 0) return index;
    const allowed = stages.flatMap(({ name }) => name ?? []);
    const next = "correct `target` in images.ts, or name the stage: FROM <image> AS <stage>";
    throw new InputError({ problem: `there is no stage "${target}"`, where: path, allowed, next });
}

/** The stage that a use names, by number; undefined for an image. */
function stageOf(
    { stage, from, byNumber, where, left }: Use,
    stages: readonly Stage[],
    own: number,
): number | undefined {
    if (stage !== undefined || from === undefined) return stage;
    const numbered = byNumber && /^[+-]?\d+$/.test(from);
    const found = numbered ? Number(from) : stages.findLastIndex(({ name }) => name === from.toLowerCase());
    if (!numbered && found < 0) return undefined;
    // What ONBUILD left may copy from its own stage, as it is then: circles are looked for before it is read.
    if (found >= 0 && (left === undefined ? found < own : found <= own)) return found;
    const allowed = stages.slice(0, own).map(({ name }, index) => name ?? index.toString());
    throw new InputError({ problem: `"${from}" is not a stage before this one`, where, allowed });
}

/** The target's chain of FROMs, by number: itself first, the stage that is built FROM an image last. */
function chainOf(stages: readonly Stage[], target: number): number[] {
    const from = stages[target]?.uses[0]?.stage;
    return from === undefined ? [target] : [target, ...chainOf(stages, from)];
}

/** The uses of the stages that the target needs, by the stage's number, in order. */
function usesOf(stages: readonly Stage[], target: number, chain: readonly number[]): [number, NeededUse[]][] {
    const base = stages[chain.at(-1) ?? target]?.uses[0];
    const needed = new Map<number, NeededUse[]>();
    const visit = (index: number): void => {
        const { uses = [], problems = [] } = stages[index] ?? {};
        if (needed.has(index)) return;
        if (problems[0]) throw problems[0];
        const named = uses.map((use) => ({
            use,
            stage: use.instruction === "FROM" ? use.stage : stageOf(use, stages, index),
            base: use === base,
        }));
        needed.set(index, named);
        for (const { stage } of named) if (stage !== undefined) visit(stage);
    };
    visit(target);
    return [...needed].sort(([a], [b]) => a - b);
}

/**
 * What the target of a Dockerfile uses: only stages that it needs count.
 *
 * @throws InputError for a target or stage that is not there, and for what is wrong with a stage that is needed
 */
export function readTarget(
    stages: readonly Stage[],
    options: Target,
): {
    readonly stages: readonly NeededStage[];
    readonly uses: readonly NeededUse[];
    /** What the target brings to what is built FROM it. */
    readonly environment: Environment;
} {
    const target = targetIndex(stages, options);
    const chain = chainOf(stages, target);
    const needed = usesOf(stages, target, chain);
    return {
        stages: needed.flatMap(([number]) => {
            const stage = stages[number];
            return stage ? [{ stage, number, base: chain.includes(number) }] : [];
        }),
        uses: needed.flatMap(([, uses]) => uses),
        environment: { values: stages[target]?.environment ?? new Map(), closed: stages[target]?.closed ?? false },
    };
}

/** The images that a target uses, each use with its reference. */
function imagesIn(uses: readonly NeededUse[]): (NeededUse & { readonly from: string })[] {
    return uses.flatMap((one) => {
        const { from } = one.use;
        const isImage = from !== undefined && one.stage === undefined && from !== "scratch";
        return isImage ? [{ ...one, from: checkReference(from, one.use) }] : [];
    });
}

/** The platforms of an image, in any spelling, that are used where `platform` is built for. */
function platformsUsed(uses: readonly NeededUse[], image: string, platform: Platform, from = false): Platform[] {
    const own = imagesIn(uses).filter((one) => sameImage(one.from, image) && (!from || one.use.instruction === "FROM"));
    return [...new Set(own.map(({ use }) => use.platform ?? normalPlatform(platform)))];
}

/**
 * Reads a Dockerfile as BuildKit does for `platforms`, and returns the union: only stages that the target needs count,
 * with ARG defaults, build arguments and ENV expanded (Dockerfile reference; moby/buildkit v0.31 frontend/dockerfile).
 * What ONBUILD of images leaves is read as a part of the stages built FROM them. The builder is taken to be of this machine's
 * platform, unless a build argument BUILDPLATFORM says otherwise. What a frontend of somebody else's reads is not known: see
 * `readForeign`.
 *
 * @throws InputError with file and line for what BuildKit would refuse, and where a variable has no value
 */
export function readDockerfile(text: string, options: ReadOptions): DockerfileReading {
    const frontend = frontendOf(text, options);
    if (frontend && !frontend.own) return { ...readForeign(text, options), frontend };
    const read = readStatements(text, options.path);
    const { escape, statements } = read;
    const references = new Map<string, DockerfileReading["references"][number]>();
    const sources = new Map<string, DockerfileReading["sources"][number]>();
    const stages = new Map<number, ReadStage>();
    const secrets = new Map<string, DockerfileReading["secrets"][number]>();
    const triggered: Statement[] = [];
    const environment: Partial<Record<Platform, Environment>> = {};
    for (const platform of options.platforms) {
        const readFor = (build: Platform) =>
            readTarget(readStages(statements, escape, options, { target: platform, build }), options);
        const native = readFor(hostPlatform());
        const emulated = platform === hostPlatform() ? native : readFor(platform);
        const { uses } = native;
        environment[normalPlatform(platform)] = native.environment;
        for (const { stage, number, base } of native.stages) {
            triggered.push(...stage.left);
            const {
                name,
                uses: [from],
            } = stage;
            const isBase = base || (stages.get(number)?.base ?? false);
            stages.set(number, { name, number, line: from?.line ?? 0, base: isBase });
        }
        for (const { from, use, base } of imagesIn(uses)) {
            const known = references.get(from);
            const { line, instruction, left } = base || !known ? use : known;
            const used = {
                native: platformsUsed(uses, from, platform),
                emulated: platformsUsed(emulated.uses, from, platform),
            };
            // What FROM --platform=$BUILDPLATFORM gets is known only to the builder: either may run.
            const below = [uses, emulated.uses].flatMap((one) => platformsUsed(one, from, platform, true));
            references.set(from, {
                ...{ expanded: from, line, instruction, ...(left !== undefined && { left }) },
                base: base || (known?.base ?? false),
                platforms: { ...known?.platforms, [platform]: used },
                from: { ...known?.from, ...(below.length > 0 && { [platform]: [...new Set(below)] }) },
            });
        }
        for (const { use } of uses) {
            const place = { line: use.line, ...(use.left !== undefined && { left: use.left }) };
            const secret = use.secret && { ...use.secret, ...place };
            if (secret) secrets.set(JSON.stringify(secret), secret);
            for (const source of use.sources ?? []) {
                const one = { ...source, ...place, instruction: use.instruction };
                sources.set(JSON.stringify(one), one);
            }
        }
    }
    return {
        references: [...references.values()],
        stages: [...stages.values()].sort((a, b) => a.number - b.number),
        secrets: [...secrets.values()],
        sources: [...sources.values()],
        environment,
        // Where the builder's own frontend reads it, nothing may name another.
        meaning: meaningOf(
            frontend ? text : withoutSyntax(text),
            read,
            new Map([...stages].map(([number, { base }]) => [number, base])),
            {
                ...(frontend && { syntax: frontend.reference + frontend.rest }),
                check: options.buildArgs?.BUILDKIT_DOCKERFILE_CHECK,
                triggers: triggered,
            },
        ),
        triggers: Object.fromEntries(
            [...references.values()].flatMap(({ expanded, from }) => {
                const triggers = Object.keys(from).length > 0 ? (options.triggersOf?.(expanded) ?? []) : [];
                return triggers.length > 0 ? [[expanded, triggers] as const] : [];
            }),
        ),
        ...(frontend && { frontend }),
    };
}
