import { rmSync } from "node:fs";
import path from "node:path";
import { parse, stringify } from "yaml";
import { startServer, stopServer } from "../lab/servers/server";
import { buildkitServer, registryServer } from "../lab/servers/services";
import { ensureCertificates } from "../lab/servers/tls";
import { findToolchain } from "../lab/toolchain/build";
import { hostPlatform } from "../lib/platform";
import { serversFolder } from "../lib/system/paths";
import { type TestLab, startTestLab, unmountBelow } from "../tests/lab";

/** Starts a lab of its own for this machine's platform, whose registry logs every request: `Meter` counts bytes there. */
export async function startBenchLab(): Promise<TestLab> {
    const lab = await startTestLab("host");
    try {
        const { paths, instance } = lab;
        const server = registryServer(paths, instance.port, await ensureCertificates(paths.state));
        const config = parse(server.config.text) as { log: { accesslog: { disabled: boolean } } };
        config.log.accesslog.disabled = false;
        const text = stringify(config);
        await startServer(serversFolder(paths), { ...server, config: { ...server.config, text } });
        return lab;
    } catch (error) {
        await lab.close();
        throw error;
    }
}

/**
 * Gives the lab a BuildKit that has nothing. Pruning is not enough: what its records of builds refer to stays, and the next build finds
 * there what a builder that starts empty has to download.
 */
export async function emptyBuilder({ paths, instance }: TestLab): Promise<void> {
    await stopServer(serversFolder(paths), "buildkitd");
    const root = path.join(paths.state, "buildkit", "root");
    unmountBelow(root);
    rmSync(root, { recursive: true, force: true });
    const { buildkit } = await findToolchain(paths.cache);
    const certificates = await ensureCertificates(paths.state);
    const server = buildkitServer(paths, instance.registry, certificates, buildkit, hostPlatform());
    await startServer(serversFolder(paths), server);
}
