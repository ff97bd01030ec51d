import fc from "fast-check";
import { after, before } from "mocha";
import { expect, test } from "../mocha";
import { type Oracle, runs, startOracle } from "./oracle";
import { type Case, answersTo, cases } from "./reads";

let oracle: Oracle;

before(async () => {
    oracle = await startOracle();
});

after(() => {
    oracle.stop();
});

async function compare(one: Case): Promise<void> {
    const { ours, theirs } = (await answersTo(one, oracle)) ?? {};
    // Both refuse the case; only the messages differ.
    if (typeof ours === "string" && typeof theirs === "string") return;
    expect(ours).toEqual(theirs);
}

test("a Dockerfile reads what BuildKit's steps read, and is refused where BuildKit refuses it", async () => {
    await fc.assert(fc.asyncProperty(cases, compare), runs(3000));
});
