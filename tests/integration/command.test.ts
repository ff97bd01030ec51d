import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before } from "mocha";
import ts from "typescript";
import { ensureToolchain } from "../../lab/toolchain/build";
import { pulumiHome } from "../../lab/toolchain/pulumiHome";
import { tools } from "../../lab/toolchain/tools";
import { labPaths, packageRoot } from "../../lib/system/paths";
import { eventually, expect, test } from "../mocha";
import { writeTree } from "../writeTree";

/* The lab's command provider behind the real engine, under programs that use @pulumi/command as they would use the official one. */

const secretValue = "a confidential value\nwith another confidential line";
const password = "the password of the server";

interface Engine {
    readonly folder: string;
    readonly env: NodeJS.ProcessEnv;
}

let engine: Engine;
const servers: ChildProcess[] = [];

interface SshServer {
    readonly port: number;
    readonly hostKey: string;
}

/** Starts an SSH server that accepts the password or the key, whichever is not empty, and variables named `APP_…`. */
async function startSsh(accepted: { password?: string; key?: string }): Promise<SshServer> {
    const cwd = path.join(packageRoot, "lab", "toolchain", tools.command.folder);
    const child = spawn("go", ["run", "./sshserver/run", accepted.password ?? "", accepted.key ?? "", "APP_"], {
        cwd,
        stdio: ["pipe", "pipe", "inherit"],
    });
    servers.push(child);
    const [line] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
    return JSON.parse(line) as SshServer;
}

before(async () => {
    const toolchain = await ensureToolchain(labPaths().cache);
    const home = pulumiHome(labPaths().cache, toolchain, process.env);
    const folder = mkdtempSync(path.join(tmpdir(), "layered-images-commands-"));
    writeTree(folder, {
        "Pulumi.yaml": "name: commands\nruntime: nodejs\n",
        "package.json": JSON.stringify({ dependencies: { "@pulumi/pulumi": "*", "@pulumi/command": "*" } }),
    });
    symlinkSync(path.join(packageRoot, "node_modules"), path.join(folder, "node_modules"));
    mkdirSync(path.join(folder, "state"));
    const env = {
        ...process.env,
        PATH: `${path.join(home, "bin")}:${process.env.PATH ?? ""}`,
        PULUMI_HOME: home,
        PULUMI_BACKEND_URL: `file://${path.join(folder, "state")}`,
        PULUMI_CONFIG_PASSPHRASE: "test",
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_NODEJS_TRANSPILE_ONLY: "true",
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
        PULUMI_STACK: "test",
        SSH_AUTH_SOCK: "",
    };
    engine = { folder, env };
    expect(await pulumi("stack", "init", "test", "--no-select")).toMatchObject({ code: 0 });
});

after(() => {
    for (const server of servers) server.stdin?.end();
    rmSync(engine.folder, { recursive: true, force: true });
});

/** Runs `pulumi` and returns its exit code and everything that it printed. */
async function pulumi(...args: string[]): Promise<{ code: number; output: string; stdout: string }> {
    const child = spawn("pulumi", [...args, "--non-interactive", "--color", "never"], {
        cwd: engine.folder,
        env: engine.env,
        stdio: ["ignore", "pipe", "pipe"],
    });
    let [output, stdout] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
    const [code] = (await once(child, "close")) as [number];
    return { code, output, stdout };
}

const imports = `import * as pulumi from "@pulumi/pulumi";\nimport { local, remote } from "@pulumi/command";\n`;
const program = (text: string) => {
    writeTree(engine.folder, { "index.ts": imports + text });
};
const up = () => pulumi("up", "--yes", "--skip-preview");
const outputs = async () =>
    JSON.parse((await pulumi("stack", "output", "--json", "--show-secrets")).stdout) as Record<string, unknown>;
const read = (name: string) => readFileSync(path.join(engine.folder, name), "utf8");

/** The operations of a preview on commands, by name; unchanged ones are left out. */
async function preview(): Promise<Record<string, string>> {
    const { stdout } = await pulumi("preview", "--json");
    const { steps = [] } = JSON.parse(stdout) as { steps?: { op: string; urn: string }[] };
    const changed = steps.filter(({ op, urn }) => op !== "same" && urn.includes("command:"));
    return Object.fromEntries(changed.map(({ op, urn }) => [urn.split("::").at(-1) ?? "", op]));
}

