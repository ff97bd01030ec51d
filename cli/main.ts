import "../lib/system/seldomUsed";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type * as Bench from "../bench/command";
import type * as BenchBuilders from "../bench/builders/command";
import type * as Corpus from "../bench/corpus/command";
import type * as Emulation from "../bench/emulation/command";
import type * as Scale from "../bench/scale/command";
import { stopLab } from "../lab/labState";
import type * as Builders from "../lib/builders/instance";
import { backendNames } from "../lib/engine/backends";
import { restoreDockerHost } from "../lib/engine/dockerHost";
import { ciStack } from "../lib/engine/stacks";
import { asInputError, CommandError } from "../lib/errors";
import { saysRefused } from "../lib/policy/rules";
import { findRepositoryRoot, isCompiled, repositoryRoot } from "../lib/system/paths";
import { guardStreams, hide, secretsIn } from "../lib/system/hidden";
import { interrupt, isInterrupted } from "../lib/system/process";
import type * as Suites from "../tests/suites";
import type * as Adopt from "./adopt";
import type * as Build from "./build";
import type * as Bump from "./bump";
import type * as Changed from "./changed";
import type * as Canary from "./canary";
import type * as Devcontainer from "./devcontainer";
import { exit } from "./exitCodes";
import { labCommand, minFreeOption, platformsOption } from "./lab";
import { forms } from "./output";
import type * as Gc from "./gc";
import type * as GitHubSetup from "./githubSetup";
import type * as Preview from "./preview";
import type * as Review from "./review";
import type * as RemoveChannel from "./removeChannel";
import type * as Rollback from "./rollback";
import type { PulumiOptions } from "./session";
import type * as Status from "./status";
import type * as Up from "./up";
import type * as Workflows from "./workflows";

/* A command is loaded when it runs, because each needs other parts of the package. import() would load an ES module, not TypeScript. */
/* eslint-disable @typescript-eslint/no-require-imports */
const commands = {
    adopt: () => require("./adopt") as typeof Adopt,
    build: () => require("./build") as typeof Build,
    builders: () => require("../lib/builders/instance") as typeof Builders,
    bump: () => require("./bump") as typeof Bump,
    changed: () => require("./changed") as typeof Changed,
    canary: () => require("./canary") as typeof Canary,
    devcontainer: () => require("./devcontainer") as typeof Devcontainer,
    gc: () => require("./gc") as typeof Gc,
    githubSetup: () => require("./githubSetup") as typeof GitHubSetup,
    preview: () => require("./preview") as typeof Preview,
    review: () => require("./review") as typeof Review,
    removeChannel: () => require("./removeChannel") as typeof RemoveChannel,
    rollback: () => require("./rollback") as typeof Rollback,
    status: () => require("./status") as typeof Status,
    up: () => require("./up") as typeof Up,
    workflows: () => require("./workflows") as typeof Workflows,
    bench: () => require("../bench/command") as typeof Bench,
    benchBuilders: () => require("../bench/builders/command") as typeof BenchBuilders,
    corpus: () => require("../bench/corpus/command") as typeof Corpus,
    emulation: () => require("../bench/emulation/command") as typeof Emulation,
    scale: () => require("../bench/scale/command") as typeof Scale,
    suites: () => require("../tests/suites") as typeof Suites,
};
/* eslint-enable @typescript-eslint/no-require-imports */

/** Changes to the repository's root. Outside of a repository, only commands that need none work: help, `down`, `lab status`. */
function enterRepository(): void {
    const root = findRepositoryRoot();
    if (root !== undefined) process.chdir(root);
}

/** Parses a positive integer. Throws InvalidArgumentError for any other text. */
function positive(text: string): number {
    if (/^[1-9]\d*$/.test(text)) return Number(text);
    throw new InvalidArgumentError("Allowed: whole numbers from 1 on.");
}

/** Parses an integer from 0 on. Throws InvalidArgumentError for any other text. */
function natural(text: string): number {
    if (/^\d{1,9}$/.test(text)) return Number(text);
    throw new InvalidArgumentError("Allowed: whole numbers from 0 on.");
}

/** Parses positive integers, separated by commas. Throws InvalidArgumentError for any other text. */
const positives = (text: string): number[] => text.split(",").map(positive);

/**
 * Returns the name of this program for its help. npm passes the name of the script that it runs in an environment variable.
 *
 * @param args the arguments of `main`
 */
