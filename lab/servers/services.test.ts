import path from "node:path";
import { expect, test } from "../../tests/mocha";
import { tree } from "../../tests/tree";
import { buildkitServer, builderAddress } from "./services";

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
