import { z } from "zod";
import { githubPattern } from "../engine/resources";
import { isLeftOut, tokenAdvice } from "../engine/withoutGitHub";
import { InputError } from "../errors";
import { quote } from "../system/shell";
import { type GitHubTarget, UnreachableError, ask, list } from "./api";
import {
    type Delivery,
    type PullRequest,
    byPullRequest,
    foreignFiles,
    pathsThere,
    type FoundFile,
    freshHead,
    isOurHead,
} from "./delivery";
import { findFiles, findLeftovers } from "./files";
import { RefusedError, type Stopped, missingScope, shortage } from "./refusals";
import type { Access } from "./permissions";
import { asking, checkAccess, checkRepository, inRepository, nameOf, parse } from "./repository";

const pullsSchema = z.array(
    z.object({
        number: z.int(),
        state: z.enum(["open", "closed"]),
        merged_at: z.string().nullish(),
        head: z.object({ ref: z.string(), repo: z.object({ full_name: z.string() }).nullable() }),
    }),
);

/** Lists pull requests into the branch from branches that this program created in the repository. */
async function listOurs(target: GitHubTarget, query: string): Promise<readonly PullRequest[]> {
    const what = "list the pull requests";
    const path = `/pulls?base=${encodeURIComponent(target.branch)}${query}`;
    return parse(pullsSchema, await list(target, inRepository(target, path), what), what)
        .filter(({ head }) => head.repo?.full_name.toLowerCase() === nameOf(target).toLowerCase())
        .filter(({ head }) => isOurHead(head.ref))
        .map((pull) => ({
            number: pull.number,
            head: pull.head.ref,
            open: pull.state === "open",
            merged: typeof pull.merged_at === "string",
        }));
}

/** Lists this program's open pull requests into the branch, newest first. Errors as `checkRepository`. */
const findOpen = (target: GitHubTarget): Promise<readonly PullRequest[]> => listOurs(target, "&state=open");

const sizeSchema = z.object({ changed_files: z.int() });

/** Whether a pull request was declined: closed while it still had changes. Closing an empty pull request declines nothing. */
async function isDeclined(target: GitHubTarget, { number, open, merged }: PullRequest): Promise<boolean> {
    if (open || merged) return false;
    const what = `read pull request #${number}`;
    const { body } = await ask(target, inRepository(target, `/pulls/${number}`), what);
    return parse(sizeSchema, body, what).changed_files > 0;
}

/**
 * Lists this program's pull requests that matter to the delivery: the open pull requests or, if there are none, those from
 * every `freshHead`. Errors as `checkRepository`.
 */
async function findPullRequests(
    target: GitHubTarget,
    files: Readonly<Record<string, string>>,
    found: ReadonlyMap<string, FoundFile>,
): Promise<readonly PullRequest[]> {
    const pulls = [...(await findOpen(target))];
    if (pulls.length > 0) return pulls;
    let head: string | undefined;
    for (let next = freshHead(files, found); next !== head; next = freshHead(files, found, pulls)) {
        head = next;
        const from = await listOurs(target, `&state=all&head=${encodeURIComponent(`${target.owner}:${head}`)}`);
        for (const pull of from) if (pull.merged || (await isDeclined(target, pull))) pulls.push(pull);
    }
    return pulls;
}

/** The changes that a run makes on GitHub. */
export interface RunSize {
    readonly files: number;
    /** Secrets; a secret counts once for each of its readers. */
    readonly secrets: number;
    readonly variables: number;
}

/**
 * The most requests that the GitHub provider (6.13.0) sends for one object: when it creates an object that the state does
 * not have, after this program looked it up or removed it.
 */
const each = {
    /** Repository, branch, contents twice, the commit, and reading the file back; before the plan, its text on a pull request's branch. */
    files: 8,
    /** Removal, repository, public key, the value, and reading the secret back. */
    secrets: 5,
    /** The same, and a first attempt that found the variable. */
    variables: 5,
} as const satisfies Record<keyof RunSize, number>;

/** Further requests: before the plan, when the provider starts, for a pull request, its branch, and leftovers. */
const beside = 40;

/** Returns an upper bound for the requests of a run, which is reached only if everything is new. */
const requestsFor = (size: RunSize): number =>
    beside + size.files * each.files + size.secrets * each.secrets + size.variables * each.variables;

