import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parse, stringify } from "yaml";
import { stopLab } from "../../../lab/labState";
import { ensureCertificates } from "../../../lab/servers/tls";
import { readStackFile } from "../../../lib/engine/pulumi";
import { nameOf } from "../../../lib/engine/resources";
import { digestOf } from "../../../lib/registry/references";
import type { Call, Reaction } from "../../interposer";
import { unmountBelow } from "../../lab";
import { expect } from "../../mocha";
import { deleteManifest, manifest, removeBlob } from "../../registry";
import { cutInHalf } from "../../tree";
import { dataOf, promotedTags } from "./oracle";
import {
    type Circumstances,
    type Program,
    type RepositoryKind,
    type Repository,
    type Run,
    type Running,
    type World,
    killPrograms,
    killServer,
} from "./world";

/** What a case has to work with. */
export interface Scene {
    readonly world: World;
    readonly repository: Repository;
    readonly start: (args: readonly string[], circumstances?: Circumstances) => Running;
    /** Runs a command in the repository to its end. */
    readonly run: (args: readonly string[], circumstances?: Circumstances) => Promise<Run>;
    /** A text that no file of the repository has had before. */
    readonly fresh: () => string;
}

/** Injects a fault, runs the command that meets it, takes the fault back, and returns what the command came to. */
type Play = (scene: Scene) => Promise<Run>;

/** A fault, and what may follow from it. */
export interface Case {
    readonly name: string;
    /** Whether `npm test` runs it: a choice that takes four minutes of processor time. */
    readonly chosen?: boolean;
    /** The repository that it happens to; "plain" by default. */
    readonly on?: RepositoryKind;
    /** Gives the update something to do; by default one file of the leaf changes. Afterwards all other files get their first texts again. */
    readonly change?: (scene: Scene) => unknown;
    readonly play: Play;
    /** Exit codes that the command may end with; 0 by default. */
    readonly code?: readonly number[];
    /** What it must say, where that is more than any next step. */
    readonly says?: RegExp;
    /** The documented commands after which all is well, two at most; by default one `up`. "as told": the `up` that the command names. */
    readonly recovery?: readonly (readonly string[])[] | "as told";
    /** Whether the fault destroys what is no longer deployed, which nothing brings back. */
    readonly losesOld?: boolean;
    /** What the product lacks so far: the case says what is expected, and is not run. */
    readonly lacking?: string;
}

const nothing = () => undefined;

type Matches = (call: Call) => boolean;

/** Matches a push of a manifest whose tag begins so. */
const pushOf =
    (tag: string): Matches =>
    ({ method, subject }) =>
        method === "PUT" && subject.startsWith(`manifest ${tag}`);

/** Matches the requests that write data to a registry. */
const uploads: Matches = ({ method, subject }) => subject === "upload" && method !== "GET" && method !== "HEAD";

/** Matches changes on GitHub of a kind, by the part of the API's path. */
const writes =
    (kind: "contents" | "secrets" | "variables"): Matches =>
    ({ method, path: where }) =>
        ["PUT", "POST", "PATCH"].includes(method) && where.includes(`/${kind}/`);

/** What a build step asks of the stand-in for GitHub, so that a test can act while the step runs. */
const momentPath = "/moment";
const moment: Matches = ({ path: where }) => where === momentPath;

/** Adds a step to the leaf's build that asks for `momentPath`. */
const stepThatAsks = ({ world, repository, fresh }: Scene): void => {
    const url = `http://127.0.0.1:${world.github.port.toString()}${momentPath}`;
    const step = `RUN python -c "from urllib.request import urlopen; urlopen('${url}')" || echo ${fresh()}\n`;
    repository.write("leaf.Dockerfile", `${repository.read("leaf.Dockerfile")}${step}`);
};

type Service = "registry" | "github";
type Act = (scene: Scene, running: Running) => unknown;

/** Runs an update, and does something at the first request that matches. "before" and "after": the client gets no answer. */
const strike =
    (service: Service, matches: Matches, kind: "before" | "after" | "meanwhile", act: Act): Play =>
    async (scene) => {
        const running = scene.start(["up"]);
        let strikes = 0;
        scene.world[service].obey((call): Reaction | undefined => {
            if (strikes > 0 || !matches(call)) return undefined;
            strikes++;
            return { kind, act: () => act(scene, running) };
        });
        const run = await running.ended;
        scene.world[service].obey(undefined);
        expect(strikes, `no request was struck:\n${run.output}`).toBe(1);
        return run;
    };

