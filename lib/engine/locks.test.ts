import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, symlinkSync, utimesSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { expect, spyOn, stubEnv, test } from "../../tests/mocha";
import { tree, writeTree } from "../../tests/tree";
import {
    type RunMark,
    type StackLock,
    holderOf,
    markName,
    readMarks,
    removeDeadLocks,
    reportedLocks,
    runMark,
    runningUpdates,
    stackLocks,
    updatedBy,
} from "./locks";

const folder = "pulumi/.pulumi/locks/organization/layered-images/local";
const timestamp = new Date().toISOString();
/** A time long before the start of this process. */
const longAgo = "2001-01-01T00:00:00Z";
/** A pid above the kernel's limit, which no process has. */
const gone = 2 ** 22 + 2;

function locked(file: string, content: unknown) {
    const state = tree({ [`${folder}/${file}`]: JSON.stringify(content), [`${folder}/${file}.attrs`]: "{}" });
    const removed = removeDeadLocks(path.join(state, "pulumi"));
    return { removed, left: ["", ".attrs"].filter((end) => existsSync(path.join(state, folder, file + end))) };
}

/** Runs a program named pulumi, perhaps for a backend that it is told, while `work` runs. */
async function besidePulumi<T>(work: (pid: number) => T, backend?: string): Promise<T> {
    const program = path.join(tree({}), "pulumi");
    copyFileSync("/bin/sleep", program);
    const child = spawn(program, ["100"], { stdio: "ignore", env: { ...process.env, PULUMI_BACKEND_URL: backend } });
    try {
        await once(child, "spawn");
        return work(child.pid ?? 0);
    } finally {
        child.kill();
    }
}

test("the lock of a process that is gone is removed, and said", () => {
    const { removed, left } = locked("a.json", { pid: gone, username: "root", hostname: hostname(), timestamp });
    expect(removed).toEqual([
        `removed the lock of a pulumi that was killed (pid ${String(gone)}, started ${timestamp})`,
    ]);
    expect(left).toEqual([]);
});

test("the lock of a process whose pid another one has since got is removed, and holds nothing up", () => {
    const lock = { pid: process.pid, hostname: hostname(), timestamp: longAgo };
    const state = tree({ [`${folder}/a.json`]: JSON.stringify(lock) });
    expect(stackLocks(`file://${path.join(state, "pulumi")}`, "local")).toMatchObject([{ isDead: true }]);
    expect(runningUpdates(path.join(state, "pulumi"))).toEqual([]);
    expect(locked("a.json", lock).left).toEqual([]);
});

test("the lock of a pulumi stays although it looks older than that: the clock may have been set", async () => {
    await besidePulumi((pid) => {
        const lock = { pid, hostname: hostname(), timestamp: longAgo };
        expect(locked("a.json", lock)).toEqual({ removed: [], left: ["", ".attrs"] });
    });
});

/** Lock files that stop pulumi and name no process: file name, content, reason. */
const unreadable: readonly (readonly [string, string, string])[] = [
    ["a.json", "", "it is empty"],
    ["a.json", '{"pid":12,"user', "it is no JSON, or its end is missing"],
    ["a.json", "null", "it does not name the process that took it"],
    ["a.json", "[1]", "it does not name the process that took it"],
    ["a.json", '{"owner":"somebody"}', "it does not name the process that took it"],
    // File that a pulumi process leaves if it is killed while it writes.
    ["a.json.18b2f1.tmp", "", "it is empty"],
];

