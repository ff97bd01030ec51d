import type * as pulumi from "@pulumi/pulumi";
import { beforeEach, expect, test } from "vitest";
import { record } from "../tests/harness";
import { type MakeWay, refusalHook } from "./refusalHooks";

const post = "POST https://api.github.com/repos/us/bot/actions/variables:";
const exists = `${post} 409 Already exists - Variable already exists []`;
const failure = (...errors: string[]): pulumi.ErrorHookArgs => ({
    ...{ urn: "urn:v", id: "", name: "v", type: "t", failedOperation: "create", errors },
    newInputs: { variableName: "V" },
});
const hook = (makeWay?: MakeWay) => {
    const [advise] = refusalHook("repository", "a variable", makeWay).onError ?? [];
    return (...errors: string[]) => advise?.callback(failure(...errors));
};
// The hooks tell in the log, which is the engine's.
beforeEach(() => record(() => undefined));

test("what is there already is removed and made again, once", async () => {
    const removed: unknown[] = [];
    const answer = hook((inputs) => {
        removed.push(inputs);
        return Promise.resolve();
    });
    expect(await answer(exists)).toBe(true);
    expect(removed).toEqual([{ variableName: "V" }]);
    expect(await answer(exists, exists)).toBe(false);
    expect(removed).toHaveLength(1);
});

test("nothing is removed for another refusal, or where it can't be", async () => {
    const answer = hook(() => Promise.reject(new Error("this token may not")));
    expect(await answer(`${post} 403 Resource not accessible []`, exists)).toBe(false);
    expect(await answer(exists)).toBe(false);
    expect(await hook()(exists)).toBe(false);
});
