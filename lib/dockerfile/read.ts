import { InputError } from "../errors";
import { normalPlatform, type Platform, hostPlatform } from "../platform";
import { imageIdentity } from "../registry/references";
import { readForeign } from "./foreign";
import { frontendOf, withoutSyntax } from "./frontends";
import { meaningOf } from "./meaning";
import { type Statement, readStatements } from "./parse";
import type { ReadStage, DockerfileReading } from "./reading";
import {
    type ReadOptions,
    type Stage,
    type StageNumbers,
    type Use,
    checkReference,
    readStages,
    stageNumbers,
} from "./stages";
import type { Environment } from "./variables";

/** The selection of the stage to build. */
interface Target {
    /** The Dockerfile's path, for messages. */
    readonly path: string;
    /**
     * Name of the stage to build; by default the last stage. BuildKit does not accept a number here (dockerfile2llb,
     * resolveTarget).
     */
    readonly target?: string;
}

/** A stage that a target needs. */
export interface NeededStage {
    readonly stage: Stage;
    /** From 0, as BuildKit counts. */
    readonly number: number;
    /** Whether it is the target or in the target's chain of FROMs, rather than only a source of copied files. */
    readonly base: boolean;
}

/** A use in the stages that a target needs. */
export interface NeededUse {
    readonly use: Use;
    /** The number of the stage that it names; undefined for an image. */
    readonly stage: number | undefined;
    /** Whether it is the FROM at the end of the target's chain of stages. */
    readonly base: boolean;
}

/** Returns the number of the stage to build. */
export function targetIndex(stages: readonly Stage[], { path, target }: Target): number {
    if (target === undefined) return stages.length - 1;
    const index = stages.findLastIndex(({ name }) => name === target.toLowerCase());
    if (index >= 0) return index;
    const allowed = stages.flatMap(({ name }) => name ?? []);
    const next = "correct `target` in images.ts, or name the stage: FROM <image> AS <stage>";
    throw new InputError({ problem: `there is no stage "${target}"`, where: path, allowed, next });
}

/** Returns the number of the stage that a use names; undefined for an image. */
function stageOf(
    { stage, from, byNumber, where, triggeredBy }: Use,
    stages: readonly Stage[],
    numbers: StageNumbers,
    current: number,
): number | undefined {
    if (stage !== undefined || from === undefined) return stage;
    const numbered = byNumber && /^[+-]?\d+$/.test(from);
    const index = numbered ? Number(from) : numbers.get(from.toLowerCase());
    if (index === undefined) return undefined;
    // A trigger may copy from its own stage in its state at that point: BuildKit looks for cycles before it reads
    // triggers.
    if (index >= 0 && (triggeredBy === undefined ? index < current : index <= current)) return index;
    const allowed = stages.slice(0, current).map(({ name }, number) => name ?? number.toString());
    throw new InputError({ problem: `"${from}" is not a stage before this one`, where, allowed });
}

/** Returns the target's chain of FROMs, by number: the target first, the stage that is built FROM an image last. */
function chainOf(stages: readonly Stage[], target: number): number[] {
    const chain: number[] = [];
    for (let number: number | undefined = target; number !== undefined; number = stages[number]?.uses[0]?.stage) {
        chain.push(number);
    }
    return chain;
}

/** Returns the uses in the stages that the target needs, in order, with the number of their stage. */
function usesOf(stages: readonly Stage[], target: number, chain: readonly number[]): [number, NeededUse[]][] {
    const base = stages[chain.at(-1) ?? target]?.uses[0];
    const needed = new Map<number, NeededUse[]>();
    const numbers = stageNumbers(stages);
    // A list instead of recursion, because stages can form long chains. The next stage is the last.
    const waiting = [target];
    while (waiting.length > 0) {
        const index = waiting.pop() ?? target;
        const { uses = [], problems = [] } = stages[index] ?? {};
        if (needed.has(index)) continue;
        if (problems[0]) throw problems[0];
        const named = uses.map((use) => ({
            use,
            stage: use.instruction === "FROM" ? use.stage : stageOf(use, stages, numbers, index),
            base: use === base,
        }));
        needed.set(index, named);
        waiting.push(...named.flatMap(({ stage }) => stage ?? []).reverse());
    }
    return [...needed].sort(([a], [b]) => a - b);
}

/**
 * Selects the stages that the target of a Dockerfile needs, and the uses in these stages.
 *
 * @throws InputError for a missing target or stage, and for problems of a needed stage
 */
