import { expect, test } from "vitest";
import { builderAddress } from "./services";

test("a state folder too deep for BuildKit's socket is refused, with how to move it", () => {
    const state = (length: number) => ({ cache: "/c", state: `/${"s".repeat(length - 1)}` });
    const rest = "/buildkit/buildkitd.sock".length;
    expect(builderAddress(state(107 - rest))).toMatch(/^unix:\/\/\/s+\/buildkit\/buildkitd\.sock$/);
    expect(() => builderAddress(state(108 - rest))).toThrow(/too long for a socket[\s\S]*XDG_STATE_HOME/);
});
