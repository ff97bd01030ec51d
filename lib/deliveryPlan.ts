import { type Delivery, type PullRequest, byPullRequest, refuseForeign } from "./delivery";
import { InputError } from "./errors";
import { type GitHubTarget, UnreachableError } from "./githubApi";
import { requestsFor } from "./githubQuota";
import { missingScope, shortage } from "./githubRefusals";
import { type Access, checkAccess, checkRepository, nameOf } from "./repository";
import { findFiles, findLeftovers } from "./repositoryFiles";
import { findOpen, findPullRequests } from "./repositoryPulls";

/** How this run delivers, and what is to be said of it. */
export interface DeliveryPlan {
    readonly delivery: Delivery;
    readonly warnings: readonly string[];
}

/** What the stack's configuration wants. */
export interface DeliveryWishes {
    readonly delivery: "direct" | "pull-request";
    /** Whether files that are not ours are replaced. */
    readonly adopt: boolean;
    /** What else the run is going to change. */
    readonly access: readonly Access[];
    /** Secrets by name, and who gets each beside workflows. */
    readonly secrets: Readonly<Record<string, { readonly dependabot: boolean; readonly codespaces: boolean }>>;
    /** How many variables there are. */
    readonly variables: number;
    /** Whether this run changes nothing: then a token that can only read files is good enough, and what it lacks is said. */
    readonly looking: boolean;
}

const protection = (target: GitHubTarget) =>
    `branch ${target.branch} of ${nameOf(target)} is protected: if GitHub refuses the workflow files, propose them instead ` +
    "(those that are there stay): pulumi config set --path github.delivery pull-request";

const superseded = (pulls: readonly PullRequest[]): string[] =>
    pulls.map(({ number }) => `pull request #${number} has older workflow files: close it, so that nobody merges them`);

/** What the token lacks, in a preview. An update is refused for it: a token that only reads is good enough to look. */
async function findLacks(
    target: GitHubTarget,
    headers: Headers,
    files: number,
    { access, looking, secrets, variables }: DeliveryWishes,
): Promise<string[]> {
    const readers = Object.values(secrets).flatMap(({ dependabot, codespaces }) => [true, dependabot, codespaces]);
    const need = requestsFor({ files, secrets: readers.filter(Boolean).length, variables });
    const refused = await checkAccess(target, access).then(
        () => undefined,
        (error: unknown) => {
            if (error instanceof InputError) return error;
            throw error;
        },
    );
    const lacks = [missingScope(headers), shortage(headers, need), refused].filter((one) => one !== undefined);
    if (!looking && lacks[0]) throw lacks[0];
    return lacks.map(({ message }) => message);
}

/** Our open pull requests, where the token may see them: who commits needs no permission for pull requests. */
const findForgotten = (target: GitHubTarget): Promise<readonly PullRequest[]> =>
    findOpen(target).catch((error: unknown) => {
        if (error instanceof InputError || error instanceof UnreachableError) return [];
        throw error;
    });

/**
 * Looks at the repository and decides how the workflow files get there.
 *
 * @throws InputError when the repository, the branch, the token or a file in the way does not allow it
 * @throws UnreachableError when GitHub can't be asked
 */
export async function planDelivery(
    target: GitHubTarget,
    files: Readonly<Record<string, string>>,
    wishes: DeliveryWishes,
): Promise<DeliveryPlan> {
    if (target.token === undefined) {
        throw new UnreachableError("GITHUB_TOKEN is not set, so GitHub can't be asked", "export GITHUB_TOKEN=<token>");
    }
    const { isProtected, headers } = await checkRepository(target);
    const warnings = await findLacks(target, headers, Object.keys(files).length, wishes);
    const found = await findFiles(target, files);
    if (!wishes.adopt) refuseForeign(found, `${nameOf(target)}, branch ${target.branch}`);
    const leftovers = await findLeftovers(target, files);
    if (leftovers.length > 0) {
        const list = leftovers.map(({ path }) => path).join(", ");
        const by = wishes.delivery === "direct" ? "an update" : "the pull request";
        warnings.push(`generated no longer, and removed from branch ${target.branch} by ${by}: ${list}`);
    }
    if (wishes.delivery === "pull-request") {
        const all = new Map([...found, ...leftovers.map(({ path, file }) => [path, file] as const)]);
        const pulls = await findPullRequests(target, files, all);
        const delivery = byPullRequest(files, all, pulls);
        const others = pulls.filter(({ open }) => open).slice(1);
        return { delivery, warnings: [...warnings, ...superseded(others)] };
    }
    if (isProtected) warnings.push(protection(target));
    return { delivery: { by: "commits" }, warnings: [...warnings, ...superseded(await findForgotten(target))] };
}
