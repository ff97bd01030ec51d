import { type Delivery, byPullRequest, replaceable } from "./delivery";
import { InputError } from "./errors";
import { type GitHubTarget, UnreachableError } from "./githubApi";
import { type Access, checkAccess, checkRepository, findFiles, findPullRequests, nameOf } from "./repository";

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
    if (delivery === "pull-request") {
        const pulls = await findPullRequests(target, files, found);
        return { delivery: byPullRequest(files, found, pulls), warnings: lacking };
    }
    const warning =
        `branch ${target.branch} of ${nameOf(target)} is protected: if GitHub refuses the workflow files, propose them ` +
        "instead: pulumi config set --path github.delivery pull-request";
    return { delivery: { by: "commits", overwrite }, warnings: isProtected ? [...lacking, warning] : lacking };
}
