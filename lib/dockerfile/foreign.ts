import { InputError } from "../errors";
import { normalPlatform, type Platform, hostPlatform } from "../platform";
import { imageIdentity, referenceProblem } from "../registry/references";
import { type LogicalLines, logicalLines, type Statement, statementOf } from "./parse";
import type { DockerfileReading } from "./reading";
import { type ReadOptions, type Stage, type StageNumbers, type Use, readStages, stageNumbers } from "./stages";

/**
 * Returns the result of `read`, or undefined for a text that is not valid in a Dockerfile: it may be valid in another
 * language.
 */
function attempt<T>(read: () => T): T | undefined {
    try {
        return read();
    } catch (error) {
        if (error instanceof InputError) return undefined;
        throw error;
    }
}

/** Returns the logical lines of a text as in a Dockerfile, or its physical lines if they can't be joined. */
function linesOf(text: string, path: string): Pick<LogicalLines, "escape" | "lines"> {
    const plain = () =>
        text.split("\n").map((line, index) => ({ line: index + 1, text: line.trim(), hereDocuments: "" }));
    return attempt(() => logicalLines(text, path)) ?? { escape: "\\", lines: plain() };
}

/** Returns the parts of a text for another frontend that BuildKit's frontend would accept as instructions. */
export function foreignStatements(
    text: string,
    path: string,
): { readonly escape: string; readonly statements: readonly Statement[] } {
    const { escape, lines } = linesOf(text, path);
    const valid = lines.flatMap((line) => attempt(() => statementOf(line, escape, `${path}:${line.line}`)) ?? []);
    const first = valid.findIndex(({ keyword }) => keyword === "FROM");
    return { escape, statements: valid.filter(({ keyword }, index) => index >= first || keyword === "ARG") };
}

/** Returns the stages that can be read; statements that can't be read are passed over. */
function stagesOf(text: string, options: ReadOptions, target: Platform, build: Platform): Stage[] {
    const { escape, statements } = foreignStatements(text, options.path);
    const refused = new Set<Statement>();
    const read = (some: readonly Statement[]) =>
        attempt(() => readStages(some, escape, options, { target, build }, (statement) => refused.add(statement))) ??
        [];
    const stages = read(statements);
    // What is passed over must not name the target's stage either.
    return refused.size === 0 ? stages : read(statements.filter((statement) => !refused.has(statement)));
}

/** Returns the image that a use names; undefined if it is not an image by the rules of Dockerfiles. */
function imageOf({ from, stage, byNumber }: Use, numbers: StageNumbers): string | undefined {
    if (stage !== undefined || from === undefined || from === "scratch" || from === "") return undefined;
    if (numbers.has(from.toLowerCase())) return undefined;
    if (byNumber && /^[+-]?\d+$/.test(from)) return undefined;
    return referenceProblem(from) === undefined ? from : undefined;
}

/** Returns a function that returns the platforms on which stages use an image, in any spelling of its reference. */
function platformsUsed(stages: readonly Stage[], platform: Platform): (image: string) => Platform[] {
    const numbers = stageNumbers(stages);
    const used = new Map<string, Set<Platform>>();
    for (const use of stages.flatMap(({ uses }) => uses)) {
        const image = imageOf(use, numbers);
        if (image === undefined) continue;
        const identity = imageIdentity(image);
        used.set(identity, (used.get(identity) ?? new Set()).add(use.platform ?? normalPlatform(platform)));
    }
    return (image) => [...(used.get(imageIdentity(image)) ?? [])];
}

/** Returns the target if it is a readable stage; the last stage otherwise. */
const targetOf = (stages: readonly Stage[], target: string | undefined): Stage | undefined =>
    stages.findLast(({ name }) => target !== undefined && name === target.toLowerCase()) ?? stages.at(-1);

/** Returns the FROM at the end of the target's chain of stages. */
function baseOf(stages: readonly Stage[], target: string | undefined): Use | undefined {
    let stage = targetOf(stages, target);
    for (let below = stage?.uses[0]?.stage; below !== undefined; below = stage?.uses[0]?.stage) stage = stages[below];
    return stage?.uses[0];
}

/**
 * Reads a file for a frontend that is not BuildKit's own. Such a file may include other files and contain unknown
 * instructions, so its input is the whole build context minus the files that `.dockerignore` excludes. The images in
 * all stages are read as in a Dockerfile, as far as the file looks like a Dockerfile. ONBUILD triggers of these images
 * need not be known: the files they read are inputs already.
 */
export function readForeign(text: string, options: ReadOptions): DockerfileReading {
    const references = new Map<string, DockerfileReading["references"][number]>();
    const secrets = new Map<string, DockerfileReading["secrets"][number]>();
    for (const platform of options.platforms) {
        const of = (build: Platform) => stagesOf(text, options, platform, build);
        const [native, emulated] = [of(hostPlatform()), of(platform)];
        const base = baseOf(native, options.target);
        const numbers = stageNumbers(native);
        const [ofNative, ofEmulated] = [platformsUsed(native, platform), platformsUsed(emulated, platform)];
        for (const use of native.flatMap(({ uses }) => uses)) {
            if (use.secret) secrets.set(JSON.stringify(use.secret), { ...use.secret, line: use.line });
            const expanded = imageOf(use, numbers);
            if (expanded === undefined) continue;
            const earlier = references.get(expanded);
            const { line, instruction } = earlier ?? use;
            references.set(expanded, {
                ...{ expanded, line, instruction },
                base: use === base || (earlier?.base ?? false),
                platforms: {
                    ...earlier?.platforms,
                    [platform]: { native: ofNative(expanded), emulated: ofEmulated(expanded) },
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
