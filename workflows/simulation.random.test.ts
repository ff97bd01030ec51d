import fc from "fast-check";
import { before, describe } from "mocha";
import type { Model } from "../tests/github/model";
import { type World, modelOf, naive, ours, plain, theirs } from "../tests/github/world";
import { expect, test } from "../tests/mocha";

/** What people and GitHub do: events, moves of jobs between them, and the order of the moves that are left at the end. */
function historiesOf({ images, definitions }: World) {
    const inputs = Object.values(images).flatMap(({ dockerfile, inputs }) => [dockerfile, ...inputs]);
    const files = [...new Set([...inputs, "README.md"])];
    const names = (definitions.workflows?.up ?? [{ name: "Images" }]).map(({ name }) => name);
    const branch = fc.constantFrom("main", "main", "feature");
    const event = fc.oneof(
        fc.record({ push: fc.subarray(files, { minLength: 1, maxLength: 5 }), branch }),
        fc.record({ dispatch: fc.constantFrom(...names), branch }),
        fc.record({ moved: fc.nat(), ok: fc.boolean() }),
        fc.record({ moved: fc.nat(), ok: fc.constant(true) }),
    );
    return fc.tuple(fc.array(event, { maxLength: 30 }), fc.infiniteStream(fc.nat()));
}
type History = ReturnType<typeof historiesOf> extends fc.Arbitrary<infer T> ? T : never;

function live(github: Model, [events, rest]: History): Model {
    const move = (number: number, ok: boolean) => {
        const jobs = github.movable();
        const job = jobs[number % jobs.length];
        if (job) github.move(job, ok);
    };
    for (const one of events) {
        if ("moved" in one) move(one.moved, one.ok);
        else github.happen(one);
    }
    while (github.movable().length > 0) move(Number(rest.next().value), true);
    return github;
}

const isConverged = (github: Model) => github.isConverged() || github.ended.at(-1)?.state === "failed";

const worlds: readonly (readonly [string, World])[] = [
    ["this repository", ours],
    ["a repository with other images and workflows", theirs],
    ["a repository without a workflows.ts", plain],
];
for (const [which, world] of worlds) {
    describe(`whatever people do in ${which}, and in whatever order GitHub does it,`, () => {
        let model: Awaited<ReturnType<typeof modelOf>>;
        before(async () => {
            model = await modelOf(world.images);
        });

        test("main ends converged, unless the last run is red", () => {
            const property = fc.property(historiesOf(world), (history) => {
                expect(isConverged(live(model(world.workflows), history))).toBe(true);
            });
            fc.assert(property, { numRuns: 2000 });
        });

        test("no run is red but one that failed itself", () => {
            const property = fc.property(historiesOf(world), (history) => {
                const { runs } = live(model(world.workflows), history);
                const red = runs.filter(({ conclusion }) => conclusion === "failure" || conclusion === "cancelled");
                expect(red.filter(({ jobs }) => jobs.every(({ state }) => state !== "failed"))).toEqual([]);
            });
            fc.assert(property, { numRuns: 500 });
        });

        test("nothing is promoted from another branch", () => {
            const property = fc.property(historiesOf(world), (history) => {
                const { ended } = live(model(world.workflows), history);
                expect(ended.filter(({ commit }) => commit?.branch !== "main")).toEqual([]);
            });
            fc.assert(property, { numRuns: 500 });
        });
    });
}

test("naive workflows do not live up to that", async () => {
    const model = await modelOf();
    const property = fc.property(historiesOf(ours), (history) => isConverged(live(model(naive), history)));
    expect(fc.check(property, { numRuns: 2000 }).failed).toBe(true);
});