function readTarget(
    stages: readonly Stage[],
    options: Target,
): {
    readonly stages: readonly NeededStage[];
    readonly uses: readonly NeededUse[];
    /** The variables that stages built FROM the target inherit. */
    readonly environment: Environment;
} {
    const target = targetIndex(stages, options);
    const chain = chainOf(stages, target);
    const inChain = new Set(chain);
    const needed = usesOf(stages, target, chain);
    return {
        stages: needed.flatMap(([number]) => {
            const stage = stages[number];
            return stage ? [{ stage, number, base: inChain.has(number) }] : [];
        }),
        uses: needed.flatMap(([, uses]) => uses),
        environment: { values: stages[target]?.environment ?? new Map(), complete: stages[target]?.complete ?? false },
    };
}

/** Returns the uses that name an image, each with the image's reference. */
function imagesIn(uses: readonly NeededUse[]): (NeededUse & { readonly from: string })[] {
    return uses.flatMap((needed) => {
        const { from } = needed.use;
        const isImage = from !== undefined && needed.stage === undefined && from !== "scratch";
        return isImage ? [{ ...needed, from: checkReference(from, needed.use) }] : [];
    });
}

/**
 * Returns a function that returns the platforms of an image, in any spelling of its reference, that a build for `platform`
 * uses, and those that stages are built FROM.
 */
function platformsUsed(uses: readonly NeededUse[], platform: Platform) {
    const used = new Map<string, { readonly all: Set<Platform>; readonly from: Set<Platform> }>();
    for (const { from, use } of imagesIn(uses)) {
        const identity = imageIdentity(from);
        const platforms = used.get(identity) ?? { all: new Set(), from: new Set() };
        used.set(identity, platforms);
        const usedPlatform = use.platform ?? normalPlatform(platform);
        platforms.all.add(usedPlatform);
        if (use.instruction === "FROM") platforms.from.add(usedPlatform);
    }
    return (image: string) => {
        const { all = [], from = [] } = used.get(imageIdentity(image)) ?? {};
        return { all: [...all], from: [...from] };
    };
}

/**
 * Reads a Dockerfile as BuildKit does for each of `platforms`, and returns the union. Only stages that the target needs
 * count, with ARG defaults, build arguments and ENV expanded (Dockerfile reference; moby/buildkit v0.31
 * frontend/dockerfile). ONBUILD triggers of images are part of the stages built FROM these images. The builder is
 * assumed to have this machine's platform, unless the build argument BUILDPLATFORM is set. A file for a frontend that
 * is not BuildKit's own is read by `readForeign`.
 *
 * @throws InputError with file and line for input that BuildKit would refuse, and for a variable without a value
 */
export function readDockerfile(text: string, options: ReadOptions): DockerfileReading {
    const frontend = frontendOf(text, options);
    if (frontend && !frontend.official) return { ...readForeign(text, options), frontend };
    const read = (options.parse ?? readStatements)(text, options.path);
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
            triggered.push(...stage.triggered);
            const {
                name,
                uses: [from],
            } = stage;
            const isBase = base || (stages.get(number)?.base ?? false);
            stages.set(number, { name, number, line: from?.line ?? 0, base: isBase });
        }
        const nativePlatforms = platformsUsed(uses, platform);
        const emulatedPlatforms = platformsUsed(emulated.uses, platform);
        for (const { from, use, base } of imagesIn(uses)) {
            const earlier = references.get(from);
            const { line, instruction, triggeredBy } = base || !earlier ? use : earlier;
            const [ofNative, ofEmulated] = [nativePlatforms(from), emulatedPlatforms(from)];
            const used = { native: ofNative.all, emulated: ofEmulated.all };
            // Only the builder knows the result of FROM --platform=$BUILDPLATFORM, so both platforms count.
            const fromPlatforms = [...ofNative.from, ...ofEmulated.from];
            references.set(from, {
                ...{ expanded: from, line, instruction, ...(triggeredBy !== undefined && { triggeredBy }) },
                base: base || (earlier?.base ?? false),
                platforms: { ...earlier?.platforms, [platform]: used },
                from: {
                    ...earlier?.from,
                    ...(fromPlatforms.length > 0 && { [platform]: [...new Set(fromPlatforms)] }),
                },
            });
        }
        for (const { use } of uses) {
            const place = { line: use.line, ...(use.triggeredBy !== undefined && { triggeredBy: use.triggeredBy }) };
            const secret = use.secret && { ...use.secret, ...place };
            if (secret) secrets.set(JSON.stringify(secret), secret);
            for (const source of use.sources ?? []) {
                const located = { ...source, ...place, instruction: use.instruction };
                sources.set(JSON.stringify(located), located);
            }
        }
    }
    return {
        references: [...references.values()],
        stages: [...stages.values()].sort((a, b) => a.number - b.number),
        secrets: [...secrets.values()],
        sources: [...sources.values()],
        environment,
        // If the builder's own frontend reads the text, `# syntax=` must not name another.
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
