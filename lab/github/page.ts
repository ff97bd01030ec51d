import { history } from "./git";
import { type Html, html } from "./html";
import { contentOf } from "./representGit";
import type { Reply } from "./request";
import { type Issue, own, type Repository, secretKinds, type State } from "./state";

const style = `
:root { color-scheme: light dark; --line: light-dark(#d0d7de, #3d444d); --soft: light-dark(#59636e, #9198a1); --fill: light-dark(#f6f8fa, #151b23); }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif;
    color: light-dark(#1f2328, #f0f6fc); background: light-dark(#fff, #0d1117); }
h1 { font-size: 1.5rem; } h2 { font-size: 1.25rem; margin-top: 3rem; } h3 { font-size: 1rem; margin: 2rem 0 .5rem; }
p, dd { margin: .25rem 0; } .soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; } td, th { padding: .3rem .6rem; border: 1px solid var(--line); text-align: left;
    vertical-align: top; overflow-wrap: anywhere; } th { background: var(--fill); font-weight: 600; white-space: nowrap; }
code, pre { font: .85rem/1.45 ui-monospace, monospace; } pre { padding: .75rem; overflow-x: auto; background: var(--fill);
    border: 1px solid var(--line); border-radius: .4rem; white-space: pre-wrap; overflow-wrap: anywhere; }
details { border-bottom: 1px solid var(--line); padding: .3rem 0; } summary { cursor: pointer; }
.tag { border: 1px solid var(--line); border-radius: 1rem; padding: 0 .5rem; font-size: .8rem; }
`;

/** Renders a table, or a line that marks it as empty. */
function table(titles: readonly string[], rows: readonly (readonly (string | Html)[])[]): Html {
    if (rows.length === 0) return html`<p class="soft">none</p>`;
    const cells = (row: readonly (string | Html)[]) => row.map((cell) => html`<td>${cell}</td>`);
    return html`<table>
        <tr>
            ${titles.map((title) => html`<th scope="col">${title}</th>`)}
        </tr>
        ${rows.map(
            (row) =>
                html`<tr>
                    ${cells(row)}
                </tr>`,
        )}
    </table>`;
}

const short = (sha: string): Html => html`<code>${sha.slice(0, 7)}</code>`;

function fileSection(repository: Repository): Html {
    const head = own(repository.branches, repository.defaultBranch) ?? "";
    const files = Object.entries(own(repository.commits, head)?.files ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    const shown = files.map(([path, blob]) => {
        const content = contentOf(repository, blob);
        const text = content.includes(0) ? "(not a text)" : content.toString("utf8");
        return html`<details>
            <summary><code>${path}</code> <span class="soft">${content.length} bytes</span></summary>
            <pre>${text}</pre>
        </details>`;
    });
    return html`<h3>Files on ${repository.defaultBranch}</h3>
        ${shown}`;
}

function commitSection(repository: Repository): Html {
    const rows = Object.entries(repository.branches).flatMap(([branch, sha]) =>
        history(repository, sha)
            .slice(0, 20)
            .map((commit) => [branch, short(commit.sha), commit.message, commit.author.name, commit.author.date]),
    );
    return html`<h3>Commits</h3>
        ${table(["branch", "commit", "message", "author", "date"], rows)}
        <p class="soft">The last 20 of each branch.</p>`;
}

function settingsSection(repository: Repository): Html {
    const secrets = secretKinds.flatMap((kind) =>
        Object.entries(repository.secrets[kind]).map(([name, { updatedAt }]) => [name, kind, updatedAt]),
    );
    const variables = Object.entries(repository.variables).map(([name, one]) => [name, one.value, one.updatedAt]);
    return html`<h3>Secrets</h3>
        ${table(["name", "for", "updated"], secrets)}
        <p class="soft">Their values are sealed.</p>
        <h3>Variables</h3>
        ${table(["name", "value", "updated"], variables)}`;
}

function issueSection(title: string, issues: readonly Issue[]): Html {
    const shown = issues.map((issue) => {
        const { pull } = issue;
        const state = pull?.mergedAt === undefined ? issue.state : "merged";
        const branches = pull ? html`<span class="soft">${pull.head} → ${pull.base}</span>` : html``;
        const comments = issue.comments.map(
            ({ user, updatedAt, body }) =>
                html`<p class="soft">${user}, ${updatedAt}</p>
                    <pre>${body}</pre>`,
        );
        return html`<details>
            <summary>#${issue.number} ${issue.title} <span class="tag">${state}</span> ${branches}</summary>
            <pre>${issue.body ?? ""}</pre>
            ${comments}
        </details>`;
    });
    return html`<h3>${title}</h3>
        ${shown.length === 0 ? html`<p class="soft">none</p>` : shown}`;
}

function repositorySection(repository: Repository): Html {
    const { owner, name, archived, issues } = repository;
    const tags = [
        repository.private ? "private" : "public",
        ...(archived ? ["archived"] : []),
        ...repository.protected.map((branch) => `${branch} is protected`),
    ];
    return html`<section>
        <h2>${owner}/${name} ${tags.map((tag) => html`<span class="tag">${tag}</span> `)}</h2>
        ${fileSection(repository)} ${commitSection(repository)} ${settingsSection(repository)}
        ${issueSection(
            "Pull requests",
            issues.filter((issue) => issue.pull),
        )}
        ${issueSection(
            "Issues",
            issues.filter((issue) => !issue.pull),
        )}
    </section>`;
}

/**
 * Renders the page for users: every repository on `/`, one repository on `/<owner>/<name>`. It shows the names of
 * secrets and never their values, loads nothing and runs no script.
 */
export function page(state: State, pathname: string): Reply {
    const [, owner = "", name = ""] = pathname.split("/");
    const all = Object.values(state.repositories);
    const shown = pathname === "/" ? all : all.filter((one) => one.owner === owner && one.name === name);
    const content =
        shown.length > 0
            ? shown.map(repositorySection)
            : html`<p>There is nothing here. <a href="/">All repositories</a></p>`;
    const { html: text } = html`<!doctype html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width" />
                <title>GitHub stand-in</title>
                <style>
                    ${{ html: style }}
                </style>
            </head>
            <body>
                <h1>GitHub stand-in</h1>
                <p>What <code>npm run up</code> would have changed on GitHub. Nothing here leaves this machine.</p>
                ${content}
            </body>
        </html>`;
    const policy = "default-src 'none'; style-src 'unsafe-inline'";
    return { status: shown.length > 0 ? 200 : 404, body: text, headers: { "content-security-policy": policy } };
}
