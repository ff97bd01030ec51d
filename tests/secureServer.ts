import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type RequestListener, type Server, createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "./mocha";

/** A server with TLS, and the proxy that alone knows where its host names lead. */
export interface SecureServer {
    readonly port: number;
    /** The file of its self-signed certificate. */
    readonly certificate: string;
    /** Address of the proxy: "http://127.0.0.1:<port>". */
    readonly proxy: string;
    /** The "host:port" of each tunnel that the proxy opened. */
    readonly tunnels: string[];
    readonly stop: () => void;
}

const listen = async <S extends Server>(server: S): Promise<S> => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return server;
};
const portOf = (server: Server) => (server.address() as AddressInfo).port;

/** Starts a server for these host names, on loopback. */
export async function startSecureServer(hosts: readonly string[], handle: RequestListener): Promise<SecureServer> {
    const folder = mkdtempSync(path.join(tmpdir(), "layered-images-test-"));
    const [key, certificate] = [path.join(folder, "key.pem"), path.join(folder, "certificate.pem")];
    const names = `subjectAltName=${hosts.map((host) => `DNS:${host}`).join()}`;
    const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const files = ["-keyout", key, "-out", certificate];
    const made = spawnSync("openssl", ["req", ...kind, "-subj", `/CN=${hosts[0] ?? ""}`, "-addext", names, ...files]);
    expect(made.status, made.stderr.toString()).toBe(0);
    const options = { key: readFileSync(key), cert: readFileSync(certificate) };
    const server = await listen(createSecureServer(options, handle));
    const tunnels: string[] = [];
    const proxy = await listen(createServer());
    proxy.on("connect", (request, socket) => {
        tunnels.push(request.url ?? "");
        const through = connect(Number(request.url?.split(":")[1]), "127.0.0.1", () => {
            socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
            through.pipe(socket).pipe(through);
        });
        for (const end of [socket, through]) end.on("error", () => undefined);
    });
    return {
        port: portOf(server),
        certificate,
        proxy: `http://127.0.0.1:${portOf(proxy).toString()}`,
        tunnels,
        stop: () => {
            for (const one of [server, proxy]) {
                one.closeAllConnections();
                one.close();
            }
            rmSync(folder, { recursive: true });
        },
    };
}
