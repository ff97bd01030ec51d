import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { choosePort } from "../lab/servers/ports";
import { configFiles } from "../lab/servers/services";
import { run } from "../lib/system/process";
import type { TestLab } from "./lab";
import { eventually } from "./mocha";

/** A BuildKit of its own on loopback, with mutual TLS, for some platforms. */
export interface Engine {
    /** "tcp://127.0.0.1:<port>". */
    readonly endpoint: string;
    /** Starts it again with the store that it had. */
    readonly start: () => Promise<void>;
    /** Kills it at once. */
    readonly kill: () => Promise<void>;
}

/** Files of an authority, and of pairs that it signed. */
export interface Pairs {
    readonly ca: string;
    readonly server: readonly [cert: string, key: string];
    readonly client: readonly [cert: string, key: string];
}

/** Makes an authority in a folder, with a pair for engines on 127.0.0.1 and one for their users. */
export async function makePairs(folder: string): Promise<Pairs> {
    mkdirSync(folder, { recursive: true });
    const at = (name: string) => path.join(folder, name);
    const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    await run("openssl", [
        "req",
        "-x509",
        ...newKey,
        "-subj",
        "/CN=engines",
        "-keyout",
        at("ca.key"),
        "-out",
        at("ca.pem"),
    ]);
    const sign = async (name: string): Promise<readonly [string, string]> => {
        const extension = ["-addext", "subjectAltName=IP:127.0.0.1"];
        const by = ["-CA", at("ca.pem"), "-CAkey", at("ca.key")];
        const files = ["-keyout", at(`${name}.key`), "-out", at(`${name}.pem`)];
        await run("openssl", ["req", "-x509", ...newKey, "-subj", `/CN=${name}`, ...extension, ...by, ...files]);
        return [at(`${name}.pem`), at(`${name}.key`)];
    };
    return { ca: at("ca.pem"), server: await sign("server"), client: await sign("client") };
}

/** What an engine is made of. */
export interface EngineOptions {
    /** What it builds for, and nothing else. What it can't do natively, the machine emulates. */
    readonly platforms: readonly string[];
    readonly pairs: Pairs;
    /** How many steps it executes at once. Default: as many as it is given. */
    readonly slots?: number;
}

/**
 * Starts an engine that knows the lab's registry.
 *
 * @param folder for its store and configuration
 */
export async function startEngine(
    lab: TestLab,
    folder: string,
    { platforms, pairs, slots }: EngineOptions,
): Promise<Engine> {
    mkdirSync(folder, { recursive: true });
    const port = await choosePort(20_000 + 1000 * Number(process.env.MOCHA_WORKER_ID ?? 0));
    const [cert, key] = pairs.server.map((file) => JSON.stringify(file));
    const limit = slots === undefined ? "" : `\n  max-parallelism = ${slots.toString()}`;
    const text = readFileSync(configFiles(lab.paths).buildkitd, "utf8")
        .replace(/^root = .*/m, `root = ${JSON.stringify(path.join(folder, "root"))}`)
        .replace(
            /^ {2}address = .*/m,
            `  address = ["tcp://127.0.0.1:${port.toString()}"]\n  [grpc.tls]\n    cert = ${cert ?? ""}\n    key = ${key ?? ""}\n    ca = ${JSON.stringify(pairs.ca)}`,
        )
        .replace(/^ {2}socketPath = .*/m, `  socketPath = ${JSON.stringify(path.join(folder, "otel.sock"))}`)
        .replace(/^\[worker\.oci\]$/m, `[worker.oci]\n  platforms = ${JSON.stringify(platforms)}${limit}`);
    const config = path.join(folder, "buildkitd.toml");
    writeFileSync(config, text);
    let child: ChildProcess | undefined;
    const answer = () =>
        new Promise<void>((resolve, reject) => {
            const socket = connect(port, "127.0.0.1", () => {
                socket.destroy();
                resolve();
            }).on("error", reject);
        });
    const start = async () => {
        child = spawn("buildkitd", ["--config", config], { env: lab.env, stdio: "ignore" });
        await eventually(answer, { timeout: 20_000 });
    };
    const kill = async () => {
        const running = child;
        child = undefined;
        if (!running) return;
        const ended = new Promise((resolve) => running.on("close", resolve));
        running.kill("SIGKILL");
        await ended;
    };
    await start();
    return { endpoint: `tcp://127.0.0.1:${port.toString()}`, start, kill };
}