test.each(unreadable)("an unreadable lock %s of %j goes where no pulumi can hold it", (name, content, reason) => {
    const file = `${folder}/${name}`;
    const other = `${folder.replace("layered-images", "other")}/b.json`;
    const held = JSON.stringify({ pid: process.pid, hostname: hostname(), timestamp });
    const state = tree({ [file]: content, [`${file}.attrs`]: "{}", [other]: held });
    const place = path.join(state, file);
    utimesSync(place, new Date(longAgo), new Date(longAgo));
    expect(stackLocks(`file://${path.join(state, "pulumi")}`, "local", "layered-images")).toEqual([
        { file: place, reason, mayHold: [] },
    ]);
    expect(removeDeadLocks(path.join(state, "pulumi"))).toEqual([
        `removed a lock that no pulumi on this machine can hold: ${place} (${reason})`,
    ]);
    expect([file, `${file}.attrs`, other].filter((one) => existsSync(path.join(state, one)))).toEqual([other]);
    expect(removeDeadLocks(path.join(state, "pulumi"))).toEqual([]);
});

test.each(unreadable)(
    "an unreadable lock %s of %j stays and is named while a pulumi runs that may hold it",
    async (name, content, reason) => {
        await besidePulumi((pid) => {
            const file = `${folder}/${name}`;
            const other = `${folder.replace("layered-images", "other")}/b.json`;
            const state = tree({ [file]: content });
            const place = path.join(state, file);
            const backend = path.join(state, "pulumi");
            const locks = () => stackLocks(`file://${path.join(state, "pulumi")}`, "local", "layered-images") ?? [];
            const mayHold = () => locks().flatMap((lock) => ("file" in lock ? lock.mayHold : []));
            // Other programs with that name may start and end between two calls.
            const found = locks();
            expect(found).toMatchObject([{ file: place, reason }]);
            expect(found.flatMap((lock) => ("file" in lock ? lock.mayHold : []))).toContain(pid);
            expect(runningUpdates(backend)).toContain(pid);
            const [told = ""] = removeDeadLocks(backend);
            expect(told).toContain(`${place} is a lock that can't be read (${reason})`);
            expect(told).toMatch(new RegExp(`\\(pid (\\d+, )*${pid.toString()}\\b`));
            expect(existsSync(place)).toBe(true);
            // A process that holds another stack's lock is not a candidate.
            writeTree(state, { [other]: JSON.stringify({ pid, hostname: hostname(), timestamp }) });
            expect(mayHold()).not.toContain(pid);
            // A process that started after the file was written is not a candidate either.
            writeTree(state, { [other]: JSON.stringify({ pid: gone, hostname: hostname(), timestamp }) });
            expect(mayHold()).toContain(pid);
            utimesSync(place, new Date(longAgo), new Date(longAgo));
            expect(mayHold()).toEqual([]);
        });
    },
);

test.each<[string, (state: string) => string, boolean]>([
    ["uses this backend", (state) => `file://${state}/pulumi`, true],
    ["uses this backend by a link", (state) => `file://${state}/link`, true],
    ["uses a folder that only it knows", () => "file://./pulumi", true],
    ["uses another folder", (state) => `file://${state}`, false],
    ["uses a folder that is gone", (state) => `file://${state}/gone`, false],
    ["uses a bucket", () => "s3://bucket", false],
])("an unreadable lock may be held by a pulumi that %s", async (_, backendIn, mayHold) => {
    const state = tree({ [`${folder}/a.json`]: "" });
    symlinkSync("pulumi", path.join(state, "link"));
    await besidePulumi((pid) => {
        const running = runningUpdates(path.join(state, "pulumi"));
        expect(running.includes(pid)).toBe(mayHold);
    }, backendIn(state));
});

test.each([
    ["of a process that lives", { pid: process.pid, hostname: hostname(), timestamp }],
    ["of a process that lives, of unknown time", { pid: process.pid, hostname: hostname(), timestamp: "" }],
    ["of another machine", { pid: gone, hostname: `${hostname()}-other`, timestamp }],
])("a lock %s stays", (_name, content) => {
    expect(locked("a.json", content)).toEqual({ removed: [], left: ["", ".attrs"] });
});

test("a state without locks is fine", () => {
    const state = tree({ "instance.json": "{}" });
    expect(removeDeadLocks(path.join(state, "pulumi"))).toEqual([]);
});

