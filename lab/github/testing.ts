import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { controlRoot } from "./control";
import { type Description, readDescription } from "./description";
import { labToken } from "./defaults";
import { type StandIn, startStandIn } from "./server";

/** An answer with its body read. */
export interface Answer {
    readonly status: number;
    readonly headers: Headers;
    readonly body: never;
}

/** Who calls (the lab's token; "" for nobody), and headers beside that. */
export interface CallOptions {
    readonly token?: string | undefined;
    readonly headers?: Readonly<Record<string, string>>;
}

/** A stand-in on a free port with its state in a folder of its own, and the repository `acme/tool`. */
export interface TestStandIn extends StandIn {
    readonly file: string;
    readonly log: string[];
    /** Calls the API (`repos/…`) as a program with that token does. */
    readonly call: (method: string, path: string, body?: unknown, options?: CallOptions) => Promise<Answer>;
    /** The same below `repos/acme/tool/`. */
    readonly repo: TestStandIn["call"];
    /** Switches something by the control API; throws when that refuses. */
    readonly control: (method: string, path: string, body?: unknown) => Promise<never>;
    /** Stops it and removes its state. */
    readonly remove: () => Promise<void>;
}

async function ask(url: string, method: string, body: unknown, headers: Record<string, string>): Promise<Answer> {
    const init = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
    const response = await fetch(url, { method, headers, redirect: "manual", ...init });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json");
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as never };
}

/** Read once: its validators are compiled when they are first needed, which takes most of a test's time. */
let description: Promise<Description> | undefined;

/** Starts one; `file` continues with the state of an earlier one. */
export async function startTestStandIn(file?: string): Promise<TestStandIn> {
    const folder = file === undefined ? mkdtempSync(path.join(tmpdir(), "github-stand-in-")) : path.dirname(file);
    const state = file ?? path.join(folder, "state.json");
    const log: string[] = [];
    const options = { file: state, port: 0, owner: "acme", repository: "tool", log: (line: string) => log.push(line) };
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

/** A text as the contents API takes it. */
export const base64 = (text: string): string => Buffer.from(text).toString("base64");