/** The delivery of this run, and its messages. */
export interface DeliveryPlan {
    readonly delivery: Delivery;
    readonly warnings: readonly string[];
    /** The parts that an update leaves alone, with reasons. */
    readonly refused: readonly RefusedError[];
}

/** The wishes of the stack's configuration. */
export interface DeliveryWishes {
    readonly delivery: "direct" | "pull-request";
    /** Whether files that this program did not generate are replaced. */
    readonly adopt: boolean;
    /** Kinds of objects that the run changes in addition to files. */
    readonly access: readonly Access[];
    /** Secrets by name, with their readers in addition to workflows. */
    readonly secrets: Readonly<Record<string, { readonly dependabot: boolean; readonly codespaces: boolean }>>;
    /** Number of variables. */
    readonly variables: number;
    /**
     * Whether this run only previews. Then a token that can read files is sufficient, and missing permissions are reported
     * as warnings.
     */
    readonly looking: boolean;
}

const protection = (target: GitHubTarget) =>
    `branch ${target.branch} of ${nameOf(target)} is protected: if GitHub refuses the workflow files, let the App or user of ` +
    "GITHUB_TOKEN bypass the rule, or propose them instead (existing files stay): pulumi config set --path github.delivery pull-request";

const superseded = (pulls: readonly PullRequest[]): string[] =>
    pulls.map(({ number }) => `pull request #${number} has older workflow files: close it, so that nobody merges them`);

/** Returns what the token lacks for an update. */
async function findLacks(
    target: GitHubTarget,
    headers: Headers,
    files: number,
    { access, secrets, variables }: DeliveryWishes,
): Promise<RefusedError[]> {
    const readers = Object.values(secrets).flatMap(({ dependabot, codespaces }) => [true, dependabot, codespaces]);
    const need = requestsFor({ files, secrets: readers.filter(Boolean).length, variables });
    const refused = await checkAccess(target, access).then(
        () => undefined,
        (error: unknown) => {
            if (error instanceof RefusedError) return error;
            throw error;
        },
    );
    return [missingScope(headers), shortage(headers, need), refused].filter((one) => one !== undefined);
}

/**
 * Reads what the branch of a pull request has already: its own files if it exists, otherwise those of the target branch, from which it
 * will be created. Errors as `checkRepository`.
 *
 * @param found files of the target branch
 */
async function readHead(
    target: GitHubTarget,
    head: string,
    files: Readonly<Record<string, string>>,
    found: ReadonlyMap<string, FoundFile>,
): Promise<{ readonly there: readonly string[]; readonly starts: boolean }> {
    const at = inRepository(target, `/git/ref/heads/${head}`);
    const { body } = await ask(target, at, `read the branch ${head}`);
    if (body === undefined) return { there: pathsThere(files, found), starts: true };
    return { there: pathsThere(files, await findFiles({ ...target, branch: head }, files)), starts: false };
}

/** Lists this program's open pull requests if the token may see them: delivery by commits needs no permission for that. */
const findForgotten = (target: GitHubTarget): Promise<readonly PullRequest[]> =>
    findOpen(target).catch((error: unknown) => {
        if (error instanceof InputError || error instanceof UnreachableError) return [];
        throw error;
    });

/**
 * Examines the repository and decides how to deliver the workflow files.
 *
 * @throws InputError if the configured repository or branch does not exist
 * @throws RefusedError if GitHub refuses everything: an archived repository, an invalid token, the rate limit
 * @throws UnreachableError if GitHub does not answer
 */
