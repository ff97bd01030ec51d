import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeEach, describe } from "mocha";
import { githubServer } from "../lab/github/service";
import { openStore, readState } from "../lab/github/store";
import { ensureCertificates } from "../lab/servers/tls";
import { openFileHashes } from "../lib/context/fileHashes";
import { stageContext } from "../lib/context/stage";
import { hashFile } from "../lib/context/walk";
import { checkStackFiles } from "../lib/engine/fileBackend";
import { readProject } from "../lib/engine/stacks";
import { asInputError } from "../lib/errors";
import { type Instance, readInstance, writeInstance } from "../lib/system/instance";
import { runningProcess, writePidFile } from "../lib/system/pidFiles";
import { startOf } from "../lib/system/processTable";
import { announce, progress } from "../lib/system/progress";
import { keepUntold, readUntold } from "../lib/update/announcements";
import { appendHistory, readHistory } from "../lib/update/history";
import { packageRoot } from "../lib/system/paths";
import { readPins } from "../workflows/pins";
import { expect, onTestFinished, spyOn, test } from "./mocha";
import { cutInHalf, temporaryFolder, writeTree } from "./tree";

/*
 * Every file that a run writes and a later run reads, damaged in every way. The program makes again what it can make again, and names what
 * only the user can decide about: the file, what is wrong with it, and the next step. Nothing ends with a stack trace.
 */

/** A file that the program keeps, in a folder of its own. */
interface KeptFile {
    /** Writes the files, and returns the path of the one that is damaged. */
    readonly write: (folder: string) => string | Promise<string>;
    /** Reads it as the program does; two whole files give the same. */
    readonly read: (folder: string) => unknown;
    /** "made again": reading gives the same as before; "forgotten": it gives what it gives without the file; "named": it is refused. */
    readonly then: "made again" | "forgotten" | "named";
    /** Whether making it again takes a second: its whole content is compared, so that one kind of damage does for all. */
    readonly isSlow?: boolean;
}

const instance: Instance = {
    ...{ registry: "registry.localhost:5443", port: 5443, roots: {}, rootsByPlatform: {} },
    ...{ standIn: "", standInPlatforms: [], platforms: "host" },
};
const update = { start: "2026-05-01T10:00:00Z", seconds: 1, result: "succeeded", images: [] } as const;
const stack = JSON.stringify({ version: 3, checkpoint: { stack: "organization/acme/ci", latest: { resources: [] } } });
const project = "name: acme\nruntime: nodejs\n";

const certificate = (name: string): KeptFile => ({
    write: async (folder) => {
        await ensureCertificates(folder);
        return path.join(folder, "tls", name);
    },
    read: async (folder) => {
        const { ca, bundle } = await ensureCertificates(folder);
        return [
            Object.keys(await ensureCertificates(folder)),
            readFileSync(bundle, "utf8").endsWith(readFileSync(ca, "utf8")),
        ];
    },
    then: "made again",
});

const hashed = (folder: string) => {
    const hashes = openFileHashes(folder);
    const hash = hashes.of(path.join(folder, "input"));
    hashes.save();
    return hash;
};

const staged = (folder: string) => {
    writeTree(folder, { "a.txt": "a" });
    const files = [{ path: "a.txt", hash: hashFile(path.join(folder, "a.txt")), executable: false }];
    return stageContext({
        ...{ root: folder, stageRoot: ".stage", image: "base", inputHash: "0123456789ab", files },
        dockerfile: "FROM scratch\nCOPY a.txt /\n",
    });
};

