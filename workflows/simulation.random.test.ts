import fc from "fast-check";
import { before, describe } from "mocha";
import type { WorkflowText } from "../tests/github/workflowText";
import { modelOf, naive, ours } from "../tests/github/world";
import { expect, test } from "../tests/mocha";

const files = [
    "requirements/requirements-torch.txt",
    "requirements/requirements.txt",
    "requirements/requirements-dev.txt",
    "app/bot/client.py",
    "README.md",
];
const names = ["Build Base Docker Image", "Build CI Docker Image", "Deploy Discord Bot"];

let model: Awaited<ReturnType<typeof modelOf>>;
before(async () => {
    model = await modelOf();
});

describe("whatever people do, and in whatever order GitHub does it,", () => {
    const branch = fc.constantFrom("main", "main", "feature");
    const event = fc.oneof(
        fc.record({ push: fc.subarray(files, { minLength: 1 }), branch }),
        fc.record({ dispatch: fc.constantFrom(...names), branch }),
        fc.record({ moved: fc.nat(), ok: fc.boolean() }),
        fc.record({ moved: fc.nat(), ok: fc.constant(true) }),
    );
    const history = fc.tuple(fc.array(event, { maxLength: 30 }), fc.infiniteStream(fc.nat()));
    type History = typeof history extends fc.Arbitrary<infer T> ? T : never;
    const live = (workflows: readonly WorkflowText[], [events, rest]: History) => {
        const github = model(workflows);
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
    };

    test("main ends converged, unless the last run is red", () => {
        const property = fc.property(history, (one) => {
            const github = live(ours, one);
            expect(github.isConverged() || github.ended.at(-1)?.state === "failed").toBe(true);
        });
        fc.assert(property, { numRuns: 2000 });
    });

    test("nothing is promoted from another branch", () => {
        const property = fc.property(history, (one) => {
            expect(live(ours, one).ended.filter(({ commit }) => commit?.branch !== "main")).toEqual([]);
        });
        fc.assert(property, { numRuns: 500 });
    });

    test("which naive workflows do not live up to", () => {
        const property = fc.property(history, (one) => {
            const github = live(naive, one);
            expect(github.isConverged() || github.ended.at(-1)?.state === "failed").toBe(true);
        });
        expect(fc.check(property, { numRuns: 2000 }).failed).toBe(true);
    });
});
