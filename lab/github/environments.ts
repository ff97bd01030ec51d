import { nodeId, simpleUser } from "./accounts";
import { notFound, Refusal } from "./errors";
import { ok, paginate, type RepositoryHandler, type RepositoryRequest } from "./request";
import { repositoryPage, repositoryUrl } from "./repositories";
import { newKeyPair } from "./sealedBox";
import { handlersOn } from "./secrets";
import { nextId } from "./seed";
import { type Environment, own, type State } from "./state";
import { laterThan, timestamp } from "./time";

/* Environments, their branch policies and their secrets (docs.github.com/rest/deployments/environments). */

type Environments = Record<string, Environment>;

const nameIn = ({ params }: RepositoryRequest): string => params.environment_name ?? "";

/** Returns the environment that a request names; throws 404 if it does not exist. */
function environmentIn(request: RepositoryRequest): Environment {
    const found = own<Environment>(request.repository.environments ?? {}, nameIn(request).toLowerCase());
    if (!found) throw notFound();
    return found;
}

function reviewerOf(state: State, base: string, { type, id }: Environment["reviewers"][number]) {
    const [login] = Object.entries(state.accounts).find(([, account]) => account.id === id) ?? [];
    return { type, reviewer: simpleUser(state, base, login ?? "") };
}

/** Schema `environment`. */
function represent({ state, base, repository }: RepositoryRequest, environment: Environment) {
    const { id, name, reviewers, branchPolicy, createdAt, updatedAt } = environment;
    const rule = (type: string) => ({ id, node_id: nodeId("Gate", `${id.toString()}${type}`), type });
    return {
        id,
        node_id: nodeId("Environment", id),
        name,
        url: `${repositoryUrl(base, repository)}/environments/${encodeURIComponent(name)}`,
        html_url: `${repositoryPage(base, repository)}/deployments/activity_log?environments_filter=${encodeURIComponent(name)}`,
        created_at: createdAt,
        updated_at: updatedAt,
        protection_rules: [
            ...(reviewers.length > 0
                ? [
                      {
                          ...rule("required_reviewers"),
                          prevent_self_review: false,
                          reviewers: reviewers.map((one) => reviewerOf(state, base, one)),
                      },
                  ]
                : []),
            ...(branchPolicy === null ? [] : [rule("branch_policy")]),
        ],
        deployment_branch_policy:
            branchPolicy === null
                ? null
                : {
                      protected_branches: branchPolicy === "protected",
                      custom_branch_policies: branchPolicy === "custom",
                  },
    };
}

interface Wanted {
    readonly reviewers?: Environment["reviewers"] | null;
    readonly deployment_branch_policy?: {
        readonly protected_branches: boolean;
        readonly custom_branch_policies: boolean;
    } | null;
}

/** Creates an environment, or replaces its rules: what the body does not name is reset, as on GitHub. */
const putEnvironment: RepositoryHandler = (request) => {
    const { state, repository, body } = request;
    const { reviewers, deployment_branch_policy: policy = null } = (body ?? {}) as Wanted;
    if (policy && policy.protected_branches === policy.custom_branch_policies) {
        throw new Refusal(422, "protected_branches and custom_branch_policies cannot have the same value");
    }
    const environments: Environments = (repository.environments ??= {});
    const before = own(environments, nameIn(request).toLowerCase());
    const now = before ? laterThan(before.updatedAt) : timestamp();
    const id = before?.id ?? nextId(state);
    const branchPolicy = policy === null ? null : policy.protected_branches ? "protected" : "custom";
    const environment: Environment = {
        id,
        name: before?.name ?? nameIn(request),
        key: before?.key ?? newKeyPair(id.toString()),
        secrets: before?.secrets ?? {},
        patterns: branchPolicy === "custom" ? (before?.patterns ?? []) : [],
        createdAt: before?.createdAt ?? now,
        updatedAt: now,
        reviewers: reviewers ?? [],
        branchPolicy,
    };
    environments[nameIn(request).toLowerCase()] = environment;
    return ok(represent(request, environment));
};

const representPattern = ({ id, name, type }: Environment["patterns"][number]) => ({
    id,
    node_id: nodeId("GateBranchPolicy", id),
    name,
    type,
});

const listPatterns: RepositoryHandler = (request) => {
    const { patterns } = environmentIn(request);
    const { page, headers } = paginate(request, patterns.map(representPattern));
    return { ...ok({ total_count: patterns.length, branch_policies: page }), headers };
};

const createPattern: RepositoryHandler = (request) => {
    const environment = environmentIn(request);
    const { name, type = "branch" } = request.body as { name: string; type?: "branch" | "tag" };
    if (environment.branchPolicy !== "custom") throw notFound();
    if (environment.patterns.some((one) => one.name === name && one.type === type)) return { status: 303 };
    const pattern = { id: nextId(request.state), name, type };
    environment.patterns.push(pattern);
    return ok(representPattern(pattern));
};

const { key, list, get, put, remove } = handlersOn(environmentIn);

/** Handlers of the operations on environments. */
export const environmentHandlers = {
    "repos/get-environment": (request) => ok(represent(request, environmentIn(request))),
    "repos/create-or-update-environment": putEnvironment,
    "repos/list-deployment-branch-policies": listPatterns,
    "repos/create-deployment-branch-policy": createPattern,
    "actions/get-environment-public-key": key,
    "actions/list-environment-secrets": list,
    "actions/get-environment-secret": get,
    "actions/create-or-update-environment-secret": put,
    "actions/delete-environment-secret": remove,
    "actions/list-environment-variables": (request) => {
        environmentIn(request);
        return ok({ total_count: 0, variables: [] });
    },
} satisfies Record<string, RepositoryHandler>;
