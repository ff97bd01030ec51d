import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { isPassing, isTransient, nextAfter, nextAfterStep, nextAfterTagging, refusesPushes } from "./failures";

describe("a registry's answer to a question", () => {
    test.each([
        [
            "failed to do request: tls: failed to verify certificate: x509: certificate signed by unknown authority",
            /SSL_CERT_FILE/,
        ],
        [
            "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-01-02T00:00:00Z is after 2026-01-01T00:00:00Z",
            /^renew the certificate of reg.test:5000; .*clock/,
        ],
        ["unexpected status from HEAD request: 401 Unauthorized", /^docker login reg.test:5000$/],
        ["dial tcp 127.0.0.1:5000: connect: connection refused", /check that reg.test:5000 runs/],
        ["dial tcp: lookup reg.test: no such host", /another registry: pulumi config set registry <host>$/],
        [
            "http: server gave HTTP response to HTTPS client",
            /^reg.test:5000 has no TLS.*\n.*\n +openssl req .*\n +docker run/,
        ],
        ["no answer in 30 seconds", /another registry: pulumi config set registry <host>$/],
    ])("that means that a push is refused too: %s", (reason, next) => {
        expect(refusesPushes(reason, "reg.test:5000")).toMatch(next);
    });

    test.each([
        "403 Forbidden",
        "denied: requested access to the resource is denied",
        "neither buildx nor docker is on PATH",
    ])("that says nothing about a push: %s", (reason) => {
        expect(refusesPushes(reason, "reg.test:5000")).toBeUndefined();
    });
});

test("a tag that could not be moved has the next step of its registry, wherever the report names it", () => {
    const refused = "creating: copy sha256:1 from a to quay.io/us/b: failed to authorize: 401 Unauthorized";
    expect(nextAfterTagging([refused], "quay.io")).toBe("docker login quay.io");
    expect(nextAfterTagging(["creating: sha256:1: not found"], "quay.io")).toBeUndefined();
});

describe("a tag that a registry refused", () => {
    const put = (status: string) =>
        `creating: publish sha256:1 to reg.test/us/bot:latest: failed commit on ref "index-sha256:1": unexpected status from PUT request to https://reg.test/v2/us/bot/manifests/latest: ${status}`;
    const read = (status: string) =>
        `reading: fetching {"reg" "reg.test/us/bot:r-1"}: failed to request manifest head reg.test/us/bot:r-1: request failed: unexpected http status code: ${status}: `;
    const later = /run the same command again$/;
    test.each([
        [put("500 Internal Server Error"), later],
        [put("500 Internal Server Error\nunknown: unknown error"), later],
        [put("502 Bad Gateway"), later],
        [put("503 Service Unavailable"), later],
        [put("504 Gateway Timeout"), later],
        [put("524 A Timeout Occurred"), later],
        [put("429 Too Many Requests\ntoomanyrequests: too many requests"), /limits how often.*docker login reg\.test/],
        [read("Internal Server Error [http 500]"), later],
        [read("Too Many Requests [http 429]"), /limits how often/],
        ['creating: Put "https://reg.test/v2/us/bot/manifests/latest": EOF', /the connection to reg\.test broke/],
        [
            "creating: read tcp 10.0.0.1:1->10.0.0.2:443: read: connection reset by peer",
            /the connection to reg\.test broke/,
        ],
        [put("400 Bad Request\nmanifest blob unknown: blob unknown to registry"), undefined],
    ])("for a reason that may pass may be moved again: %s", (error, next) => {
        expect(isPassing([error])).toBe(true);
        if (next !== undefined) expect(nextAfterTagging([error], "reg.test")).toMatch(next);
    });

    test.each([
        [put("401 Unauthorized"), /^docker login reg\.test$/],
        [read("Unauthorized [http 401]"), /^docker login reg\.test$/],
        [put("403 Forbidden\ndenied: permission_denied: write_package"), /write:packages/],
        [put("405 Method Not Allowed\nunsupported: The operation is unsupported."), /accepts no pushes here/],
        [put("507 Insufficient Storage"), /free disk space in reg\.test/],
        [
            put("500 Internal Server Error\nunknown: unknown error: write /data: no space left on device"),
            /free disk space in reg\.test/,
        ],
    ])("for a reason that stays is not moved again: %s", (error, next) => {
        expect(isPassing([error])).toBe(false);
        expect(nextAfterTagging([error], "reg.test")).toMatch(next);
    });

    test.each([
        "error reading from server: EOF",
        'connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"',
    ])("because the provider ended is not moved again, and no matter of the registry: %s", (error) => {
        expect(isPassing([error])).toBe(false);
        expect(nextAfterTagging([error], "reg.test")).toMatch(/was ended from outside/);
    });

    test.each([put("404 Not Found"), put("501 Not Implemented"), "creating: sha256:500: not found"])(
        "for a reason that nobody knows is not moved again: %s",
        (error) => {
            expect(isPassing([error])).toBe(false);
        },
    );
});

