import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { checkDockerHost, restoreDockerHost, withoutDockerHost } from "./dockerHost";

const here = "unix:///run/user/1000/docker.sock";

test("what Pulumi runs without, the programs that it starts get back", () => {
    const env = withoutDockerHost({ HOME: "/home", DOCKER_HOST: here });
    expect(env.DOCKER_HOST).toBeUndefined();
    expect(env.HOME).toBe("/home");
    restoreDockerHost(env);
    expect(env.DOCKER_HOST).toBe(here);
});

test.each([undefined, ""])("without it (%j) nothing is kept and nothing comes back", (DOCKER_HOST) => {
    const env = withoutDockerHost({ HOME: "/home", DOCKER_HOST });
    restoreDockerHost(env);
    expect(env).toEqual({ HOME: "/home" });
});

test("a program that has one of its own keeps it", () => {
    const env = { ...withoutDockerHost({ DOCKER_HOST: here }), DOCKER_HOST: "tcp://other:2375" };
    restoreDockerHost(env);
    expect(env.DOCKER_HOST).toBe("tcp://other:2375");
});

describe("a run in which the provider takes", () => {
    test.each([
        ["what it took before", here, [here]],
        ["what one of its versions took before", here, ["", here]],
        ["one, and nothing is built yet", here, []],
        ["none", "", [""]],
        // The images are replaced once, by equal ones, and from then on no machine's variable matters.
        ["none any more", "", [here]],
    ])("%s goes on", (_what, host, former) => {
        expect(() => {
            checkDockerHost(host, former);
        }).not.toThrow();
    });

    test.each([
        [
            "one where it took none",
            [""],
            /^the environment: DOCKER_HOST is unix:\S+, and was not set when .*\n.*no DOCKER_HOST\n.*set `builder`/,
        ],
        ["another one", ["tcp://other:2375"], /and was tcp:\/\/other:2375 when .*\n.*DOCKER_HOST=tcp:\/\/other:2375/],
    ])("%s is refused", (_what, former, message) => {
        expect(() => {
            checkDockerHost(here, former);
        }).toThrow(message);
    });
});
