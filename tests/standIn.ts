import { readFileSync } from "node:fs";
import path from "node:path";
import { controlRoot } from "../lab/github/control";
import { labRepository } from "../lab/github/defaults";
import { revealEnvironmentSecret, revealSecret, sealedBoxReady } from "../lab/github/sealedBox";
import type { Repository, SecretKind, State } from "../lab/github/state";
import type { Lab } from "../lab/lab";
import { trailer } from "../lib/github/delivery";

/** External access for tests to a lab's repository on the GitHub stand-in. */
export interface StandInRepository {
    /** Returns the stand-in's complete state of the repository. */
    readonly state: () => Repository;
    /** Returns the blob IDs of the files at the head of a branch, by path. */
    readonly files: (branch?: string) => Readonly<Record<string, string>>;
    /** Returns the text of a file at the head of a branch; undefined if the file does not exist. */
    readonly file: (file: string, branch?: string) => string | undefined;
    /** Returns the plain value of a secret. */
    readonly secret: (kind: SecretKind, name: string) => Promise<string | undefined>;
    /** Returns the commit messages of a branch, newest first. */
    readonly messages: (branch?: string) => string[];
    /** Returns the messages of this program's commits that change nothing, whatever their branch. */
    readonly emptyCommits: () => string[];
    /** Sends a request to the stand-in's control interface; see lab/github/control.ts. */
    readonly control: (method: string, where: string, body?: unknown) => Promise<void>;
    /** Returns the plain value of a secret of an environment. */
    readonly environmentSecret: (environment: string, name: string) => Promise<string | undefined>;
    /** Sends a request to the API below this repository, as its owner, who may administer it. */
    readonly asOwner: (method: string, where: string, body?: unknown) => Promise<void>;
    /** Path of this repository for `control`. */
    readonly where: string;
}

/**
 * Returns access to a repository on the stand-in.
 *
 * @param repository name of a repository of the lab's owner
 */
export function standInRepository(lab: Lab, repository: string = labRepository.name): StandInRepository {
    const name = `${labRepository.owner}/${repository}`;
    const all = () => JSON.parse(readFileSync(path.join(lab.paths.state, "github", "state.json"), "utf8")) as State;
    const state = () => {
        const found = all().repositories[name];
        if (!found) throw new Error(`the stand-in has no ${name}`);
        return found;
    };
    const commitOf = (repository: Repository, branch: string) => repository.commits[repository.branches[branch] ?? ""];
    const send = async (url: string, method: string, body: unknown, headers: Record<string, string> = {}) => {
        const init = body === undefined ? {} : { body: JSON.stringify(body) };
        const response = await fetch(url, { method, headers, ...init });
        if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
    };
    const control = (method: string, where: string, body?: unknown) =>
        send(`${lab.env.GITHUB_BASE_URL ?? ""}${controlRoot.slice(1)}${where}`, method, body);
    return {
        state,
        files: (branch = "main") => commitOf(state(), branch)?.files ?? {},
        file: (file, branch = "main") => {
            const repository = state();
            const blob = commitOf(repository, branch)?.files[file];
            return blob === undefined
                ? undefined
                : Buffer.from(repository.blobs[blob] ?? "", "base64").toString("utf8");
        },
        secret: async (kind, secret) => {
            await sealedBoxReady;
            return revealSecret(all(), name, kind, secret);
        },
        messages: (branch = "main") => {
            const repository = state();
            const messages: string[] = [];
            for (let commit = commitOf(repository, branch); commit;) {
                messages.push(commit.message);
                commit = repository.commits[commit.parents[0] ?? ""];
            }
            return messages;
        },
        emptyCommits: () => {
            const { commits } = state();
            return Object.values(commits)
                .filter(({ message }) => message.includes(trailer))
                .filter(({ tree, parents: [parent = ""] }) => commits[parent]?.tree === tree)
                .map(({ message }) => message);
        },
        environmentSecret: async (environment, secret) => {
            await sealedBoxReady;
            return revealEnvironmentSecret(all(), name, environment, secret);
        },
        control,
        asOwner: async (method, where, body) => {
            const permissions = { administration: "write", environments: "write" };
            await control("PUT", "tokens/owner", { login: "owner", permissions });
            const url = `${lab.env.GITHUB_BASE_URL ?? ""}api/v3/repos/${name}/${where}`;
            await send(url, method, body, { authorization: "Bearer owner" });
        },
        where: `repositories/${name}`,
    };
}
