import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import path from "node:path";
import { after, before, describe } from "mocha";
import { stringify } from "yaml";
import { startLab } from "../../lab/lab";
import { stopLab } from "../../lab/labState";
import { type Certificates, ensureCertificates } from "../../lab/servers/tls";
import { failedBuilds } from "../../lib/update/failedBuilds";
import { fixture } from "../fixture";
import { type Interposer, interposeRegistry } from "../interposer";
import { type TestLab, makeRepository, projectFile, runIn, startTestLab, unmountBelow } from "../lab";
import { expect, test } from "../mocha";
import { repositories } from "../registry";
import { command, exportState, up } from "../stack";
import { writeTree } from "../tree";

/* A stack without the lab, whose builder or registry fails. */

let lab: TestLab;
const started: ChildProcess[] = [];
const proxies: Interposer[] = [];
before(async () => {
    lab = await startTestLab();
});
after(async () => {
    for (const proxy of proxies) proxy.close();
    for (const child of started) {
        child.kill();
        await once(child, "exit");
    }
    await lab.close();
});

async function freePort(): Promise<number> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    return port;
}

/** Starts a registry next to the lab's, with these certificates and settings; returns host and port. */
async function startRegistry(name: string, { certificate, key }: Certificates, settings: object): Promise<string> {
    const port = await freePort();
    const folder = path.join(lab.paths.state, name);
    mkdirSync(folder);
    const file = path.join(folder, "config.yml");
    const http = { addr: `127.0.0.1:${port.toString()}`, tls: { certificate, key } };
    const storage = { filesystem: { rootdirectory: path.join(folder, "data") } };
    writeFileSync(file, stringify({ version: 0.1, storage, http, ...settings }));
    const child = spawn("docker-registry", ["serve", file], { stdio: ["ignore", "ignore", "pipe"] });
    started.push(child);
    await once(child.stderr, "data");
    return `registry.localhost:${port.toString()}`;
}

/** A repository whose stack names the registry itself. */
function repository(name: string, registry: string): string {
    const program = makeRepository(path.join(lab.paths.state, name), fixture);
    const [[root, pinned] = ["", ""]] = Object.entries(lab.instance.roots);
    const settings = {
        "layered-images:registry": registry,
        "layered-images:platforms": '["linux/amd64"]',
        "layered-images:roots": { [root]: pinned },
    };
    const salt = /encryptionsalt: (.*)/.exec(fixture["Pulumi.local.yaml"] ?? "")?.[1];
    writeTree(program, { "Pulumi.local.yaml": stringify({ config: settings, encryptionsalt: salt }) });
    return program;
}

/**
 * Runs `up`, which fails, and expects that no image was published and that no additional image is recorded as built.
 */
async function failure(program: string, env: NodeJS.ProcessEnv = lab.env): Promise<string> {
    const before = Object.keys(await exportState(lab, program));
    const { code, output } = await up({ ...lab, env }, program);
    expect(code).toBe(1);
    expect(Object.keys(await exportState(lab, program))).toEqual(before);
    expect(await repositories(lab)).toEqual(["library/python"]);
    expect(output).not.toMatch(/\n\s+at .*:\d+:\d+/);
    return output;
}

/** Starts a registry with one user, `somebody`, whose password is "right". */
async function closedRegistry(name: string): Promise<string> {
    const users = path.join(lab.paths.state, `${name}-users`);
    writeFileSync(users, "somebody:$2b$05$abcdefghijklmnopqrstuu8xaCxxL82bnl.UY74PMksDxIJShppPC\n");
    const auth = { htpasswd: { realm: "lab", path: users } };
    return await startRegistry(name, await ensureCertificates(lab.paths.state), { auth });
}

/** The lab's environment, with a Docker credentials file that holds this login for a registry. */
function login(registry: string, password: string): NodeJS.ProcessEnv {
    const folder = path.join(lab.paths.state, `docker-${password}`);
    const auth = Buffer.from(`somebody:${password}`).toString("base64");
    writeTree(folder, { "config.json": JSON.stringify({ auths: { [registry]: { auth } } }) });
    return { ...lab.env, DOCKER_CONFIG: folder };
}

test.thorough(
    "a registry whose certificate is not trusted is told before anything is built, with what to do",
    async () => {
        const other = await ensureCertificates(path.join(lab.paths.state, "other"));
        const registry = await startRegistry("untrusted", other, {});
        const output = await failure(repository("a", registry));
        expect(output).toContain(`registry ${registry} can't be asked`);
        expect(output).toContain("x509: certificate signed by unknown authority");
        expect(output).toContain(`next: make this machine and the builder trust the certificate of ${registry}`);
        expect(output).not.toContain("failed to push");
    },
);

test("a registry that refuses the login is told before anything is built; with the right one the same stack goes on", async () => {
    const registry = await closedRegistry("closed");
    const program = repository("b", registry);
    for (const env of [lab.env, login(registry, "wrong")]) {
        const output = await failure(program, env);
        expect(output).toContain("401 Unauthorized");
        expect(output).toContain(`next: docker login ${registry}`);
        expect(output).not.toMatch(/wrong|failed to push/);
    }
    const { code, output } = await up({ ...lab, env: login(registry, "right") }, program);
    expect(output).not.toContain("right");
    expect(code).toBe(0);
});

test("a registry that is not there is told before anything is built", async () => {
    const registry = `registry.localhost:${(await freePort()).toString()}`;
    const output = await failure(repository("c", registry));
    expect(output).toMatch(/connection refused[\s\S]*next: check that registry.localhost:\d+ runs and can be reached/);
});

