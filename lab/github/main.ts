// The stand-in as a program: the lab starts it with the file that holds its options.
import { readFileSync } from "node:fs";
import { startStandIn, type StandInOptions } from "./server";

async function main(configuration: string): Promise<void> {
    const options = JSON.parse(readFileSync(configuration, "utf8")) as StandInOptions;
    const { url, close } = await startStandIn({ ...options, log: console.log });
    console.log(`serving ${url}`);
    process.on("SIGTERM", () => void close().then(() => process.exit(0)));
}

main(process.argv[2] ?? "").catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
});
