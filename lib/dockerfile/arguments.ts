import { hostPlatform } from "../platform";
import { frontendOf } from "./frontends";
import { readStatements } from "./parse";
import { targetIndex } from "./read";
import { type ReadOptions, readStages } from "./stages";
import { automaticArguments, readArg } from "./variables";

/**
 * Returns the value of a build argument in a Dockerfile, as its build gets it: the given value, else the default of the ARG before the first
 * FROM, else that of the ARG in the target's stage.
 *
 * @param text of the Dockerfile
 * @returns undefined if no ARG declares it, if it has no value, or if its value differs by platform or depends on an external image
 */
export function argumentValue(
    text: string,
    options: Pick<ReadOptions, "path" | "target" | "buildArgs">,
    name: string,
): string | undefined {
    const { buildArgs = {} } = options;
    if (Object.hasOwn(buildArgs, name)) return buildArgs[name];
    const platform = hostPlatform();
    const automatic = automaticArguments({ target: platform, build: platform, stage: "" }, {});
    // A frontend other than docker/dockerfile may read the text in its own way.
    if (automatic.has(name) || frontendOf(text, options)?.official === false) return undefined;
    const { escape, statements } = readStatements(text, options.path);
    const scope = { globals: new Map<string, string | undefined>(), buildArgs, escape };
    const firstFrom = statements.findIndex(({ keyword }) => keyword === "FROM");
    for (const statement of statements.slice(0, Math.max(firstFrom, 0))) {
        if (statement.keyword === "ARG") readArg(statement, scope);
    }
    if (scope.globals.has(name)) return scope.globals.get(name);
    const stages = readStages(statements, escape, { ...options, platforms: [] }, { target: platform, build: platform });
    const stage = stages[targetIndex(stages, options)];
    return stage?.declared.has(name) ? stage.variables.get(name) : undefined;
}
