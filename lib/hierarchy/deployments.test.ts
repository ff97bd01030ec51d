import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe } from "mocha";
import { packageRoot } from "../system/paths";
import { eventually, expect, test } from "../../tests/mocha";
import { temporaryFolder } from "../../tests/tree";
import { type DeploymentRun, checkDeployments, deploymentScript, deploymentsSchema } from "./deployments";

const key = `-----BEGIN OPENSSH PRIVATE KEY-----\n${"x".repeat(70)}\n-----END OPENSSH PRIVATE KEY-----\n`;
const hostKey = `ssh-ed25519 ${"A".repeat(68)} root@host`;
const whole = { image: "bot", host: "bot.example.org", user: "deploy", key, hostKey, command: "./start" };

test("what is left out has defaults, and a health command may stand alone", () => {
    expect(deploymentsSchema.parse({ bot: { ...whole, health: "./check" } })).toEqual({
        bot: {
            ...whole,
            port: 22,
            timeout: 600,
            health: { command: "./check", attempts: 10, interval: 3 },
        },
    });
});

test.each<[string, object]>([
    ["a host with a path", { host: "example.org/x" }],
    ["a host that looks like an option", { host: "-oProxyCommand=x" }],
    ["a port that is none", { port: 0 }],
    ["a user with a host", { user: "deploy@host" }],
    ["a public key in place of the private one", { key: hostKey }],
    ["a fingerprint in place of the host's key", { hostKey: "SHA256:abc" }],
    ["a line of known_hosts", { hostKey: `example.org ${hostKey}` }],
    ["no host key", { hostKey: undefined }],
    ["no command", { command: "" }],
    ["a health check that is never made", { health: { command: "x", attempts: 0 } }],
    ["an unknown key", { password: "hunter2" }],
])("%s is refused, and the message has no private key", (_, change) => {
    const { error } = deploymentsSchema.safeParse({ bot: { ...whole, ...change } });
    expect(error?.issues.length).toBeGreaterThan(0);
    expect(JSON.stringify(error?.issues)).not.toContain("x".repeat(70));
});

test.each(["app.example.org", "app_1", "192.0.2.1", "2001:db8::1", "::1", "fe80::1%eth0"])(
    "%s is a machine",
    (host) => {
        expect(deploymentsSchema.parse({ bot: { ...whole, host } }).bot?.host).toBe(host);
    },
);

test.each(["", "../bot", "a b", "-bot", "x".repeat(64)])("%j is no name of a deployment", (name) => {
    expect(deploymentsSchema.safeParse({ [name]: whole }).success).toBe(false);
});

test("only an image that the stack pushes can be deployed", () => {
    const images = [{ key: "bot", repository: "r/bot" }, { key: "tools" }];
    checkDeployments({ a: { image: "bot" } }, images);
    const refused = (image: string) => () => {
        checkDeployments({ a: { image } }, images);
    };
    expect(refused("tools")).toThrow(/deployment a is of image tools, which the stack does not push\n {2}allowed: bot/);
    expect(refused("bto")).toThrow(/deployment a is of image bto, which the stack does not build\n {2}allowed: bot/);
});

test.each([
    "The former release was started again and runs",
    "The former release does not run either",
    "No release was deployed here before",
    "The same release was deployed before",
    "an earlier deployment has not ended",
    "nothing was started, because",
])("docs/operations.md says what to do when the host says: %s", (said) => {
    const run = { name: "n", place: "p", image: "i", ref: "r", tag: "t", command: "c", timeout: 1 };
    expect(deploymentScript(run)).toContain(said);
    const text = readFileSync(path.join(packageRoot, "docs", "operations.md"), "utf8");
    expect(text.split("\n## Deploying\n")[1]?.split("\n## ")[0]).toContain(said);
});

