import { chmodSync } from "node:fs";
import path from "node:path";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { tree } from "../../tests/tree";
import { cancelAdvice } from "./locks";
import {
    backendUrl,
    completeOperation,
    engineOn,
    engineAdvice,
    engineError,
    preview,
    previewErrors,
    readStackFile,
} from "./pulumi";

test.each([
    ["error: get stack secrets manager: incorrect passphrase", /PULUMI_CONFIG_PASSPHRASE/],
    [
        "error: getting secrets manager: passphrase must be set with PULUMI_CONFIG_PASSPHRASE",
        /PULUMI_CONFIG_PASSPHRASE/,
    ],
    ["error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions", /pulumi login/],
    ["error: the stack is currently locked by 1 lock(s)", /docs\/operations\.md/],
    ["error: could not find plugin docker-build", /pulumi plugin install/],
])("after %j the next step is said", (said, next) => {
    expect(engineAdvice(said)).toMatch(next);
});

test("an error about a lock keeps who holds it, and leaves out the command that would take it from them", () => {
    const lock = "  s3://state/.pulumi/locks/1.json: created by me@laptop (pid 12) at 2026-05-01T10:00:00Z";
    const stderr = `error: the stack is currently locked by 1 lock(s).${cancelAdvice}\n${lock}\n`;
    const { message } = engineError("the refresh failed", { failure: "exit code 1", stdout: "", stderr });
    expect(message).toContain(`locked by 1 lock(s).\n${lock}`);
    expect(message).toContain("next: wait for the update that runs");
    expect(message).not.toContain("pulumi cancel");
});

test("an error of the program speaks for itself", () => {
    expect(engineAdvice("error: image base: FROM names ghcr.io/us/nobody:latest, which no image has")).toBeUndefined();
});

describe("of a preview that failed", () => {
    const steps = [{ op: "update", newState: { inputs: { buildArgs: { ACCESS: "hunter2" } } } }];
    const printed = (...diagnostics: [severity: string, message: string][]) =>
        JSON.stringify(
            { steps, diagnostics: diagnostics.map(([severity, message]) => ({ severity, message })) },
            null,
            4,
        );

    test.each<[string, string, string]>([
        [
            "the errors are said",
            printed(["info#err", "at index.ts"], ["error", "error: no\n"], ["error", "two"]),
            "error: no\ntwo",
        ],
        [
            "without one, what the program printed",
            printed(["info", "a"], ["info#err", "TypeError: x\n"]),
            "TypeError: x",
        ],
        ["words instead of JSON are said", "error: no stack\n", "error: no stack"],
        [
            "warnings after the errors, which they may explain",
            printed(["warning", "not reached"], ["error", "error: no"]),
            "error: no\nwarning: not reached",
        ],
        ["nothing else of its JSON", printed(["warning", "w"]), ""],
        ["nothing of JSON without diagnostics", JSON.stringify({ steps }), ""],
        ["nothing of JSON that was cut off", printed(["error", "e"]).slice(0, -20), ""],
    ])("%s", (_title, stdout, said) => {
        expect(previewErrors(stdout)).toBe(said);
    });
});

/** An environment in which `pulumi` is this script. */
function saying(script: string): NodeJS.ProcessEnv {
    const folder = tree({ pulumi: `#!/bin/sh\n${script}\n` });
    chmodSync(path.join(folder, "pulumi"), 0o755);
    return { ...process.env, PATH: `${folder}:${process.env.PATH ?? ""}`, PULUMI_BACKEND_URL: "" };
}

test("where states are is what the environment says, else what `pulumi login` left", async () => {
    const env = saying(`printf '{\\n  "user": "root",\\n  "url": "file://~"\\n}\\n'`);
    expect(await backendUrl(env)).toBe("file://~");
    expect(await backendUrl({ ...env, PULUMI_BACKEND_URL: "s3://bucket" })).toBe("s3://bucket");
    expect(await backendUrl(saying("exit 1"))).toBeUndefined();
});

test("a preview that fails is told by its errors, then its warnings: they can say what could not be asked", async () => {
    const diagnostics = [
        { severity: "warning", message: "GitHub can't be asked: it answered 502\n" },
        { severity: "info", message: "an info" },
        { severity: "error", message: "failed to lookup organization\n" },
    ];
    const stdout = JSON.stringify({ steps: [], diagnostics });
    const pulumi = () => Promise.resolve({ failure: "exit code 1", stdout, stderr: "" });
    await expect(
        preview({ stack: "ci", isLab: false, isCi: true, namesBuilder: false, env: {}, pulumi }),
    ).rejects.toThrow(
        "the preview failed: pulumi ended with exit code 1:\n" +
            "failed to lookup organization\nwarning: GitHub can't be asked: it answered 502",
    );
});

test("Pulumi gets DOCKER_HOST only where its provider needs that to find an engine", async () => {
    const programs = saying('printf "%s %s" "$DOCKER_HOST" "$LAYERED_IMAGES_DOCKER_HOST"');
    const env = { ...programs, DOCKER_HOST: "tcp://here:2375", LAYERED_IMAGES_DOCKER_HOST: undefined };
    const said = async (namesBuilder: boolean) =>
        (await engineOn({ stack: "ci", isLab: false, isCi: true, namesBuilder, env }).pulumi(["preview"])).stdout;
    expect(await said(false)).toBe("tcp://here:2375 ");
    expect(await said(true)).toBe(" tcp://here:2375");
});

const deployment = (latest: unknown) => {
    const text = JSON.stringify({ version: 3, checkpoint: { stack: "local", latest } });
    return readStackFile(path.join(tree({ "local.json": text }), "local.json"));
};

test("what the lab's stack has deployed is read from its file, and is nothing before the first `up`", () => {
    const resource = { urn: "urn:pulumi:local::layered-images::t::n", type: "t", inputs: { a: 1 }, outputs: {} };
    expect(deployment({ resources: [resource] }).resources).toEqual([resource]);
    expect(deployment(undefined)).toEqual({ resources: [], pending: [] });
});

test("an `up` goes on past failures and leaves out GitHub where it has no token; a refresh is run as it is", () => {
    const [args, env] = [["--diff"], { GITHUB_TOKEN: "token" }];
    const without = completeOperation("up", { args, env: {} });
    expect(without.args.filter((one) => !one.includes("*"))).toEqual([
        "--continue-on-error",
        "--exclude",
        "--exclude",
        "--diff",
    ]);
    expect(Object.values(without.env)).toEqual(["true"]);
    const { args: complete, env: told } = completeOperation("up", { args, env });
    expect(complete).toEqual(["--continue-on-error", "--diff"]);
    expect(Object.keys(told)).toEqual(["GITHUB_TOKEN", "LAYERED_IMAGES_GOES_ON"]);
    expect(completeOperation("preview", { args, env })).toEqual({ args, env });
    expect(completeOperation("refresh", { args, env: {} })).toEqual({ args, env: {} });
});
