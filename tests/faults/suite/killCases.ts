import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { expect } from "../../mocha";
import { cutInHalf } from "../../tree";
import {
    type Case,
    type Play,
    failed,
    kill,
    killed,
    killing,
    moment,
    pushOf,
    registrySteps,
    signalling,
    stepThatAsks,
    strike,
} from "./plays";
import { type Run, killServer } from "./world";

const registryKills = Object.entries(registrySteps).flatMap(([tag, step]) =>
    (["before", "after"] as const).map((when): Case => ({
        name: `kill -9 of the engine ${when} ${step}`,
        // Before one step is soon after the one before.
        ...((when === "after" || tag === "b-") && { chosen: "in a row" }),
        play: strike("registry", pushOf(tag), when, kill("engine")),
        code: killed,
    })),
);

/** A pid above the kernel's limit, which no process has. */
const gone = 2 ** 22 + 2;

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

/** Programs and servers that are killed, and what a killed or interrupted update leaves. */
export const killCases: readonly Case[] = [
    ...registryKills,
    {
        name: "kill -9 of the engine in a build",
        chosen: "by itself",
        change: stepThatAsks,
        play: strike("github", moment, "before", kill("engine")),
        code: killed,
    },
    {
        name: "kill -9 of the language host in a build",
        chosen: "in a row",
        change: stepThatAsks,
        play: strike("github", moment, "before", kill("language host")),
        code: killed,
    },
    {
        name: "kill -9 of the build provider at the push of a build",
        chosen: "in a row",
        play: strike("registry", pushOf("b-"), "before", kill("build provider")),
        code: killed,
    },
    {
        name: "kill -9 of buildkitd in a build",
        chosen: "in a row",
        change: stepThatAsks,
        play: strike("github", moment, "before", killing("buildkitd")),
        code: failed,
    },
    {
        name: "kill -9 of the registry at the push of a build",
        chosen: "in a row",
        play: strike("registry", pushOf("b-"), "before", killing("registry")),
        code: failed,
    },
    {
        name: "kill -9 of everything at the push of a release",
        chosen: "by itself",
        play: strike("registry", pushOf("r-"), "after", (scene, running) => {
            for (const server of ["registry", "buildkitd", "github"] as const) killServer(scene.world, server);
            kill("engine", "language host", "build provider")(scene, running);
        }),
        code: killed,
    },
    ...(["SIGINT", "SIGTERM"] as const).map((name): Case => ({
        name: `${name} in a build`,
        ...(name === "SIGINT" && { chosen: "in a row" }),
        change: stepThatAsks,
        play: strike("github", moment, "before", signalling(name)),
        code: [130],
        says: /interrupted|cancel/i,
    })),
    {
        name: "another `up` while one builds",
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
        chosen: "by itself",
        play: locked(
            JSON.stringify({ pid: gone, username: "a", hostname: hostname(), timestamp: "2026-01-01T00:00:00Z" }),
        ),
        says: /removed the lock of a pulumi that was killed/,
    },
    {
        name: "a lock of another machine, which is removed there",
        play: locked(JSON.stringify({ pid: gone, username: "a", hostname: "b", timestamp: "2026-01-01T00:00:00Z" })),
        code: failed,
        says: /is being updated: pid \d+ of b, since 2026[^]*next: wait until that has ended/,
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
        chosen: "by itself",
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
];