/** A property of the npm package's types: whether it may be missing. */
type Optional = Readonly<Record<string, boolean>>;

/** Reads the properties of the interfaces and classes in a file of declarations, by the name of the type. */
function declaredIn(file: string): Record<string, Optional> {
    const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true);
    const found: Record<string, Optional> = {};
    const visit = (node: ts.Node): void => {
        if (ts.isInterfaceDeclaration(node) || ts.isClassDeclaration(node)) {
            const members = [...node.members].filter(
                (one) => ts.isPropertySignature(one) || ts.isPropertyDeclaration(one),
            );
            const isOptional = (one: (typeof members)[number]) =>
                one.questionToken !== undefined || one.type?.getText().endsWith("| undefined>") === true;
            found[node.name?.text ?? ""] = Object.fromEntries(
                members.map((one) => [one.name.getText(), isOptional(one)]),
            );
        }
        ts.forEachChild(node, visit);
    };
    visit(source);
    return found;
}

interface ObjectSchema {
    readonly properties?: Readonly<Record<string, unknown>>;
    readonly required?: readonly string[];
}

interface Schema {
    readonly resources: Readonly<
        Record<string, ObjectSchema & { readonly inputProperties: object; readonly requiredInputs?: readonly string[] }>
    >;
    readonly types: Readonly<Record<string, ObjectSchema & { readonly enum?: readonly { readonly value: string }[] }>>;
    readonly functions: Readonly<Record<string, { readonly inputs: ObjectSchema; readonly outputs: ObjectSchema }>>;
}

const propertiesIn = (properties: object = {}, required: readonly string[] = []): Optional =>
    Object.fromEntries(Object.keys(properties).map((name) => [name, !required.includes(name)]));

test("the provider has each property that the npm package's types promise, required where they require it", async () => {
    const printed = await pulumi("package", "get-schema", "command");
    expect(printed).toMatchObject({ code: 0 });
    const schema = JSON.parse(printed.stdout) as Schema;
    const types = (file: string) => declaredIn(path.join(packageRoot, "node_modules/@pulumi/command", file));
    const resource = (token: string) => {
        const { inputProperties, requiredInputs, properties, required } = schema.resources[token] ?? {
            inputProperties: {},
        };
        return [propertiesIn(inputProperties, requiredInputs), propertiesIn(properties, required)];
    };
    const object = (token: string) => propertiesIn(schema.types[token]?.properties, schema.types[token]?.required);
    const run = schema.functions["command:local:run"];
    const [localTypes, runTypes] = [types("local/command.d.ts"), types("local/run.d.ts")];
    const [remoteTypes, copyTypes] = [types("remote/command.d.ts"), types("remote/copyToRemote.d.ts")];
    const inputTypes = types("types/input.d.ts");

    expect(resource("command:local:Command")).toEqual([localTypes.CommandArgs, localTypes.Command]);
    expect(resource("command:remote:Command")).toEqual([remoteTypes.CommandArgs, remoteTypes.Command]);
    expect(resource("command:remote:CopyToRemote")).toEqual([copyTypes.CopyToRemoteArgs, copyTypes.CopyToRemote]);
    expect(propertiesIn(run?.inputs.properties, run?.inputs.required)).toEqual(runTypes.RunArgs);
    expect(propertiesIn(run?.outputs.properties, run?.outputs.required)).toEqual(runTypes.RunResult);
    expect(object("command:remote:Connection")).toEqual(inputTypes.ConnectionArgs);
    expect(object("command:remote:ProxyConnection")).toEqual(inputTypes.ProxyConnectionArgs);
    for (const token of ["command:local:Logging", "command:remote:Logging"])
        expect(schema.types[token]?.enum?.map(({ value }) => value)).toEqual([
            "stdout",
            "stderr",
            "stdoutAndStderr",
            "none",
        ]);
    // Nothing else, so that a program that runs here also runs with the official plugin.
    expect(Object.keys(schema.resources).sort()).toEqual([
        "command:local:Command",
        "command:remote:Command",
        "command:remote:CopyToRemote",
    ]);
});

