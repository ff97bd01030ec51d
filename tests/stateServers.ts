import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
    chownSync,
    existsSync,
    mkdirSync,
    mkdtempSync,
    readFileSync,
    readdirSync,
    rmSync,
    writeFileSync,
} from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { choosePort } from "../lab/servers/ports";
import { requireGo } from "../lab/toolchain/build";
import { ensurePrograms, searchPath } from "../lab/toolchain/packages";
import { makeFolder } from "../lib/system/files";
import { withLock } from "../lib/system/lock";
import { labPaths, packageRoot } from "../lib/system/paths";
import { run } from "../lib/system/process";
import { progress } from "../lib/system/progress";
import { eventually } from "./mocha";

/* Servers in which Pulumi keeps state: PostgreSQL as Debian has it, and the S3 server versitygw, both on loopback with passwords. */

/** A place for Pulumi's state. */
export interface StateServer {
    /** What Pulumi's environment needs, as the jobs of workflows have it. */
    readonly env: Readonly<Record<string, string>>;
    /** The passwords among it. */
    readonly secrets: readonly string[];
    /** Texts of what is stored in a folder, the names of their keys first. */
    readonly read: (folder: string) => Promise<readonly string[]>;
    /** Kills the server, or starts it again on its data. */
    readonly kill: () => Promise<void>;
    readonly start: () => Promise<void>;
    /** Stops it and removes its data. */
    readonly close: () => Promise<void>;
}

/** First port to try: workers that look for a port at the same time start from different ports. */
const firstPort = 25_432 + 100 * Number(process.env.MOCHA_WORKER_ID ?? 0);

/** How long a server may take to start on a busy machine, in milliseconds. */
const patience = { timeout: 60_000 };

/** Fails unless a port answers. */
const answers = (port: number): Promise<void> =>
    new Promise((resolve, reject) => {
        const socket = createConnection({ port, host: "127.0.0.1" });
        socket.on("connect", () => {
            socket.destroy();
            resolve();
        });
        socket.on("error", reject);
    });

/** A server's command. */
interface ServerCommand {
    readonly command: string;
    readonly args: readonly string[];
    readonly env: NodeJS.ProcessEnv;
    /** Fails until the server does what it is for. One that only listens may still refuse everybody. */
    readonly check: () => Promise<unknown>;
}

/** Starts a server, waits until it is ready, and ends it with a signal. */
function serverOn({ command, args, env, check }: ServerCommand) {
    let server: ChildProcess | undefined;
    let log = "";
    const end = async (signal: NodeJS.Signals) => {
        if (server?.exitCode !== null || server.signalCode !== null) return;
        const ended = once(server, "exit");
        server.kill(signal);
        await ended;
    };
    const start = async () => {
        const child = spawn(command, args, { cwd: "/", env, stdio: ["ignore", "pipe", "pipe"] });
        for (const stream of [child.stdout, child.stderr])
            stream.setEncoding("utf8").on("data", (text: string) => (log += text));
        server = child;
        await eventually(async () => {
            if (child.exitCode !== null) throw new Error(`${command} ended: ${log}`);
            await check();
        }, patience);
    };
    return { start, end };
}

const postgresFolders = (): string[] => {
    const versions = "/usr/lib/postgresql";
    const installed = existsSync(versions) ? readdirSync(versions).map((one) => path.join(versions, one, "bin")) : [];
    return [...searchPath(), ...installed];
};