/**
 * Starts a proxy in front of a registry. It refuses the first pushes of a manifest, like a registry that receives two
 * pushes of it at the same time.
 */
async function meetingRegistry(refusals: number): Promise<{ registry: string; refused: () => number }> {
    const own = await ensureCertificates(lab.paths.state);
    const behind = Number((await startRegistry("meeting", own, {})).split(":")[1]);
    const proxy = await interposeRegistry(lab, behind);
    proxies.push(proxy);
    let refused = 0;
    const errors = [
        { code: "MANIFEST_BLOB_UNKNOWN", message: "blob unknown to registry", detail: { digest: "sha256:0" } },
    ];
    proxy.obey(({ method, subject }) => {
        if (method !== "PUT" || !subject.startsWith("manifest b-") || refused >= refusals) return undefined;
        refused++;
        return { kind: "answer", status: 400, body: { errors } };
    });
    return { registry: proxy.host, refused: () => refused };
}

test("a push that the registry refuses because it met another one is done again", async () => {
    const { registry, refused } = await meetingRegistry(2);
    const { code, output } = await up(lab, repository("e", registry));
    expect(output).toContain("the push conflicted with another push of the same layer, and is repeated");
    expect(code, output).toBe(0);
    expect(refused()).toBe(2);
});

test("a builder that can't be reached is told, with how to get one", async () => {
    const elsewhere = { BUILDX_CONFIG: path.join(lab.paths.state, "nothing"), BUILDX_BUILDER: undefined };
    const env = { ...lab.env, ...elsewhere };
    const output = await failure(repository("d", lab.instance.registry), env);
    expect(output).toContain("failed to initialize builder");
    expect(output).toMatch(
        /image base: next: if the lab's builder ended: .*start the builder that "docker buildx ls" marks with \*/,
    );
});

test("of what two repositories build at the same time on one builder, each is told its own failure only", async () => {
    const step = "RUN --mount=type=secret,id=TOKEN cat /run/secrets/TOKEN; sleep 8; echo";
    const made = ["one", "two"].map((name) => {
        const image = (key: string) =>
            `${key}: { description: "", dockerfile: "${key}", platforms: ["linux/amd64"], secrets: ["TOKEN"] }`;
        const settings = {
            [`${name}:lab`]: "true",
            [`${name}:buildSecrets`]: { TOKEN: `secret-of-${name}` },
        };
        const salt = /encryptionsalt: (.*)/.exec(fixture["Pulumi.local.yaml"] ?? "")?.[1];
        return makeRepository(path.join(lab.paths.state, `at-once-${name}`), {
            "images.ts":
                'import type { ImageDefinitions } from "layered-images";\n' +
                `export const images: ImageDefinitions = { ${image("own")}, ${image("alike")} };\n`,
            own: `FROM python:3.12-slim\n${step} oh ${name}; false\n`,
            // Both repositories stage the same file in the same place: BuildKit runs its step once, with the secret of
            // one of the two.
            alike: `FROM python:3.12-slim\n${step} oh no; false\n`,
            "Pulumi.yaml": projectFile(name),
            "Pulumi.local.yaml": stringify({ config: settings, encryptionsalt: salt }),
        });
    });
    for (const program of made) {
        const init = ["stack", "init", "local", "--non-interactive", "--no-select"];
        expect(await runIn(lab, program, "pulumi", init)).toMatchObject({ code: 0 });
    }
    const outcomes = await Promise.all(made.map((program) => command(lab, program, ["up"])));
    for (const [index, name] of ["one", "two"].entries()) {
        const { code, output = "" } = outcomes[index] ?? {};
        expect(code, output).toBe(1);
        const told = output.slice(output.lastIndexOf("Duration:"));
        expect(told.match(/^image own failed .*:\n {4}.*/gm)).toEqual([
            expect.stringMatching(new RegExp(`^image own failed on linux/amd64, at .*:\\n {4}\\[secret\\]oh ${name}$`)),
        ]);
        expect(told).not.toContain("secret-of-");
    }
});

describe("a builder whose disk is full", () => {
    let small: TestLab;
    let store: string;
    before(async () => {
        small = await startTestLab("host");
        store = path.join(small.paths.state, "buildkit", "root");
    });
    after(async () => {
        await small.close();
    });

    /** Gives the builder an empty store of this size. */
    async function shrink(size: string): Promise<void> {
        await stopLab(small.paths);
        unmountBelow(small.paths.state);
        execFileSync("mount", ["--types", "tmpfs", "--options", `size=${size}`, "tmpfs", store]);
        await startLab({ paths: small.paths });
    }

    test.each([
        [
            "while it unpacks what an image is built on",
            "100m",
            "image base: next: free disk space in the builder's store",
        ],
        // The provider does not always report the output of a step, and BuildKit cannot store it: its record without
        // steps shows that.
        ["while a step writes", "900m", "no space left on device?\nnext: free disk space in the builder's store"],
    ])("is told, with what to do, %s", async (_when, size, told) => {
        await shrink(size);
        const dockerfile = "FROM python:3.12-slim\nRUN head -c 1G /dev/zero > /big\n";
        const files = { ...fixture, "docker/Dockerfile.base": dockerfile };
        const program = makeRepository(path.join(small.paths.state, size), files);
        const { code, output, log } = await up(small, program);
        expect(code).toBe(1);
        if (!log) throw new Error("the engine logged nothing");
        const builds = await failedBuilds({ env: small.env, root: program, log, mask: (line) => line });
        const printed = builds.flatMap(({ known }) => known?.output ?? []);
        expect([output, ...printed].join("\n")).toContain(told);
        expect(await repositories(small)).toEqual(["library/python"]);
    });
});