test("the locks of one stack are seen in a file backend, with whether their process is gone", () => {
    const lock = (pid: number) => JSON.stringify({ pid, hostname: hostname(), timestamp });
    const other = folder.replace("local", "other");
    const state = tree({
        [`${folder}/a.json`]: lock(gone),
        [`${folder}/b.json`]: lock(process.pid),
        [`${other}/c.json`]: lock(gone),
        [`${folder.replace("layered-images", "other-project")}/d.json`]: lock(gone - 1),
    });
    const backend = `file://${path.join(state, "pulumi")}`;
    const seen = (stack: string, project: string) =>
        new Map(
            (stackLocks(backend, stack, project) ?? []).flatMap((one) =>
                "file" in one ? [] : [[one.pid, one.isDead] as const],
            ),
        );
    expect(seen("local", "layered-images")).toEqual(
        new Map([
            [gone, true],
            [process.pid, false],
        ]),
    );
    expect(seen("organization/layered-images/other", "layered-images")).toEqual(new Map([[gone, true]]));
    // A stack with the same name in another project is a different stack.
    expect(seen("local", "other-project")).toEqual(new Map([[gone - 1, true]]));
    expect(seen("local", "third-project")).toEqual(new Map());
    expect(stackLocks(`file://${state}`, "local")).toEqual([]);
});

test("an update of any of the lab's stacks is seen while it runs; a killed one and one on another machine are none", () => {
    const other = folder.replace("local", "other");
    const lock = (pid: number, host = hostname()) => JSON.stringify({ pid, hostname: host, timestamp });
    const dead = { [`${folder}/a.json`]: lock(gone), [`${folder}/b.json`]: lock(process.pid, `${hostname()}-other`) };
    const running = (files: Readonly<Record<string, string>>) => {
        const state = tree(files);
        return runningUpdates(path.join(state, "pulumi"));
    };
    expect(running({ "instance.json": "{}" })).toEqual([]);
    expect(running(dead)).toEqual([]);
    expect(running({ ...dead, [`${other}/c.json`]: lock(process.pid) })).toEqual([process.pid]);
});

test.each<[string, StackLock, string[]]>([
    [
        "of this machine",
        { pid: 12, host: hostname(), since: timestamp, isDead: false },
        [`pid 12 of this machine, since ${timestamp}`],
    ],
    [
        "of another machine",
        { pid: 12, host: "ci7", since: timestamp, isDead: false },
        [`pid 12 of ci7, since ${timestamp}`],
    ],
    ["of a process that ended", { pid: 12, host: hostname(), since: timestamp, isDead: true }, []],
    ["that can't be read", { file: "/l.json", reason: "it is empty", mayHold: [7] }, ["pid 7, which may hold /l.json"]],
    ["that nobody can hold", { file: "/l.json", reason: "it is empty", mayHold: [] }, []],
])("who updates the stack is told from a lock %s", (_, lock, expected) => {
    expect(updatedBy([lock], { elsewhere: true })).toEqual(expected);
    const isElsewhere = "host" in lock && lock.host !== hostname();
    expect(updatedBy([lock], { elsewhere: false })).toEqual(isElsewhere ? [] : expected);
});

test.each(["file://~", "file://~/", "file://./", "file://./a b", "file://~/a%20b?no_tmp_dir=true"])(
    "the folder of a file backend is found as Pulumi finds it: %s",
    (backend) => {
        const lock = JSON.stringify({ pid: gone, hostname: hostname(), timestamp });
        const files = folder.replace("pulumi/", "");
        const state = tree({
            "Pulumi.yaml": "name: layered-images\n",
            [`${files}/a.json`]: lock,
            [`a b/${files}/a.json`]: lock,
        });
        stubEnv("HOME", state);
        spyOn(process, "cwd").mockReturnValue(state);
        expect(stackLocks(backend, "local")).toHaveLength(1);
    },
);

test.each(["s3://bucket", "https://api.pulumi.com", undefined])(
    "in another backend they can't be seen: %s",
    (backend) => {
        expect(stackLocks(backend, "local")).toBeUndefined();
    },
);

