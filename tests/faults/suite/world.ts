import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { stringify } from "yaml";
import { labRepository } from "../../../lab/github/defaults";
import { stackFile } from "../../../lib/engine/stacks";
import { historyFile } from "../../../lib/update/history";
import { backendFolder, serversFolder } from "../../../lib/system/paths";
import { runningProcess } from "../../../lib/system/pidFiles";
import { descendants, signal } from "../../../lib/system/processTable";
import { canaries } from "../../canaries";
import { workflowsFile } from "../../fixture";
import { type TestLab, makeRepository, projectFile, runIn, startTestLab } from "../../lab";
import { type Interposer, type RegistryInterposer, interpose, interposeRegistry } from "../../interposer";
import { expect } from "../../mocha";
import { commandScript } from "../../stack";
import { standInRepository } from "../../standIn";

/* A lab with a proxy before its registry and one before its stand-in for GitHub, and repositories whose stacks use them. */

/** A command that has ended. */
export interface Run {
    /** As typed, without the program: "up --refresh". */
    readonly typed: string;
    /** The exit code; 128 and the signal's number if a signal ended it. */
    readonly code: number;
    /** Both streams, as in a terminal. */
    readonly output: string;
    readonly seconds: number;
}

/** A command that runs. */
export interface Running {
    readonly pid: number;
    readonly ended: Promise<Run>;
}

/** A repository whose stack is updated. */
export interface Repository {
    readonly root: string;
    /** Namespace of its images in the registry. */
    readonly namespace: string;
    readonly read: (file: string) => string;
    readonly write: (file: string, text: string) => void;
    /** Path of the state's file. */
    readonly state: string;
    /** Whether its images have smoke tests. One without is good as soon as it is built. */
    readonly hasTests: boolean;
}

export interface World {
    readonly lab: TestLab;
    /** Where the stacks push to. */
    readonly registry: RegistryInterposer;
    readonly github: Interposer;
    /** Temporary folder of the commands. */
    readonly temporary: string;
    readonly close: () => Promise<void>;
}

const shell = (text: string) => `#!/bin/sh\nset -eu\n${text}\n`;

const leafDockerfile = (namespace: string): string =>
    `FROM ghcr.io/${namespace}/base:latest
RUN --mount=type=secret,id=TOKEN --mount=type=secret,id=KEY cat /run/secrets/TOKEN /run/secrets/KEY
COPY leaf.txt /leaf.txt
`;

/** Two images of one platform, the second of which has build secrets that its build prints. */
const filesOf = (namespace: string): Readonly<Record<string, string>> => ({
    "images.ts": `import type { ImageDefinitions } from "layered-images";

export const images: ImageDefinitions = {
    base: {
        description: "the parent",
        name: "ghcr.io/${namespace}/base:latest",
        dockerfile: "base.Dockerfile",
        platforms: ["linux/amd64", "linux/arm64"],
        smokeTest: "smoke/base.sh",
    },
    leaf: {
        description: "the child",
        name: "ghcr.io/${namespace}/leaf:latest",
        dockerfile: "leaf.Dockerfile",
        platforms: ["linux/amd64", "linux/arm64"],
        smokeTest: "smoke/leaf.sh",
        secrets: ["TOKEN", "KEY"],
    },
};
`,
    "base.Dockerfile": "FROM python:3.12-slim\nCOPY base.txt /base.txt\n",
    "leaf.Dockerfile": leafDockerfile(namespace),
    "base.txt": "0\n",
    "leaf.txt": "0\n",
    "smoke/base.sh": shell("test -s /base.txt"),
    "smoke/leaf.sh": shell("test -s /leaf.txt"),
});

/** The circumstances in which a command runs. */
export interface Circumstances {
    /** Additional environment variables; undefined removes one. */
    readonly env?: NodeJS.ProcessEnv;
    /** What a shell does before it becomes the command: "ulimit -n 64". */
    readonly first?: string;
}

