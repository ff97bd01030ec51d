import { InputError } from "../errors";
import type { Stage, Use } from "./stages";
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