export async function planDelivery(
    target: GitHubTarget,
    files: Readonly<Record<string, string>>,
    wishes: DeliveryWishes,
): Promise<DeliveryPlan> {
    if (target.token === undefined)
        throw new UnreachableError("GITHUB_TOKEN is not set, so GitHub can't be asked", tokenAdvice(process.env));
    const { isProtected, headers } = await checkRepository(target);
    const found = await findFiles(target, files);
    const foreign = wishes.adopt ? undefined : foreignFiles(found, `${nameOf(target)}, branch ${target.branch}`);
    const lacks = await findLacks(target, headers, Object.keys(files).length, wishes);
    const problems = foreign ? [...lacks, foreign] : lacks;
    // A token that can only read is sufficient for a preview.
    const refused = wishes.looking ? [] : problems;
    const warnings = wishes.looking ? problems.map(({ message }) => message) : [];
    if (foreign) return { delivery: { by: "unknown" }, warnings, refused };
    const leftovers = await findLeftovers(target, files);
    if (leftovers.length > 0) {
        const list = leftovers.map(({ path }) => path).join(", ");
        const by = wishes.delivery === "direct" ? "an update" : "the pull request";
        warnings.push(`generated no longer, and removed from branch ${target.branch} by ${by}: ${list}`);
    }
    if (wishes.delivery === "pull-request") {
        const all = new Map([...found, ...leftovers.map(({ path, file }) => [path, file] as const)]);
        const pulls = await findPullRequests(target, files, all);
        const decided = byPullRequest(files, all, pulls);
        const delivery =
            decided.by === "pull-request"
                ? { ...decided, ...(await readHead(target, decided.head, files, found)) }
                : decided;
        const others = pulls.filter(({ open }) => open).slice(1);
        return { delivery, warnings: [...warnings, ...superseded(others)], refused };
    }
    const there = pathsThere(files, found);
    const isDone = there.length === Object.keys(files).length && leftovers.length === 0;
    if (isProtected && !isDone) warnings.push(protection(target));
    const forgotten = superseded(await findForgotten(target));
    return { delivery: { by: "commits", there }, warnings: [...warnings, ...forgotten], refused };
}

/** The decisions about GitHub for this run, and their messages. */
export interface GitHubPlan {
    /** Delivery of the workflow files; undefined if they are left alone. */
    readonly delivery: Delivery | undefined;
    /** Whether secrets and variables are set; otherwise they are left alone. */
    readonly setsValues: boolean;
    readonly warnings: readonly string[];
    /** Work that an update must leave undone. The update then fails, so that Pulumi deletes nothing that was left out. */
    readonly errors: readonly string[];
}

const things = {
    files: "workflow files",
    values: "secrets and variables",
    everything: "workflow files, secrets and variables",
};

const leftAlone = (message: string, stops: Stopped, next?: string) =>
    `${things[stops]} on GitHub are left as they are: ${message}${next === undefined ? "" : `\n  next: ${next}`}`;

/**
 * Decides what this run does on GitHub. A refusal by GitHub stops no image: the refused part is left alone.
 *
 * @throws InputError if the configured repository or branch does not exist; in a preview also if GitHub refuses
 *     everything
 */
export async function planGitHub(
    target: GitHubTarget,
    files: Readonly<Record<string, string>>,
    wishes: DeliveryWishes,
): Promise<GitHubPlan> {
    if (target.token === undefined && isLeftOut(process.env)) {
        const warnings = [leftAlone("GITHUB_TOKEN is not set", "everything", tokenAdvice(process.env))];
        return { delivery: undefined, setsValues: true, warnings, errors: [] };
    }
    try {
        const planning = () => planDelivery(target, files, wishes);
        const { delivery, warnings, refused } = await asking(target, planning);
        const isStopped = (part: Stopped) => refused.some(({ stops }) => stops === part || stops === "everything");
        const errors = refused.map(({ message, stops }) => leftAlone(message, stops));
        return {
            delivery: isStopped("files") ? undefined : delivery,
            setsValues: !isStopped("values"),
            warnings,
            errors,
        };
    } catch (error) {
        if (!(error instanceof RefusedError || error instanceof UnreachableError)) throw error;
        if (!wishes.looking) {
            const next = error instanceof UnreachableError ? error.next : undefined;
            return {
                delivery: undefined,
                setsValues: false,
                warnings: [],
                errors: [leftAlone(error.message, "everything", next)],
            };
        }
        if (error instanceof RefusedError) throw error;
        const warning =
            `${error.message}. What is there is not known, and nothing of an open pull request is deleted; to plan the images ` +
            `alone: pulumi preview --exclude ${quote(githubPattern)}`;
        const delivery =
            wishes.delivery === "direct" ? { by: "commits" as const, there: [] } : { by: "unknown" as const };
        return { delivery, setsValues: true, warnings: [warning], errors: [] };
    }
}