export const programName = ([command]: readonly string[], env: NodeJS.ProcessEnv): string =>
    command !== undefined && env.npm_lifecycle_event === command ? "npm run" : "layered-images";

/** Adds the commands with which this project tests and measures itself. The package that others install does not contain them. */
function addOwnCommands(
    program: Command,
    passing: (name: string, description: string) => Command,
    done: (result: number) => void,
) {
    passing("test", "run every suite: lint, types, documentation, unit, app, integration").action(async () => {
        done(await commands.suites().runTests());
    });
    program
        .command("test:all")
        .description("run every suite, with the tests that `npm test` has no time for, and every fault (over an hour)")
        .action(async () => {
            done(await commands.suites().runTests({ all: true }));
        });
    passing("test:unit", "run the fast tests").action(async (rest: string[]) => {
        done(await commands.suites().runUnitTests(rest));
    });
    passing("test:real", "run the table of changes on this repository's images (45 GB of disk, one hour)").action(
        async (rest: string[]) => {
            done(await commands.suites().runRealTests(rest));
        },
    );
    program
        .command("test:faults")
        .description("test what happens when something fails, and write docs/reliability.md (half an hour)")
        .option("--fuzz", "random faults on random hierarchies, instead of the table of faults")
        .option("--steps <count>", "number of random steps", positive, 200)
        .option("--seed <number>", "what random steps are made from; a new number by default", positive)
        .action(async (options: Suites.FaultOptions) => {
            done(await commands.suites().runFaultTests(options));
        });
    const bench = program.command("bench");
    bench
        .description(
            "measure what updates of a small hierarchy cost, beside `docker buildx bake`, workflows with path filters, and floors",
        )
        .option(
            "--runs <count>",
            "runs of each scenario; the median is reported (default: 5, with --quick 1)",
            positive,
        )
        .option("--quick", "a few scenarios, once")
        .option("--scenario <names>", "only these, separated by commas: nothing, app, requirements, …")
        .option("--real", "measure this repository's images with PyTorch: 45 GB of disk, hours")
        .option("--json", "print JSON (Results in bench/report.ts)")
        .action(async (options: Bench.BenchOptions) => {
            const complete = await commands.bench().runBench(options);
            done(complete ? exit.done : exit.failed);
        });
    bench
        .command("corpus")
        .description(
            "count needless and missed rebuilds in labelled changes: `up`, bake, and workflows with path filters",
        )
        .argument("[changes...]", "hierarchies of bench/corpus, or changes as <hierarchy>/<id>; all by default")
        .action(async (names: string[]) => {
            await commands.corpus().runCorpus(names);
        });
    bench
        .command("scale")
        .description("measure what previews and updates of hierarchies of growing size cost")
        .option("--images <counts>", "numbers of images, separated by commas", positives, [10, 100, 300, 1000])
        .option("--shapes <names>", "of wide, deep and mixed, separated by commas", "wide,deep,mixed")
        .option("--json", "print JSON (Cost[] in bench/scale/command.ts)")
        .action(async (options: Scale.ScaleOptions) => {
            await commands.scale().runScale(options);
        });
    bench
        .command("builders")
        .description("measure what a builder of two engines costs a preview, and what it spares a first update")
        .option("--planned <count>", "number of images of the hierarchy that is previewed", positive, 300)
        .option("--built <count>", "number of images of the hierarchy that is built", positive, 16)
        .option("--seconds <count>", "how long the build of each of them waits", positive, 30)
        .option("--json", "print JSON (BuildersResult in bench/builders/command.ts)")
        .action(async (options: BenchBuilders.BuildersOptions) => {
            await commands.benchBuilders().runBuilders(options);
        });
    bench
        .command("emulation")
        .description("measure what builds cost for this machine's platform, and for one that it emulates")
        .option("--runs <count>", "builds of each kind; the medians are reported", positive, 5)
        .option("--json", "print JSON (Comparison[] in bench/emulation/command.ts)")
        .action(async (options: Emulation.EmulationOptions) => {
            await commands.emulation().runEmulation(options);
        });
    passing("check", "lint, format, types, documentation, unit tests").action(async () => {
        done(await commands.suites().runCheck());
    });
    program
        .command("docs")
        .description("write the documentation of what the package exports to docs/api")
        .action(async () => {
            done(await commands.suites().runDocs());
        });
}

