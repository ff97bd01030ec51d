import { InputError } from "../errors";
import { type Expansion, expand } from "./expand";
import type { Platform } from "../hierarchy/definition";
import { normalPlatform } from "../hierarchy/place";
import { parseReference } from "../registry/references";
import { type Read, copyReads, mountReads } from "./reads";
import { type Statement, type Trigger, leftStatement } from "./statements";
import { type Environment, type Scope, type StageVariables, readArg, readEnv, stageWord } from "./variables";

/** An instruction that takes something from outside its stage. */
export interface Use extends Read {
    readonly instruction: "FROM" | "COPY" | "RUN" | "ADD";
    readonly line: number;
    readonly where: string;
    /** Where the ONBUILD stands that left it to this stage; absent for an instruction of the stage's own. */
    readonly left?: string;
    /** FROM: the earlier stage that it names, by number. */
    readonly stage?: number;
    /** FROM --platform, in normal form. */
    readonly platform?: Platform;
    /** FROM: the variables in it that have no value. */
    readonly unset?: readonly string[];
}

/** A stage of a Dockerfile. */
export interface Stage extends StageVariables {
    readonly name: string | undefined;
    readonly uses: Use[];
    /** What is wrong with it: matters only if somebody needs it. */
    readonly problems: InputError[];
    /** What ONBUILD leaves to the stages built FROM it. */
    readonly triggers: Trigger[];
    /** The instructions that ONBUILD of what it is built FROM left for it: they run first. */
    readonly left: Statement[];
}

/** What is known of the images that stages are built FROM. */
export interface ImagesBelow {
    /** What ONBUILD of an image leaves to the stages that are built FROM it; nothing without. */
    readonly triggersOf?: (reference: string) => readonly Trigger[];
    /** The variables that an image brings for a platform; undefined for one of which nothing is known. */
    readonly environmentOf?: (reference: string, platform: Platform) => Environment | undefined;
}

/** Runs `read`; bad input in a stage that nobody needs is no error, since such a stage is left out of what is built. */
function keepProblem<T>(problems: InputError[], read: () => T): T | undefined {
    try {
        return read();
    } catch (error) {
        if (!(error instanceof InputError)) throw error;
        problems.push(error);
        return undefined;
    }
}

/** A word of a FROM, expanded in the scope of the global ARGs; a variable without a value is empty, as in BuildKit. */
function fromWord(written: string, { where }: Statement, { globals, escape }: Scope): Expansion {
    const { text, unset } = expand(written, globals, escape, where);
    if (text !== "") return { text, unset };
    throw new InputError({
        problem: `FROM ${written} is empty${unset.length === 0 ? "" : `: ${unset.join(", ")} has no value`}`,
        where,
        next: `declare ARG ${unset[0] ?? "<name>"}=<default> before the first FROM, or set it in buildArgs`,
    });
}

/**
 * The reference of an image, as it is.
 *
 * @throws InputError with file and line for what is none
 */
export function checkReference(from: string, { where, unset = [] }: Use): string {
    try {
        parseReference(from);
        return from;
    } catch (error) {
        if (!(error instanceof InputError) || unset.length === 0) {
            throw error instanceof InputError ? new InputError({ where, ...error.input }) : error;
        }
        throw new InputError({
            problem: `${error.input.problem} (${unset.join(", ")} has no value)`,
            where,
            next: `declare ARG ${unset[0] ?? ""}=<default> before the first FROM, or set it in buildArgs`,
        });
    }
}

/** What BuildKit gives an image that has no PATH (util/system, DefaultPathEnvUnix). */
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const fromWords = ({ rest }: Statement): string[] => rest.split(/\s+/).filter((word) => word !== "");

/** The name that a FROM gives its stage, in lower case as BuildKit keeps it. */
export const stageName = (from: Statement): string | undefined => fromWords(from)[2]?.toLowerCase();

/**
 * Opens a stage by its FROM, which also says what ONBUILD left for it: `left`, still to be read.
 *
 * @param stages the stages before
 * @param images what is known of external images
 * @param target the platform that is built for
 * @throws InputError for a FROM that BuildKit does not understand
 */
export function openStage(
    statement: Statement,
    scope: Scope,
    stages: readonly Stage[],
    images: ImagesBelow,
    target: Platform,
): Stage {
    const { line, where, rest } = statement;
    const words = fromWords(statement);
    const [written = "", as = "AS", name] = words;
    if ((words.length !== 1 && words.length !== 3) || as.toUpperCase() !== "AS") {
        throw new InputError({
            problem: `FROM ${rest}`.trim(),
            where,
            next: "write FROM <image> or FROM <image> AS <stage>",
        });
    }
    if (name !== undefined && !/^[a-z][a-z0-9-_.]*$/i.test(name)) {
        throw new InputError({ problem: `"${name}" is no name for a stage`, where, next: "start with a letter" });
    }
    const problems: InputError[] = [];
    const word = (text: string) => keepProblem(problems, () => fromWord(text, statement, scope));
    const { text: from, unset } = word(written) ?? { text: "", unset: [] };
    const flag = statement.flags.find((one) => one.name === "platform")?.value;
    const platform = flag === undefined || flag === "" ? undefined : word(flag)?.text;
    // Stages have names in lower case, and only COPY and mounts find them in any.
    const number = stages.findLastIndex((stage) => stage.name === from);
    const base = stages[number];
    const image = { from, unset, ...(platform !== undefined && { platform: normalPlatform(platform) }) };
    const use: Use = { instruction: "FROM", line, where, ...(base ? { stage: number } : image) };
    const below = (): { readonly triggers?: readonly Trigger[]; readonly environment?: Environment | undefined } => {
        if (from === "scratch") return { environment: { values: new Map([["PATH", defaultPath]]), closed: true } };
        const reference = checkReference(from, use);
        const own = image.platform ?? normalPlatform(target);
        return {
            triggers: images.triggersOf?.(reference) ?? [],
            environment: images.environmentOf?.(reference, own),
        };
    };
    const { triggers = [], environment } = base
        ? { triggers: base.triggers, environment: { values: base.environment, closed: base.closed } }
        : (keepProblem(problems, below) ?? {});
    const left = keepProblem(problems, () => triggers.map((trigger) => leftStatement(trigger, statement))) ?? [];
    return {
        name: stageName(statement),
        uses: [use],
        problems,
        variables: new Map([...(base?.variables ?? []), ...(environment?.values ?? [])]),
        environment: new Map(environment?.values),
        declared: new Set(base?.declared),
        closed: environment?.closed ?? false,
        triggers: [],
        left,
    };
}

/** Reads any other instruction of a stage. */
export function readInStage(statement: Statement, scope: Scope, stage: Stage): void {
    const { keyword, line, where, trigger, left } = statement;
    const word = (text: string) => stageWord(text, statement, scope, stage);
    const use = (instruction: Use["instruction"], reads: readonly Read[]) => {
        stage.uses.push(
            ...reads.map((read) => ({ ...read, instruction, line, where, ...(left !== undefined && { left }) })),
        );
    };
    keepProblem(stage.problems, () => {
        if (trigger !== undefined) stage.triggers.push({ text: trigger, where: left ?? where });
        else if (keyword === "ARG") readArg(statement, scope, stage);
        else if (keyword === "ENV") readEnv(statement, scope, stage);
        else if (keyword === "COPY" || keyword === "ADD") use(keyword, copyReads(statement, word));
        else if (keyword === "RUN") use(keyword, mountReads(statement, word));
    });
}
