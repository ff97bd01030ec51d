import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answerApi, apiRoot, type Incoming } from "./api";
import { answerControl, controlRoot, type Faults } from "./control";
import { readDescription } from "./description";
import { Refusal } from "./errors";
import type { Reply } from "./request";
import { sealedBoxReady } from "./sealedBox";
import { seedLab } from "./seed";
import { openStore, type Store } from "./store";

/** Options of a stand-in. */
export interface StandInOptions {
    /** File that holds the state. */
    readonly file: string;
    /** Port on loopback; 0 selects a free port. */
    readonly port: number;
    /** The repository that exists from the start. */
    readonly owner: string;
    readonly repository: string;
    /** Receives every request that changed the state or failed: method, path and status, without its content. */
    readonly log?: (line: string) => void;
}

/** A running stand-in. */
export interface StandIn {
    /** Address of the server, without a trailing slash. */
    readonly url: string;
    readonly store: Store;
    readonly close: () => Promise<void>;
}

const maxBodyBytes = 10 * 1024 * 1024;

async function bodyOf(message: IncomingMessage): Promise<string> {
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of message as AsyncIterable<Buffer>) {
        size += part.length;
        if (size > maxBodyBytes) throw new Error(`body over ${maxBodyBytes.toString()} bytes`);
        parts.push(part);
    }
    return Buffer.concat(parts).toString("utf8");
}

/** Returns whether a request comes from another site, which must not reach the stand-in through the user's browser. */
function isForeign({ headers, method }: IncomingMessage): boolean {
    const local = /^(127\.0\.0\.1|localhost)(:\d+)?$/.test(headers.host ?? "");
    return !local || (method !== "GET" && headers.origin !== undefined);
}

function send(response: ServerResponse, { status, body, headers }: Reply): void {
    const text = body === undefined ? "" : JSON.stringify(body);
    response.writeHead(status, {
        ...(text !== "" && { "content-type": "application/json; charset=utf-8" }),
        ...headers,
    });
    response.end(text);
}

/**
 * Starts the stand-in and resolves when it serves. Several stand-ins may share the description, which is slow to read.
 */
export async function startStandIn(options: StandInOptions, description = readDescription()): Promise<StandIn> {
    await sealedBoxReady;
    const store = openStore(options.file);
    store.update((draft) => {
        seedLab(draft, options.owner, options.repository);
    });
    const described = await description;
    const faults: Faults = { outages: 0, refusal: undefined, requests: [] };
    const answer = (incoming: Incoming): Reply => {
        const { pathname } = incoming.url;
        if (pathname.startsWith(controlRoot)) return answerControl(store, faults, incoming);
        if (!pathname.startsWith(`${apiRoot}/`)) {
            return { status: 404, body: { message: `GitHub stand-in: the API is below ${apiRoot}/` } };
        }
        if (faults.outages > 0) {
            faults.outages--;
            return { status: 502, body: { message: "Server Error" } };
        }
        const { refusal } = faults;
        if (refusal && incoming.method.startsWith(refusal.method) && pathname.includes(refusal.path)) {
            const { status, message, headers } = refusal;
            return { status, body: new Refusal(status, message).body, headers };
        }
        return answerApi(store, described, incoming);
    };
    const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
        const { method = "GET" } = message;
        const url = new URL(message.url ?? "/", `http://${message.headers.host ?? "127.0.0.1"}`);
        let reply: Reply;
        try {
            if (isForeign(message)) reply = { status: 403, body: { message: "only for programs of this machine" } };
            else {
                const headers = message.headers as Record<string, string | undefined>;
                reply = answer({ method, url, headers, body: await bodyOf(message) });
            }
        } catch (error) {
            options.log?.(error instanceof Error ? (error.stack ?? error.message) : String(error));
            reply = { status: 500, body: { message: "the stand-in failed; its log says why" } };
        }
        if (url.pathname.startsWith(`${apiRoot}/`)) {
            faults.requests.push({ method, path: url.pathname, status: reply.status });
            if (faults.requests.length > 1000) faults.requests.shift();
        }
        if (method !== "GET" || reply.status >= 400) {
            options.log?.(`${new Date().toISOString()} ${method} ${url.pathname} ${reply.status.toString()}`);
        }
        send(response, reply);
    };
    const server: Server = createServer((message, response) => void serve(message, response));
    await new Promise<void>((resolve, reject) => {
        server.on("error", reject).listen(options.port, "127.0.0.1", resolve);
    });
    const { port } = server.address() as AddressInfo;
    const close = () =>
        new Promise<void>((resolve) => {
            server.close(() => {
                resolve();
            });
            server.closeAllConnections();
        });
    return { url: `http://127.0.0.1:${port.toString()}`, store, close };
}