describe("a failed build", () => {
    test.each([
        [
            "creating builder: failed to initialize builder default: failed to connect to the docker API",
            /docker buildx create/,
        ],
        ["failed to solve: write /x: no space left on device", /docker buildx prune/],
        [
            "failed to solve: failed to push ghcr.io/us/base:b-1: unexpected status from PUT request to https://ghcr.io/v2/x: 507 Insufficient Storage",
            /free disk space in ghcr\.io/,
        ],
        ["signal: killed", /ended from outside.*run the same command again/],
        ["rpc error: code = Unavailable desc = error reading from server: EOF", /ended from outside/],
        [
            "failed to build: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF",
            /if the lab's builder ended/,
        ],
        [
            "failed to solve: unsupported frontend capability moby.buildkit.frontend.contexts: Unimplemented",
            /\(# syntax=\) does not support named build contexts, which pass the digests of parents/,
        ],
        ["failed to push ghcr.io/us/base:b-1: denied: permission_denied: write_package", /write:packages/],
        ["failed to push ghcr.io/us/base:b-1: 401 Unauthorized", /^docker login ghcr.io$/],
        // As BuildKit says them: the code of the answer, in words, without its status.
        ["failed to push ghcr.io/us/base:b-1: unauthorized", /^docker login ghcr.io$/],
        ["failed to push ghcr.io/us/base:b-1: unauthorized: bad credentials", /^docker login ghcr.io$/],
        ["failed to push ghcr.io/us/base:b-1: unsupported: The operation is unsupported", /accepts no pushes here/],
        ["failed to push ghcr.io/us/base:b-1: unknown", /^ghcr.io failed: the reason is in its log/],
        ["failed to push ghcr.io/us/base:b-1: unknown: unknown error", /^ghcr.io failed: the reason is in its log/],
    ])("has its next step said: %s", (error, next) => {
        expect(nextAfter([error], "ghcr.io")).toMatch(next);
    });

    // The words of google.golang.org/grpc for a connection that ends or can't be made, as buildx prints the status and as BuildKit does.
    test.each(
        [
            "error reading from server: EOF",
            "error reading from server: read tcp 127.0.0.1:1->127.0.0.1:2: read: connection reset by peer",
            "error reading from server: read tcp 127.0.0.1:1->127.0.0.1:2: use of closed network connection",
            'closing transport due to: connection error: desc = "error reading from server: EOF", received prior goaway: code: NO_ERROR',
            "keepalive ping failed to receive ACK within timeout",
            "transport is closing",
            "the connection is draining",
            'connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:2: connect: connection refused"',
            'connection error: desc = "transport: authentication handshake failed: EOF"',
            'connection error: desc = "error reading server preface: read tcp 127.0.0.1:1->127.0.0.1:2: read: connection reset by peer"',
        ].flatMap((words) => [
            `failed to receive status: rpc error: code = Unavailable desc = ${words}`,
            `failed to build: failed to solve: Unavailable: ${words}`,
        ]),
    )("whose engine ended or can't be reached says to start it: %s", (error) => {
        expect(nextAfter([error], "ghcr.io")).toMatch(/start the engine of the node/);
        expect(nextAfter([error], undefined)).toMatch(/start the engine of the node/);
    });

    test.each([
        "failed to push ghcr.io/us/base:b-1: unexpected status from PUT request to https://ghcr.io/v2/x: 503 Service Unavailable: try later",
        "failed to push ghcr.io/us/base:b-1: unexpected status from PUT request to https://ghcr.io/v2/x: 500 Internal Server Error\nunknown: store: rpc error: code = Unavailable desc = error reading from server: EOF",
    ])("whose registry is unavailable is about the registry: %s", (error) => {
        expect(nextAfter([error], "ghcr.io")).toMatch(/^ghcr\.io failed: the reason is in its log/);
    });

    test("of which a step found the disk full, or no emulation, has its next step said by what the step printed", () => {
        expect(nextAfterStep(["x", "OSError: [Errno 28] No space left on device: '/x'"])).toMatch(
            /docker buildx prune/,
        );
        expect(nextAfterStep(["exec /bin/sh: exec format error"])).toMatch(/enable its emulation.*same command again$/);
        expect(nextAfterStep(["disk is full of stars"])).toBeUndefined();
    });

    test("of which a step failed by the same words is about that step, and says what it says", () => {
        const step =
            'process "/bin/sh -c pip install x" did not complete: dial tcp 10.0.0.1:443: connect: connection refused';
        expect(nextAfter([step], "ghcr.io")).toBeUndefined();
        expect(nextAfter(["403 Forbidden"], "ghcr.io")).toBeUndefined();
    });

    test("of an image that is never pushed is not about a registry", () => {
        expect(nextAfter(["failed to push x: 401 Unauthorized"], undefined)).toBeUndefined();
    });
});

describe("a push that met another one of the same layer", () => {
    const push = "failed to solve: failed to push reg.test/us/bot:b-1-arm64: errors:\n";
    test.each([
        "unknown: blob unknown to registry - sha256:2c1c",
        "unknown: provided digest did not match uploaded content",
    ])("is told by %s", (reason) => {
        expect(isTransient([push + reason])).toBe(true);
    });

    test.each([
        "failed to push reg.test/us/bot:b-1: 401 Unauthorized",
        "failed to solve: process said: blob unknown to registry",
    ])("is not what %s says", (error) => {
        expect(isTransient([error])).toBe(false);
    });
});
