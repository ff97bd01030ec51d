import { expect, test } from "../tests/mocha";
import { trafficIn } from "./registryLog";

const digest = `sha256:${"ab".repeat(32)}`;
const line = (request: string, answer: string) =>
    `127.0.0.1 - - [27/Nov/2026:13:29:04 +0000] "${request} HTTP/2.0" ${answer} "" "buildkit/v0.31"`;

test.each<[string, string, { pulled: number; pushed: number }]>([
    ["a blob that was pulled", line(`GET /v2/a/blobs/${digest}`, "200 1234"), { pulled: 1234, pushed: 0 }],
    ["a part of one", line(`GET /v2/a/blobs/${digest}`, "206 34"), { pulled: 34, pushed: 0 }],
    ["a manifest", line("GET /v2/a/manifests/latest", "200 700"), { pulled: 700, pushed: 0 }],
    ["what the registry does not have", line("GET /v2/a/manifests/latest", "404 96"), { pulled: 0, pushed: 0 }],
    ["a question whether it has a blob", line(`HEAD /v2/a/blobs/${digest}`, "200 0"), { pulled: 0, pushed: 0 }],
    [
        "a blob that was pushed",
        line(`PUT /v2/a/blobs/uploads/f00?_state=x&digest=${encodeURIComponent(digest)}`, "201 0"),
        { pulled: 0, pushed: 50 },
    ],
    [
        "one that the registry refused",
        line(`PUT /v2/a/blobs/uploads/f00?digest=${digest}`, "400 10"),
        { pulled: 0, pushed: 0 },
    ],
    [
        "one that it took over from another repository",
        line(`POST /v2/a/blobs/uploads/?mount=${digest}&from=b`, "201 0"),
        { pulled: 0, pushed: 0 },
    ],
    ["another line of its log", 'time="2026" level=error msg="GET"', { pulled: 0, pushed: 0 }],
])("%s: pulled and pushed bytes are counted", (_name, log, traffic) => {
    const sizeOf = (one: string) => (one === digest ? 50 : NaN);
    expect(trafficIn(`${log}\n`, sizeOf)).toEqual(traffic);
});
