import { readFileSync } from "node:fs";
import path from "node:path";
import { controlRoot } from "../lab/github/control";
import { labRepository } from "../lab/github/defaults";
import { revealSecret, sealedBoxReady } from "../lab/github/sealedBox";
import type { Repository, SecretKind, State } from "../lab/github/state";
import type { Lab } from "../lab/lab";

/** The repository of a lab on its GitHub stand-in, as a test looks at it and works on it from outside. */
export interface StandInRepository {
    /** Everything that the stand-in knows of it. */
    readonly state: () => Repository;
    /** Blobs of the files at the head of a branch, by path. */
    readonly files: (branch?: string) => Readonly<Record<string, string>>;
    /** Text of a file at the head of a branch. */
    readonly file: (file: string, branch?: string) => string | undefined;
    /** What a secret was set to. */
    readonly secret: (kind: SecretKind, name: string) => Promise<string | undefined>;
    /** Messages of the commits of a branch, newest first. */
    readonly messages: (branch?: string) => string[];
    /** Switches something of the stand-in; see lab/github/control.ts. */
    readonly control: (method: string, where: string, body?: unknown) => Promise<void>;
    /** Where `control` finds this repository. */
    readonly where: string;
}

/** @param repository of the lab's owner */
export function standInRepository(lab: Lab, repository: string = labRepository.name): StandInRepository {
    const name = `${labRepository.owner}/${repository}`;
    const all = () => JSON.parse(readFileSync(path.join(lab.paths.state, "github", "state.json"), "utf8")) as State;
    const state = () => {
        const found = all().repositories[name];
        if (!found) throw new Error(`the stand-in has no ${name}`);
        return found;
    };
    const commitOf = (repository: Repository, branch: string) => repository.commits[repository.branches[branch] ?? ""];
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
        control: async (method, where, body) => {
            const url = `${lab.env.GITHUB_BASE_URL ?? ""}${controlRoot.slice(1)}${where}`;
            const init = body === undefined ? {} : { body: JSON.stringify(body) };
            const response = await fetch(url, { method, ...init });
            if (!response.ok) throw new Error(`${method} ${where}: ${response.status} ${await response.text()}`);
        },
        where: `repositories/${name}`,
    };
}
