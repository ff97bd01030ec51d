import { type Delivery, byPullRequest, replaceable } from "./delivery";
import { InputError } from "./errors";
import { type GitHubTarget, UnreachableError } from "./githubApi";
import { type Access, checkAccess, checkRepository, findPullRequests, nameOf } from "./repository";
import { findFiles, findLeftovers } from "./repositoryFiles";

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
    /** Whether this run changes nothing: then a token that can only read files is good enough, and what it lacks is said. */
    readonly looking: boolean;
}

const protection = (target: GitHubTarget) =>
    `branch ${target.branch} of ${nameOf(target)} is protected: if GitHub refuses the workflow files, propose them instead ` +
    "(those that are there stay): pulumi config set --path github.delivery pull-request";

/**
 * Looks at the repository and decides how the workflow files get there.
 *
 * @throws InputError when the repository, the branch, the token or a file in the way does not allow it
 * @throws UnreachableError when GitHub can't be asked
 */
export async function planDelivery(
    target: GitHubTarget,
    files: Readonly<Record<string, string>>,
    { delivery, adopt, access, looking }: DeliveryWishes,
): Promise<DeliveryPlan> {
    if (target.token === undefined) {
        throw new UnreachableError("GITHUB_TOKEN is not set, so GitHub can't be asked", "export GITHUB_TOKEN=<token>");
    }
    const { isProtected } = await checkRepository(target);
    const lacking = await checkAccess(target, access).then(
        () => [],
        (error: unknown) => {
            if (looking && error instanceof InputError) return [error.message];
            throw error;
        },
    );
    const found = await findFiles(target, files);
    const overwrite = replaceable(files, found, { adopt, where: `${nameOf(target)}, branch ${target.branch}` });
    const leftovers = await findLeftovers(target, files);
    const warnings = [...lacking];
    if (leftovers.length > 0) {
        const list = leftovers.map(({ path }) => path).join(", ");
        const by = delivery === "direct" ? "an update" : "the pull request";
        warnings.push(`generated no longer, and removed from branch ${target.branch} by ${by}: ${list}`);
    }
    if (delivery === "pull-request") {
        const all = new Map([...found, ...leftovers.map(({ path, file }) => [path, file] as const)]);
        const pulls = await findPullRequests(target, files, all);
        return { delivery: byPullRequest(files, all, pulls), warnings };
    }
    if (isProtected) warnings.push(protection(target));
    return { delivery: { by: "commits", overwrite }, warnings };
}