const files: Readonly<Record<string, KeptFile>> = {
    "the lab's instance": {
        write: (folder) => {
            writeInstance(path.join(folder, "instance.json"), instance);
            return path.join(folder, "instance.json");
        },
        read: (folder) => readInstance(path.join(folder, "instance.json")),
        then: "named",
    },
    "a server's pid": {
        write: (folder) => {
            writePidFile(folder, "registry", { pid: process.pid, started: startOf(process.pid) ?? "", key: "k" });
            return path.join(folder, "registry.pid");
        },
        read: (folder) => runningProcess(folder, "registry"),
        then: "forgotten",
    },
    "the certificate of the registry": certificate("registry.pem"),
    "the key of the registry": certificate("registry.key"),
    "the certificate of the lab's authority": certificate("ca.pem"),
    "the bundle of certificates": certificate("bundle.pem"),
    "what the GitHub stand-in knows": {
        write: (folder) => {
            openStore(path.join(folder, "state.json")).update((draft) => void Object.assign(draft, { lastId: 1001 }));
            return path.join(folder, "state.json");
        },
        read: (folder) => readState(path.join(folder, "state.json")),
        then: "named",
    },
    "the program of the GitHub stand-in": {
        write: async (folder) => (await githubServer({ cache: "", state: folder }, 1)).args[1] ?? "",
        read: async (folder) => {
            const program = (await githubServer({ cache: "", state: folder }, 1)).args[1] ?? "";
            return [program, readFileSync(program, "utf8")];
        },
        then: "made again",
        isSlow: true,
    },
    "the durations of earlier runs": {
        write: (folder) => {
            writeFileSync(path.join(folder, "durations.json"), JSON.stringify({ "build pulumi": 600 }));
            return path.join(folder, "durations.json");
        },
        read: async (folder) => {
            announce("toolchain", [{ name: "build pulumi", seconds: 200 }], path.join(folder, "durations.json"));
            return await progress("building", () => Promise.resolve("done"), { after: 1000, phase: "build pulumi" });
        },
        then: "made again",
    },
    "the records of updates": {
        write: async (folder) => {
            await appendHistory("ci", {}, update, folder);
            return path.join(folder, ".updates", "ci.json");
        },
        read: (folder) => readHistory("ci", {}, folder),
        then: "forgotten",
    },
    "what GitHub was not told": {
        write: (folder) => {
            const release = { image: "app", ref: "ghcr.io/acme/app@sha256:1", release: "r-1" };
            const untold = { dispatches: [release], records: [{ ...release, environment: "host" }] };
            keepUntold({ stack: "ci", env: {}, root: folder }, untold);
            return path.join(folder, ".updates", "ci.untold.json");
        },
        read: (folder) => readUntold({ stack: "ci", env: {}, root: folder }),
        then: "forgotten",
    },
    "the hashes of inputs": {
        write: (folder) => {
            const index = path.join(folder, ".stage", "hashes");
            writeTree(folder, { input: "text", ...(!existsSync(index) && { ".stage/hashes": "an index" }) });
            hashed(folder);
            return index;
        },
        read: hashed,
        then: "made again",
    },
    "a staged Dockerfile": {
        write: (folder) => path.join(folder, staged(folder).dockerfile),
        read: (folder) => readFileSync(path.join(folder, staged(folder).dockerfile), "utf8"),
        then: "made again",
    },
    "a staged input": {
        write: (folder) => path.join(folder, staged(folder).context, "a.txt"),
        read: (folder) => readFileSync(path.join(folder, staged(folder).context, "a.txt"), "utf8"),
        then: "made again",
    },
    "the project": {
        write: (folder) => {
            writeTree(folder, { "Pulumi.yaml": project });
            return path.join(folder, "Pulumi.yaml");
        },
        read: readProject,
        then: "named",
    },
    "the state of a stack": {
        write: (folder) => {
            writeTree(folder, { "Pulumi.yaml": project, ".pulumi/stacks/acme/ci.json": stack });
            return path.join(folder, ".pulumi/stacks/acme/ci.json");
        },
        read: (folder) => {
            checkStackFiles({ PULUMI_BACKEND_URL: `file://${folder}` }, folder);
        },
        then: "named",
    },
    "the pins of actions": {
        write: (folder) => {
            const [[name, pin] = ["", {}]] = Object.entries(readPins(packageRoot));
            writeTree(folder, { "pins.json": JSON.stringify({ [name]: pin }) });
            return path.join(folder, "pins.json");
        },
        read: readPins,
        then: "named",
    },
};

const damages: Readonly<Record<string, (file: string) => void>> = {
    empty: (file) => {
        truncateSync(file, 0);
    },
    "cut in the middle": cutInHalf,
    "full of zeros": (file) => {
        writeFileSync(file, Buffer.alloc(statSync(file).size));
    },
    "a folder": (file) => {
        rmSync(file);
        mkdirSync(file);
    },
};

/** What reading comes to: a value, or an error that a user can act on. Any other error fails the test. */
async function outcomeOf(read: () => unknown): Promise<{ value: unknown } | { message: string }> {
    try {
        return { value: await read() };
    } catch (error) {
        const expected = asInputError(error);
        if (!expected) throw error;
        return { message: expected.message };
    }
}

const root = 0;
const nobody = 65534;

for (const [what, { write, read, then, isSlow = false }] of Object.entries(files)) {
    describe(what, () => {
        beforeEach(() => {
            spyOn(console, "error").mockReturnValue();
        });

        const kinds = Object.entries(damages).filter(([kind]) => !isSlow || kind === "cut in the middle");
        test.each(kinds)(`that is %s is ${then}`, async (_, damage) => {
            const folder = temporaryFolder();
            const without = then === "forgotten" ? await read(folder) : undefined;
            const file = await write(folder);
            const whole = await read(folder);
            damage(file);
            const outcome = await outcomeOf(() => read(folder));
            if (then === "named") {
                expect(outcome).toEqual({ message: expect.stringContaining(file) as string });
                expect(outcome).toEqual({ message: expect.stringMatching(/\n {2}next: ./) as string });
                return;
            }
            expect(outcome).toEqual({ value: then === "forgotten" ? without : whole });
            expect(await write(folder)).toBe(file);
            expect(await read(folder)).toEqual(whole);
        });

        test("that another user may not read is named, or done without", async () => {
            const folder = temporaryFolder();
            chmodSync(folder, 0o777);
            const without = then === "forgotten" ? await read(folder) : undefined;
            const file = await write(folder);
            const whole = await read(folder);
            chmodSync(file, 0);
            if (process.geteuid?.() === root) {
                onTestFinished(() => process.seteuid?.(root));
                process.seteuid?.(nobody);
            }
            const outcome = await outcomeOf(() => read(folder));
            if ("message" in outcome) expect(outcome.message).toMatch(/\n {2}next: .*chown/);
            else expect([whole, without]).toContainEqual(outcome.value);
        });
    });
}
