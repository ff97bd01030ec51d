import { Command, InvalidArgumentError, Option } from "commander";
import { labPath, labVariables } from "../lab/environment";
import { githubUrl } from "../lab/github/service";
import { typedSilently } from "../lib/system/commandLine";
import { quote } from "../lib/system/shell";
import { startLab } from "../lab/lab";
import { describeLab, labStatus, stopLab } from "../lab/labState";
import type { Instance } from "../lib/system/instance";
import { exit } from "./exitCodes";
import { neededParts } from "./openStack";

/** Options of the commands that start the lab. */
export interface LabOptions {
    readonly platforms?: Instance["platforms"];
    /** Required free disk space in GB. */
    readonly minFree?: number;
}

/** Option that chooses the platforms that the lab builds. */
export const platformsOption = () =>
    new Option(
        "--platforms <which>",
        "build for this machine's platform, or for all platforms that the images declare (remembered; initially host)",
    ).choices(["host", "all"]);

/** Option that sets the required free disk space. Only the user knows how large the images are. */
export const minFreeOption = () =>
    new Option(
        "--min-free <GB>",
        "refuse to start with less disk space than this, instead of a warning by estimates",
    ).argParser((text) => {
        if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
        throw new InvalidArgumentError("Allowed: GB as a number, such as 40 or 7.5.");
    });

/** Returns lines for `eval` in a POSIX shell: they export the variables and prepend the folders to PATH. */
export function exportLines(variables: Readonly<Record<string, string>>, folders: readonly string[]): string[] {
    const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${quote(value)}`);
    return [...lines, `export PATH=${folders.map((folder) => `${quote(folder)}:`).join("")}"$PATH"`];
}

/** Returns the command `npm run lab` with its subcommands. They call `done` with the exit code. */
export function labCommand(done: (code: number) => void): Command {
    const lab = new Command("lab").description(
        "the embedded default: registry, BuildKit and GitHub stand-in on this machine",
    );
    lab.command("start")
        .description("set up missing parts and start the servers; safe to repeat")
        .addOption(platformsOption())
        .addOption(minFreeOption())
        .option("--renew-root", "build the stand-in base image again; if it differs, every image is rebuilt")
        .action(async (options: LabOptions & { renewRoot?: boolean }) => {
            const { instance, paths } = await startLab({ ...options, parts: neededParts() });
            const github = instance.githubPort === undefined ? "none" : githubUrl(instance.githubPort);
            console.log(`registry  https://${instance.registry}\ngithub    ${github}`);
            console.log(`state     ${paths.state}\ncache     ${paths.cache}`);
        });
    lab.command("stop")
        .description("stop the servers; data, toolchain and state stay")
        .action(async () => {
            const stopped = await stopLab();
            console.log(stopped.length > 0 ? `stopped ${stopped.join(", ")}` : "nothing was running");
        });
    lab.command("status")
        .description("show the state of the servers; exit code 1 if a server is not running")
        .option("--json", "print JSON")
        .action(async (options: { json?: boolean }) => {
            const statuses = await labStatus();
            if (options.json) console.log(JSON.stringify(statuses, null, 2));
            for (const [name, status] of Object.entries(options.json ? {} : statuses)) {
                const pid = status.state === "stopped" ? "" : ` (pid ${status.pid.toString()})`;
                const reason = status.state === "unhealthy" ? `: ${status.reason}` : "";
                console.log(`${name.padEnd(10)} ${status.state}${pid}${reason}`);
            }
            const running = Object.values(statuses).every((status) => status.state === "running");
            done(running ? exit.done : exit.failed);
        });
    lab.command("env")
        .description(
            `print exports for a shell, so that plain \`pulumi\` uses the lab: eval "$(${typedSilently("lab", "env")})"`,
        )
        .action(async () => {
            const description = await describeLab();
            for (const line of exportLines(labVariables(description), labPath(description))) console.log(line);
        });
    return lab;
}
