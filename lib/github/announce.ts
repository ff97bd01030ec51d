import { z } from "zod";
import { InputError } from "../errors";
import { quote } from "../system/shell";
import { type GitHubTarget, UnreachableError, ask } from "./api";
import { RefusedError } from "./refusals";
import { asking, inRepository, nameOf, parse } from "./repository";

/** What is told to GitHub of a release that was promoted. */
export interface Announcement {
    /** Key of the image. */
    readonly image: string;
    /** `<repository>@<digest>`. */
    readonly ref: string;
    /** The release's own tag: "r-<12 hex>". */
    readonly release: string;
}

/** A deployment record: the release that an environment runs, or is to run. */
export interface DeploymentRecord extends Announcement {
    /** Name of the environment on GitHub. */
    readonly environment: string;
    /** How its deployment ended; absent if somebody else deploys it, and reports that. */
    readonly state?: "success" | "failure";
    /** What there is to say of the end: GitHub keeps 140 characters. */
    readonly description?: string;
    /** The commit that was deployed, 40 hex; without it the head of the branch. */
    readonly commit?: string;
}

/** Something that GitHub was not told. */
export interface Refusal<T extends Announcement> {
    readonly announcement: T;
    /** What is left to do: the reason and the next step. */
    readonly line: string;
    /** Whether the token was refused, so that another one may help. */
    readonly isOfToken: boolean;
}

/** Type of the events that `github.dispatch` sends: workflows start `on: { repository_dispatch: { types: [image-promoted] } }`. */
const dispatchType = "image-promoted";

/** Longest description of a deployment record or its status. */
const longestDescription = 140;

const idSchema = z.object({ id: z.int() });

const payloadOf = ({ image, ref, release }: Announcement): Announcement => ({ image, ref, release });

/** Sends a request. A repository that GitHub does not show to the token is an error here. */
async function post(target: GitHubTarget, path: string, body: unknown, what: string): Promise<unknown> {
    const change = { method: "POST", body } as const;
    const answer = await asking(target, () => ask(target, inRepository(target, path), what, change));
    if (answer.body !== undefined) return answer.body;
    throw new UnreachableError(
        `GitHub can't be asked to ${what}: it answered 404`,
        `see that there is a repository ${nameOf(target)}, and that the token may read and write it`,
    );
}

/** Returns the command that sends an event by hand. */
function dispatchCommand(target: GitHubTarget, announcement: Announcement): string {
    const fields = Object.entries(payloadOf(announcement)).map(
        ([name, value]) => ` -f ${quote(`client_payload[${name}]=${value as string}`)}`,
    );
    return `gh api ${inRepository(target, "/dispatches")} -f event_type=${dispatchType}${fields.join("")}`;
}

/**
 * Sends announcements, one after the other.
 *
 * @param about names one: "event for image bot"
 * @param byHand returns the command that sends it by hand
 * @returns those that GitHub refused
 */
async function sendAll<T extends Announcement>(
    announcements: readonly T[],
    send: (announcement: T) => Promise<unknown>,
    about: (announcement: T) => string,
    byHand?: (announcement: T) => string,
): Promise<Refusal<T>[]> {
    const refusals: Refusal<T>[] = [];
    for (const announcement of announcements) {
        try {
            await send(announcement);
        } catch (error) {
            if (!(error instanceof InputError || error instanceof UnreachableError)) throw error;
            const { problem, next } =
                error instanceof InputError ? error.input : { problem: error.message, next: error.next };
            const advice = [
                ...(next === undefined ? [] : [next]),
                "the next `up` tries again",
                ...(byHand ? [`or by hand: ${byHand(announcement)}`] : []),
            ];
            const line = [`GitHub: ${about(announcement)}: ${problem}`, ...advice].join("; ");
            refusals.push({ announcement, line, isOfToken: error instanceof RefusedError });
        }
    }
    return refusals;
}

/**
 * Sends an event `repository_dispatch` for each release.
 *
 * @returns the events that GitHub refused, each with the command that sends it
 */
export const dispatchReleases = (
    target: GitHubTarget,
    releases: readonly Announcement[],
): Promise<Refusal<Announcement>[]> =>
    sendAll(
        releases,
        (release) => {
            const what = `tell workflows of ${nameOf(target)} about image ${release.image}`;
            return post(target, "/dispatches", { event_type: dispatchType, client_payload: payloadOf(release) }, what);
        },
        ({ image }) => `event for image ${image}`,
        (release) => dispatchCommand(target, release),
    );

async function recordOne(target: GitHubTarget, record: DeploymentRecord): Promise<void> {
    const { environment, image, release, state, description = "", commit = target.branch } = record;
    const what = `record the deployment of image ${image} in environment ${environment}`;
    const made = await post(
        target,
        "/deployments",
        {
            ref: commit,
            environment,
            description: `image ${image}, release ${release}`.slice(0, longestDescription),
            payload: payloadOf(record),
            auto_merge: false,
            // What is recorded has happened, or is decided: no check of the commit may refuse it.
            required_contexts: [],
        },
        what,
    );
    if (state === undefined) return;
    const { id } = parse(idSchema, made, what);
    const { GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID } = process.env;
    const run =
        GITHUB_SERVER_URL && GITHUB_REPOSITORY && GITHUB_RUN_ID
            ? { log_url: `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}` }
            : {};
    const status = { state, description: description.slice(0, longestDescription), ...run };
    await post(target, `/deployments/${id}/statuses`, status, what);
}

/** Makes deployment records, and returns those that GitHub refused. */
export const recordDeployments = (
    target: GitHubTarget,
    records: readonly DeploymentRecord[],
): Promise<Refusal<DeploymentRecord>[]> =>
    sendAll(
        records,
        (record) => recordOne(target, record),
        ({ environment }) => `deployment record for ${environment}`,
    );
