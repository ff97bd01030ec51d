import { mkdirSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import { runCanary } from "./canary";
import { labPath, labVariables } from "./environment";
import { tellFailedBuilds } from "./failedBuilds";
import { githubUrl } from "./github/service";
import type { Instance } from "./instance";
import { startLab } from "./lab";
import { describeLab, hasImages, labStatus, stopLab } from "./labState";
import { checkDisk } from "./packages";
import { labPaths, repositoryRoot } from "./paths";
import { LabError, interrupt, isInterrupted, runAttached } from "./process";
import { elapsed } from "./progress";
import { removeDeadLocks } from "./stackLocks";
import type * as Suites from "../tests/suites";
import { asInputError } from "../lib/errors";
import { type ReviewOptions, forms, runReview } from "../review/command";
import { recordLogged, recordUp } from "../review/recordUpdate";
import { type StatusOptions, runStatus } from "../review/status/command";
import { runWorkflows } from "../workflows/command";

/** Exit codes of the commands, the same for all of them; 130 after Ctrl-C is the shell's. */
const exit = { done: 0, failed: 1, wrongUse: 64, interrupted: 130 } as const;

/** GB that building takes at first (a CUDA base, its layers unpacked, the registry's copy) and afterwards. */
const room = { firstBuild: 25, nextBuild: 5 } as const;

interface LabOptions {
    readonly platforms?: Instance["platforms"];
}

const platformsOption = () =>
    new Option(
        "--platforms <which>",
        "build for this machine's platform or for all that the images declare (remembered; host at first)",
    ).choices(["host", "all"]);

async function pulumi(operation: string, args: readonly string[], options: LabOptions): Promise<number> {
    const start = Date.now();
    const paths = labPaths();
    mkdirSync(paths.state, { recursive: true });
    if (operation === "up") {
        checkDisk(paths.state, { "building the images": hasImages(paths) ? room.nextBuild : room.firstBuild });
    }
    const lab = await startLab(options);
    for (const line of removeDeadLocks(paths)) console.error(line);
    const ready = Date.now();
    const run = (more: readonly string[], env: NodeJS.ProcessEnv) =>
        runAttached("pulumi", [operation, ...more, ...args], env);
    const code = operation === "up" ? await recordUp(lab.env, run) : await run([], lab.env);
    if (code !== 0 && operation === "up" && !isInterrupted()) {
        await tellFailedBuilds(lab.env, new Date(ready));
    }
    const [setUp, engine] = [elapsed(ready - start), elapsed(Date.now() - ready)];
    console.error(`${operation}: lab ready after ${setUp}, pulumi ${operation} took ${engine}`);
    return code;
}

/** Shell words of `variables` for `eval`. */
function exportLines(variables: Readonly<Record<string, string>>, folders: readonly string[]): string[] {
    const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
    const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${quote(value)}`);
    return [...lines, `export PATH=${folders.map((folder) => `${quote(folder)}:`).join("")}"$PATH"`];
}

function labCommand(done: (code: number) => void): Command {
    const lab = new Command("lab").description(
        "the embedded default: registry, BuildKit and GitHub stand-in on this machine",
    );
    lab.command("start")
        .description("set up what is missing and start the servers; harmless when they run")
        .addOption(platformsOption())
        .option(
            "--renew-root",
            "make the root's stand-in anew, where that gives another one; every image is rebuilt then",
        )
        .action(async (options: LabOptions & { renewRoot?: boolean }) => {
            const { instance, paths } = await startLab(options);
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
        .description("say which servers run; exit code 1 when one does not")
        .option("--json", "as JSON")
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
        .description('print exports, so that plain `pulumi` works on the lab: eval "$(npm run --silent lab -- env)"')
        .action(async () => {
            const described = await describeLab();
            for (const line of exportLines(labVariables(described), labPath(described))) console.log(line);
        });
    return lab;
}

/**
 * Runs one of the project's commands.
 *
 * @param args command and arguments, as after `npm run`
 * @returns the exit code: 0 done, 1 failed, 64 wrong use; that of `pulumi` where it ran
 */
export async function main(args: readonly string[]): Promise<number> {
    let code: number = exit.done;
    const done = (result: number) => {
        code = result;
    };
    const program = new Command("npm run").exitOverride().helpCommand(false);
    const passing = (name: string, description: string) =>
        program.command(name).description(description).argument("[arguments...]", "passed on").allowUnknownOption();
    passing("up", "set up everything and run `pulumi up` on the lab")
        .addOption(platformsOption())
        .action(async (rest: string[], options: LabOptions) => {
            done(await pulumi("up", ["--yes", "--skip-preview", ...rest], options));
        });
    passing("preview", "say what `up` would do; builds and pushes nothing")
        .addOption(platformsOption())
        .action(async (rest: string[], options: LabOptions) => {
            done(await pulumi("preview", rest, options));
        });
    program
        .command("down")
        .description("stop what `up` started")
        .action(async () => {
            const stopped = await stopLab();
            console.log(stopped.length > 0 ? `stopped ${stopped.join(", ")}` : "nothing was running");
        });
    program.addCommand(labCommand(done));
    program
        .command("canary")
        .description("build published images again without cache and compare digests; exit code 1 when one differs")
        .argument("[images...]", "keys of images.ts; all without")
        .action(async (images: string[]) => {
            done((await runCanary(images)) ? exit.done : exit.failed);
        });
    program
        .command("status")
        .description(
            "compare the stack with registries and GitHub; exit code 0 in step, 2 drift, 1 could not tell (drift outweighs it)",
        )
        .option("--stack <name>", "another stack than the lab's, in the environment that pulumi would have")
        .option("--json", "as JSON (StatusReport in lib/status/report.ts)")
        .option("--html <file>", "also write a page that needs nothing else")
        .action(async (options: StatusOptions) => {
            done(await runStatus(options));
        });
    program
        .command("review")
        .description("say what `up` would do, and why; exit code 3 when something would be lost for good")
        .addOption(new Option("--format <form>", "form of the review").choices(forms).default("table"))
        .option("--output <file>", "write to a file")
        .option("--stack <name>", "another stack than the lab's, in the environment that pulumi would have")
        .option(
            "--refresh",
            "ask the registry too; what it lost is said to be recreated, as by an `up` after a refresh",
        )
        .option("--expect-no-changes", "exit code 2 when something is pending")
        .action(async (options: ReviewOptions) => {
            done(await runReview(options));
        });
    program
        .command("workflows")
        .description("write the workflow files in .github from images.ts, the Dockerfiles and workflows/")
        .option("--take-pins", "take the actions' versions that Dependabot wrote there into workflows/pins.ts instead")
        .action((options: { takePins?: boolean }) => {
            for (const line of runWorkflows(repositoryRoot, options)) console.log(line);
        });
    program
        .command("record")
        .description("add an update that a script ran to the recorded ones, and say what it did")
        .requiredOption("--event-log <file>", "what `pulumi up --event-log` wrote")
        .option("--summary <file>", "file that gets the summary at its end, in GitHub's Markdown")
        .action(recordLogged);
    // Loaded when asked for: a repository that adopts the program has tests of its own, not these.
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- import() would load an ES module, not TypeScript
    const suites = () => require("../tests/suites") as typeof Suites;
    passing("test", "run every suite: lint, types, unit, app, integration").action(async () => {
        done(await suites().runTests());
    });
    passing("test:unit", "run the fast tests").action(async (rest: string[]) => {
        done(await suites().runUnitTests(rest));
    });
    passing("check", "lint, format, types, unit tests").action(async () => {
        done(await suites().runCheck());
    });
    for (const command of [program, ...program.commands, ...program.commands.flatMap((one) => one.commands)]) {
        command.exitOverride();
    }
    process.chdir(repositoryRoot);
    // What the lab makes is read by other users: the root image's files, the caches.
    process.umask(0o022);
    process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
    try {
        await program.parseAsync([...args], { from: "user" });
        return code;
    } catch (error) {
        if (error instanceof CommanderError) return error.exitCode === 0 ? exit.done : exit.wrongUse;
        const told = error instanceof LabError ? error : asInputError(error);
        if (told) {
            console.error(`error: ${told.message}`);
            return isInterrupted() ? exit.interrupted : exit.failed;
        }
        throw error;
    }
}
