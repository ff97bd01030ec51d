import path from "node:path";
import { after, before } from "mocha";
import { readHistory } from "../../lib/update/history";
import { type Seen, expectAnswer, expectSettled, notPullable, nothingSeen, remember } from "../faults/suite/oracle";
import {
    type Repository,
    type Run,
    type World,
    addRepository,
    configFile,
    killPrograms,
    killServer,
    start,
    startWorld,
} from "../faults/suite/world";
import type { Reaction } from "../interposer";
import { runIn } from "../lab";
import { expect, test } from "../mocha";
import { manifest } from "../registry";
import { exportState } from "../stack";
import { writeTree } from "../tree";
import { type Built, type Fault, type Model, apply, builtFrom, contentOf, filesOf, mustBuild, stepsOf } from "./model";

/*
 * Random hierarchies, changes and faults: after each step the update must have built what the model says, and nothing else, and the oracle
 * of the faults must hold. `npm run test:faults -- --fuzz --steps <count> --seed <number>` runs it.
 */

const seed = Number(process.env.LAYERED_IMAGES_FUZZ_SEED);
const count = Number(process.env.LAYERED_IMAGES_FUZZ_STEPS);

let world: World;
let repository: Repository;
/** Digests that the root is pinned to: "registry/repository@digest". */
let roots: readonly string[] = [];
let model: Model = { images: {}, pin: 0, next: 0 };
let built: Built = {};
const seen: Seen = nothingSeen();
/** Digest by content: a build is reproducible. */
const digests = new Map<string, string>();

/** Pushes a root image to the lab's registry, and returns "registry/repository@digest". */
async function pushRoot(tag: string): Promise<string> {
    const { lab } = world;
    const folder = path.join(lab.paths.state, `root-${tag}`);
    writeTree(folder, { Dockerfile: "FROM scratch\nCOPY tag /root\n", tag: `${tag}\n` });
    const name = `${lab.instance.registry}/roots/tiny`;
    const output = `type=image,name=${name}:${tag},push=true,oci-mediatypes=true`;
    const args = ["build", "--provenance=false", "--output", output, folder];
    const done = await runIn(lab, folder, "buildx", args);
    expect(done.code, done.output).toBe(0);
    return `${name}@${(await manifest(lab, "roots/tiny", tag))?.digest ?? ""}`;
}

/** Writes the repository that the model describes. */
function writeRepository(): void {
    const stack = configFile(world, "fuzz", {
        roots: { "tiny:1": roots[model.pin] },
        registryCache: "false",
    });
    writeTree(repository.root, { ...filesOf(model), ...stack });
}

const matchesPush = ({ method, subject }: { readonly method: string; readonly subject: string }) =>
    method === "PUT" && subject.startsWith("manifest ");

/** Runs an update that a fault may meet: a run with fewer pushes meets none. */
async function update(fault: Fault | undefined): Promise<Run> {
    const running = start(world, repository, ["up"]);
    if (fault) {
        const reactions: Readonly<Record<Fault["kind"], Reaction>> = {
            "kill the engine": {
                kind: "before",
                act: () => {
                    killPrograms(running, "engine");
                },
            },
            "kill buildkitd": {
                kind: "before",
                act: () => {
                    killServer(world, "buildkitd");
                },
            },
            "answer 500": {
                kind: "answer",
                status: 500,
                body: { errors: [{ code: "UNKNOWN", message: "unknown error" }] },
            },
            "cut the connection": { kind: "cut" },
        };
        let pushes = 0;
        world.registry.obey((call) =>
            matchesPush(call) && ++pushes === fault.push ? reactions[fault.kind] : undefined,
        );
    }
    const run = await running.ended;
    world.registry.obey(undefined);
    return run;
}

/** Returns the images that updates built since a time, sorted, each once. */
async function builtSince(time: string): Promise<string[]> {
    const records = (await readHistory("local", world.lab.env, repository.root)).filter(({ start: at }) => at > time);
    const names = records
        .flatMap(({ images }) => images)
        .filter(({ kind, operation, result }) => kind === "build" && operation !== "delete" && result === "succeeded")
        .map(({ image }) => image);
    return [...new Set(names)].sort();
}

/** Checks that equal contents have equal digests, and different contents different ones. */
async function expectReproducible(): Promise<void> {
    const state = await exportState(world.lab, repository.root);
    for (const key of Object.keys(model.images)) {
        const digest = String(state[`${key}-amd64`]?.outputs.digest);
        const content = contentOf(model, key);
        expect(digests.get(content) ?? digest, content).toBe(digest);
        digests.set(content, digest);
    }
    expect(new Set(digests.values()).size).toBe(digests.size);
}

before(async () => {
    world = await startWorld();
    repository = await addRepository(world, "fuzz", configFile(world, "fuzz"));
    roots = [await pushRoot("a"), await pushRoot("b")];
    // Between one and twelve images to begin with.
    const changes = Array.from({ length: 1 + (seed % 12) }, (_, index) => index);
    for (const index of changes) model = apply(model, { kind: "add", pick: seed + index * 7, other: 0 });
});
after(async () => {
    await world.close();
});

const steps = stepsOf(seed, count).map(({ changes, fault }, index) => {
    const words = changes.map(({ kind }) => kind).join(", ");
    const met = fault && index > 0 ? `; ${fault.kind} at push ${fault.push.toString()}` : "";
    return { name: `${(index + 1).toString()}: ${words}${met}`, changes, fault: index > 0 ? fault : undefined };
});

test.each(steps)("$name", async ({ changes, fault }) => {
    for (const change of changes) model = apply(model, change);
    writeRepository();
    const expected = mustBuild(model, built);
    const begun = new Date().toISOString();
    const met = await update(fault);
    remember(repository, seen);
    expectAnswer(met);
    if (!fault) expect(met.code, met.output).toBe(0);
    if (met.code !== 0) {
        const second = await update(undefined);
        expect(second.code, second.output).toBe(0);
        expectAnswer(second);
    }
    const done = await builtSince(begun);
    // What a killed engine had built may be missing in its log; nothing else may be built by any update.
    if (fault) expect(expected).toEqual(expect.arrayContaining(done));
    else expect(done).toEqual(expected);
    built = builtFrom(model);
    await expectReproducible();
    await expectSettled(world, repository, seen);
    console.log(`      ${Object.keys(model.images).length.toString()} images, built ${expected.length.toString()}`);
});

test("every digest that was good can still be pulled", async () => {
    expect(await notPullable(world, seen.good)).toEqual([]);
});
