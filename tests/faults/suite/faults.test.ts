import { randomInt } from "node:crypto";
import path from "node:path";
import { type Context, after, afterEach, before, describe } from "mocha";
import { runIn } from "../../lab";
import { expect, test } from "../../mocha";
import { mark } from "../../canaries";
import { isThorough } from "../../thorough";
import { cases } from "./cases";
import {
    type Seen,
    current,
    expectAnswer,
    expectSettled,
    expectTested,
    notPullable,
    nothingSeen,
    remember,
} from "./oracle";
import { type Case, type Scene, recoveryOf } from "./plays";
import { type Row, writeReliability } from "./reliability";
import {
    type FaultyRepository,
    type Repository,
    type RepositoryKind,
    type Run,
    type World,
    addFaultyRepository,
    start,
    startWorld,
} from "./world";

/*
 * What fails, and that nothing good is lost by it: each case runs against the oracle (oracle.ts), and ends in the state in which the next
 * begins. `npm run test:faults` and `npm run test:all` run all of them, and write docs/reliability.md. `npm test` runs a quarter: a few as they
 * are, the others one upon the other.
 */

const possible = cases.filter(({ lacking }) => lacking === undefined);

let world: World;
const repositories = new Map<RepositoryKind, FaultyRepository>();
const seen: Seen = nothingSeen();
const rows: Row[] = [];
let changes = randomInt(1_000_000);

const sceneOf = (repository: Repository): Scene => ({
    world,
    repository,
    start: (args, circumstances) => start(world, repository, args, circumstances),
    run: (args, circumstances) => start(world, repository, args, circumstances).ended,
    fresh: () => `change ${(++changes).toString()}`,
});

/** Runs commands one after the other. The last one must succeed; each must answer as a command may. */
async function recover(scene: Scene, commands: readonly (readonly string[])[]): Promise<Run[]> {
    const runs: Run[] = [];
    for (const command of commands) {
        const run = await scene.run(command);
        expectAnswer(run);
        remember(scene.repository, seen);
        runs.push(run);
    }
    const last = runs.at(-1);
    expect(last?.code, last?.output).toBe(0);
    return runs;
}

/** Returns the repository of a kind, whose images have two releases: what goes back needs a former one. */
async function repositoryOf(kind: RepositoryKind): Promise<FaultyRepository> {
    const known = repositories.get(kind);
    if (known) return known;
    const repository = await addFaultyRepository(world, kind);
    const scene = sceneOf(repository);
    await recover(scene, [["up"]]);
    for (const file of ["base.txt", "leaf.txt"]) repository.write(file, `${scene.fresh()}\n`);
    await recover(scene, [["up"]]);
    await expectSettled(world, repository, seen);
    repositories.set(kind, repository);
    return repository;
}

before(async () => {
    world = await startWorld();
});
after(async () => {
    await world.close();
    // What failed must not be in the document, and is better not left out in silence.
    if (rows.length < possible.length) return;
    const notRun = cases.filter(({ lacking }) => lacking !== undefined);
    writeReliability(rows, notRun, path.dirname(world.lab.paths.state));
});

/** Ends the fault of a case that failed, as well as one can without knowing it, so that the next case is not judged by it. */
afterEach(async function (this: Context) {
    if (this.currentTest?.state !== "failed") return;
    // The other cases take a while, and mocha shows failures at the end.
    console.error(this.currentTest.err?.message.slice(-3000));
    world.registry.obey(undefined);
    world.github.obey(undefined);
    for (const repository of repositories.values()) {
        repository.restore();
        await sceneOf(repository).run(["up", "--refresh"]);
        remember(repository, seen);
    }
});

/** Lets a fault happen, checks what the command that meets it says and leaves, and takes the fault back. */
async function meet({ on = "plain", change, play, code = [0], says }: Case): Promise<Run> {
    const repository = await repositoryOf(on);
    const scene = sceneOf(repository);
    if (change) await change(scene);
    else repository.write("leaf.txt", `${scene.fresh()}\n`);
    const met = await play(scene);
    remember(repository, seen);
    expect(code, met.output).toContain(met.code);
    expectAnswer(met, says);
    expectTested(world, repository, seen);
    return met;
}

/** Checks a fault, and that everything is well after the commands that bring it back. */
async function check(one: Case): Promise<void> {
    const { name, on = "plain", losesOld = false } = one;
    const repository = await repositoryOf(on);
    const scene = sceneOf(repository);
    const begun = Date.now();
    const met = await meet(one);
    const commands = recoveryOf(one, met);
    expect(commands.length).toBeLessThanOrEqual(2);
    repository.restore();
    await recover(scene, commands);
    await expectSettled(world, repository, seen);
    if (losesOld) {
        const lost = await notPullable(world, seen.good);
        const deployed = current(repository);
        for (const ref of lost.filter((ref) => !deployed.includes(ref))) seen.good.delete(ref);
    }
    const seconds = (Date.now() - begun) / 1000;
    rows.push({ name, met, recovery: commands, seconds });
    console.log(`      ${seconds.toFixed(0)} s, ended with ${met.code.toString()}`);
}

const inARow = isThorough ? [] : possible.filter(({ chosen }) => chosen === "in a row");

for (const one of possible)
    if (!inARow.includes(one)) (one.chosen === "by itself" ? test : test.thorough)(one.name, () => check(one));

if (inARow.length > 0)
    describe("upon those before it, of which nothing was brought back:", () => {
        for (const one of inARow)
            test(one.name, async () => {
                await meet(one);
                (await repositoryOf(one.on ?? "plain")).restore();
            });

        test("all is well after one update", async () => {
            for (const kind of new Set(inARow.map(({ on = "plain" }) => on))) {
                const repository = await repositoryOf(kind);
                await recover(sceneOf(repository), [["up"]]);
                await expectSettled(world, repository, seen);
            }
        });
    });

test("every digest that was good can still be pulled, and no file that is kept contains a secret", async () => {
    // Each has two images, with a build and a release.
    expect(seen.good.size).toBeGreaterThanOrEqual(4 * repositories.size);
    expect(await notPullable(world, seen.good)).toEqual([]);
    // The history of the builder holds what steps print; only its user reads it.
    const kept = ["--exclude-dir=buildkit", "--exclude-dir=node_modules"];
    const found = await runIn(world.lab, world.lab.paths.state, "grep", ["-rlE", ...kept, mark, world.lab.paths.state]);
    expect(found.stdout).toBe("");
});
