import * as pulumi from "@pulumi/pulumi";
import { record } from "../tests/harness";
import { expect, test } from "../tests/mocha";
import { Deployment } from "./deployment";

const settings = {
    ...{ image: "bot", host: "bot.example.org", port: 2222, user: "deploy", hostKey: "ssh-ed25519 AAAA" },
    ...{ command: "./start", health: { command: "./check", attempts: 3, interval: 2 }, timeout: 5 },
};
const ref = `registry.test/bot@sha256:${"1".repeat(64)}`;
const make = () => {
    const promotion = { passedRef: pulumi.output(ref), release: pulumi.output("r-111111111111") };
    new Deployment("production", { ...settings, key: pulumi.secret("the key"), promotion });
};

test("every plan has a deployment's settings except the key", async () => {
    const { "Deployment production": component } = await record(make);
    expect(component?.inputs).toEqual(settings);
});

test("the script is the input of a shell; the key is in the connection, which is secret as a whole, and names the host's key", async () => {
    const { production: command } = await record(make);
    expect(command).toMatchObject({ type: "command:remote:Command" });
    const { create, stdin, connection, ...rest } = command?.inputs ?? {};
    expect(create).toBe("sh -s");
    expect(stdin).toContain(`new_ref='${ref}' new_tag='r-111111111111'`);
    expect(stdin).toContain("/layered-images/'layered-images/test/production'");
    expect(stdin).not.toContain("the key");
    expect(connection).toMatchObject({
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        value: {
            host: "bot.example.org",
            port: 2222,
            user: "deploy",
            hostKey: "ssh-ed25519 AAAA",
            privateKey: "the key",
        },
    });
    // No variables: a stock sshd refuses them.
    expect(rest).toEqual({ addPreviousOutputInEnv: false });
});
