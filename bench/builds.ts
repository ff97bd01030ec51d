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
 * Returns the digests of the steps that a build executed, from BuildKit's record of it: instructions of its Dockerfile that completed, and
 * that no cache had.
 *
 * @param log lines of JSON, as `buildctl debug logs --progress rawjson` prints them
 */
export function executedSteps(log: string): string[] {
    const lines = log.split("\n").filter((line) => line.startsWith("{"));
    const states = lines.flatMap((line) => status.parse(JSON.parse(line)).vertexes ?? []);
    const steps = states.filter(({ name, completed }) => completed && instruction.test(name));
    // BuildKit tells of a cached step that it completed before it tells that it was cached.
    const cached = new Set(states.filter((state) => state.cached || state.error !== "").map(({ digest }) => digest));
    return [...new Set(steps.map(({ digest }) => digest))].filter((digest) => !cached.has(digest));
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
