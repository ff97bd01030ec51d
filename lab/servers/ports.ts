import { createServer } from "node:net";
import { CommandError } from "../../lib/errors";

/** Port of the default instance; another is taken when it is in use. */
const preferredPort = 5443;

async function isFree(port: number): Promise<boolean> {
    return await new Promise((resolve) => {
        const probe = createServer()
            .on("error", () => {
                resolve(false);
            })
            .listen(port, "127.0.0.1", () => {
                probe.close(() => {
                    resolve(true);
                });
            });
    });
}

/** A port on loopback for a new instance. */
export async function choosePort(preferred = preferredPort): Promise<number> {
    for (let port = preferred; port < preferred + 200; port++) {
        if (await isFree(port)) return port;
    }
    throw new CommandError(
        `no free port on 127.0.0.1 between ${preferred.toString()} and ${(preferred + 199).toString()}.`,
    );
}