/** Starts a command of the package in a repository. As in a terminal, it leads a group of processes. */
export function start(
    world: Pick<World, "lab" | "temporary">,
    { root }: Pick<Repository, "root">,
    args: readonly string[],
    { env = {}, first = "true" }: Circumstances = {},
): Running {
    const begun = Date.now();
    const script = `${first} && exec "$0" "$@"`;
    const child = spawn("sh", ["-c", script, process.execPath, "--eval", commandScript(args)], {
        cwd: root,
        env: { ...process.env, ...world.lab.variables, TMPDIR: world.temporary, ...env },
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
        stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    const ended = new Promise<Run>((resolve, reject) => {
        child.on("error", reject);
        child.on("close", (code, ending) => {
            const seconds = (Date.now() - begun) / 1000;
            resolve({ typed: args.join(" "), code: code ?? (ending === "SIGKILL" ? 137 : 143), output, seconds });
        });
    });
    return { pid: child.pid ?? 0, ended };
}

/** Programs of an update, by the start of their file's name. */
export const programs = {
    engine: "pulumi",
    "language host": "pulumi-language-nodejs",
    "build provider": "pulumi-resource-docker-build",
    "GitHub provider": "pulumi-resource-github",
} as const;
export type Program = keyof typeof programs;

/** Returns the file name of a process' program; "" if it is gone. */
function programOf(pid: number): string {
    try {
        return path.basename(readFileSync(`/proc/${pid.toString()}/cmdline`, "utf8").split("\0")[0] ?? "");
    } catch {
        return "";
    }
}

/** Kills programs of a running command, all at once. Throws if one does not run, because the fault would not happen. */
export function killPrograms({ pid }: Running, ...victims: readonly Program[]): void {
    const running = descendants(pid).map((one) => ({ pid: one, name: programOf(one) }));
    const found = victims.map((victim) => {
        const pids = running.filter(({ name }) => name === programs[victim]).map((one) => one.pid);
        if (pids.length === 0) throw new Error(`no ${victim} runs that could be killed`);
        return pids;
    });
    for (const one of found.flat()) signal(one, "SIGKILL");
}

/** Servers of the lab. */
export type ServerName = "registry" | "buildkitd" | "github";

/** Kills a server of the lab. Throws if it does not run. */
export function killServer({ lab }: Pick<World, "lab">, name: ServerName): void {
    const running = runningProcess(serversFolder(lab.paths), name);
    if (!running) throw new Error(`no ${name} runs that could be killed`);
    signal(running.pid, "SIGKILL");
}

/** Starts a lab with its proxies. */
export async function startWorld(): Promise<World> {
    const lab = await startTestLab();
    const opened: Interposer[] = [];
    const close = async () => {
        for (const one of opened) one.close();
        await lab.close();
    };
    try {
        const registry = await interposeRegistry(lab);
        opened.push(registry);
        const github = await interpose({ upstream: lab.instance.githubPort ?? 0 });
        opened.push(github);
        const temporary = path.join(lab.paths.state, "temporary");
        mkdirSync(temporary);
        return { lab, registry, github, temporary, close };
    } catch (error) {
        await close();
        throw error;
    }
}

/** Settings of a stack that pushes through the proxy before the registry. */
const settings = ({ registry }: World) => ({
    lab: "true",
    registry: registry.host,
    platforms: ["linux/amd64"],
});

/** Returns the name of a repository on GitHub: the lab's own, or another one that has the name of its images' namespace. */
export const onGitHub = ({ namespace }: Pick<Repository, "namespace">): string =>
    namespace === "hub" ? labRepository.name : namespace;

/** Further settings, for a stack that reaches GitHub through the proxy before the stand-in. */
const githubSettings = ({ github }: World, kind: RepositoryKind) => ({
    github: { repository: onGitHub({ namespace: kind }), ...(kind === "proposing" && { delivery: "pull-request" }) },
    "github:baseUrl": `http://127.0.0.1:${github.port.toString()}/`,
    "github:writeDelayMs": "0",
    "github:retryDelayMs": "10",
});

/** Returns the file with a stack's configuration: settings of the project, and of a provider where the key names it. */
export function configFile(world: World, project: string, more: object = {}): Readonly<Record<string, string>> {
    const entries = Object.entries({ ...settings(world), ...more });
    const config = Object.fromEntries(
        entries.map(([key, value]) => [key.includes(":") ? key : `${project}:${key}`, value as unknown]),
    );
    const encryptionsalt = "v1:DRDI6WCkP8w=:v1:29rKpGK4WbQtbVzr:tMXilMgD5kYYvf9gz1LaYzmkDMMHJQ==";
    return { "Pulumi.local.yaml": stringify({ config, encryptionsalt }) };
}

/** Makes a repository, and its stack. */
export async function addRepository(
    { lab }: World,
    namespace: string,
    files: Readonly<Record<string, string>>,
): Promise<Repository> {
    // Beyond ASCII and with a space, as people name folders.
    const root = makeRepository(path.join(lab.paths.state, `dépôt de ${namespace}`), {
        ...files,
        "Pulumi.yaml": projectFile(namespace),
    });
    const init = await runIn(lab, root, "pulumi", ["stack", "init", "local", "--non-interactive", "--no-select"]);
    expect(init.code, init.output).toBe(0);
    const read = (file: string) => readFileSync(path.join(root, file), "utf8");
    const write = (file: string, text: string) => {
        writeFileSync(path.join(root, file), text);
    };
    const hasTests = Object.keys(files).some((file) => file.startsWith("smoke/"));
    return { root, namespace, read, write, hasTests, state: stackFile(backendFolder(lab.paths), "local", root) };
}

/** Returns the path of the file with a stack's recorded updates. */
export const updatesFile = ({ lab }: World, { root }: Pick<Repository, "root">): string =>
    historyFile("local", lab.env, root);

/** Files that images copy: a change of one of them is what an update finds to do. */
const changing: readonly string[] = ["base.txt", "leaf.txt"];

/** A repository for the cases: its files but those that images copy get their first texts again after each case. */
export interface FaultyRepository extends Repository {
    readonly restore: () => void;
}

/**
 * Kinds of repositories: without settings for GitHub; or with a workflow file, secrets, and a variable for each image there. Workflow files
 * are committed by a hub, and proposed by the last kind.
 */
export type RepositoryKind = "plain" | "hub" | "proposing";

/** Makes a repository for the cases. */
export async function addFaultyRepository(world: World, kind: RepositoryKind): Promise<FaultyRepository> {
    const workflows = workflowsFile({ up: [{ file: "images.yml", name: "Build Images" }] });
    const isOnGitHub = kind !== "plain";
    const files = {
        ...filesOf(kind),
        ...configFile(world, kind, isOnGitHub ? githubSettings(world, kind) : {}),
        ...(isOnGitHub && workflows),
    };
    if (kind === "proposing") {
        const { control } = standInRepository(world.lab);
        await control("POST", "repositories", { owner: labRepository.owner, name: onGitHub({ namespace: kind }) });
    }
    const repository = await addRepository(world, kind, files);
    const settingsWithSecrets = isOnGitHub ? ["buildSecrets", "repositorySecrets"] : ["buildSecrets"];
    const values = Object.entries(canaries).flatMap(([name, value]) =>
        settingsWithSecrets.flatMap((setting) => ["--secret", `${setting}.${name}=${value}`]),
    );
    const set = ["config", "set-all", "--stack", "local", "--path", ...values];
    const { code, output } = await runIn(world.lab, repository.root, "pulumi", set);
    expect(code, output).toBe(0);
    const firstTexts = Object.keys(files)
        .filter((file) => !changing.includes(file))
        .map((file) => [file, repository.read(file)] as const);
    return {
        ...repository,
        restore: () => {
            for (const [file, text] of firstTexts) repository.write(file, text);
        },
    };
}
