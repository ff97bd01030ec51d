import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { parse, stringify } from "yaml";
import type { Call, Reaction } from "../../interposer";
import { expect } from "../../mocha";
import {
    type Circumstances,
    type Program,
    type Repository,
    type RepositoryKind,
    type Run,
    type Running,
    type World,
    killPrograms,
    killServer,
} from "./world";

/* What a case is, and the plays that cases are made of: what is struck, when, and what the user runs meanwhile. */

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
export type Play = (scene: Scene) => Promise<Run>;

/** A fault, and what may follow from it. */
export interface Case {
    readonly name: string;
    /**
     * How `npm test` runs it, if it does: by itself, with the commands that bring everything back; or in a row, where the next fault strikes
     * before anything was brought back, which takes one update instead of three.
     */
    readonly chosen?: "by itself" | "in a row";
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

/** Changes nothing. */
export const nothing = () => undefined;

/** Which requests a play strikes at. */
export type Matches = (call: Call) => boolean;

/** Matches a push of a manifest whose tag begins so. */
export const pushOf =
    (tag: string): Matches =>
    ({ method, subject }) =>
        method === "PUT" && subject.startsWith(`manifest ${tag}`);

/** Matches the requests that write data to a registry. */
export const uploads: Matches = ({ method, subject }) => subject === "upload" && method !== "GET" && method !== "HEAD";

/** Matches changes on GitHub of a kind, by the part of the API's path. */
export const writes =
    (kind: "contents" | "secrets" | "variables"): Matches =>
    ({ method, path: where }) =>
        ["PUT", "POST", "PATCH"].includes(method) && where.includes(`/${kind}/`);

/** What a build step asks of the stand-in for GitHub, so that a test can act while the step runs. */
const momentPath = "/moment";
export const moment: Matches = ({ path: where }) => where.startsWith(momentPath);

/** Steps of an update in the registry. */
export const registrySteps = {
    "b-": "the push of a build",
    "r-": "the push of a release",
    latest: "the move of `latest`",
} as const;
/** Adds an instruction to the leaf's Dockerfile, made from the address at which `moment` matches and from a text that was never there. */
export const adding =
    (instruction: (url: string, fresh: string) => string) =>
    ({ world, repository, fresh }: Scene): void => {
        const added = instruction(`http://127.0.0.1:${world.github.port.toString()}${momentPath}`, fresh());
        repository.write("leaf.Dockerfile", `${repository.read("leaf.Dockerfile")}${added}\n`);
    };

/** A command in a step that asks for an address. */
export const asking = (url: string): string => `python -c "from urllib.request import urlopen; urlopen('${url}')"`;

/** Adds a step to the leaf's build that asks for `momentPath`. */
export const stepThatAsks = adding((url, fresh) => `RUN ${asking(url)} || echo ${fresh}`);

/** The servers that have a proxy before them. */
export type Service = "registry" | "github";
/** What a play does when a request comes, with the command that runs. */
export type Act = (scene: Scene, running: Running) => unknown;

/** Runs an update, and does something at the first request that matches. "before" and "after": the client gets no answer. */
export const strike =
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
export const reacting =
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

/** Kills programs of the command. */
export const kill =
    (...victims: readonly Program[]): Act =>
    (_, running) => {
        killPrograms(running, ...victims);
    };

/** Kills a server of the lab. */
export const killing =
    (server: Parameters<typeof killServer>[1]): Act =>
    ({ world }) => {
        killServer(world, server);
    };

/** Sends a signal to all processes of a command, as a terminal does. */
export const signalling =
    (name: NodeJS.Signals): Act =>
    (_, { pid }) => {
        process.kill(-pid, name);
    };

/** What a command may end with when a program of it was killed. */
export const killed = [1, 137, 143, 255];
/** What a command ends with that failed; plain `pulumi` ends with 255. */
export const failed = [1, 255];

/** Changes the text of a file in the repository; the change is undone when the case ends. */
export const replacing =
    (file: string, from: string | RegExp, to: string) =>
    ({ repository }: Scene): void => {
        const text = repository.read(file);
        const changed = text.replace(from, to);
        expect(changed).not.toBe(text);
        repository.write(file, changed);
    };

/** Changes a setting of the stack; undone when the case ends. */
export function configure({ repository }: Scene, key: string, value: unknown): void {
    const file = "Pulumi.local.yaml";
    const stack = parse(repository.read(file)) as { config: Record<string, unknown> };
    stack.config[`${repository.namespace}:${key}`] = value;
    repository.write(file, stringify(stack));
}

/** Has the stack build for both platforms. */
export const buildForBoth = (scene: Scene): void => {
    configure(scene, "platforms", ["linux/amd64", "linux/arm64"]);
};

/** Sets the shortest time limits there are: a minute. */
export const limitTimes = (scene: Scene): void => {
    configure(scene, "timeLimits", { build: 1, test: 1, promotion: 1 });
};

/** Runs an update with a folder mounted over a path of the repository or of the lab. */
export const mounting =
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

/** Runs an update. */
export const update: Play = ({ run }) => run(["up"]);

/** Returns the commands that repair what a command met: for "as told" the `up` that it named. */
export function recoveryOf({ recovery = [["up"]] }: Case, { output }: Run): readonly (readonly string[])[] {
    if (recovery !== "as told") return recovery;
    const [, options = ""] = /layered-images up (--.*)$/m.exec(output) ?? [];
    // A shell splits what is shown to be copied.
    const { stdout } = spawnSync("sh", ["-c", `printf '%s\\n' up ${options}`], { encoding: "utf8" });
    expect(options, `no command is named:\n${output}`).not.toBe("");
    return [stdout.trimEnd().split("\n")];
}
