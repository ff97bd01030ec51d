import path from "node:path";
import { expect, test } from "../../tests/mocha";
import { tree } from "../../tests/tree";
import { buildkitServer, builderAddress, storeAdvice } from "./services";

test("a state folder too deep for BuildKit's socket is refused, with how to move it", () => {
    const state = (length: number) => ({ cache: "/c", state: `/${"s".repeat(length - 1)}` });
    const rest = "/buildkit/buildkitd.sock".length;
    expect(builderAddress(state(107 - rest))).toMatch(/^unix:\/\/\/s+\/buildkit\/buildkitd\.sock$/);
    expect(() => builderAddress(state(108 - rest))).toThrow(/too long for a socket[\s\S]*XDG_STATE_HOME/);
});

test("every socket and temporary file of BuildKit lies in the lab's state: labs that start at once don't meet", () => {
    const folder = tree({ "bundle.pem": "" });
    const file = (name: string) => path.join(folder, name);
    const certificates = {
        ca: file("ca.pem"),
        certificate: file("server.pem"),
        key: file("key.pem"),
        bundle: file("bundle.pem"),
    };
    const state = file("state");
    const { config, temporary } = buildkitServer({ cache: "/c", state }, "r:1", certificates, undefined, "linux/amd64");
    const sockets = [...config.text.matchAll(/"(?:unix:\/\/)?([^"]*\.sock)"/g)].map(([, socket]) => socket);
    expect(sockets).toEqual([`${state}/buildkit/buildkitd.sock`, `${state}/buildkit/otel-grpc.sock`]);
    expect(temporary).toBe(`${state}/buildkit/tmp`);
});

test.each([
    ["a database that was cut", "panic: runtime error\n\tgithub.com/moby/buildkit/util/db/boltutil/db.go:11\n", true],
    ["another that was cut", "panic: freepages\ngo.etcd.io/bbolt.(*DB).loadFreelist(0x0)\n", true],
    ["a database full of zeros", "buildkitd: invalid database\n", true],
    [
        "a lock of another process",
        "buildkitd: could not lock /s/root/buildkitd.lock, another instance running?\n",
        false,
    ],
    ["a full disk", "buildkitd: write /s/root/cache.db: no space left on device\n", false],
])("a start that failed because of %s is explained accordingly", (_, log, isDamage) => {
    const advice = storeAdvice(log, "/the state/root");
    if (isDamage) expect(advice).toContain("rm -r '/the state/root', then npm run lab -- start");
    else expect(advice).toBeUndefined();
});
