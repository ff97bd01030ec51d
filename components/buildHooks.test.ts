import type * as pulumi from "@pulumi/pulumi";
import { beforeEach, expect, test } from "vitest";
import { record } from "../tests/harness";
import { buildHooks } from "./buildHooks";

const met =
    "failed to solve: failed to push reg.test/us/bot:b-1-amd64: errors:\nunknown: blob unknown to registry - sha256:2c";
const failure = (name: string, error: string): pulumi.ErrorHookArgs => ({
    ...{ urn: `urn:${name}`, id: "", name, type: "t", failedOperation: "create", errors: [error] },
});
const hook = () => {
    const [advise] = buildHooks({ key: "bot", repository: "reg.test/us/bot", roots: [] }).onError ?? [];
    return (name: string, error: string) => advise?.callback(failure(name, error));
};
// The hooks tell in the log, which is the engine's.
beforeEach(() => record(() => undefined));

test("a push that met another one is done again twice at most, for each platform by itself", async () => {
    const answer = hook();
    expect([await answer("bot-amd64", met), await answer("bot-amd64", met)]).toEqual([true, true]);
    expect(await answer("bot-amd64", met)).toBe(false);
    expect(await answer("bot-arm64", met)).toBe(true);
});

test("a build that failed for anything else is not done again", async () => {
    expect(await hook()("bot-amd64", "failed to push reg.test/us/bot:b-1: 401 Unauthorized")).toBe(false);
    expect(await hook()("bot-amd64", "failed to solve: process did not complete: exit code: 1")).toBe(false);
});
