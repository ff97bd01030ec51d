import { expect, test } from "../tests/mocha";
import { buildsIn, executedSteps } from "./builds";

const at = "2026-11-27T13:29:09Z";
const log = (...states: object[]) => states.map((vertex) => JSON.stringify({ vertexes: [vertex] })).join("\n");

test.each<[string, object[], string[]]>([
    ["an instruction that ran", [{ digest: "a", name: "[2/4] RUN true", completed: at }], ["a"]],
    ["one of a stage of a platform", [{ digest: "a", name: "[linux/amd64 ci 2/4] COPY a b", completed: at }], ["a"]],
    [
        "one that is told twice",
        [
            { digest: "a", name: "[2/4] RUN true" },
            { digest: "a", name: "[2/4] RUN true", completed: at },
            { digest: "a", name: "[2/4] RUN true", completed: at },
        ],
        ["a"],
    ],
    ["one that was cached", [{ digest: "a", name: "[2/4] RUN true", completed: at, cached: true }], []],
    [
        "one that was executed for one target and cached for another",
        [
            { digest: "a", name: "[2/4] RUN true", completed: at },
            { digest: "a", name: "[2/4] RUN true", completed: at, cached: true },
        ],
        ["a"],
    ],
    ["one that did not start", [{ digest: "a", name: "[2/4] RUN true" }], []],
    ["one that failed", [{ digest: "a", name: "[2/4] RUN false", completed: at, error: "exit code: 1" }], []],
    ["a root", [{ digest: "a", name: "[1/4] FROM docker.io/library/python", completed: at }], []],
    ["a transfer", [{ digest: "a", name: "[internal] load build context", completed: at }], []],
    ["an export", [{ digest: "a", name: "exporting to image", completed: at }], []],
])("%s: the executed steps are counted", (_name, states, steps) => {
    expect(executedSteps(`some line that is no JSON\n${log(...states)}\n{"statuses":[{}]}\n`)).toEqual(steps);
});

test("the builds in BuildKit's history are found", () => {
    expect(buildsIn('{"type":1,"record":{"Ref":"a"}}\n{"type":1,"record":{"Ref":"b","error":{}}}\n')).toEqual([
        "a",
        "b",
    ]);
});
