import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { userInfo } from "node:os";
import path from "node:path";
import type { Lab } from "../lab/lab";
import { choosePort } from "../lab/servers/ports";
import { ensurePrograms } from "../lab/toolchain/packages";
import { run } from "../lib/system/process";
import { eventually } from "./mocha";

/** OpenSSH's server on loopback, as Debian configures it: of a client's variables it accepts those of its language alone. */
export interface Sshd {
    readonly port: number;
    readonly user: string;
    /** Public key of the server. */
    readonly hostKey: string;
    /** Private key that it lets in. */
    readonly key: string;
    /** Folder in which the commands of clients keep their state. */
    readonly state: string;
    readonly stop: () => Promise<void>;
    readonly start: () => Promise<void>;
}

const answers = (port: number): Promise<boolean> =>
    new Promise((resolve) => {
        const socket = createConnection({ port, host: "127.0.0.1" });
        socket.on("data", () => {
            socket.destroy();
            resolve(true);
        });
        socket.on("error", () => {
            resolve(false);
        });
    });

/**
 * Starts a server that lets this user in, after installing OpenSSH if it is missing.
 *
 * @param folder an existing folder for its keys and for what its clients leave
 */
export async function startSshd(folder: string): Promise<Sshd> {
    await ensurePrograms("the tests need", { sshd: "openssh-server", "ssh-keygen": "openssh-client" });
    const inFolder = (name: string) => path.join(folder, name);
    const keys = ["ed25519", "ecdsa"].map((type) => ({ type, file: inFolder(`host_${type}`) }));
    for (const { type, file } of [...keys, { type: "ed25519", file: inFolder("client") }])
        await run("ssh-keygen", ["-q", "-t", type, "-N", "", "-C", "test", "-f", file]);
    const read = (name: string) => readFileSync(inFolder(name), "utf8");
    writeFileSync(inFolder("authorized_keys"), read("client.pub"));
    chmodSync(inFolder("authorized_keys"), 0o600);
    const [state, port] = [inFolder("state"), await choosePort(22_022 + Number(process.env.MOCHA_WORKER_ID ?? 0))];
    mkdirSync(state);
    const lines = [
        `Port ${port}`,
        "ListenAddress 127.0.0.1",
        ...keys.map(({ file }) => `HostKey ${file}`),
        `AuthorizedKeysFile ${inFolder("authorized_keys")}`,
        "StrictModes no",
        "PasswordAuthentication no",
        "PermitRootLogin prohibit-password",
        "PidFile none",
        "AcceptEnv LANG LC_*",
        // Commands of the tests must leave nothing in the home of who runs them.
        `SetEnv XDG_STATE_HOME=${state} DEPLOY_STATE=${state}`,
    ];
    writeFileSync(inFolder("sshd_config"), `${lines.join("\n")}\n`);
    // The folder into which sshd locks itself before a login; a service would make it.
    if (process.getuid?.() === 0 && !existsSync("/run/sshd")) mkdirSync("/run/sshd", { mode: 0o755 });
    let server: ChildProcess | undefined;
    const start = async () => {
        // It starts itself again for each connection, so it wants its absolute path.
        const program = (await run("sh", ["-c", 'PATH="$PATH:/usr/sbin:/sbin"; command -v sshd'])).trim();
        server = spawn(program, ["-D", "-f", inFolder("sshd_config"), "-E", inFolder("log")], { stdio: "ignore" });
        await eventually(async () => {
            if (!(await answers(port))) throw new Error(`sshd does not answer: ${read("log")}`);
        });
    };
    await start();
    return {
        ...{
            port,
            user: userInfo().username,
            hostKey: read("host_ed25519.pub").trim(),
            key: read("client"),
            state,
            start,
        },
        stop: async () => {
            if (server?.exitCode !== null || !server.kill()) return;
            await once(server, "exit");
        },
    };
}

/** Returns the settings of a deployment to the server, for the stack's file: lines that are indented by six spaces. */
export const hostSettings = ({ port, user, hostKey }: Sshd): string =>
    `      host: 127.0.0.1
      port: ${port.toString()}
      user: ${user}
      hostKey: ${hostKey}
`;

/** Makes the lab's stack of a program, with the private key of a deployment as a secret of its configuration. */
export async function setDeploymentKey(lab: Lab, program: string, deployment: string, { key }: Sshd): Promise<void> {
    const file = path.join(lab.paths.state, `key-of-${deployment}`);
    writeFileSync(file, key, { mode: 0o600 });
    const options = { cwd: program, env: lab.env };
    await run("pulumi", ["stack", "init", "local"], options).catch(() => undefined);
    // Pulumi encrypts what it reads from standard input.
    const set = `pulumi config set --stack local --secret --path deployments.${deployment}.key < "$0"`;
    await run("sh", ["-c", set, file], options);
}