describe("the script", () => {
    const refOf = (digit: string) => `registry.test/bot@sha256:${digit.repeat(64)}`;
    const release = (digit: string) => ({ ref: refOf(digit), tag: `r-${digit.repeat(12)}` });
    /** The script shows what commands wrote once a second. */
    const inTime = { timeout: 10_000 };
    /** Runs the script on a host whose home is `home`; what it writes is returned. */
    const host = (shell = "sh") => {
        const home = temporaryFolder();
        const inHome = (name: string) => path.join(home, name);
        const { PATH = "" } = process.env;
        const shellOptions = { cwd: home, env: { PATH, HOME: home } };
        const scriptOf = (run: Partial<DeploymentRun>) =>
            deploymentScript({
                ...{ name: "bot", place: "project/stack/bot", image: "bot", timeout: 5, ...release("1") },
                // What runs is what `running` says, as with containers.
                command: 'echo "starting $RELEASE_REF"; echo "$RELEASE_IMAGE $RELEASE_TAG" >> running',
                ...run,
            });
        return {
            home,
            /** Begins a run, and waits until it has written a text. */
            begin: async (run: Partial<DeploymentRun>, text: string) => {
                const child = spawn(shell, ["-s"], shellOptions);
                const written = { stdout: "", stderr: "" };
                child.stdout.on("data", (part: Buffer) => (written.stdout += part.toString()));
                child.stderr.on("data", (part: Buffer) => (written.stderr += part.toString()));
                const end = once(child, "close").then(([status]) => ({
                    ...{ status: status as number, said: written.stderr.trim() },
                }));
                child.stdin.end(scriptOf(run));
                await eventually(() => {
                    expect(written.stdout).toContain(text);
                }, inTime);
                const breakOff = () => {
                    child.stdout.destroy();
                    child.stderr.destroy();
                    child.kill("SIGKILL");
                };
                return { end, breakOff };
            },
            write: (name: string, text: string) => {
                writeFileSync(inHome(name), text);
            },
            remove: (name: string) => {
                rmSync(inHome(name));
            },
            read: (name: string) => (existsSync(inHome(name)) ? readFileSync(inHome(name), "utf8") : undefined),
            run: (run: Partial<DeploymentRun>) => {
                const options = { ...shellOptions, input: scriptOf(run), encoding: "utf8" } as const;
                const { status, stdout, stderr } = spawnSync(shell, ["-s"], options);
                return { status, stdout, said: stderr.trim() };
            },
        };
    };
    const health = (command: string) => ({ command, attempts: 2, interval: 0 });
    const record = ".local/state/layered-images/project/stack/bot";

    test("starts a release with its values, and remembers it", () => {
        const { run, read } = host();
        const done = run(release("1"));
        expect(done).toMatchObject({ status: 0, said: `deployment bot: ${refOf("1")} runs` });
        expect(done.stdout).toBe(`starting ${refOf("1")}\n`);
        expect(read("running")).toBe("bot r-111111111111\n");
        expect(read(record)).toBe(`${refOf("1")}\nr-111111111111\n`);
    });

    test("goes back to the former release where the new one is not healthy, and says so", () => {
        const { run, read } = host();
        expect(run(release("1"))).toMatchObject({ status: 0 });
        const check = health("echo checked >> checks; ! tail -n 1 running | grep r-2");
        const failed = run({ ...release("2"), health: check });
        expect(failed.status).toBe(1);
        expect(failed.said).toBe(
            `deployment bot: ${refOf("2")} failed: its health command ended with exit code 1, 2 times. ` +
                `The former release was started again and runs: ${refOf("1")}`,
        );
        expect(failed.stdout).toContain("bot r-222222222222");
        expect(read("running")).toBe("bot r-111111111111\nbot r-222222222222\nbot r-111111111111\n");
        expect(read("checks")).toBe("checked\n".repeat(3));
        expect(read(record)).toContain(refOf("1"));
    });

    test("says when the former release does not run either", () => {
        const { run } = host();
        expect(run(release("1"))).toMatchObject({ status: 0 });
        expect(run({ ...release("2"), command: "exit 7" })).toMatchObject({
            status: 1,
            said:
                `deployment bot: ${refOf("2")} failed: its command ended with exit code 7. ` +
                `The former release does not run either: ${refOf("1")}: its command ended with exit code 7`,
        });
    });

    test("has nothing to go back to after a first failure, or where the same release is deployed again", () => {
        const { run, read } = host();
        expect(run({ ...release("1"), command: "false" }).said).toMatch(/No release was deployed here before/);
        expect(read(record)).toBeUndefined();
        expect(run(release("1"))).toMatchObject({ status: 0 });
        expect(run({ ...release("1"), command: "false" }).said).toMatch(/The same release was deployed before/);
    });

    test("ends a command that takes too long, and goes on", () => {
        const { run } = host();
        expect(run(release("1"))).toMatchObject({ status: 0 });
        const slow = run({ ...release("2"), timeout: 1, health: health("case $RELEASE_TAG in r-2*) sleep 9 ;; esac") });
        expect(slow.said).toMatch(
            /its health command took longer than 1 s, 2 times\. The former release was started again/,
        );
    });

    test("keeps a release healthy that only takes its time", () => {
        const { run } = host();
        const late = health("[ -e once ] || { touch once; exit 1; }");
        expect(run({ ...release("1"), health: late })).toMatchObject({ status: 0 });
    });

    test("gives commands neither its own text as input, nor its values to the shell as code", () => {
        const { run, read } = host();
        const nasty = `it's "$(touch pwned)" \`touch pwned\` \\ %s`;
        const done = run({ command: `cat > stdin; printf '%s' "$RELEASE_IMAGE" > image`, image: nasty });
        expect(done.status).toBe(0);
        expect([read("stdin"), read("image"), read("pwned")]).toEqual(["", nasty, undefined]);
    });

    const stoppingFirst =
        'echo "stopping"; rm -f now; until [ -e go ]; do sleep 0.1; done; /bin/echo "starting" || exit 9; echo "$RELEASE_TAG" > now';

    test("ends what it began if the connection breaks off halfway", async () => {
        const { begin, run, read, write, remove } = host();
        write("go", "");
        expect(run({ ...release("1"), command: stoppingFirst })).toMatchObject({ status: 0 });
        remove("go");
        const { breakOff } = await begin({ ...release("2"), command: stoppingFirst }, "stopping");
        breakOff();
        expect(read("now")).toBeUndefined();
        write("go", "");
        await eventually(() => {
            expect(read(record)).toBe(`${refOf("2")}\nr-222222222222\n`);
        }, inTime);
        expect(read("now")).toBe("r-222222222222\n");
    });

    test("waits for a deployment that has not ended, goes back to what that one started, and leaves no files", async () => {
        const { home, begin, read, write } = host();
        const { breakOff } = await begin({ ...release("1"), command: stoppingFirst }, "stopping");
        breakOff();
        const broken = { ...release("2"), command: "case $RELEASE_TAG in r-2*) exit 7 ;; esac; echo back >> now" };
        const { end } = await begin(broken, "waiting for an earlier deployment");
        write("go", "");
        expect(await end).toMatchObject({
            status: 1,
            said: `deployment bot: ${refOf("2")} failed: its command ended with exit code 7. The former release was started again and runs: ${refOf("1")}`,
        });
        expect(read("now")).toBe("r-111111111111\nback\n");
        expect(readdirSync(path.join(home, path.dirname(record))).sort()).toEqual(["bot", "bot.lock"]);
    });

    test("starts nothing while another deployment goes on for too long", async () => {
        const { begin, run, write } = host();
        const { end } = await begin({ command: stoppingFirst, timeout: 60 }, "stopping");
        expect(run({ ...release("2"), timeout: 1 })).toMatchObject({
            status: 1,
            said: "deployment bot: an earlier deployment has not ended on this host after 4 s: nothing was started",
        });
        write("go", "");
        expect(await end).toMatchObject({ status: 0, said: `deployment bot: ${refOf("1")} runs` });
    });

    test("does not wait for a process that the command leaves behind", () => {
        const begun = Date.now();
        const { run } = host();
        expect(run({ command: "sleep 20 &", health: health("sleep 20 & true") })).toMatchObject({ status: 0 });
        expect(run({ command: "true" })).toMatchObject({ status: 0 });
        expect(Date.now() - begun).toBeLessThan(15_000);
    });

    test("starts nothing where it can't remember what runs", () => {
        const { run, read, write } = host();
        write(".local", "a file");
        const refused = run(release("1"));
        expect(refused.status).toBe(1);
        expect(refused.said).toContain("deployment bot: nothing was started, because");
        expect(read("running")).toBeUndefined();
    });

    test("runs in Debian's shells", () => {
        for (const shell of ["/bin/bash", "/bin/dash"].filter(existsSync)) {
            expect(host(shell).run(release("1")), shell).toMatchObject({ status: 0 });
        }
    });
});
