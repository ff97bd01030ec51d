import type { ReadOptions } from "./read";
import { InputError } from "../errors";
import type { Platform } from "../hierarchy/definition";
import { type Stage, openStage, readInStage, stageName } from "./stages";
import type { Statement, Trigger } from "./statements";
import { automaticArguments, readArg } from "./variables";

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
