import tls from "node:tls";
import { after, before } from "mocha";
import { fetch } from "undici";
import { expect, spyOn, test } from "../../tests/mocha";
import { type SecureServer, startSecureServer } from "../../tests/secureServer";
import { connections } from "./connections";

let server: SecureServer;
before(async () => {
    server = await startSecureServer(["localhost", "registry.test"], (_, response) => {
        response.setHeader("connection", "close").end("here");
    });
});
after(() => {
    server.stop();
});

test.each([
    ["directly", "localhost"],
    ["through a proxy", "registry.test"],
])("trusted certificates are read once, however many connections there are %s", async (_, host) => {
    const read = spyOn(tls, "createSecureContext");
    const dispatcher = await connections({ SSL_CERT_FILE: server.certificate, HTTPS_PROXY: server.proxy });
    for (let request = 0; request < 3; request++) {
        const response = await fetch(`https://${host}:${server.port.toString()}/`, { dispatcher });
        expect(await response.text()).toBe("here");
    }
    await dispatcher.close();
    expect(read).toHaveBeenCalledTimes(1);
});
