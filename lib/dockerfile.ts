import { DockerfileParser } from "dockerfile-ast";
import { InputError } from "./errors";
import { hostPlatform, type Platform } from "./images";
import { type ReadOptions, type Stage, StageReader, type Use, platformArguments } from "./stages";

/** What a Dockerfile says of its place in the hierarchy: the images it stands on and the files it reads. */
export interface DockerfileReading {
    /** External images of the stages that the target needs, in order, each once. */
    readonly references: readonly {
        /** The reference as BuildKit sees it after expansion: the key of a named build context. */
        readonly expanded: string;
        readonly line: number;
        readonly instruction: string;
        /** Whether the target is built FROM it, rather than copying from it. */
        readonly base: boolean;
    }[];
    /** What the needed stages read from the build context. */
    readonly sources: readonly { readonly pattern: string; readonly line: number; readonly instruction: string }[];
}

function readStages(text: string, options: ReadOptions, platform: Platform): Stage[] {
    const dockerfile = DockerfileParser.parse(text);
    const instructions = dockerfile.getInstructions();
    const reader = new StageReader(
        options,
        platformArguments(platform, hostPlatform()),
        dockerfile.getEscapeCharacter(),
    );
    const known = new Set(["ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL"]);
    for (const name of ["MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"])
        known.add(name);
    for (const instruction of instructions) {
        const where = `${options.path}:${(instruction.getRange().start.line + 1).toString()}`;
        if (!known.has(instruction.getKeyword())) {
            throw new InputError({ problem: `${instruction.getInstruction()} is not an instruction`, where });
        }
        if (instruction.getKeyword() !== "ARG" && instruction.getKeyword() !== "FROM" && reader.stages.length === 0) {
            throw new InputError({ problem: `${instruction.getKeyword()} stands before the first FROM`, where });
        }
        reader.read(instruction);
    }
    if (reader.stages.length === 0) {
        throw new InputError({
            problem: "no FROM",
            where: options.path,
            next: "a Dockerfile starts with FROM <image>",
        });
    }
    return reader.stages;
}

function targetIndex(stages: readonly Stage[], { path, target }: ReadOptions): number {
    if (target === undefined) return stages.length - 1;
    const named = stages.findIndex(({ name }) => name === target.toLowerCase());
    const index = named >= 0 ? named : /^\d+$/.test(target) ? Number(target) : -1;
    if (index in stages) return index;
    const allowed = stages.flatMap(({ name }) => name ?? []);
    throw new InputError({ problem: `there is no stage "${target}"`, where: path, allowed });
}

/** Indices of the stages that `target` needs, itself among them. */
function neededStages(stages: readonly Stage[], target: number): Set<number> {
    const needed = new Set([target]);
    for (const index of needed) {
        for (const { stage } of stages[index]?.uses ?? []) {
            if (stage !== undefined) needed.add(stage);
        }
    }
    return needed;
}

/** The use by which the target's chain of FROMs ends in an external image. */
function baseUse(stages: readonly Stage[], target: number): Use | undefined {
    const from = stages[target]?.uses.find(({ instruction }) => instruction === "FROM");
    return from?.stage === undefined ? from : baseUse(stages, from.stage);
}

/**
 * Reads a Dockerfile as BuildKit does for `platforms`, and returns the union: only stages that the target needs count,
 * with ARG defaults, build arguments and ENV expanded (Dockerfile reference).
 *
 * @throws InputError with file and line when there is no FROM, a FROM can't be expanded or the target does not exist
 */
export function readDockerfile(text: string, options: ReadOptions): DockerfileReading {
    const references = new Map<string, DockerfileReading["references"][number]>();
    const sources = new Map<string, DockerfileReading["sources"][number]>();
    for (const platform of options.platforms) {
        const stages = readStages(text, options, platform);
        const target = targetIndex(stages, options);
        const base = baseUse(stages, target);
        for (const index of [...neededStages(stages, target)].sort((a, b) => a - b)) {
            for (const use of stages[index]?.uses ?? []) {
                const { line, instruction, image, source } = use;
                if (image !== undefined && !references.get(image)?.base) {
                    references.set(image, { expanded: image, line, instruction, base: use === base });
                }
                if (source !== undefined && !sources.has(source)) {
                    sources.set(source, { pattern: source, line, instruction });
                }
            }
        }
    }
    return { references: [...references.values()], sources: [...sources.values()] };
}
