import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type IncomingMessage, type RequestListener, type ServerResponse, createServer, request } from "node:http";
import { createServer as createSecureServer, request as secureRequest } from "node:https";
import type { AddressInfo } from "node:net";
import type { Lab } from "../lab/lab";
import { ensureCertificates, registryHost } from "../lab/servers/tls";

/* The one proxy of the tests: it stands before a server, and strikes at the requests that a test chooses. */

/** A request to a server of the lab, as far as rules look at it. */
export interface Call {
    readonly method: string;
    readonly path: string;
    /**
     * What a registry does for it: "manifest <tag or digest>", "blob <digest>", "upload"; otherwise the path.
     */
    readonly subject: string;
    /** The program that sends it: "buildkit/v0.31", "regclient/regclient", … */
    readonly agent: string;
}

/** What becomes of a request instead of, or in addition to, being passed on. */
export type Reaction =
    /** Answers in place of the server. */
    | { readonly kind: "answer"; readonly status: number; readonly body?: unknown; readonly headers?: object }
    /** Never answers. */
    | { readonly kind: "hold" }
    /** Closes the connection without an answer. */
    | { readonly kind: "cut" }
    /** Does something before the server sees the request, and then closes the connection. */
    | { readonly kind: "before"; readonly act: () => unknown }
    /** Passes the request on, does something when the server has done its part, and then closes the connection. */
    | { readonly kind: "after"; readonly act: () => unknown }
    /** Passes the answer on, but only its first half. */
    | { readonly kind: "halve" }
    /** Passes the request on after something was done, and the answer back. */
    | { readonly kind: "meanwhile"; readonly act: () => unknown };

/** Decides about a request; undefined passes it on. */
export type Rule = (call: Call) => Reaction | undefined;

/** A proxy before one server of the lab, at which a test acts on the requests that it chooses. */
export interface Interposer {
    readonly port: number;
    /** Decides from now on, until `obey(undefined)`; connections that are held are closed. */
    readonly obey: (rule: Rule | undefined) => void;
    /** Presents another certificate to new connections. */
    readonly present: (certificate: { readonly cert: string; readonly key: string }) => void;
    readonly close: () => void;
}

/** Options of a proxy. */
export interface InterposerOptions {
    /** Port of the server on loopback. */
    readonly upstream: number;
    /** For a server with TLS: the certificate that the proxy presents, and how the proxy checks the server's. */
    readonly tls?: {
        readonly cert: string;
        readonly key: string;
        readonly ca: string;
        readonly servername: string;
    };
}

/** Returns what a request is about. */
function subjectOf(path: string): string {
    const [, kind = "", name = ""] = /^\/v2\/.+\/(manifests|blobs)\/([^?]*)/.exec(path) ?? [];
    if (kind === "manifests") return `manifest ${name}`;
    if (kind === "blobs") return name.startsWith("uploads/") ? "upload" : `blob ${name}`;
    return path;
}

/** Starts a proxy before a server of the lab, on a free port of loopback. */
export async function interpose({ upstream, tls }: InterposerOptions): Promise<Interposer> {
    let rule: Rule | undefined;
    const held = new Set<ServerResponse>();

    const forward = (asked: IncomingMessage, answer: ServerResponse, reaction: Reaction | undefined) => {
        const { method, headers, url } = asked;
        const options = { host: "127.0.0.1", port: upstream, method, headers, path: url, agent: false };
        const receive = async (response: IncomingMessage) => {
            if (reaction?.kind === "after") {
                response.resume();
                await once(response, "end");
                await reaction.act();
                answer.destroy();
                return;
            }
            answer.writeHead(response.statusCode ?? 502, response.headers);
            // A server may break off after the headers, which is not the same as no answer.
            answer.flushHeaders();
            if (reaction?.kind !== "halve") {
                response.on("error", () => answer.destroy()).pipe(answer);
                return;
            }
            const parts: Buffer[] = [];
            for await (const part of response) parts.push(part as Buffer);
            const whole = Buffer.concat(parts);
            answer.write(whole.subarray(0, Math.floor(whole.length / 2)), () => answer.destroy());
        };
        const passed = tls
            ? secureRequest(
                  { ...options, ca: tls.ca, servername: tls.servername },
                  (response) => void receive(response),
              )
            : request(options, (response) => void receive(response));
        passed.on("error", () => answer.destroy());
        asked.on("error", () => passed.destroy()).pipe(passed);
    };

    const handle = async (asked: IncomingMessage, answer: ServerResponse) => {
        answer.on("error", () => undefined);
        const path = asked.url ?? "";
        const agent = asked.headers["user-agent"] ?? "";
        const reaction = rule?.({ method: asked.method ?? "", path, subject: subjectOf(path), agent });
        switch (reaction?.kind) {
            case "answer":
                asked.resume();
                answer.writeHead(reaction.status, { "content-type": "application/json", ...reaction.headers });
                answer.end(reaction.body === undefined ? undefined : JSON.stringify(reaction.body));
                return;
            case "hold":
                asked.resume();
                held.add(answer);
                return;
            case "cut":
                answer.destroy();
                return;
            case "before":
                await reaction.act();
                answer.destroy();
                return;
            case "meanwhile":
                asked.pause();
                await reaction.act();
                forward(asked, answer, undefined);
                return;
            default:
                forward(asked, answer, reaction);
        }
    };

    const listener: RequestListener = (asked, answer) => void handle(asked, answer);
    const secure = tls && createSecureServer({ cert: tls.cert, key: tls.key }, listener);
    const server = secure ?? createServer(listener);
    server.on("clientError", (_error, socket) => socket.destroy());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return {
        port: (server.address() as AddressInfo).port,
        obey: (next) => {
            rule = next;
            for (const answer of held) answer.destroy();
            held.clear();
        },
        present: (certificate) => {
            secure?.setSecureContext(certificate);
            server.closeAllConnections();
        },
        close: () => {
            server.closeAllConnections();
            server.close();
        },
    };
}

/** A proxy before a registry. */
export interface RegistryInterposer extends Interposer {
    /** "registry.localhost:<port>" */
    readonly host: string;
}

/**
 * Starts a proxy before the registry of a lab, whose certificate it presents as well.
 *
 * @param port that of the registry on loopback: by default the lab's own
 */
export async function interposeRegistry(
    { paths, instance }: Pick<Lab, "paths" | "instance">,
    port: number = instance.port,
): Promise<RegistryInterposer> {
    const { certificate, key, ca } = await ensureCertificates(paths.state);
    const text = (file: string) => readFileSync(file, "utf8");
    const tls = { cert: text(certificate), key: text(key), ca: text(ca), servername: registryHost };
    const proxy = await interpose({ upstream: port, tls });
    return { ...proxy, host: `${registryHost}:${proxy.port.toString()}` };
}
