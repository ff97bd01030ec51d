import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { GitHubTarget } from "../../lib/github/api";
import { type Description, readDescription } from "./description";
import { labToken } from "./defaults";
import { controlRoot, pushFiles } from "./control";
import { type StandIn, startStandIn } from "./server";
import type { Repository } from "./state";
import { timestamp } from "./time";

/** A response with its body. */
export interface Answer {
    readonly status: number;
    readonly headers: Headers;
    readonly body: never;
}

/** The caller's token (default: the lab's token; "" for no token), and additional headers. */
export interface CallOptions {
    readonly token?: string | undefined;
    readonly headers?: Readonly<Record<string, string>>;
}

/** A stand-in on a free port with its state in a separate folder, and the repository `acme/tool`. */
export interface TestStandIn extends StandIn {
    readonly file: string;
    readonly log: string[];
    /** The repository, as the program knows one, with the lab's token. */
    readonly target: GitHubTarget;
    /** Calls the API (`repos/…`) like a program with that token. */
    readonly call: (method: string, path: string, body?: unknown, options?: CallOptions) => Promise<Answer>;
    /** Calls the API below `repos/acme/tool/`. */
    readonly repo: TestStandIn["call"];
    /** Changes the stand-in by the control API; throws if the API refuses. */
    readonly control: (method: string, path: string, body?: unknown) => Promise<never>;
    /** Stops the stand-in and removes its state. */
    readonly remove: () => Promise<void>;
}

async function ask(url: string, method: string, body: unknown, headers: Record<string, string>): Promise<Answer> {
    const init = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
    const response = await fetch(url, { method, headers, redirect: "manual", ...init });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json");
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as never };
}

/** Read once: its validators are compiled on first use, which takes most of a test's time. */
let description: Promise<Description> | undefined;

/** Starts a stand-in; with `file` it continues with the state of an earlier stand-in. */
export async function startTestStandIn(file?: string): Promise<TestStandIn> {
    const folder = file === undefined ? mkdtempSync(path.join(tmpdir(), "github-stand-in-")) : path.dirname(file);
    const state = file ?? path.join(folder, "state.json");
    const log: string[] = [];
    const named = { owner: "acme", repository: "tool" } as const;
    const options = { file: state, port: 0, ...named, log: (line: string) => log.push(line) };
    const standIn = await startStandIn(options, (description ??= readDescription()));
    const call: TestStandIn["call"] = (method, where, body, { token = labToken, headers = {} } = {}) =>
        ask(`${standIn.url}/api/v3/${where}`, method, body, {
            ...(token !== "" && { authorization: `Bearer ${token}` }),
            ...headers,
        });
    return {
        ...standIn,
        file: state,
        log,
        target: { ...named, branch: "main", baseUrl: `${standIn.url}/`, token: labToken },
        call,
        repo: (method, where, ...rest) => call(method, `repos/acme/tool${where === "" ? "" : `/${where}`}`, ...rest),
        control: async (method, where, body) => {
            const answer = await ask(`${standIn.url}${controlRoot}${where}`, method, body, {});
            if (answer.status >= 400) throw new Error(`${answer.status.toString()} ${JSON.stringify(answer.body)}`);
            return answer.body;
        },
        remove: async () => {
            await standIn.close();
            rmSync(folder, { recursive: true, force: true });
        },
    };
}

/** Encodes a text for the contents API. */
export const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** Adds a branch with a commit for each name, and opens its pull request into main. */
export function openPullRequests(repository: Repository, heads: readonly string[]): void {
    for (const head of heads) {
        pushFiles(repository, { branch: head, message: head, files: { "topic.txt": head } });
        const [number, now] = [repository.pulls.length + 1, timestamp()];
        repository.pulls.push({
            ...{ id: number, number, user: "lab", title: head, body: null, state: "open", closedAt: null },
            ...{ createdAt: now, updatedAt: now, draft: false, maintainerCanModify: false },
            ...{ head, base: "main", baseSha: repository.branches.main ?? "" },
        });
    }
}