/** A command that is created, updated, replaced and deleted, and commands that use what a run can be given. */
const localProgram = (word: string, trigger: string) => `
const log = (text: string) => \`echo "\${text} $WORD $PULUMI_COMMAND_STDOUT" >> log\`;
new local.Command("lifecycle", {
    create: log("create") + "; echo first",
    update: log("update") + "; echo second",
    delete: log("delete"),
    environment: { WORD: "${word}" },
});
new local.Command("silent", {
    create: log("silent") + "; echo first", environment: { WORD: "${word}" }, addPreviousOutputInEnv: false, logging: "none",
});
new local.Command("triggered", {
    create: "echo create ${trigger} >> triggers", delete: "echo delete >> triggers",
    triggers: ["${trigger}", new pulumi.asset.StringAsset("text")],
});
const fed = new local.Command("fed", { create: "cat", stdin: "${word}" });
const node = new local.Command("node", { create: "process.stdout.write(String(6 * 7))", interpreter: ["node", "-e"] });
const inside = new local.Command("inside", { create: "pwd; echo oops >&2", dir: "made" });
const files = new local.Command("files", {
    create: "mkdir -p out/deep; echo a > out/a.txt; echo b > out/deep/b.txt; echo c > out/c.log",
    assetPaths: ["out/**.txt", "!out/deep/**"], archivePaths: ["out/**"],
});
const hidden = new local.Command("hidden", {
    create: "echo \\"$TOKEN\\"; echo done >&2", environment: { TOKEN: pulumi.secret(${JSON.stringify(secretValue)}) },
});
const ran = local.runOutput({ command: "echo run $A", environment: { A: "${word}" } });
export const results = {
    fed: fed.stdout, node: node.stdout, inside: inside.stdout, oops: inside.stderr, ran: ran.stdout,
    assets: files.assets.apply((found) => Object.keys(found ?? {})),
    archive: files.archive.apply(async (archive: any) => Object.keys(await archive.assets).sort()),
    isSecret: pulumi.isSecret(hidden.stdout),
};
export const printed = hidden.stdout;
`;

