import { expect, test } from "../tests/mocha";
import { partsOf } from "./parts";

test.each<[readonly string[], readonly `linux/${string}`[], boolean, boolean]>([
    [["python:3.12-slim", "debian:12"], ["linux/amd64"], true, false],
    [["docker.io/library/python:3.12-slim"], ["linux/amd64", "linux/arm64"], true, true],
    [["python:3.12", "debian:12"], ["linux/arm64"], false, true],
    [[], [], false, false],
])("roots %j for platforms %j: stand-in %s, emulation %s", (roots, platforms, standIn, emulation) => {
    const definition = { description: "", dockerfile: "Dockerfile", platforms };
    expect(partsOf([{ roots, definition }], "linux/amd64")).toEqual({ standIn, emulation });
});
