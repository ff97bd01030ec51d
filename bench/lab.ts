import { parse, stringify } from "yaml";
import { startServer } from "../lab/servers/server";
import { registryServer } from "../lab/servers/services";
import { ensureCertificates } from "../lab/servers/tls";
import { serversFolder } from "../lib/system/paths";
import { type TestLab, startTestLab } from "../tests/lab";

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