/* Jobs of GitHub Actions. */

const at = "2026-05-01T10:00:00Z";
const report = (host: string, when = at) =>
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock file with `pulumi cancel`.\n" +
    `  s3://state/.pulumi/locks/organization/bot/ci/5f.json: created by runner@${host} (pid 2211) at ${when}\n`;
const mark = (run: string, since: string, host = "runnervm1"): RunMark => ({
    ...{ repository: "us/bot", run, attempt: "1", runner: `GitHub Actions ${run}`, host },
    since: Date.parse(since),
});
const job = {
    ...{ GITHUB_ACTIONS: "true", RUNNER_ENVIRONMENT: "github-hosted", RUNNER_NAME: "GitHub Actions 7" },
    ...{ GITHUB_REPOSITORY: "us/bot", GITHUB_RUN_ID: "12345678901", GITHUB_RUN_ATTEMPT: "2" },
    PULUMI_BACKEND_URL: "s3://state",
};

test("the engine's message names each lock", () => {
    const other = "  s3://state/x.json: created by me@laptop (pid 7) at 2026-05-01T12:00:00+02:00";
    expect(reportedLocks(`${report("runnervm1")}${other}\n`)).toEqual([
        { username: "runner", host: "runnervm1", pid: 2211, at: Date.parse(at) },
        { username: "me", host: "laptop", pid: 7, at: Date.parse(at) },
    ]);
    expect(reportedLocks("error: update failed\n  created by hand")).toEqual([]);
});

test("a job's mark fits into a tag of the stack, and is read from it", () => {
    const made = runMark(job, "runnervm1", 1_800_000_000_000);
    if (!made) throw new Error("no mark");
    expect(markName(made)).toBe("layered-images:run-12345678901-2");
    expect(JSON.stringify(made).length).toBeLessThan(256);
    const tags = { "pulumi:project": "bot", [markName(made)]: JSON.stringify(made), "layered-images:run-1-1": "{}" };
    expect(readMarks(JSON.stringify(tags))).toEqual([made]);
    for (const text of ["", "null", "no tags", '{"layered-images:run-1-1":"{"}']) expect(readMarks(text)).toEqual([]);
});

test.each<[string, NodeJS.ProcessEnv]>([
    ["a laptop", { ...job, GITHUB_ACTIONS: undefined }],
    ["a runner that others use as well", { ...job, RUNNER_ENVIRONMENT: "self-hosted" }],
    ["Pulumi Cloud", { ...job, PULUMI_BACKEND_URL: undefined }],
    ["Pulumi Cloud by its address", { ...job, PULUMI_BACKEND_URL: "https://api.pulumi.com" }],
    ["a job that does not know its run", { ...job, GITHUB_RUN_ID: "" }],
])("no mark is made for %s", (_, env) => {
    expect(runMark(env, "h", 1)).toBeUndefined();
});

test.each<[string, string, readonly RunMark[], string | undefined]>([
    ["the job that began before it", "runnervm1", [mark("1", "2026-05-01T09:59:00Z")], "1"],
    ["a job that began in the same second", "runnervm1", [mark("1", "2026-05-01T10:00:00.700Z")], "1"],
    [
        "the last of several",
        "runnervm1",
        [mark("1", "2026-04-01T00:00:00Z"), mark("3", "2026-05-02T00:00:00Z"), mark("2", "2026-05-01T09:00:00Z")],
        "2",
    ],
    ["no job that began later", "runnervm1", [mark("1", "2026-05-01T10:00:01Z")], undefined],
    ["no job of another machine", "laptop", [mark("1", "2026-05-01T09:59:00Z")], undefined],
])("a lock is of %s", (_, host, marks, run) => {
    const [lock] = reportedLocks(report(host));
    if (!lock) throw new Error("no lock");
    expect(holderOf(lock, marks)?.run).toBe(run);
});
