import { z } from "zod";
import { InputError } from "../errors";
import { type GitHubTarget, UnreachableError, ask } from "../github/api";
import { asking, checkAccess, inRepository, readRepository } from "../github/repository";
import { type BlobState, blobReader } from "../registry/blobs";
import { type Manifest, RegistryError, readManifest } from "../registry/manifest";
import { digestOf, parseReference, repositoryOf, withDigest } from "../registry/references";
import { untilInterrupted } from "../system/process";
import { progress } from "../system/progress";
import type { Answer } from "./findings";
import type { OnGitHub, GitHubQuestion } from "./github";
import type { Held } from "./imageStatus";

/**
 * Maximum number of parallel queries. A registry query is a process that mostly waits; GitHub asks for few parallel
 * requests.
 */
const atOnce = { registry: 16, github: 8 } as const;

/** Answers each question once, up to `most` in parallel; the keys of the result are the questions. */
async function askAll<Q, A>(
    questions: readonly Q[],
    most: number,
    answer: (question: Q) => Promise<A>,
): Promise<Map<Q, A>> {
    const answers = new Map<Q, A>();
    const waiting = [...new Set(questions)];
    const work = async () => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
            answers.set(next, await answer(next));
    };
    await Promise.all(Array.from({ length: most }, work));
    return answers;
}

/**
 * Queries registries for the manifests of these references, each once. A registry that hangs is not queried again.
 *
 * @param read `readManifest`, or a substitute
 */
export async function askRegistries(
    refs: readonly string[],
    env: NodeJS.ProcessEnv,
    read: typeof readManifest = readManifest,
): Promise<Map<string, Answer<Manifest>>> {
    const hanging = new Map<string, string>();
    const look = async (ref: string): Promise<Answer<Manifest>> => {
        const { registry } = parseReference(ref);
        const hangs = hanging.get(registry);
        if (hangs !== undefined) return { unknown: hangs };
        try {
            return { found: await read(ref, env) };
        } catch (error) {
            if (!(error instanceof RegistryError)) throw error;
            if (error.hangs) hanging.set(registry, error.reason);
            return { unknown: error.reason };
        }
    };
    const label = `asking the registries for ${refs.length} manifests`;
    return await progress(label, () => askAll(refs, atOnce.registry, look), { after: 2000 });
}

/** Returns the digests of the configuration and layers of a manifest. */
const blobsOf = ({ config, layers }: Manifest): string[] => [config, ...layers].flatMap((blob) => blob?.digest ?? []);

/**
 * Checks the configuration and layers of the manifests that were queried by digest, each once per repository, without
 * downloading them. A registry that hangs is not queried again.
 *
 * @param answers result of `askRegistries`
 * @param open `blobReader`, or a substitute
 * @returns the answers, with the lost blobs of each of these manifests
 */
export async function askBlobs(
    answers: ReadonlyMap<string, Answer<Manifest>>,
    env: NodeJS.ProcessEnv,
    open: typeof blobReader = blobReader,
): Promise<Map<string, Answer<Held>>> {
    const manifests = [...answers].flatMap(([ref, answer]) =>
        "found" in answer && answer.found && digestOf(ref) !== undefined ? [[ref, answer.found] as const] : [],
    );
    const refsOf = ([ref, manifest]: (typeof manifests)[number]) =>
        blobsOf(manifest).map((digest) => ({ digest, ref: withDigest(repositoryOf(ref), digest) }));
    const refs = [...new Set(manifests.flatMap((manifest) => refsOf(manifest).map(({ ref }) => ref)))];
    const reader = open(env);
    const hanging = new Map<string, string>();
    const look = async (ref: string): Promise<BlobState | { readonly unknown: string }> => {
        const { registry, digest = "" } = parseReference(ref);
        const hangs = hanging.get(registry);
        if (hangs !== undefined) return { unknown: hangs };
        try {
            return await reader.look(repositoryOf(ref), digest);
        } catch (error) {
            if (!(error instanceof RegistryError)) throw error;
            if (error.hangs) hanging.set(registry, error.reason);
            return { unknown: error.reason };
        }
    };
    const work = () => untilInterrupted(askAll(refs, atOnce.registry, look));
    const label = `looking at ${refs.length} configurations and layers`;
    const states = await progress(label, work, { after: 2000 }).finally(() => reader.close());
    const blobsIn = (manifest: (typeof manifests)[number]): Held["blobs"] => {
        const found = refsOf(manifest).map(({ digest, ref }) => ({ digest, state: states.get(ref) }));
        const lost = found.flatMap(({ digest, state }) =>
            state === "lost" || state === "remembered" ? [{ digest, remembered: state === "remembered" }] : [],
        );
        // A lost blob is reported even if other queries failed.
        const unknown = found.flatMap(({ state }) => (typeof state === "object" ? state.unknown : []))[0];
        return lost.length > 0 || unknown === undefined ? { lost } : { unknown };
    };
    const checked = new Map(manifests.map((entry) => [entry[0], { ...entry[1], blobs: blobsIn(entry) }]));
    return new Map(
        [...answers].map(([ref, answer]) => {
            const found = checked.get(ref);
            return [ref, found ? { found } : answer];
        }),
    );
}