/** Starts PostgreSQL with an empty database, after installing it if it is missing. */
export async function startPostgres(): Promise<StateServer> {
    const needed = { initdb: "postgresql", postgres: "postgresql", psql: "postgresql-client" };
    await ensurePrograms("the tests need", needed, postgresFolders());
    const folders = postgresFolders();
    const program = (name: string) =>
        path.join(folders.find((folder) => existsSync(path.join(folder, name))) ?? "", name);
    const home = mkdtempSync(path.join(tmpdir(), "layered-images-postgres-"));
    const [data, passwordFile] = [path.join(home, "data"), path.join(home, "password")];
    const [user, password] = ["up", "pass/word of+the&database"];
    writeFileSync(passwordFile, password);
    // PostgreSQL refuses to run as root. Debian's package makes the user.
    const isRoot = process.getuid?.() === 0;
    if (isRoot) {
        const [uid, gid] = await Promise.all(
            ["-u", "-g"].map(async (what) => Number(await run("id", [what, "postgres"]))),
        );
        for (const one of [home, passwordFile]) chownSync(one, uid ?? 0, gid ?? 0);
    }
    const own = isRoot ? ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"] : ["env"];
    const [first = "", ...options] = own;
    const access = ["--auth", "scram-sha-256", "--username", user, "--pwfile", passwordFile];
    const settings = ["--encoding", "UTF8", "--locale", "C", "--no-sync"];
    await run(first, [...options, program("initdb"), "--pgdata", data, ...access, ...settings], { cwd: "/" });
    const port = await choosePort(firstPort);
    const listening = ["-p", port.toString(), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="];
    const env = {
        PULUMI_BACKEND_URL: `postgres://${user}@127.0.0.1:${port.toString()}/postgres?sslmode=disable`,
        PGPASSWORD: password,
    };
    const ask = (query: string, ...args: readonly string[]) =>
        run(program("psql"), [env.PULUMI_BACKEND_URL, "-Atc", query, ...args], { env: { ...process.env, ...env } });
    const { start, end } = serverOn({
        command: first,
        args: [...options, program("postgres"), "-D", data, ...listening],
        env: process.env,
        // After a crash it listens, and refuses connections until it has read its log.
        check: () => ask("select 1"),
    });
    await start();
    return {
        env,
        secrets: [password],
        read: async (folder) => {
            // Pulumi puts the database's name before each key.
            const query = `select key || ' ' || convert_from(decode(data->>'data', 'base64'), 'UTF8') from pulumi_state where key like '%/${folder}/%'`;
            const found = await ask(query, "-R", "\x01");
            return found.trim() === "" ? [] : found.trim().split("\x01");
        },
        kill: () => end("SIGQUIT"),
        start,
        close: async () => {
            await end("SIGQUIT");
            rmSync(home, { recursive: true, force: true });
        },
    };
}

/** Builds versitygw once for this machine, and returns its path. */
async function ensureVersitygw(): Promise<string> {
    const source = path.join(packageRoot, "tests", "versitygw");
    const hash = createHash("sha256").update(process.arch);
    for (const name of ["go.mod", "go.sum"]) hash.update(readFileSync(path.join(source, name)));
    const kept = path.join(labPaths().cache, "versitygw");
    const folder = path.join(kept, hash.digest("hex").slice(0, 12));
    const program = path.join(folder, "versitygw");
    mkdirSync(kept, { recursive: true });
    await withLock(path.join(kept, "lock"), async () => {
        if (existsSync(folder)) return;
        await requireGo("the tests' S3 server");
        const build = ["build", "-mod=readonly"];
        await progress("building the tests' S3 server", () =>
            makeFolder(folder, async (partial) => {
                await run(
                    "go",
                    [...build, "-o", path.join(partial, "versitygw"), "github.com/versity/versitygw/cmd/versitygw"],
                    {
                        cwd: source,
                        env: { ...process.env, CGO_ENABLED: "0" },
                        log: `${folder}.log`,
                    },
                );
            }),
        );
    });
    return program;
}

/** Starts an S3 server with an empty bucket, which checks the signature of each request. */
export async function startS3(): Promise<StateServer> {
    const program = await ensureVersitygw();
    const home = mkdtempSync(path.join(tmpdir(), "layered-images-s3-"));
    const [data, attributes, bucket] = [path.join(home, "data"), path.join(home, "attributes"), "state"];
    for (const folder of [path.join(data, bucket), attributes]) mkdirSync(folder, { recursive: true });
    const [user, password] = ["up", "the+secret/key=of-the-bucket"];
    const port = await choosePort(firstPort + 50);
    const address = `127.0.0.1:${port.toString()}`;
    const { start, end } = serverOn({
        command: program,
        args: ["--port", address, "posix", "--sidecar", attributes, data],
        env: { ...process.env, ROOT_ACCESS_KEY: user, ROOT_SECRET_KEY: password },
        check: () => answers(port),
    });
    await start();
    return {
        env: {
            PULUMI_BACKEND_URL: `s3://${bucket}?endpoint=http://${address}&region=us-east-1&s3ForcePathStyle=true`,
            AWS_REGION: "us-east-1",
            AWS_ACCESS_KEY_ID: user,
            AWS_SECRET_ACCESS_KEY: password,
        },
        secrets: [password],
        read: (folder) => {
            const place = path.join(data, bucket, folder);
            const entries = existsSync(place) ? readdirSync(place, { recursive: true, withFileTypes: true }) : [];
            const files = entries
                .filter((entry) => entry.isFile())
                .map((entry) => path.join(entry.parentPath, entry.name));
            return Promise.resolve(
                files.map((file) => `${path.relative(path.join(data, bucket), file)} ${readFileSync(file, "utf8")}`),
            );
        },
        kill: () => end("SIGKILL"),
        start,
        close: async () => {
            await end("SIGKILL");
            rmSync(home, { recursive: true, force: true });
        },
    };
}
