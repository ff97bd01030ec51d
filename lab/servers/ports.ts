import { createServer } from "node:net";
import { CommandError } from "../../lib/errors";

/** First port to try. */
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

/**
 * Finds a free port on loopback for a new instance.
 *
 * @param preferred the first port to try
 * @throws CommandError if the next 200 ports are all in use
 */
export async function choosePort(preferred = preferredPort): Promise<number> {
    for (let port = preferred; port < preferred + 200; port++) {
        if (await isFree(port)) return port;
    }
    throw new CommandError(
        `no free port on 127.0.0.1 between ${preferred.toString()} and ${(preferred + 199).toString()}`,
        "end a program that uses one of them (ss --listening --tcp --processes lists them)",
    );
}
