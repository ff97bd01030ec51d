import { InputError } from "../errors";
import { normalPlatform, type Platform, hostPlatform } from "../platform";
import { referenceProblem, sameImage } from "../registry/references";
import { type LogicalLines, logicalLines, type Statement, statementOf } from "./parse";
import type { DockerfileReading } from "./reading";
import { readStages, type ReadOptions, type Stage, type Use } from "./stages";

/** What `read` returns; undefined for what a Dockerfile can't say: another language may. */
function attempt<T>(read: () => T): T | undefined {
    try {
        return read();
    } catch (error) {
        if (error instanceof InputError) return undefined;
        throw error;
    }
}

/** The lines of a text as a Dockerfile has them; as they are where those can't be joined. */
function linesOf(text: string, path: string): Pick<LogicalLines, "escape" | "lines"> {
    const plain = () =>
        text.split("\n").map((one, index) => ({ line: index + 1, text: one.trim(), hereDocuments: "" }));
    return attempt(() => logicalLines(text, path)) ?? { escape: "\\", lines: plain() };
}

/** What of a text that a frontend of somebody else's reads BuildKit would take for a Dockerfile's instructions. */
export function foreignStatements(
    text: string,
    path: string,
): { readonly escape: string; readonly statements: readonly Statement[] } {
    const { escape, lines } = linesOf(text, path);
    const all = lines.flatMap((one) => attempt(() => statementOf(one, escape, `${path}:${one.line}`)) ?? []);
    const first = all.findIndex(({ keyword }) => keyword === "FROM");
    return { escape, statements: all.filter(({ keyword }, index) => index >= first || keyword === "ARG") };
}

/** The stages that can be read: what can't is left out, a statement at a time. */
function stagesOf(text: string, options: ReadOptions, target: Platform, build: Platform): Stage[] {
    const { escape, statements } = foreignStatements(text, options.path);
    const read = (some: readonly Statement[]) => attempt(() => readStages(some, escape, options, { target, build }));
    const whole = read(statements);
    if (whole) return whole;
    const from = statements.find((one) => one.keyword === "FROM" && read([one]));
    if (!from) return [];
    const left = statements.reduce<Statement[]>((kept, one) => {
        const isFirst = one.keyword === "FROM" || kept.some(({ keyword }) => keyword === "FROM");
        return read(isFirst ? [...kept, one] : [...kept, one, from]) ? [...kept, one] : kept;
    }, []);
    return read(left) ?? [];
}

/** The image that a use names, where it is one by a Dockerfile's rules. */
function imageOf({ from, stage, byNumber }: Use, stages: readonly Stage[]): string | undefined {
    const isStage = stage !== undefined || stages.some(({ name }) => name === from?.toLowerCase());
    if (from === undefined || isStage || from === "scratch" || from === "") return undefined;
    if (byNumber && /^[+-]?\d+$/.test(from)) return undefined;
    return referenceProblem(from) === undefined ? from : undefined;
}

/** The target where it is a stage that can be read; the last one otherwise. */
const targetOf = (stages: readonly Stage[], target: string | undefined): Stage | undefined =>
    stages.findLast(({ name }) => target !== undefined && name === target.toLowerCase()) ?? stages.at(-1);

/** The FROM that the target ends in. */
function baseOf(stages: readonly Stage[], target: string | undefined): Use | undefined {
    let stage = targetOf(stages, target);
    for (let below = stage?.uses[0]?.stage; below !== undefined; below = stage?.uses[0]?.stage) stage = stages[below];
    return stage?.uses[0];
}

/**
 * What a file says that a frontend of somebody else's reads: it may include other files, and have instructions that nobody knows. So
 * the whole build context is its input, minus what `.dockerignore` leaves out; and the images that it names are read as in a
 * Dockerfile, as far as it is one, in whatever stage they stand. ONBUILD of these is not asked for: what it reads is an input.
 */
export function readForeign(text: string, options: ReadOptions): DockerfileReading {
    const references = new Map<string, DockerfileReading["references"][number]>();
    const secrets = new Map<string, DockerfileReading["secrets"][number]>();
    for (const platform of options.platforms) {
        const of = (build: Platform) => stagesOf(text, options, platform, build);
        const [native, emulated] = [of(hostPlatform()), of(platform)];
        const base = baseOf(native, options.target);
        for (const use of native.flatMap(({ uses }) => uses)) {
            if (use.secret) secrets.set(JSON.stringify(use.secret), { ...use.secret, line: use.line });
            const expanded = imageOf(use, native);
            if (expanded === undefined) continue;
            const platformsIn = (stages: readonly Stage[]) => {
                const own = stages.flatMap(({ uses }) => uses).filter((one) => isUseOf(one, stages, expanded));
                return [...new Set(own.map((one) => one.platform ?? normalPlatform(platform)))];
            };
            const known = references.get(expanded);
            const { line, instruction } = known ?? use;
            references.set(expanded, {
                ...{ expanded, line, instruction },
                base: use === base || (known?.base ?? false),
                platforms: {
                    ...known?.platforms,
                    [platform]: { native: platformsIn(native), emulated: platformsIn(emulated) },
                },
                from: {},
            });
        }
    }
    return {
        references: [...references.values()],
        stages: [],
        secrets: [...secrets.values()],
        sources: [{ pattern: "", exclude: [], line: 1, instruction: "its frontend" }],
        environment: {},
        meaning: { text, reads: undefined },
        triggers: {},
    };
}

function isUseOf(use: Use, stages: readonly Stage[], image: string): boolean {
    const named = imageOf(use, stages);
    return named !== undefined && sameImage(named, image);
}
