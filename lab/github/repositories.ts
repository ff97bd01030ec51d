import { nodeId, simpleUser, urls, webBase } from "./accounts";
import { ok, type RepositoryHandler } from "./request";
import type { Repository, State } from "./state";

const repositoryTails = {
    archive: "/{archive_format}{/ref}",
    assignees: "/assignees{/user}",
    blobs: "/git/blobs{/sha}",
    branches: "/branches{/branch}",
    collaborators: "/collaborators{/collaborator}",
    comments: "/comments{/number}",
    commits: "/commits{/sha}",
    compare: "/compare/{base}...{head}",
    contents: "/contents/{+path}",
    contributors: "/contributors",
    deployments: "/deployments",
    downloads: "/downloads",
    events: "/events",
    forks: "/forks",
    git_commits: "/git/commits{/sha}",
    git_refs: "/git/refs{/sha}",
    git_tags: "/git/tags{/sha}",
    hooks: "/hooks",
    issue_comment: "/issues/comments{/number}",
    issue_events: "/issues/events{/number}",
    issues: "/issues{/number}",
    keys: "/keys{/key_id}",
    labels: "/labels{/name}",
    languages: "/languages",
    merges: "/merges",
    milestones: "/milestones{/number}",
    notifications: "/notifications{?since,all,participating}",
    pulls: "/pulls{/number}",
    releases: "/releases{/id}",
    stargazers: "/stargazers",
    statuses: "/statuses/{sha}",
    subscribers: "/subscribers",
    subscription: "/subscription",
    tags: "/tags",
    teams: "/teams",
    trees: "/git/trees{/sha}",
};

/** Returns the URL of a repository in the API. */
export const repositoryUrl = (base: string, { owner, name }: Pick<Repository, "owner" | "name">): string =>
    `${base}/repos/${owner}/${name}`;

/** Returns the URL of a repository's page. */
export const repositoryPage = (base: string, { owner, name }: Pick<Repository, "owner" | "name">): string =>
    `${webBase(base)}/${owner}/${name}`;

/** Schemas `repository` and `full-repository`. */
export function fullRepository(state: State, base: string, repository: Repository): Record<string, unknown> {
    const { id, owner, name, private: isPrivate, archived, defaultBranch, createdAt, pushedAt, pulls } = repository;
    const url = repositoryUrl(base, repository);
    const page = repositoryPage(base, repository);
    const openIssues = pulls.filter((pull) => pull.state === "open").length;
    return {
        id,
        node_id: nodeId("Repository", id),
        name,
        full_name: `${owner}/${name}`,
        private: isPrivate,
        owner: simpleUser(state, base, owner),
        html_url: page,
        description: null,
        fork: false,
        url,
        ...urls(url, repositoryTails),
        ...urls(page, { clone: ".git", git: ".git", ssh: ".git", svn: "" }),
        ...{ mirror_url: null, homepage: null, language: null, license: null },
        ...{ forks: 0, forks_count: 0, stargazers_count: 0, watchers: 0, watchers_count: 0, size: 0 },
        ...{ network_count: 0, subscribers_count: 0, open_issues: openIssues, open_issues_count: openIssues },
        ...{ has_issues: true, has_projects: false, has_wiki: false, has_pages: false, has_downloads: false },
        has_discussions: false,
        archived,
        disabled: false,
        visibility: isPrivate ? "private" : "public",
        default_branch: defaultBranch,
        created_at: createdAt,
        updated_at: pushedAt,
        pushed_at: pushedAt,
    };
}

/** Returns the repository (schema `full-repository`). */
export const getRepository: RepositoryHandler = ({ state, base, repository }) =>
    ok(fullRepository(state, base, repository));
