import { InputError } from "../errors";
import { hostPlatform, normalPlatform, type Platform } from "../platform";
import { parseReference } from "../registry/references";
import { type Expansion, expand } from "./expand";
import { type Statement, type Statements, type Trigger, triggeredStatement } from "./parse";
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
 * Returns the ONBUILD triggers that a target adds to images built FROM it: those in the Dockerfile's last stage, or in
 * the named stage. They are returned as written, so nothing else needs to be known.
 */
export function targetTriggers(statements: readonly Statement[], target?: string): Trigger[] {
    const starts = statements.flatMap(({ keyword }, index) => (keyword === "FROM" ? [index] : []));
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

/** Returns the name of the last stage, if any. */
function lastStage(statements: readonly Statement[]): string | undefined {
    const from = statements.findLast(({ keyword }) => keyword === "FROM");
    return from && stageName(from);
}

/**
 * Reads all stages of a Dockerfile for one target platform and one platform of the builder.
 *
 * @param onRefused is called with each FROM, and each instruction before the first one, that can't be read: by default it throws the
 *     error. Where it does not, the instruction is passed over
 * @throws InputError with file and line for problems outside of stages; problems within a stage are stored in the stage
 */
export function readStages(
    statements: readonly Statement[],
    escape: string,
    options: ReadOptions,
    platforms: { readonly target: Platform; readonly build: Platform },
    onRefused: (statement: Statement, error: InputError) => void = (_statement, error) => {
        throw error;
    },
): Stage[] {
    const { buildArgs = {} } = options;
    const stage = options.target ?? lastStage(statements) ?? "default";
    const globals = automaticArguments({ ...platforms, stage }, buildArgs);
    const scope = { globals, buildArgs, escape };
    const stages: Stage[] = [];
    const numbers = new Map<string, number>();
    const read = (statement: Statement) => {
        const stage = stages.at(-1);
        if (statement.keyword === "FROM") {
            const opened = openStage(statement, scope, { stages, numbers }, options, platforms.target);
            if (opened.name !== undefined) numbers.set(opened.name, stages.length);
            stages.push(opened);
            for (const trigger of opened.triggered) readInStage(trigger, scope, opened);
        } else if (stage) readInStage(statement, scope, stage);
        else if (statement.keyword === "ARG") readArg(statement, scope);
        else
            throw new InputError({
                problem: `${statement.keyword} must follow a FROM`,
                where: statement.where,
                next: "write it below the FROM of the stage that it belongs to",
            });
    };
    for (const statement of statements) {
        const refused: InputError[] = [];
        keepProblem(refused, () => {
            read(statement);
        });
        for (const error of refused) onRefused(statement, error);
    }
    if (stages.length > 0) return stages;
    throw new InputError({
        problem: "no FROM",
        where: options.path,
        next: "start the Dockerfile with FROM <image>",
    });
}

/**
 * Returns the images that the stages of a Dockerfile are built FROM, for the first of its platforms; empty for a Dockerfile with a FROM
 * that BuildKit refuses. Only global ARGs matter for them, so nothing needs to be known of the images.
 */
export function imagesInFrom(
    { escape, statements }: Pick<Statements, "escape" | "statements">,
    { path, buildArgs = {}, platforms }: Pick<ReadOptions, "path" | "buildArgs" | "platforms">,
): string[] {
    const target = platforms[0] ?? hostPlatform();
    const firstFrom = statements.findIndex(({ keyword }) => keyword === "FROM");
    const outline = statements.filter(({ keyword }, index) => keyword === "FROM" || index < firstFrom);
    const stages = keepProblem([], () =>
        readStages(outline, escape, { path, buildArgs, platforms }, { target, build: hostPlatform() }),
    );
    return (stages ?? []).flatMap(({ uses }) => uses[0]?.from ?? []);
}

/** Options for reading a Dockerfile. */
export interface ReadOptions extends ImagesBelow {
    /** Path of the Dockerfile, for messages. */
    readonly path: string;
    /** Name of the stage to build; by default the last stage. */
    readonly target?: string;
    readonly buildArgs?: Readonly<Record<string, string>>;
    readonly platforms: readonly Platform[];
    /** Whether the builder's own frontend replaces docker/dockerfile. */
    readonly builtinFrontend?: boolean;
    /** How to parse a Dockerfile; `readStatements` by default. A hierarchy parses each one once. */
    readonly parse?: (text: string, path: string) => Statements;
}

/** An instruction that reads something from outside its stage. */
export interface Use extends Read {
    readonly instruction: "FROM" | "COPY" | "RUN" | "ADD";
    readonly line: number;
    readonly where: string;
    /** The location of the ONBUILD that triggered it; absent for an instruction of the stage itself. */
    readonly triggeredBy?: string;
    /** FROM: the number of the earlier stage that it names. */
    readonly stage?: number;
    /** FROM --platform, in normal form. */
    readonly platform?: Platform;
    /** FROM: its variables without a value. */
    readonly unset?: readonly string[];
}

/** A stage of a Dockerfile. */
export interface Stage extends StageVariables {
    readonly name: string | undefined;
    readonly uses: Use[];
    /** Problems of the stage, which matter only if the target needs it. */
    readonly problems: InputError[];
    /** The ONBUILD triggers that it adds to stages built FROM it. */
    readonly triggers: Trigger[];
    /** The instructions that ONBUILD of its base image triggers: they run first. */
    readonly triggered: Statement[];
}

/** The numbers of stages by name; of several with the same name, that of the last. */
export type StageNumbers = ReadonlyMap<string, number>;

/** Returns the numbers of stages by name, with which looking one up takes the same time for any number of stages. */
export const stageNumbers = (stages: readonly Stage[]): StageNumbers =>
    new Map(stages.flatMap(({ name }, number) => (name === undefined ? [] : [[name, number] as const])));

/** Information about the images that stages are built FROM. */
export interface ImagesBelow {
    /** Returns the ONBUILD triggers of an image; by default no image has any. */
    readonly triggersOf?: (reference: string) => readonly Trigger[];
    /** Returns the variables that an image sets for a platform; undefined for an unknown image. */
    readonly environmentOf?: (reference: string, platform: Platform) => Environment | undefined;
}

/**
 * Runs `read` and stores bad input as a problem. It is no error in a stage that the target does not need: that stage is
 * not built.
 */
function keepProblem<T>(problems: InputError[], read: () => T): T | undefined {
    try {
        return read();
    } catch (error) {
        if (!(error instanceof InputError)) throw error;
        problems.push(error);
        return undefined;
    }
}

/** Expands a word of a FROM in the scope of the global ARGs; a variable without a value is empty, as in BuildKit. */
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
 * Checks the reference of an image, and returns it unchanged.
 *
 * @throws InputError with file and line for an invalid reference
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

/** The PATH that BuildKit sets in an image without one (util/system, DefaultPathEnvUnix). */
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const fromWords = ({ rest }: Statement): string[] => rest.split(/\s+/).filter((word) => word !== "");

/** Returns the name of a FROM's stage, in lower case as in BuildKit. */
const stageName = (from: Statement): string | undefined => fromWords(from)[2]?.toLowerCase();

/**
 * Opens a stage with its FROM. The triggers of its base image are in `triggered`, still to be read.
 *
 * @param earlier the earlier stages, and their numbers by name
 * @param images information about external images
 * @param target the target platform
 * @throws InputError for a FROM that BuildKit refuses
 */
function openStage(
    statement: Statement,
    scope: Scope,
    earlier: { readonly stages: readonly Stage[]; readonly numbers: StageNumbers },
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
        throw new InputError({ problem: `"${name}" is not a valid stage name`, where, next: "start with a letter" });
    }
    const problems: InputError[] = [];
    const word = (text: string) => keepProblem(problems, () => fromWord(text, statement, scope));
    const { text: from, unset } = word(written) ?? { text: "", unset: [] };
    const flag = statement.flags.find((candidate) => candidate.name === "platform")?.value;
    const platform = flag === undefined || flag === "" ? undefined : word(flag)?.text;
    // FROM finds stages only by their name in lower case; COPY and mounts ignore the case.
    const number = earlier.numbers.get(from);
    const base = number === undefined ? undefined : earlier.stages[number];
    const image = { from, unset, ...(platform !== undefined && { platform: normalPlatform(platform) }) };
    const use: Use = { instruction: "FROM", line, where, ...(number === undefined ? image : { stage: number }) };
    const below = (): { readonly triggers?: readonly Trigger[]; readonly environment?: Environment | undefined } => {
        if (from === "scratch") return { environment: { values: new Map([["PATH", defaultPath]]), complete: true } };
        const reference = checkReference(from, use);
        const basePlatform = image.platform ?? normalPlatform(target);
        return {
            triggers: images.triggersOf?.(reference) ?? [],
            environment: images.environmentOf?.(reference, basePlatform),
        };
    };
    const { triggers = [], environment } = base
        ? { triggers: base.triggers, environment: { values: base.environment, complete: base.complete } }
        : (keepProblem(problems, below) ?? {});
    const triggered =
        keepProblem(problems, () => triggers.map((trigger) => triggeredStatement(trigger, statement))) ?? [];
    return {
        name: stageName(statement),
        uses: [use],
        problems,
        variables: new Map([...(base?.variables ?? []), ...(environment?.values ?? [])]),
        environment: new Map(environment?.values),
        declared: new Set(base?.declared),
        complete: environment?.complete ?? false,
        triggers: [],
        triggered,
    };
}

/** Reads an instruction of a stage after its FROM. */
function readInStage(statement: Statement, scope: Scope, stage: Stage): void {
    const { keyword, line, where, trigger, triggeredBy } = statement;
    const word = (text: string) => stageWord(text, statement, scope, stage);
    const use = (instruction: Use["instruction"], reads: readonly Read[]) => {
        stage.uses.push(
            ...reads.map((read) => ({
                ...read,
                instruction,
                line,
                where,
                ...(triggeredBy !== undefined && { triggeredBy }),
            })),
        );
    };
    keepProblem(stage.problems, () => {
        if (trigger !== undefined) stage.triggers.push({ text: trigger, where: triggeredBy ?? where });
        else if (keyword === "ARG") readArg(statement, scope, stage);
        else if (keyword === "ENV") readEnv(statement, scope, stage);
        else if (keyword === "COPY" || keyword === "ADD") use(keyword, copyReads(statement, word));
        else if (keyword === "RUN") use(keyword, mountReads(statement, word));
    });
}
