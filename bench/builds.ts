import { z } from "zod";

const vertex = z.object({
    digest: z.string(),
    name: z.string().default(""),
    completed: z.string().nullish(),
    cached: z.boolean().default(false),
    error: z.string().default(""),
});
const status = z.object({ vertexes: z.array(vertex).nullish() });

/** The name of a vertex that executes an instruction of a Dockerfile: "[2/4] RUN …", "[linux/amd64 ci 2/4] COPY …". */
const instruction = /^\[(?:[^\]]* )?\d+\/\d+\] (?!FROM )/;

/**
 * Returns the digests of the steps that a build executed, from BuildKit's record of it. BuildKit tells that an instruction completed when it
 * was executed and, marked as cached, when its result was taken from a cache; it does both for one that two targets of a build share.
 *
 * @param log lines of JSON, as `buildctl debug logs --progress rawjson` prints them
 */
export function executedSteps(log: string): string[] {
    const lines = log.split("\n").filter((line) => line.startsWith("{"));
    const states = lines.flatMap((line) => status.parse(JSON.parse(line)).vertexes ?? []);
    const executed = states.filter(
        ({ name, completed, cached, error }) => completed && !cached && error === "" && instruction.test(name),
    );
    return [...new Set(executed.map(({ digest }) => digest))];
}

const history = z.object({ record: z.object({ Ref: z.string() }) });

/**
 * Returns the references of the builds that BuildKit has records of.
 *
 * @param list lines of JSON, as `buildctl debug histories --format '{{json .}}'` prints them
 */
export const buildsIn = (list: string): string[] =>
    list
        .split("\n")
        .filter(Boolean)
        .map((line) => history.parse(JSON.parse(line)).record.Ref);
