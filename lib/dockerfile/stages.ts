import { InputError } from "../errors";
import { normalPlatform, type Platform } from "../platform";
import { parseReference } from "../registry/references";
import { type Expansion, expand } from "./expand";
import { type Statement, type Trigger, leftStatement } from "./parse";
import { type Read, copyReads, mountReads } from "./reads";
import {
    type Environment,
    type Scope,
    type StageVariables,
    readArg,
    readEnv,
    stageWord,
    automaticArguments,
} from "./variables";

/**
 * What ONBUILD of a target leaves to the images that are built FROM it: of the Dockerfile's last stage, or the one of that name.
 * It stands in the Dockerfile as it will run: nothing else needs to be known to say it.
 */
export function targetTriggers(statements: readonly Statement[], target?: string): Trigger[] {
    const starts = statements.flatMap((one, index) => (one.keyword === "FROM" ? [index] : []));
    const start = starts.findLast((index) => {
        const from = statements[index];
        return target === undefined || (from && stageName(from)) === target.toLowerCase();
    });
    if (start === undefined) return [];
    const end = starts.find((index) => index > start);
    return statements
        .slice(start, end)
        .flatMap(({ trigger, where }) => (trigger === undefined ? [] : [{ text: trigger, where }]));
}

/** Name of the last stage; undefined where it has none. */
function lastStage(statements: readonly Statement[]): string | undefined {
    const from = statements.findLast(({ keyword }) => keyword === "FROM");
    return from && stageName(from);
}

/**
 * Reads all stages of a Dockerfile, for one platform to build for and one of the builder.
 *
 * @param onRead is told each instruction of a stage, what ONBUILD left for it first, with the stage as it is then
 * @throws InputError with file and line for what stands outside of stages; what is wrong within one is kept there
 */
export function readStages(
    statements: readonly Statement[],
    escape: string,
    options: ReadOptions,
    platforms: { readonly target: Platform; readonly build: Platform },
    onRead: (statement: Statement, stage: Stage) => void = () => undefined,
): Stage[] {
    const { buildArgs = {} } = options;
    const stage = options.target ?? lastStage(statements) ?? "default";
    const globals = automaticArguments({ ...platforms, stage }, buildArgs);
    const scope = { globals, buildArgs, escape };
    const stages: Stage[] = [];
    for (const statement of statements) {
        const stage = stages.at(-1);
        const read = (one: Statement, into: Stage) => {
            readInStage(one, scope, into);
            onRead(one, into);
        };
        if (statement.keyword === "FROM") {
            const opened = openStage(statement, scope, stages, options, platforms.target);
            stages.push(opened);
            for (const one of opened.left) read(one, opened);
        } else if (stage) read(statement, stage);
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

/** How a Dockerfile is read. */
export interface ReadOptions extends ImagesBelow {
    /** Path, for messages. */
    readonly path: string;
    /** Name of the stage to build; the last one without. */
    readonly target?: string;
    readonly buildArgs?: Readonly<Record<string, string>>;
    readonly platforms: readonly Platform[];
    /** Whether the builder's own frontend takes the place of docker/dockerfile. */
    readonly builtinFrontend?: boolean;
}

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
