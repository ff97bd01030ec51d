import type { ReadOptions } from "./dockerfile";
import { InputError } from "./errors";
import type { Platform } from "./images";
import { type Stage, openStage, readInStage, stageName } from "./stages";
import type { Statement } from "./statements";
import { automaticArguments, readArg } from "./variables";

/** Name of the last stage; undefined where it has none. */
function lastStage(statements: readonly Statement[]): string | undefined {
    const from = statements.findLast(({ keyword }) => keyword === "FROM");
    return from && stageName(from);
}

/**
 * Reads all stages of a Dockerfile, for one platform to build for and one of the builder.
 *
 * @param onRead is told each instruction of a stage, with the stage as it is then
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
        if (statement.keyword === "FROM") stages.push(openStage(statement, scope, stages));
        else if (stage) {
            readInStage(statement, scope, stage);
            onRead(statement, stage);
        } else if (statement.keyword === "ARG") readArg(statement, scope);
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