const answers = {
    file: z
        .object({ content: z.string(), encoding: z.literal("base64") })
        .transform(({ content }) => ({ text: Buffer.from(content, "base64").toString("utf8") })),
    secret: z.object({ updated_at: z.iso.datetime() }).transform(({ updated_at }) => ({ updated: updated_at })),
    variable: z.object({ value: z.string() }),
    "pull request": z
        .object({ state: z.enum(["open", "closed"]), merged_at: z.string().nullish(), html_url: z.string() })
        .transform(({ state, merged_at, html_url: url }) => ({
            state: typeof merged_at === "string" ? ("merged" as const) : state,
            url,
        })),
};

/** Returns the reason why a query to GitHub failed; undefined if it succeeded. */
async function reasonOf(question: () => Promise<unknown>): Promise<string | undefined> {
    try {
        await question();
        return undefined;
    } catch (error) {
        if (!(error instanceof InputError || error instanceof UnreachableError)) throw error;
        return error.message;
    }
}

/**
 * Replaces doubtful "not found" answers by the reason. GitHub also responds "not found" if the token lacks a
 * permission. So such an answer counts only if the token can see the repository and has the permission for the query.
 */
async function withoutBlindness(
    target: GitHubTarget,
    found: ReadonlyMap<GitHubQuestion, Answer<OnGitHub>>,
): Promise<Map<string, Answer<OnGitHub>>> {
    const missing = [...found].filter(([, answer]) => "found" in answer && answer.found === undefined);
    const blind = missing.length > 0 ? await reasonOf(() => readRepository(target)) : undefined;
    const accesses = blind === undefined ? [...new Set(missing.flatMap(([{ access }]) => access ?? []))] : [];
    const refusals = await askAll(accesses, atOnce.github, (access) => reasonOf(() => checkAccess(target, [access])));
    const refused = ({ access }: GitHubQuestion) => blind ?? (access && refusals.get(access));
    return new Map(
        [...found].map(([question, answer]) => {
            const reason = "found" in answer && answer.found === undefined ? refused(question) : undefined;
            return [question.path, reason === undefined ? answer : { unknown: reason }];
        }),
    );
}

/** Queries GitHub; the keys of the result are the paths of the questions. */
export async function askGitHub(
    target: GitHubTarget,
    questions: readonly GitHubQuestion[],
): Promise<Map<string, Answer<OnGitHub>>> {
    let unreachable: string | undefined = target.token === undefined ? "GITHUB_TOKEN is not set" : undefined;
    const answer = async ({ kind, path, about }: GitHubQuestion): Promise<Answer<OnGitHub>> => {
        if (unreachable !== undefined) return { unknown: unreachable };
        try {
            const { body } = await ask(target, inRepository(target, `/${path}`), `read ${about}`);
            if (body === undefined) return { found: undefined };
            const parsed = answers[kind].safeParse(body);
            return parsed.success ? { found: parsed.data } : { unknown: z.prettifyError(parsed.error) };
        } catch (error) {
            if (!(error instanceof InputError || error instanceof UnreachableError)) throw error;
            // The long timeout for a server that does not respond is spent only once, not for every question.
            if (error instanceof UnreachableError) unreachable ??= error.message;
            return { unknown: unreachable ?? error.message };
        }
    };
    return await asking(target, async () => withoutBlindness(target, await askAll(questions, atOnce.github, answer)));
}