/**
 * Runs one of the project's commands.
 *
 * @param args the command and its arguments, as typed after `npm run` or `layered-images`
 * @returns the exit code: 0 done, 1 failed, 64 wrong use; Pulumi's exit code if `pulumi` ran
 */
export async function main(args: readonly string[]): Promise<number> {
    // An update starts this program too, for the devcontainer.
    restoreDockerHost();
    let code: number = exit.done;
    const done = (result: number) => {
        code = result;
    };
    const program = new Command(programName(args, process.env)).exitOverride().helpCommand(false);
    const passing = (name: string, description: string) =>
        program.command(name).description(description).argument("[arguments...]", "passed on").allowUnknownOption();
    const stackOption = () =>
        new Option(
            "-s, --stack <name>",
            "use this stack, with the installed `pulumi` and this environment, instead of the lab's stack",
        ).conflicts(["platforms", "minFree"]);
    const settingsOption = () =>
        new Option(
            "--settings-of <stack>",
            "copy the settings of this stack's file; `up` makes the stack if there is none, and a preview for its own duration",
        );
    passing("up", "set up missing parts and run `pulumi up`, on the lab's stack or on another stack")
        .addOption(platformsOption())
        .addOption(minFreeOption())
        .addOption(stackOption())
        .addOption(settingsOption())
        .option(
            "--renewable-token",
            "if only GitHub failed and the token of a GitHub App may have expired, end with 0 and set the step's output `again`",
        )
        .option(
            "--rebuild <images>",
            "build these images again without cache: keys of images.ts, of a matrix for all its images, separated by commas; or all",
        )
        .action(async (rest: string[], options: Up.UpOptions) => {
            done(await commands.up().runUp(rest, options));
        });
    passing("preview", "show what `up` would do, without building or pushing")
        .addOption(platformsOption())
        .addOption(stackOption())
        .addOption(settingsOption())
        .action(async (rest: string[], options: PulumiOptions) => {
            done(await commands.preview().runPreview(rest, options));
        });
    program
        .command("down")
        .description("stop the servers that `up` started")
        .action(async () => {
            const stopped = await stopLab();
            console.log(stopped.length > 0 ? `stopped ${stopped.join(", ")}` : "nothing was running");
        });
    program.addCommand(labCommand(done));
    program
        .command("remove-builders")
        .description(
            "remove the buildx builders that the setting `builder` of any stack made on this machine, and no others",
        )
        .action(async () => {
            const removed = await commands.builders().removeBuilders(process.env);
            console.log(removed.length > 0 ? `removed ${removed.join(", ")}` : "this program made no builder here");
        });
    program
        .command("canary")
        .description("build published images again without cache and compare digests; exit code 1 if a digest differs")
        .argument("[images...]", "keys of images.ts, of a matrix for all its images; all images by default")
        .action(async (images: string[]) => {
            done((await commands.canary().runCanary(images)) ? exit.done : exit.failed);
        });
    program
        .command("build")
        .description(
            "build and test what `up` would build, for this machine's platform, without pushing or recording anything",
        )
        .addOption(stackOption())
        .action(async (options: { stack?: string }) => {
            done(await commands.build().runBuild(options));
        });
    const repeated = (value: string, before: readonly string[] = []) => [...before, value];
    program
        .command("devcontainer")
        .description(
            "build what the devcontainer stands on into the local Docker, under its name, and the devcontainer on it, as `Rebuild Container` " +
                "then does too; exit code 1 if something fails",
        )
        .addOption(stackOption())
        .option("--config <file>", "devcontainer.json, where the repository has several")
        .option(
            "--on <name=ref>",
            "fetch <repository>@<digest> for this name instead of building it; may be repeated, no stack is asked",
            repeated,
        )
        .option("--up", "also start the container; one that runs already is replaced")
        .option("--check", "only check devcontainer.json; needs no Docker")
        .action(async (options: Devcontainer.DevcontainerOptions) => {
            done(await commands.devcontainer().runDevcontainer(options));
        });
    program
        .command("changed")
        .description("say which images differ between a commit and this checkout, without asking a stack or a registry")
        .argument("<commit>", "the earlier commit, as git names it: main, HEAD~1")
        .action(async (commit: string) => {
            for (const line of await commands.changed().runChanged(repositoryRoot(), commit)) console.log(line);
        });
    program
        .command("bump")
        .description(
            "move pins of roots and scheduled rebuilds in the stack's file; exit code 1 if a registry did not answer",
        )
        .argument("[roots...]", "roots as Dockerfiles write them; all roots and the scheduled rebuilds by default")
        .addOption(new Option("-s, --stack <name>", "the stack whose file is changed").default(ciStack))
        .option("--dry-run", "write nothing")
        .option("--check", "write nothing; exit code 2 if anything is behind")
        .option("--json", "print JSON (BumpReport in cli/bump.ts)")
        .addOption(
            new Option(
                "--propose",
                "open or update a pull request with the changed file, and with the review of its update as text",
            ).conflicts(["dryRun", "check"]),
        )
        .action(async (roots: string[], options: Bump.BumpOptions) => {
            done(await commands.bump().runBump(roots, options));
        });
    const jsonOption = (type: string) => new Option("--json", `print JSON (${type} in cli/rollback.ts)`);
    const dryRunOption = () => new Option("--dry-run", "write nothing");
    program
        .command("releases")
        .description(
            "list releases: date, commit, digest, and what runs them; exit code 1 if a registry did not answer",
        )
        .argument("[image]", "key in images.ts; all published images by default")
        .addOption(stackOption())
        .addOption(jsonOption("ReleasesReport"))
        .action(async (image: string | undefined, options: Rollback.ReleaseOptions) => {
            done(await commands.rollback().runReleases(image, options));
        });
    program
        .command("rollback")
        .description(
            "pin an image to an earlier release in the stack's file, with the images below that have a release which was built on it; " +
                "the next `up` moves tags, variables and deployments there, and builds nothing of these images",
        )
        .argument("<image>", "key in images.ts")
        .option(
            "--to <release>",
            "r-<hex>, sha256:<hex>, or a day or time (the release promoted last until then); by default the release before the current one",
        )
        .option("--only", "pin no image below: those are built again on it")
        .addOption(stackOption())
        .addOption(dryRunOption())
        .addOption(jsonOption("RollbackReport"))
        .action(async (image: string, options: Rollback.RollbackOptions) => {
            done(await commands.rollback().runRollback(image, options));
        });
    program
        .command("unpin")
        .description(
            "remove pins from the stack's file, with those of the images below; the next `up` builds what changed meanwhile",
        )
        .argument("[images...]", "keys in images.ts")
        .addOption(new Option("--all", "remove every pin"))
        .option("--only", "keep the pins of images below")
        .addOption(stackOption())
        .addOption(dryRunOption())
        .addOption(jsonOption("UnpinReport"))
        .action((images: string[], options: Rollback.UnpinOptions) => {
            done(commands.rollback().runUnpin(images, options));
        });
    program
        .command("status")
        .description(
            "compare the stack with registries and GitHub; exit code 0 in step, 2 drift, 1 unknown (drift takes precedence)",
        )
        .addOption(stackOption())
        .option("--json", "print JSON (StatusReport in lib/status/status.ts)")
        .option("--html <file>", "also write a self-contained page")
        .action(async (options: Status.StatusOptions) => {
            done(await commands.status().runStatus(options));
        });
    program
        .command("review")
        .description("show what `up` would do and why; exit code 3 if something would be lost permanently")
        .addOption(new Option("--format <form>", "output format").choices(forms).default("table"))
        .option("--output <file>", "write to a file")
        .addOption(stackOption())
        .addOption(settingsOption())
        .option(
            "--refresh",
            "also query the registry; images that it lost are shown as recreated, as an `up` with --refresh would do",
        )
        .option(
            "--expect-no-changes",
            "exit code 2 if changes are pending; with --refresh also if a promoted tag is lost or moved, and 1 if " +
                "the registry does not answer",
        )
        .action(async (options: Review.ReviewOptions) => {
            done(await commands.review().runReview(options));
        });
    program
        .command("workflows")
        .description("write the workflow files in .github from images.ts, workflows.ts and the Dockerfiles")
        .option(
            "--take-pins",
            "instead copy the newer versions of actions that Dependabot wrote in .github into pins.json",
        )
        .addOption(new Option("--check", "write nothing; exit code 1 if a file is stale").conflicts("takePins"))
        .action((options: { takePins?: boolean; check?: boolean }) => {
            for (const line of commands.workflows().runWorkflows(repositoryRoot(), options)) console.log(line);
        });
    program
        .command("adopt")
        .description("read how this repository builds its images today, and write images.ts and the files around it")
        .option("--dry-run", "show the plan, and write nothing")
        .option("--json", "print JSON (AdoptionPlan in lib/adopt/report.ts)")
        .option("--yes", "write without asking")
        .option("--incomplete", "write although values are unknown, without what depends on them")
        .option("--github <owner/name>", "the repository on GitHub, where no remote of git says it")
        .option(
            "--set <expression=value>",
            "value of an expression in workflows, such as secrets.USER; may be repeated",
            repeated,
        )
        .option("--name <Dockerfile=name>", "name of the image of a Dockerfile; may be repeated", repeated)
        .action(async (options: Adopt.AdoptOptions) => {
            done(await commands.adopt().runAdopt(start, options));
        });
    program
        .command("gc")
        .description(
            "list published builds and releases that nothing uses any more, and with --yes remove them; exit code 1 if a registry did not " +
                "answer, 3 if what is in use is not known",
        )
        .addOption(stackOption())
        .option("--keep-releases <count>", "newest releases of each image that are kept", natural, 10)
        .option("--keep-days <days>", "days for which every release is kept", natural, 30)
        .option("--image <key>", "only the repositories of this image of the stack; may be repeated", repeated)
        .option(
            "--repository <name>",
            "also this repository, in which no image of the stack is published any more; may be repeated",
            repeated,
        )
        .option("--yes", "remove what is listed, without a further question")
        .option("--json", "print JSON (CleanupReport in lib/forms/cleanupText.ts)")
        .action(async (options: Gc.GcOptions) => {
            done(await commands.gc().runGc(options));
        });
    program
        .command("remove-channel")
        .description(
            "list the tags that a stack promoted to in its channel, and with --yes remove them and the stack; exit code 1 if a registry " +
                "refused, and 3 for a stack without a channel",
        )
        .requiredOption("-s, --stack <name>", "the stack; one that is gone is nothing to do")
        .option("--settings-of <stack>", "the stack whose settings it was updated with, if it has no file here")
        .option("--yes", "remove what is listed, without a further question")
        .option("--json", "print JSON (ChannelReport in cli/removeChannel.ts)")
        .action(async (options: RemoveChannel.RemoveChannelOptions) => {
            done(await commands.removeChannel().runRemoveChannel(options));
        });
    program
        .command("github-setup")
        .description(
            "print what the owner of the repository sets up once on GitHub, and what of it is done; exit code 2 if something is " +
                "missing, 1 if something could not be asked or done",
        )
        .addOption(
            new Option("--backend <name>", "where the state is stored, if nothing is set yet").choices(backendNames),
        )
        .option("--github <owner/name>", "the repository on GitHub, where neither Pulumi.ci.yaml nor git says it")
        .option(
            "--apply",
            "with a token in GITHUB_TOKEN, create the environments, restrict `up` to its branch, and set what these options name:",
        )
        .option("--variable <name=value>", "a variable of the repository; may be repeated", repeated)
        .option(
            "--secret <name>",
            "a secret, from the environment variable of its name: <name>, or <environment>:<name>; may be repeated",
            repeated,
        )
        .option("--stdin <name>", "a secret, from standard input")
        .option("--json", "print JSON (SetupReport in cli/githubSetup.ts)")
        .action(async (options: GitHubSetup.SetupOptions) => {
            done(await commands.githubSetup().runSetup(options));
        });
    if (!isCompiled) addOwnCommands(program, passing, done);
    for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
        command.exitOverride();
    }
    // A repository that adopts has no Pulumi.yaml yet, and a folder above may have one.
    const start = process.cwd();
    enterRepository();
    // Other users must be able to read the lab's files: those of the root image, and the caches.
    process.umask(0o022);
    hide(secretsIn(process.env));
    guardStreams();
    // Node.js would write the error past the streams, and so past their masks.
    process.on("uncaughtException", (error) => {
        console.error(error.stack);
        process.exit(exit.failed);
    });
    process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
    try {
        await program.parseAsync([...args], { from: "user" });
        return code;
    } catch (error) {
        if (error instanceof CommanderError) return error.exitCode === 0 ? exit.done : exit.wrongUse;
        const expected = error instanceof CommandError ? error : asInputError(error);
        if (expected) {
            console.error(`error: ${expected.message}`);
            if (isInterrupted()) return exit.interrupted;
            return saysRefused(expected.message) ? exit.dangerous : exit.failed;
        }
        throw error;
    }
}
