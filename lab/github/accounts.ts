import { notFound } from "./errors";
import { type Handler, ok } from "./request";
import { type Account, own, type State } from "./state";

/** Returns an id in the form of GitHub's GraphQL API. */
export const nodeId = (kind: string, id: number | string): string =>
    Buffer.from(`${kind}:${id.toString()}`).toString("base64url");

/** Returns the base URL of the web pages that responses link to. */
export const webBase = (base: string): string => base.replace(/\/api\/v3$/, "");

/** Returns the URLs of an object, by GitHub's names: `{ forks: "/forks" }` → `{ forks_url: "<root>/forks" }`. */
export function urls(root: string, tails: Readonly<Record<string, string>>): Record<string, string> {
    return Object.fromEntries(Object.entries(tails).map(([name, tail]) => [`${name}_url`, `${root}${tail}`]));
}

/** Returns the account of an owner or actor, which always exists. */
function accountOf(state: State, login: string): Account {
    const account = own(state.accounts, login);
    if (!account) throw new Error(`the state has no account ${login}`);
    return account;
}

const accountTails = {
    followers: "/followers",
    following: "/following{/other_user}",
    gists: "/gists{/gist_id}",
    starred: "/starred{/owner}{/repo}",
    subscriptions: "/subscriptions",
    organizations: "/orgs",
    repos: "/repos",
    events: "/events{/privacy}",
    received_events: "/received_events",
};

/** Schema `simple-user`. */
export function simpleUser(state: State, base: string, login: string): Record<string, unknown> {
    const { id, type } = accountOf(state, login);
    const url = `${base}/users/${login}`;
    return {
        login,
        id,
        node_id: nodeId(type, id),
        avatar_url: `${webBase(base)}/avatars/${id.toString()}`,
        gravatar_id: "",
        url,
        html_url: `${webBase(base)}/${login}`,
        ...urls(url, accountTails),
        type,
        site_admin: false,
    };
}

/** Schema `organization-full`. */
function organization(account: Account, base: string, login: string): Record<string, unknown> {
    const url = `${base}/orgs/${login}`;
    return {
        login,
        id: account.id,
        node_id: nodeId("Organization", account.id),
        url,
        ...urls(url, { repos: "/repos", events: "/events", hooks: "/hooks", issues: "/issues" }),
        ...urls(url, { members: "/members{/member}", public_members: "/public_members{/member}" }),
        avatar_url: `${webBase(base)}/avatars/${account.id.toString()}`,
        html_url: `${webBase(base)}/${login}`,
        description: null,
        type: "Organization",
        has_organization_projects: false,
        has_repository_projects: false,
        ...{ public_repos: 0, public_gists: 0, followers: 0, following: 0 },
        created_at: account.createdAt,
        updated_at: account.createdAt,
        archived_at: null,
    };
}

/** Returns an organization; 404 for a user, by which clients tell the two apart. */
export const getOrganization: Handler = ({ state, base, params }) => {
    const login = params.org ?? "";
    const account = own(state.accounts, login);
    if (account?.type !== "Organization") throw notFound();
    return ok(organization(account, base, login));
};