test("a local command runs as its properties say, and again only when they change", async () => {
    mkdirSync(path.join(engine.folder, "made"));
    program(localProgram("alpha", "one"));
    const everything = ["fed", "files", "hidden", "inside", "lifecycle", "node", "silent", "triggered"];
    expect(await preview()).toEqual(Object.fromEntries(everything.map((name) => [name, "create"])));
    expect(existsSync(path.join(engine.folder, "log"))).toBe(false);

    const created = await up();
    expect(created).toMatchObject({ code: 0 });
    expect(await outputs()).toEqual({
        results: {
            fed: "alpha",
            node: "42",
            inside: path.join(engine.folder, "made"),
            oops: "oops",
            ran: "run alpha",
            assets: ["out/a.txt"],
            archive: ["out/a.txt", "out/c.log", "out/deep/b.txt"],
            isSecret: true,
        },
        printed: secretValue,
    });
    const [first = "", second = ""] = secretValue.split("\n");
    expect(created.output).not.toContain(first);
    expect(created.output).not.toContain(second);
    const { stdout: state } = await pulumi("stack", "export");
    expect(state).not.toContain(first);
    expect(state).not.toContain(second);

    expect(await preview()).toEqual({});
    expect(await pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")).toMatchObject({ code: 0 });
    expect(read("log").split("\n").sort()).toEqual(["", "create alpha ", "silent alpha "]);

    program(localProgram("beta", "two"));
    expect(await preview()).toEqual({
        lifecycle: "update",
        silent: "update",
        fed: "update",
        triggered: "replace",
    });
    expect(await up()).toMatchObject({ code: 0 });
    expect(await outputs()).toMatchObject({ results: { fed: "beta", ran: "run beta" } });
    expect(read("log").split("\n").slice(2, 4).sort()).toEqual(["silent beta ", "update beta first"]);
    expect(read("triggers")).toBe("create one\ncreate two\ndelete\n");

    expect(await pulumi("destroy", "--yes", "--skip-preview")).toMatchObject({ code: 0 });
    expect(read("log").split("\n").slice(4)).toEqual(["delete beta second", ""]);
    expect(read("triggers")).toBe("create one\ncreate two\ndelete\ndelete\n");
});

test("a failure names exit code, command and output, without a secret; what is not offered is refused", async () => {
    program(`
new local.Command("failing", {
    create: "echo to stdout; echo to stderr $TOKEN >&2; exit 9", environment: { TOKEN: pulumi.secret("confidential") },
});`);
    const failed = await up();
    expect(failed.code).not.toBe(0);
    expect(failed.output).toContain('exit status 9: running "echo to stdout;');
    expect(failed.output).toContain("to stderr [secret]");
    expect(failed.output).not.toContain("confidential");

    program(`new remote.CopyFile("copy", { connection: { host: "a" }, localPath: "a", remotePath: "b" });`);
    const refused = await pulumi("preview");
    expect(refused.code).not.toBe(0);
    expect(refused.output).toContain("use command:remote:CopyToRemote");
});

test("an interrupted update ends the command and what it started", async () => {
    program(`new local.Command("long", { create: "sleep 300 & echo $! > pid; wait" });`);
    const child = spawn("pulumi", ["up", "--yes", "--skip-preview", "--non-interactive"], {
        cwd: engine.folder,
        env: engine.env,
        stdio: "ignore",
    });
    const written = () => (existsSync(path.join(engine.folder, "pid")) ? read("pid") : "");
    await eventually(
        () => {
            expect(written()).toMatch(/\d\n/);
        },
        { timeout: 60_000 },
    );
    const ended = once(child, "close");
    child.kill("SIGINT");
    const [code] = (await ended) as [number | null];
    expect(code).not.toBe(0);
    await eventually(
        () => {
            expect(existsSync(`/proc/${read("pid").trim()}`)).toBe(false);
        },
        { timeout: 10_000 },
    );
});

/** Makes a private key and the public key as authorized_keys has it. */
function keyPair(): { privateKey: string; authorized: string } {
    const pair = generateKeyPairSync("ed25519");
    const part = (content: Buffer) => {
        const length = Buffer.alloc(4);
        length.writeUInt32BE(content.length);
        return Buffer.concat([length, content]);
    };
    const { x = "" } = pair.publicKey.export({ format: "jwk" });
    const wire = Buffer.concat([part(Buffer.from("ssh-ed25519")), part(Buffer.from(x, "base64url"))]);
    return {
        privateKey: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
        authorized: `ssh-ed25519 ${wire.toString("base64")}`,
    };
}

test("a remote command logs in by password and key, through a proxy; a wrong server is refused, an unchecked one is warned of", async () => {
    const { privateKey, authorized } = keyPair();
    writeTree(engine.folder, { "local.txt": "copied" });
    const server = await startSsh({ key: authorized });
    const proxy = await startSsh({ password });
    const connection = (host: SshServer, more: object = {}) => ({
        host: "127.0.0.1",
        port: host.port,
        hostKey: host.hostKey,
        user: "anybody",
        dialErrorLimit: 0,
        ...more,
    });
    const remoteProgram = (word: string, hostKey?: string) => `
const connection = ${JSON.stringify(connection(server, { hostKey, privateKey, proxy: connection(proxy, { password }) }))};
const copy = new remote.CopyToRemote("copy", {
    connection, source: new pulumi.asset.FileAsset("local.txt"), remotePath: "${engine.folder}/remote.txt",
});
const command = new remote.Command("remote", {
    connection, create: "cat ${engine.folder}/remote.txt; cat; echo \\" $APP_WORD\\"", stdin: " by", environment: { APP_WORD: "${word}" },
    delete: "touch ${engine.folder}/deleted",
}, { dependsOn: copy });
export const said = command.stdout;
`;
    program(remoteProgram("ssh", server.hostKey));
    const created = await up();
    expect(created).toMatchObject({ code: 0 });
    expect(created.output).not.toContain("is not checked");
    expect(await outputs()).toEqual({ said: "copied by ssh" });
    const { stdout: state } = await pulumi("stack", "export");
    expect(state).not.toContain(password);
    expect(state).not.toContain(privateKey.split("\n")[1]);
    expect(await preview()).toEqual({});

    program(remoteProgram("hand", proxy.hostKey));
    const refused = await up();
    expect(refused.code).not.toBe(0);
    expect(refused.output).toContain("the server's key is not `hostKey`");

    program(remoteProgram("hand"));
    expect(await preview()).toEqual({ copy: "update", remote: "update" });
    const unchecked = await up();
    expect(unchecked).toMatchObject({ code: 0 });
    expect(unchecked.output.match(/^ +warning: the key of 127.0.0.1:\d+ is not checked/gm)).toHaveLength(1);
    expect(await outputs()).toEqual({ said: "copied by hand" });
    expect(await pulumi("destroy", "--yes", "--skip-preview")).toMatchObject({ code: 0 });
    expect(existsSync(path.join(engine.folder, "deleted"))).toBe(true);
});
