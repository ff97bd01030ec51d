import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { createServer, request as send } from "node:https";
import type { AddressInfo } from "node:net";
import path from "node:path";
import type { Lab } from "../lab/lab";
import { registryHost } from "../lab/servers/tls";

/** A request to a registry: "PUT", "/v2/fixture/app/manifests/latest". */
export interface RegistryRequest {
    readonly method: string;
    readonly path: string;
    /** The program that sends it: "buildkit/v0.31", "regclient/regclient", … */
    readonly agent: string;
}

/** What a proxy does with a request: pass it on, answer this status, close the connection without an answer, or never answer. */
export type Treatment = "pass" | number | "reset" | "hang";

/** A registry that can be made to fail: a server with TLS before the lab's registry. */
export interface RegistryProxy {
    /** "registry.localhost:<port>" */
    readonly host: string;
    /** All requests so far. */
    readonly requests: RegistryRequest[];
    /** Decides what happens to each request; passes everything on at first. */
    treat: (request: RegistryRequest) => Treatment;
    readonly stop: () => void;
}

/** Starts a proxy before the registry of a lab, whose certificate it has as well. */
export async function startRegistryProxy(lab: Lab): Promise<RegistryProxy> {
    const tls = (name: string) => readFileSync(path.join(lab.paths.state, "tls", name));
    const ca = tls("ca.pem");
    const server = createServer({ key: tls("registry.key"), cert: tls("registry.pem") });
    const proxy: RegistryProxy = {
        host: "",
        requests: [],
        treat: () => "pass",
        stop: () => {
            server.closeAllConnections();
            server.close();
        },
    };
    server.on("request", (incoming: IncomingMessage, response) => {
        const { method = "GET", url = "/", headers } = incoming;
        const asked = { method, path: url, agent: headers["user-agent"] ?? "" };
        proxy.requests.push(asked);
        const treatment = proxy.treat(asked);
        if (treatment === "hang") return;
        if (treatment === "reset") {
            incoming.socket.destroy();
            return;
        }
        if (treatment !== "pass") {
            incoming.resume();
            response.writeHead(treatment).end();
            return;
        }
        const { port } = lab.instance;
        const where = { host: "127.0.0.1", port, servername: registryHost, ca, method, path: url, headers };
        const passed = send(where, (answer) => {
            response.writeHead(answer.statusCode ?? 502, answer.headers);
            answer.pipe(response);
        });
        passed.on("error", () => incoming.socket.destroy());
        incoming.pipe(passed);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return Object.assign(proxy, { host: `${registryHost}:${(server.address() as AddressInfo).port.toString()}` });
}