/** Runs a command, by default an update, while a server reacts in this way to the requests that match. */
const reacting =
    (service: Service, matches: Matches, reaction: Reaction, args: readonly string[] = ["up"]): Play =>
    async (scene) => {
        let reactions = 0;
        scene.world[service].obey((call) => {
            if (!matches(call)) return undefined;
            reactions++;
            return reaction;
        });
        const run = await scene.run(args);
        scene.world[service].obey(undefined);
        expect(reactions, `no request was reacted to:\n${run.output}`).toBeGreaterThan(0);
        return run;
    };

const kill =
    (...victims: readonly Program[]): Act =>
    (_, running) => {
        killPrograms(running, ...victims);
    };

const killing =
    (server: Parameters<typeof killServer>[1]): Act =>
    ({ world }) => {
        killServer(world, server);
    };

/** Sends a signal to all processes of a command, as a terminal does. */
const signalling =
    (name: NodeJS.Signals): Act =>
    (_, { pid }) => {
        process.kill(-pid, name);
    };

/** What a command may end with when a program of it was killed. */
const killed = [1, 137, 143, 255];
const failed = [1, 255];

/** A registry's refusal, as the distribution specification words it. */
const refusal = (
    status: number,
    code: string,
    message: string,
    headers?: Readonly<Record<string, string>>,
): Reaction => ({
    kind: "answer",
    status,
    body: { errors: [{ code, message }] },
    ...(headers && { headers }),
});

const refusals: readonly (readonly [status: number, code: string, message: string])[] = [
    [401, "UNAUTHORIZED", "authentication required"],
    [403, "DENIED", "requested access to the resource is denied"],
    [405, "UNSUPPORTED", "The operation is unsupported"],
    [429, "TOOMANYREQUESTS", "too many requests"],
    [500, "UNKNOWN", "unknown error"],
];
const challenge = { "www-authenticate": 'Basic realm="registry"' };

/** Refusals of two steps of an update: the push of a build, and the move of `latest`. */
const registryRefusals = refusals.flatMap(([status, code, message]): Case[] =>
    (["b-", "latest"] as const).map((tag) => ({
        name: `the registry answers ${status.toString()} to ${tag === "latest" ? "the move of `latest`" : "the push of a build"}`,
        chosen: status === 500 && tag === "latest",
        play: reacting("registry", pushOf(tag), refusal(status, code, message, status === 401 ? challenge : {})),
        code: failed,
    })),
);

/** Refusals by GitHub of the last write of an update, a variable; docs/operations.md words them. */
const githubRefusals = [401, 403, 404, 409, 422, 429, 500].map((status): Case => ({
    name: `GitHub answers ${status.toString()} to the change of a variable`,
    on: "hub",
    play: reacting("github", writes("variables"), {
        kind: "answer",
        status,
        body: { message: `refused with ${status.toString()}` },
        headers: status === 429 ? { "retry-after": "1" } : {},
    }),
    code: failed,
}));

