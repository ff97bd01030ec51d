import { z } from "zod";
import { InputError } from "../errors";
import { quote } from "../system/shell";
import { type GitHubTarget, UnreachableError, ask } from "./api";
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
}

/** Type of the events that `github.dispatch` sends: workflows start `on: { repository_dispatch: { types: [image-promoted] } }`. */
export const dispatchType = "image-promoted";

/** Longest description of a deployment record or its status. */
const longestDescription = 140;

const idSchema = z.object({ id: z.int() });

const payloadOf = ({ image, ref, release }: Announcement): Announcement => ({ image, ref, release });

/** Sends a request. A repository that GitHub does not show to the token is an error here. */
async function post(target: GitHubTarget, path: string, body: unknown, what: string): Promise<unknown> {
    const change = { method: "POST", body } as const;
    const answer = await asking(target, () => ask(target, inRepository(target, path), what, change));
    if (answer.body !== undefined) return answer.body;
    throw new UnreachableError(`GitHub can't be asked to ${what}: it answered 404`);
}

/** Returns the command that sends an event by hand. */
function dispatchCommand(target: GitHubTarget, announcement: Announcement): string {
    const fields = Object.entries(payloadOf(announcement)).map(
        ([name, value]) => ` -f ${quote(`client_payload[${name}]=${value as string}`)}`,
    );
    return `gh api ${inRepository(target, "/dispatches")} -f event_type=${dispatchType}${fields.join("")}`;
}

/** Runs a request and returns what is left to do if it fails. */
async function left(work: Promise<unknown>, about: string, byHand?: string): Promise<string[]> {
    try {
        await work;
        return [];
    } catch (error) {
        if (!(error instanceof InputError || error instanceof UnreachableError)) throw error;
        const { problem, next } =
            error instanceof InputError ? error.input : { problem: error.message, next: undefined };
        const advice = [
            ...(next === undefined ? [] : [next]),
            ...(byHand === undefined ? [] : [`or by hand: ${byHand}`]),
        ];
        return [[`GitHub: ${about}: ${problem}`, ...advice].join("; ")];
    }
}

/**
 * Sends an event `repository_dispatch` for each release.
 *
 * @returns what GitHub refused, a line each, with the command that does it
 */
export async function dispatchReleases(target: GitHubTarget, releases: readonly Announcement[]): Promise<string[]> {
    const lines: string[] = [];
    for (const release of releases) {
        const what = `tell workflows of ${nameOf(target)} about image ${release.image}`;
        const body = { event_type: dispatchType, client_payload: payloadOf(release) };
        const byHand = dispatchCommand(target, release);
        lines.push(
            ...(await left(post(target, "/dispatches", body, what), `event for image ${release.image}`, byHand)),
        );
    }
    return lines;
}

async function recordOne(target: GitHubTarget, record: DeploymentRecord, commit: string | undefined): Promise<void> {
    const { environment, image, release, state, description = "" } = record;
    const what = `record the deployment of image ${image} in environment ${environment}`;
    const made = await post(
        target,
        "/deployments",
        {
            ref: commit ?? target.branch,
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

/**
 * Makes deployment records.
 *
 * @param commit the commit that was deployed, 40 hex; by default the head of the branch
 * @returns what GitHub refused, a line each
 */
export async function recordDeployments(
    target: GitHubTarget,
    records: readonly DeploymentRecord[],
    commit: string | undefined,
): Promise<string[]> {
    const lines: string[] = [];
    for (const record of records) {
        lines.push(...(await left(recordOne(target, record, commit), `deployment record for ${record.environment}`)));
    }
    return lines;
}
