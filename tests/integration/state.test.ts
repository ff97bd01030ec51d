import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe } from "mocha";
import type { ReleasesReport } from "../../cli/rollback";
import type { StatusReport } from "../../lib/status/status";
import { reviewSchema } from "../../lib/forms/json";
import { lightFixture } from "../fixture";
import { type Outcome, type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { eventually, expect, test } from "../mocha";
import { manifest } from "../registry";
import { type StateServer, startPostgres, startS3 } from "../stateServers";
import { commandScript } from "../stack";
import { except } from "../thorough";
import { writeTree } from "../tree";

/*
 * A stack that is not the lab's, with its state in a folder first, and then moved to each kind of server. Two machines use it: two clones
 * and homes, and the second has another host name. The tests run in order and depend on each other.
 */

/** A backend, as the environment of Pulumi names it. */
type Backend = Pick<StateServer, "env" | "secrets">;

let lab: TestLab;
/** The repository's clone on each machine. */
let mine: string;
let theirs: string;
let folder: Backend;

const stackFile = "Pulumi.team.yaml";
/** What Pulumi says and nobody may read: it takes the lock from a running update. */
const cancelling = /pulumi cancel/;

before(async () => {
    lab = await startTestLab("host");
    folder = { env: { PULUMI_BACKEND_URL: `file://${lab.paths.state}` }, secrets: [] };
    const files = { ...lightFixture, [stackFile]: 'config:\n  layered-images:lab: "true"\n' };
    mine = makeRepository(path.join(lab.paths.state, "mine", "clone"), files);
    theirs = makeRepository(path.join(lab.paths.state, "theirs", "clone"), files);
});
after(async () => {
    for (const server of servers) await server.close();
    await lab.close();
});

/** The lab as one of the machines sees it: a home of its own, and the state elsewhere. */
const seen = (clone: string, { env }: Backend): TestLab => {
    const home = path.dirname(clone);
    const login = path.join(home, "login");
    return { ...lab, env: { ...lab.env, HOME: home, PULUMI_CREDENTIALS_PATH: login, PULUMI_STACK: "team", ...env } };
};

/** Checks that an output reveals no password of the backend. */
function quiet<O extends Outcome>(outcome: O, { secrets }: Backend): O {
    for (const secret of secrets)
        for (const text of [secret, encodeURIComponent(secret)]) expect(outcome.output).not.toContain(text);
    return outcome;
}

/** Runs a command of the package on the stack. */
async function run(clone: string, on: Backend, ...args: readonly string[]): Promise<Outcome> {
    const node = [process.execPath, "--eval", commandScript([...args, "--stack", "team"])];
    const [command = "", ...rest] =
        clone === theirs ? ["unshare", "--uts", "sh", "-c", 'hostname elsewhere && exec "$@"', "sh", ...node] : node;
    return quiet(await runIn(seen(clone, on), clone, command, rest), on);
}

/** Runs `pulumi` on the stack, and returns its output. */
async function pulumi(on: Backend, ...args: readonly string[]): Promise<string> {
    const { code, output, stdout } = await runIn(seen(mine, on), mine, "pulumi", [...args, "--non-interactive"]);
    expect(code, output).toBe(0);
    return stdout;
}

/** What an update did to resources, from Pulumi's summary: "create", "update" and so on, with their numbers. */
function didTo({ code, output }: Outcome): Record<string, number> {
    expect(code, output).toBe(0);
    const [, summary = ""] = /^Resources:\n((?: +.*\n)+)/m.exec(output) ?? [];
    return Object.fromEntries(
        [...summary.matchAll(/^ +(?:[-+~]+ )?(\d+) (\w+)$/gm)].map(([, count, what = ""]) => [what, Number(count)]),
    );
}

/** Resources of a light hierarchy; the number is Pulumi's. */
const unchanged = { unchanged: expect.any(Number) as number };

/** Changes the input of an image in both clones, and has the builds of the base take a while. */
function change(text: string, seconds = 0): void {
    const wait = seconds > 0 ? `RUN sleep ${seconds.toString()}\n` : "";
    for (const clone of [mine, theirs])
        writeTree(clone, {
            "requirements/base.txt": `${text}\n`,
            "docker/Dockerfile.base": `${lightFixture["docker/Dockerfile.base"] ?? ""}${wait}`,
        });
}

const latest = async () => (await manifest(lab, "fixture/ci", "latest"))?.digest ?? "";

/** Waits until an update has taken the lock, and returns the pid in it. */
async function lockedBy(server: StateServer): Promise<number> {
    let pid = NaN;
    await eventually(
        async () => {
            const [lock = ""] = await server.read(".pulumi/locks");
            pid = Number(/"pid": *(\d+)/.exec(lock)?.[1]);
            if (Number.isNaN(pid)) throw new Error(`no lock yet: ${lock}`);
        },
        { timeout: 120_000 },
    );
    return pid;
}

/** Checks what an update says that found another one's lock: what to wait for, and nothing that ends the other one. */
function refused({ code, output }: Outcome): void {
    expect(code, output).toBe(1);
    expect(output).toContain("the stack is currently locked by 1 lock(s).");
    expect(output).toMatch(/created by .*@\S+ \(pid \d+\) at /);
    expect(output).toMatch(/next: wait for the update that runs; .*"A lock was left behind"/);
    expect(output).not.toMatch(cancelling);
}

test("a stack in a folder is built", async () => {
    await pulumi(folder, "stack", "init", "team", "--no-select");
    writeTree(theirs, { [stackFile]: readFileSync(path.join(mine, stackFile), "utf8") });
    expect(didTo(await run(mine, folder, "up"))).toMatchObject({ created: expect.any(Number) as number });
});

/** Where the state is; the folder at first. */
let current: Backend | undefined;
/** The servers that were started: each is the place from which the next one takes the state over. */
const servers: StateServer[] = [];
for (const [name, start] of except(["S3"], [["S3", startS3] as const, ["PostgreSQL", startPostgres] as const])) {
    describe(`the state in ${name}`, () => {
        let server: StateServer;
        before(async () => {
            server = await start();
            servers.push(server);
        });

        test("is taken over from where it was, as docs/operations.md says, and nothing is built again", async () => {
            const [from, file] = [current ?? folder, path.join(lab.paths.state, "export.json")];
            const digest = await latest();
            await pulumi(from, "stack", "export", "--stack", "team", "--file", file);
            await pulumi(server, "stack", "init", "team", "--no-select");
            await pulumi(server, "stack", "import", "--stack", "team", "--file", file);
            current = server;
            writeTree(theirs, { [stackFile]: readFileSync(path.join(mine, stackFile), "utf8") });
            const reviewed = await run(mine, server, "review", "--format", "json");
            expect(reviewed.code, reviewed.output).toBe(0);
            const { images } = reviewSchema.parse(JSON.parse(reviewed.stdout));
            expect(images.map(({ image, action }) => [image, action])).toEqual([
                ["base", "unchanged"],
                ["ci", "unchanged"],
            ]);
            expect(didTo(await run(theirs, server, "up"))).toEqual(unchanged);
            expect(await latest()).toBe(digest);
        });

        test("two machines' updates at once: one waits for its turn to be asked again, and never hears how to end the other", async () => {
            change(`at once in ${name}`, 20);
            const first = run(mine, server, "up");
            await lockedBy(server);
            refused(await run(theirs, server, "up"));
            expect(didTo(await first)).toMatchObject({ updated: expect.any(Number) as number });
            expect(await server.read(".pulumi/locks")).toEqual([]);
            expect(didTo(await run(theirs, server, "up"))).toEqual(unchanged);
        });

        test.thorough(
            "the lock of a killed pulumi stays until somebody who looked takes it away; then everything is brought back",
            async () => {
                change(`killed in ${name}`, 21);
                const cut = run(mine, server, "up");
                process.kill(await lockedBy(server), "SIGKILL");
                expect((await cut).code).not.toBe(0);
                refused(await run(theirs, server, "up"));
                const status = await run(mine, server, "status", "--json");
                const { findings } = JSON.parse(status.stdout) as StatusReport;
                expect(findings.map(({ text }) => text)).toContain(
                    "whether it is locked can't be seen on this backend",
                );
                await pulumi(server, "cancel", "--stack", "team", "--yes");
                expect(didTo(await run(theirs, server, "up"))).toMatchObject({ updated: expect.any(Number) as number });
                expect(didTo(await run(mine, server, "up"))).toEqual(unchanged);
            },
        );

        test.thorough(
            `releases are read from it, and a rollback goes back to one and forth again: ${name}`,
            async () => {
                const asked = async () => {
                    const { code, output, stdout } = await run(theirs, server, "releases", "--json");
                    expect(code, output).toBe(0);
                    return (JSON.parse(stdout) as ReleasesReport).images.find(({ image }) => image === "ci");
                };
                const [now, former] = (await asked())?.releases ?? [];
                expect([now?.digest, now?.current]).toEqual([await latest(), true]);
                const back = await run(theirs, server, "rollback", "base");
                expect(back.code, back.output).toBe(0);
                didTo(await run(theirs, server, "up"));
                expect(await latest()).toBe(former?.digest);
                const forth = await run(theirs, server, "unpin", "--all");
                expect(forth.code, forth.output).toBe(0);
                didTo(await run(theirs, server, "up"));
                expect(await latest()).toBe(now?.digest);
            },
        );

        test.thorough(`a server that dies in the middle of an update is no loss: ${name}`, async () => {
            change(`dying in ${name}`, 22);
            const cut = run(mine, server, "up");
            await lockedBy(server);
            await server.kill();
            const { code, output } = await cut;
            expect(code, output).not.toBe(0);
            expect(output).not.toMatch(cancelling);
            await server.start();
            await pulumi(server, "cancel", "--stack", "team", "--yes");
            didTo(await run(theirs, server, "up"));
            expect(didTo(await run(mine, server, "up"))).toEqual(unchanged);
        });

        test(`a password in the address is never printed, whatever is wrong: ${name}`, async () => {
            const secrets = ["pass%2Fword", "pass/word"];
            const wrong = "postgres://up:pass%2Fword@127.0.0.1:1/state?sslmode=disable";
            const { code, output } = await run(mine, { env: { PULUMI_BACKEND_URL: wrong }, secrets }, "status");
            expect(code, output).toBe(1);
            expect(output).toContain("postgres://up:[secret]@127.0.0.1:1/state");
        });
    });
}