/** Makes each kind of write on GitHub necessary. */
const githubChanges = {
    contents: ({ repository, fresh }: Scene) => {
        repository.write(
            "workflows.ts",
            repository.read("workflows.ts").replace(/Build Images[^"]*/, `Build Images ${fresh()}`),
        );
    },
    secrets: ({ repository, fresh }: Scene) => {
        const { root } = repository;
        const env = { ...process.env, PULUMI_CONFIG_PASSPHRASE: "lab" };
        const set = ["config", "set", "--stack", "local", "--secret", "--path", "repositorySecrets.OTHER", fresh()];
        execFileSync("pulumi", set, { cwd: root, env, stdio: "ignore" });
    },
    variables: ({ repository, fresh }: Scene) => {
        repository.write("leaf.txt", `${fresh()}\n`);
    },
} as const;

const githubKills = (["contents", "variables"] as const).flatMap((kind) =>
    (["before", "after"] as const).map((when): Case => ({
        name: `kill -9 of the engine ${when} GitHub has done a write (${kind})`,
        on: "hub",
        change: githubChanges[kind],
        play: strike("github", writes(kind), when, kill("engine")),
        code: killed,
    })),
);

/** Steps of an update in the registry. */
const registrySteps = {
    "b-": "the push of a build",
    "r-": "the push of a release",
    latest: "the move of `latest`",
} as const;
const registryKills = Object.entries(registrySteps).flatMap(([tag, step]) =>
    (["before", "after"] as const).map((when): Case => ({
        name: `kill -9 of the engine ${when} ${step}`,
        chosen: when === "after" && tag !== "b-",
        play: strike("registry", pushOf(tag), when, kill("engine")),
        code: killed,
    })),
);

/** Runs an update of a stack with a lock file that holds this text. */
const locked =
    (text: string): Play =>
    async ({ world, repository, run }) => {
        const locks = path.join(
            world.lab.paths.state,
            "pulumi/.pulumi/locks/organization",
            repository.namespace,
            "local",
        );
        const file = path.join(locks, "left.json");
        mkdirSync(locks, { recursive: true });
        writeFileSync(file, text);
        const met = await run(["up"]);
        rmSync(file, { force: true });
        return met;
    };

/** Returns the resource of the stack with this name. */
function resourceOf({ repository }: Scene, name: string) {
    const found = readStackFile(repository.state).resources.find(({ urn }) => nameOf(urn) === name);
    if (!found) throw new Error(`the state has no ${name}`);
    return found;
}

/** Digest of the leaf's build that is deployed. */
const leafDigest = (scene: Scene): string => String(resourceOf(scene, "leaf-amd64").outputs.digest);

/** Removes something from the registry, and restores it with an update. */
const losing =
    (lose: (scene: Scene) => unknown): Play =>
    async (scene) => {
        await lose(scene);
        return await scene.run(["up", "--refresh"]);
    };

/** Moves `latest` of the leaf to its oldest release, as somebody who goes back by hand. */
function moveLatest({ world, repository }: Scene): void {
    const name = `${repository.namespace}/leaf`;
    const tags = promotedTags(world, repository).filter((one) => one.repository === name);
    const now = tags.find(({ tag }) => tag === "latest")?.digest;
    const other = tags.find(({ digest }) => digest !== now)?.digest;
    if (other === undefined) throw new Error(`${name} has one release only`);
    writeFileSync(path.join(dataOf(world), "repositories", name, "_manifests/tags/latest/current/link"), other);
}

/** Changes the text of a file in the repository; the change is undone when the case ends. */
const replacing =
    (file: string, from: string | RegExp, to: string) =>
    ({ repository }: Scene): void => {
        const text = repository.read(file);
        const changed = text.replace(from, to);
        expect(changed).not.toBe(text);
        repository.write(file, changed);
    };

/** Changes a setting of the stack; undone when the case ends. */
function configure({ repository }: Scene, key: string, value: unknown): void {
    const file = "Pulumi.local.yaml";
    const stack = parse(repository.read(file)) as { config: Record<string, unknown> };
    stack.config[`${repository.namespace}:${key}`] = value;
    repository.write(file, stringify(stack));
}

const buildForBoth = (scene: Scene): void => {
    configure(scene, "platforms", ["linux/amd64", "linux/arm64"]);
};

/** Sets the shortest time limits there are: a minute. */
const limitTimes = (scene: Scene): void => {
    configure(scene, "timeLimits", { build: 1, test: 1, promotion: 1 });
};

/** Runs an update with a folder mounted over a path of the repository or of the lab. */
const mounting =
    (
        mount: (scene: Scene) => { readonly at: string; readonly commands: readonly (readonly string[])[] },
        circumstances: (at: string) => Circumstances = () => ({}),
    ): Play =>
    async (scene) => {
        const { at, commands } = mount(scene);
        mkdirSync(at, { recursive: true });
        try {
            for (const args of commands) execFileSync("mount", [...args, at]);
            return await scene.run(["up"], circumstances(at));
        } finally {
            spawnSync("umount", ["--lazy", at]);
        }
    };

const update: Play = ({ run }) => run(["up"]);

export const cases: readonly Case[] = [
    ...registryKills,
    {
        name: "kill -9 of the engine in a build",
        change: stepThatAsks,
        play: strike("github", moment, "before", kill("engine")),
        code: killed,
    },
    ...githubKills,
    {
        name: "kill -9 of the language host in a build",
        change: stepThatAsks,
        play: strike("github", moment, "before", kill("language host")),
        code: killed,
    },
    {
        name: "kill -9 of the build provider at the push of a build",
        chosen: true,
        play: strike("registry", pushOf("b-"), "before", kill("build provider")),
        code: killed,
    },
    {
        name: "kill -9 of the GitHub provider at the change of a variable",
        on: "hub",
        play: strike("github", writes("variables"), "after", kill("GitHub provider")),
        code: killed,
    },
    {
        name: "kill -9 of buildkitd in a build",
        chosen: true,
        change: stepThatAsks,
        play: strike("github", moment, "before", killing("buildkitd")),
        code: failed,
    },
    {
        name: "kill -9 of the registry at the push of a build",
        play: strike("registry", pushOf("b-"), "before", killing("registry")),
        code: failed,
    },
    {
        name: "kill -9 of the stand-in for GitHub at the change of a variable",
        on: "hub",
        play: strike("github", writes("variables"), "before", killing("github")),
        code: failed,
    },
    {
        name: "kill -9 of everything at the push of a release",
        chosen: true,
        play: strike("registry", pushOf("r-"), "after", (scene, running) => {
            for (const server of ["registry", "buildkitd", "github"] as const) killServer(scene.world, server);
            kill("engine", "language host", "build provider")(scene, running);
        }),
        code: killed,
    },
    ...(["SIGINT", "SIGTERM"] as const).map((name) => ({
        name: `${name} in a build`,
        chosen: name === "SIGINT",
        change: stepThatAsks,
        play: strike("github", moment, "before", signalling(name)),
        code: [130],
        says: /interrupted|cancel/i,
    })),
    {
        name: "another `up` while one builds",
        chosen: true,
        change: stepThatAsks,
        play: async (scene) => {
            let second: Run | undefined;
            const first = await strike("github", moment, "meanwhile", async () => {
                second = await scene.run(["up"]);
            })(scene);
            expect(first.code, first.output).toBe(0);
            if (!second) throw new Error("there was no second update");
            return second;
        },
        code: failed,
        says: /is being updated: pid \d+ of this machine/,
    },
    { name: "a lock that a crash left empty", play: locked("") },
    { name: "a lock that a crash cut", play: locked('{"pid": 12') },
    {
        name: "a lock of a process that is gone",
        play: locked(
            JSON.stringify({ pid: 4_194_304, username: "a", hostname: "b", timestamp: "2026-01-01T00:00:00Z" }),
        ),
        code: failed,
        says: /currently locked by/,
    },
    {
        name: "the state is deleted",
        play: async ({ repository, run }) => {
            rmSync(repository.state);
            return await run(["up"]);
        },
    },
    {
        name: "the state is cut, and its copy from before is put back",
        play: async ({ repository, run }) => {
            const text = readFileSync(repository.state);
            cutInHalf(repository.state);
            const met = await run(["up"]);
            writeFileSync(repository.state, text);
            return met;
        },
        code: failed,
    },
    {
        name: "the state is older than the registry",
        play: async ({ repository, run }) => {
            const older = readFileSync(repository.state);
            const between = await run(["up"]);
            expect(between.code, between.output).toBe(0);
            writeFileSync(repository.state, older);
            return await run(["up"]);
        },
    },
    ...registryRefusals,
    {
        name: "the registry refuses the login before anything is built",
        play: reacting("registry", () => true, refusal(401, "UNAUTHORIZED", "authentication required", challenge)),
        code: failed,
        says: /next: docker login/,
    },
    {
        name: "the registry is slow",
        play: reacting("registry", () => true, { kind: "meanwhile", act: () => pause(100) }),
    },
    {
        name: "the registry only reads",
        play: reacting("registry", uploads, refusal(405, "UNSUPPORTED", "The operation is unsupported")),
        code: failed,
    },
    {
        name: "the registry's disk is full",
        chosen: true,
        play: reacting("registry", uploads, refusal(500, "UNKNOWN", "filesystem: write: no space left on device")),
        code: failed,
    },
    {
        name: "the registry closes the connection in the middle of an upload, once",
        play: strike("registry", uploads, "after", nothing),
        code: [0, ...failed],
    },
    {
        name: "the registry does not answer when `up --refresh` asks for layers",
        chosen: true,
        change: nothing,
        play: reacting(
            "registry",
            ({ method, subject }) => method === "GET" && subject.startsWith("blob "),
            { kind: "before", act: nothing },
            ["up", "--refresh"],
        ),
        code: failed,
        says: /is not built again[^]*same command again/,
    },
    {
        name: "the registry cuts every manifest that it sends",
        change: ({ repository, fresh }) => {
            repository.write("base.txt", `${fresh()}\n`);
        },
        play: reacting(
            "registry",
            ({ method, subject }) => method === "GET" && subject.startsWith("manifest sha256:"),
            {
                kind: "halve",
            },
        ),
        code: [0, ...failed],
    },
    {
        name: "the registry presents a certificate that nobody vouches for",
        chosen: true,
        play: async ({ world, run }) => {
            const text = (file: string) => readFileSync(file, "utf8");
            const other = await ensureCertificates(path.join(world.lab.paths.state, "other"));
            const own = await ensureCertificates(world.lab.paths.state);
            world.registry.present({ cert: text(other.certificate), key: text(other.key) });
            const met = await run(["up"]);
            world.registry.present({ cert: text(own.certificate), key: text(own.key) });
            return met;
        },
        code: failed,
        says: /next: make this machine and the builder trust/,
    },
    {
        name: "the manifest of a build is deleted",
        change: nothing,
        play: losing((scene) =>
            deleteManifest(scene.world.lab, `${scene.repository.namespace}/leaf`, leafDigest(scene)),
        ),
    },
    {
        name: "the index of a release, and with it every tag on it, is deleted",
        change: nothing,
        play: losing((scene) => {
            const digest = digestOf(String(resourceOf(scene, "leaf").outputs.ref)) ?? "";
            return deleteManifest(scene.world.lab, `${scene.repository.namespace}/leaf`, digest);
        }),
    },
    ...(["layer", "configuration"] as const).map((blob) => ({
        name: `a ${blob} of a build is lost`,
        chosen: blob === "layer",
        change: nothing,
        play: losing(async (scene) => {
            const { lab } = scene.world;
            const found = await manifest(lab, `${scene.repository.namespace}/leaf`, leafDigest(scene));
            removeBlob(lab, (blob === "layer" ? found?.layers?.at(-1) : found?.config)?.digest ?? "");
        }),
    })),
    {
        name: "a whole repository is deleted from the registry",
        change: nothing,
        losesOld: true,
        play: losing(({ world, repository }) => {
            rmSync(path.join(dataOf(world), "repositories", repository.namespace, "leaf"), { recursive: true });
        }),
    },
    {
        name: "`latest` is moved by somebody else: `status` names the command that moves it back",
        chosen: true,
        change: nothing,
        play: async (scene) => {
            moveLatest(scene);
            return await scene.run(["status"]);
        },
        code: [2],
        says: /layered-images up --replace/,
        recovery: "as told",
    },
    {
        name: "`latest` is moved by somebody else between the preview and the update",
        play: async (scene) => {
            expect((await scene.run(["preview"])).code).toBe(0);
            moveLatest(scene);
            return await scene.run(["up"]);
        },
    },
    {
        name: "an image is renamed, and gets its name back",
        change: replacing("images.ts", "/leaf:latest", "/renamed:latest"),
        play: update,
    },
    {
        name: "an image is removed, and comes back",
        change: replacing("images.ts", /\n {4}leaf: \{[^]*?\n {4}\},/, ""),
        play: update,
    },
    {
        name: "the images move to another registry, and back",
        change: ({ world, repository }) => {
            const text = repository.read("Pulumi.local.yaml");
            repository.write("Pulumi.local.yaml", text.replaceAll(world.registry.host, world.lab.instance.registry));
        },
        play: update,
    },
    {
        name: "a platform is added, and removed",
        change: buildForBoth,
        play: update,
    },
    {
        name: "a smoke test fails on one of two platforms",
        change: (scene) => {
            buildForBoth(scene);
            replacing("smoke/leaf.sh", "test -s /leaf.txt", 'test "$(uname -m)" = x86_64')(scene);
            scene.repository.write("leaf.txt", `${scene.fresh()}\n`);
        },
        play: update,
        code: failed,
        says: /left to do:[^]*leaf/,
    },
    {
        name: "a smoke test fails",
        change: (scene) => {
            replacing("smoke/leaf.sh", "test -s", "test ! -s")(scene);
            scene.repository.write("leaf.txt", `${scene.fresh()}\n`);
        },
        play: update,
        code: failed,
        says: /left to do:[^]*leaf/,
    },
    {
        name: "a smoke test hangs",
        change: (scene) => {
            limitTimes(scene);
            replacing("smoke/leaf.sh", "test -s /leaf.txt", "sleep 3600")(scene);
            scene.repository.write("leaf.txt", `${scene.fresh()}\n`);
        },
        play: update,
        code: failed,
    },
    ...Object.entries(registrySteps).map(([tag, step]) => ({
        name: `the registry never answers ${step}`,
        ...(tag !== "b-" && { lacking: "docker-build 0.0.22 does not end an Index whose push gets no answer" }),
        change: (scene: Scene) => {
            limitTimes(scene);
            scene.repository.write("leaf.txt", `${scene.fresh()}\n`);
        },
        play: reacting("registry", pushOf(tag), { kind: "hold" }),
        code: failed,
    })),
    {
        name: "a smoke test wants the network",
        chosen: true,
        change: (scene) => {
            const url = `http://127.0.0.1:${scene.world.github.port.toString()}/`;
            replacing(
                "smoke/leaf.sh",
                "test -s /leaf.txt",
                `python -c "from urllib.request import urlopen; urlopen('${url}')"`,
            )(scene);
            scene.repository.write("leaf.txt", `${scene.fresh()}\n`);
        },
        play: update,
        code: failed,
        says: /left to do:[^]*leaf/,
    },
    {
        name: "a step of a Dockerfile fails after it printed the secrets",
        chosen: true,
        change: (scene) => {
            const mounts = "--mount=type=secret,id=TOKEN --mount=type=secret,id=KEY";
            const step = `RUN ${mounts} cat /run/secrets/*; echo ${scene.fresh()}; false\n`;
            scene.repository.write("leaf.Dockerfile", `${scene.repository.read("leaf.Dockerfile")}${step}`);
        },
        play: update,
        code: failed,
        says: /left to do:[^]*leaf/,
    },
    {
        name: "the builder's store is lost",
        play: async ({ world, run }) => {
            await stopLab(world.lab.paths);
            const store = path.join(world.lab.paths.state, "buildkit", "root");
            unmountBelow(store);
            rmSync(store, { recursive: true });
            return await run(["up"]);
        },
    },
    {
        name: "the checkout can't be written",
        play: mounting(({ repository }) => ({
            at: repository.root,
            commands: [
                ["--bind", repository.root],
                ["--options", "remount,bind,ro"],
            ],
        })),
        code: [0, ...failed],
    },
    {
        name: "the temporary folder is full",
        play: mounting(
            ({ world }) => ({
                at: path.join(world.lab.paths.state, "full"),
                commands: [["--types", "tmpfs", "--options", "size=4k", "tmpfs"]],
            }),
            (at) => ({ env: { TMPDIR: at } }),
        ),
        code: [0, ...failed],
    },
    {
        name: "64 open files are all that a process may have",
        play: ({ run }) => run(["up"], { first: "ulimit -n 64" }),
        code: [0, ...failed],
    },
    {
        name: "HOME is not set, and the locale is C",
        play: ({ run }) => run(["up"], { first: "unset HOME", env: { LC_ALL: "C" } }),
    },
    ...githubRefusals,
];

/** Returns the commands that repair what a command met: for "as told" the `up` that it named. */
export function recoveryOf({ recovery = [["up"]] }: Case, { output }: Run): readonly (readonly string[])[] {
    if (recovery !== "as told") return recovery;
    const [, options = ""] = /layered-images up (--.*)$/m.exec(output) ?? [];
    // A shell splits what is shown to be copied.
    const { stdout } = spawnSync("sh", ["-c", `printf '%s\\n' up ${options}`], { encoding: "utf8" });
    expect(options, `no command is named:\n${output}`).not.toBe("");
    return [stdout.trimEnd().split("\n")];
}
