import { z } from "zod";
import { InputError } from "../errors";
import { type GitHubTarget, UnreachableError, ask } from "../github/api";
import { checkAccess, inRepository, readRepository } from "../github/repository";
import { type BlobState, blobReader } from "../registry/blobs";
import { type Manifest, RegistryError, readManifest } from "../registry/manifest";
import { digestOf, parseReference, repositoryOf, withDigest } from "../registry/references";
import { untilInterrupted } from "../system/process";
import { progress } from "../system/progress";
import type { Answer } from "./findings";
import type { OnGitHub, GitHubQuestion } from "./github";
import type { Held } from "./imageStatus";

/** Questions that are under way at once. One to a registry is a process that mostly waits; GitHub wants few. */
const atOnce = { registry: 16, github: 8 } as const;

/** Asks all questions once, a few at a time; keys are the questions. */
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
 * Asks registries what they have under these references, each once. A registry that hangs is not asked again.
 *
 * @param read `readManifest`, or what stands in for it
 */
export async function askRegistries(
    refs: readonly string[],
    env: NodeJS.ProcessEnv,
    read: typeof readManifest = readManifest,
): Promise<Map<string, Answer<Manifest>>> {
    const hanging = new Map<string, string>();
    return await askAll(refs, atOnce.registry, async (ref): Promise<Answer<Manifest>> => {
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
    });
}

/** Configuration and layers of a manifest. */
const blobsOf = ({ config, layers }: Manifest): string[] => [config, ...layers].flatMap((blob) => blob?.digest ?? []);

/**
 * Looks at configuration and layers of the manifests that were asked for by digest, each once in its repository, and downloads
 * none. A registry that hangs is not asked again.
 *
 * @param answers of `askRegistries`
 * @param open `blobReader`, or what stands in for it
 * @returns the answers, with what is lost of each of these manifests
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
    const refs = [...new Set(manifests.flatMap((one) => refsOf(one).map(({ ref }) => ref)))];
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
    const blobsIn = (one: (typeof manifests)[number]): Held["blobs"] => {
        const found = refsOf(one).map(({ digest, ref }) => ({ digest, state: states.get(ref) }));
        const lost = found.flatMap(({ digest, state }) =>
            state === "lost" || state === "remembered" ? [{ digest, remembered: state === "remembered" }] : [],
        );
        // What is lost is lost, whatever became of the other questions.
        const unknown = found.flatMap(({ state }) => (typeof state === "object" ? state.unknown : []))[0];
        return lost.length > 0 || unknown === undefined ? { lost } : { unknown };
    };
    const looked = new Map(manifests.map((one) => [one[0], { ...one[1], blobs: blobsIn(one) }]));
    return new Map(
        [...answers].map(([ref, answer]) => {
            const found = looked.get(ref);
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

/** Why a question to GitHub has no answer; undefined where it has one. */
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
 * What a token may not see GitHub says is not there. Where something was not found, whether the token sees the repository, and may
 * use what was asked for, decides whether that is an answer.
 */
async function withoutBlindness(
    target: GitHubTarget,
    found: ReadonlyMap<GitHubQuestion, Answer<OnGitHub>>,
): Promise<Map<string, Answer<OnGitHub>>> {
    const lost = [...found].filter(([, answer]) => "found" in answer && answer.found === undefined);
    const blind = lost.length > 0 ? await reasonOf(() => readRepository(target)) : undefined;
    const accesses = blind === undefined ? [...new Set(lost.flatMap(([{ access }]) => access ?? []))] : [];
    const refusals = await askAll(accesses, atOnce.github, (one) => reasonOf(() => checkAccess(target, [one])));
    const refused = ({ access }: GitHubQuestion) => blind ?? (access && refusals.get(access));
    return new Map(
        [...found].map(([question, answer]) => {
            const reason = "found" in answer && answer.found === undefined ? refused(question) : undefined;
            return [question.path, reason === undefined ? answer : { unknown: reason }];
        }),
    );
}

/** Asks GitHub; the answers are by the questions' paths. */
export async function askGitHub(
    target: GitHubTarget,
    questions: readonly GitHubQuestion[],
): Promise<Map<string, Answer<OnGitHub>>> {
    let gone: string | undefined = target.token === undefined ? "GITHUB_TOKEN is not set" : undefined;
    const found = await askAll(questions, atOnce.github, async ({ kind, path, about }): Promise<Answer<OnGitHub>> => {
        if (gone !== undefined) return { unknown: gone };
        try {
            const { body } = await ask(target, inRepository(target, `/${path}`), `read ${about}`);
            if (body === undefined) return { found: undefined };
            const parsed = answers[kind].safeParse(body);
            return parsed.success ? { found: parsed.data } : { unknown: z.prettifyError(parsed.error) };
        } catch (error) {
            if (!(error instanceof InputError || error instanceof UnreachableError)) throw error;
            // Who does not answer is asked with patience once, not for each thing.
            if (error instanceof UnreachableError) gone ??= error.message;
            return { unknown: gone ?? error.message };
        }
    });
    return await withoutBlindness(target, found);
}
