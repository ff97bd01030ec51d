import { beforeEach, describe } from "mocha";
import { startTestStandIn } from "../lab/github/testing";
import { markName } from "../lib/engine/locks";
import type { Engine } from "../lib/engine/pulumi";
import { expect, onTestFinished, spyOn, test } from "../tests/mocha";
import { removeEndedLocks } from "./locks";

const taken = "2026-05-01T10:00:00Z";
const mark = {
    ...{ repository: "acme/tool", run: "12", attempt: "1", runner: "GitHub Actions 7", host: "runnervm1" },
    since: Date.parse("2026-05-01T09:59:00Z"),
};
const lockOf = (host: string) => `  s3://state/5f.json: created by runner@${host} (pid 2211) at ${taken}\n`;

let said: string[];
beforeEach(() => {
    said = [];
    spyOn(console, "error").mockImplementation((line) => void said.push(String(line)));
});

describe("a lock that stops an update in GitHub Actions", () => {
    const jobs = (completedAt?: string, runner = "GitHub Actions 7") => [
        { name: "Up", runner, startedAt: "2026-05-01T09:58:00Z", ...(completedAt !== undefined && { completedAt }) },
    ];
    const ended = jobs("2026-05-01T10:20:00Z");
    test.each<[string, object[] | undefined, string, NodeJS.ProcessEnv, boolean, RegExp]>([
        [
            "is removed after its job ended",
            ended,
            lockOf("runnervm1"),
            {},
            true,
            /removing the lock .*: run 12 of acme\/tool/,
        ],
        ["stays while its job runs", jobs(), lockOf("runnervm1"), {}, false, /run 12 .* has not ended/],
        [
            "stays while another job of its run has ended",
            jobs("2026-05-01T10:20:00Z", "GitHub Actions 8"),
            lockOf("runnervm1"),
            {},
            false,
            /has not ended, as far as GitHub says/,
        ],
        [
            "stays if the job had ended before",
            jobs("2026-05-01T09:59:30Z"),
            lockOf("runnervm1"),
            {},
            false,
            /had ended before/,
        ],
        ["stays if GitHub does not know its run", undefined, lockOf("runnervm1"), {}, false, /has not ended/],
        [
            "stays if GitHub can't be asked",
            ended,
            lockOf("runnervm1"),
            { WORKFLOW_TOKEN: "wrong" },
            false,
            /GitHub does not know this token/,
        ],
        [
            "stays if it is of a laptop",
            ended,
            lockOf("laptop"),
            {},
            false,
            /lock of runner@laptop, .* stays: no job of this repository took it/,
        ],
        [
            "stays with all others if one is of a laptop",
            ended,
            lockOf("runnervm1") + lockOf("laptop"),
            {},
            false,
            /no job of this repository took it/,
        ],
        [
            "stays if it is of a job of another repository",
            ended,
            lockOf("runnervm1"),
            { GITHUB_REPOSITORY: "acme/other" },
            false,
            /no job of this repository took it/,
        ],
        ["is none in another failure", ended, "error: update failed", {}, false, /^$/],
        ["stays outside of GitHub Actions", ended, lockOf("runnervm1"), { GITHUB_ACTIONS: undefined }, false, /^$/],
    ])("%s", async (_, inRun, output, more, isRemoved, line) => {
        const github = await startTestStandIn();
        onTestFinished(() => github.remove());
        await github.control("PUT", "tokens/job", { login: "job", permissions: { actions: "read" } });
        if (inRun) await github.control("PUT", "repositories/acme/tool/runs/12/1", { jobs: inRun });
        const ran: string[] = [];
        const repository = { GITHUB_ACTIONS: "true", GITHUB_REPOSITORY: "acme/tool" };
        const env = { ...repository, WORKFLOW_TOKEN: "job", GITHUB_BASE_URL: `${github.url}/`, ...more };
        const pulumi: Engine["pulumi"] = (args) => {
            ran.push(args.filter((arg) => !arg.startsWith("--")).join(" "));
            const stdout = JSON.stringify({ [markName(mark)]: JSON.stringify(mark) });
            return Promise.resolve({ stdout, stderr: "", failure: undefined });
        };
        expect(
            await removeEndedLocks({ stack: "ci", isLab: false, isCi: true, namesBuilder: false, env, pulumi }, output),
        ).toBe(isRemoved);
        expect(said.join("\n")).toMatch(line);
        expect(ran.filter((command) => command !== "stack tag ls")).toEqual(
            isRemoved ? ["cancel", `stack tag rm ${markName(mark)}`] : [],
        );
    });
});
