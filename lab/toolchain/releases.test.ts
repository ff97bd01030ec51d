import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type RequestListener, type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach } from "mocha";
import { expect, spyOn, stubEnv, test } from "../../tests/mocha";
import { goAlone, withPrograms } from "../../tests/programs";
import { temporaryFolder, writeTree } from "../../tests/tree";
import { ensureToolchain, findToolchain } from "./build";
import { type Limits, answers, openReleases, parseChecksums, releasesVariable } from "./releases";
import { tools } from "./tools";

const hashOf = (algorithm: string, content: string | Buffer) => createHash(algorithm).update(content).digest("hex");

const sha256 = hashOf("sha256", "content");

test.each([
    ["sha256sum", `${hashOf("sha256", "other")}  other.tar.gz\n${sha256}  one.tar.gz\n`, sha256],
    ["sha256sum --binary", `${sha256} *one.tar.gz\n`, sha256],
    ["shasum of files in a folder", `${hashOf("sha1", "content")}  ./one.tar.gz\r\n`, hashOf("sha1", "content")],
    ["sha512sum", `${hashOf("sha512", "content").toUpperCase()}  one.tar.gz`, hashOf("sha512", "content")],
    [
        "an in-toto statement",
        JSON.stringify({
            subject: [
                { name: "two.tar.gz", digest: { sha256: "0" } },
                { name: "one.tar.gz", digest: { sha256 } },
            ],
        }),
        sha256,
    ],
    ["a list without the file", `${sha256}  one.tar.gz.sig\n`, undefined],
    ["a hash of unknown length", `${sha256.slice(1)}  one.tar.gz\n`, undefined],
    ["a page instead of a list", "<html>one.tar.gz</html>", undefined],
])("the checksum of a file in the form of %s", (_form, text, expected) => {
    expect(parseChecksums(text, "one.tar.gz")).toBe(expected);
});

let said: string[] = [];
const listen = () => {
    said = [];
    spyOn(console, "error").mockImplementation((text: unknown) => {
        said.push(String(text));
    });
};
const servers: Server[] = [];
afterEach(() => {
    for (const server of servers.splice(0)) {
        server.closeAllConnections();
        server.close();
    }
});

/** Starts a server on this machine, and returns its address. */
async function serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener).listen(0, "127.0.0.1");
    servers.push(server);
    await new Promise((resolve) => server.once("listening", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port.toString()}`;
}

/** A server of files by path, and the paths that were asked for. */
async function serveFiles(
    files: Readonly<Record<string, string | Buffer>>,
    special: RequestListener = () => undefined,
) {
    const asked: string[] = [];
    const address = await serve((request, response) => {
        asked.push(request.url ?? "");
        const content = files[request.url ?? ""];
        special(request, response);
        if (response.headersSent || response.destroyed) return;
        if (content === undefined) response.writeHead(404).end();
        else response.end(content);
    });
    return { address, asked };
}

/** Long enough for any server on this machine, however busy it is. */
const limits: Limits = { connect: 10_000, silence: 10_000, total: 20_000 };

/** Has the garbage collector take what nothing holds. */
function collect(): void {
    setFlagsFromString("--expose-gc");
    (runInNewContext("gc") as () => void)();
}
const release = { url: "https://one.test/v1/one", checksums: "https://one.test/v1/sums" };
const sums = `${sha256}  one\n`;

/** Takes the release from a server, twice, and returns the file's content, or undefined. */
async function take(address: string | undefined, more: Partial<Limits> = {}) {
    listen();
    const folder = path.join(temporaryFolder(), "releases");
    const env = { ...process.env, [releasesVariable]: address };
    const releases = openReleases(folder, { env, limits: { ...limits, ...more } });
    const files = await Promise.all(["one", "two"].map((tool) => releases.take(release, `${tool} is built`)));
    expect(files[0]).toBe(files[1]);
    const content = files[0] === undefined ? undefined : readFileSync(files[0], "utf8");
    await releases.close();
    expect(existsSync(folder)).toBe(false);
    return content;
}

test("a release with its publisher's checksum is taken, once for all tools that are in it", async () => {
    const { address, asked } = await serveFiles({ "/one.test/v1/one": "content", "/one.test/v1/sums": sums });
    expect(await take(address)).toBe("content");
    expect(asked).toEqual(["/one.test/v1/sums", "/one.test/v1/one"]);
    expect(said).toEqual([]);
});

test("a release is taken from where its publisher redirects to", async () => {
    const { address } = await serveFiles(
        { "/elsewhere": "content", "/one.test/v1/sums": sums },
        (request, response) => {
            if (request.url === "/one.test/v1/one") response.writeHead(302, { location: "/elsewhere" }).end();
        },
    );
    expect(await take(address)).toBe("content");
});

test.each<[string, Readonly<Record<string, string>>, RegExp]>([
    [
        "has another checksum",
        { "/one.test/v1/one": "changed", "/one.test/v1/sums": sums },
        /^warning: https:\/\/one\.test\/v1\/one is not what its publisher's checksums say: [0-9a-f]{64}, not [0-9a-f]{64}: one is built$/,
    ],
    [
        "has no checksum",
        { "/one.test/v1/one": "content", "/one.test/v1/sums": `${sha256}  two\n` },
        /^warning: https:\/\/one\.test\/v1\/sums has no checksum of one: one is built$/,
    ],
    ["is absent", { "/one.test/v1/sums": sums }, /^note: https:\/\/one\.test\/v1\/one answered 404: one is built$/],
    ["has no list of checksums", { "/one.test/v1/one": "content" }, /^note: .*sums answered 404: one is built$/],
])("a release that %s is not taken, and that is said", async (_what, files, message) => {
    const { address } = await serveFiles(files);
    expect(await take(address)).toBeUndefined();
    expect(said[0]).toMatch(message);
});

test("a release that breaks off is not taken", async () => {
    const { address } = await serveFiles({ "/one.test/v1/sums": sums }, (request, response) => {
        if (request.url !== "/one.test/v1/one") return;
        response.writeHead(200, { "content-length": "7" }).write("cont");
        setTimeout(() => response.destroy(), 50);
    });
    expect(await take(address)).toBeUndefined();
    expect(said[0]).toMatch(/^note: https:\/\/one\.test\/v1\/one broke off \(.+\): one is built$/);
});

test.each<[string, Partial<Limits>, string]>([
    ["stalls", { silence: 1000 }, "broke off"],
    ["takes too long", { total: 1000 }, "broke off (after 1 s)"],
])("a release that %s is not waited for", async (_what, more, message) => {
    const { address } = await serveFiles({ "/one.test/v1/sums": sums }, (request, response) => {
        if (request.url !== "/one.test/v1/one") return;
        response.writeHead(200, { "content-length": "7" }).write("cont");
        // A time limit that nothing holds would be forgotten then.
        for (const delay of [20, 40, 60]) setTimeout(collect, delay);
    });
    expect(await take(address, more)).toBeUndefined();
    expect(said[0]).toContain(message);
});

test("a host that does not answer is asked once, and said once", async () => {
    let connections = 0;
    const address = await serve(() => connections++);
    listen();
    const env = { ...process.env, [releasesVariable]: address };
    const short = { ...limits, silence: 300 };
    const releases = openReleases(path.join(temporaryFolder(), "releases"), { env, limits: short });
    const other = { ...release, url: "https://one.test/v1/two" };
    expect(await releases.take(release, "one is built")).toBeUndefined();
    expect(await releases.take(other, "two is built")).toBeUndefined();
    await releases.close();
    expect(connections).toBe(1);
    expect(said).toEqual([
        expect.stringMatching(/^note: one\.test can't be reached \(.+\): what it has is built from source$/),
    ]);
});

test("a server answers whatever it says, and one that is not there does not", async () => {
    const { address, asked } = await serveFiles({});
    const at = (server: string) => answers("https://one.test/v2/", { ...process.env, [releasesVariable]: server });
    expect(await at(address)).toBe(true);
    expect(asked).toEqual(["/one.test/v2/"]);
    expect(await at("http://127.0.0.1:9")).toBe(false);
});

test("nothing is asked where releases are switched off", async () => {
    expect(await take("none")).toBeUndefined();
    expect(said).toEqual([]);
});

/** Makes an archive of files by path. */
function archive(files: Readonly<Record<string, string>>): Buffer {
    const folder = temporaryFolder();
    writeTree(folder, files);
    const { stdout } = spawnSync("tar", ["--create", "--gzip", "--directory", folder, ...Object.keys(files)]);
    return stdout;
}

/** What the publishers of the toolchain release. */
function publishedFiles(): Record<string, string | Buffer> {
    const { release: buildkit } = tools.buildkit;
    const contents = new Map<string, string | Buffer>([
        [buildkit.url, archive({ "bin/buildkitd": "buildkitd", "bin/buildctl": "buildctl", "bin/buildkit-runc": "-" })],
        [tools.buildx.release.url, "buildx"],
        [
            tools.pulumi.release.url,
            archive({ "pulumi/pulumi": "pulumi", "pulumi/pulumi-language-nodejs": "host", "pulumi/pulumi-watch": "-" }),
        ],
        ...[tools.dockerBuild, tools.github, tools.command].map(
            ({ folder, release: { url } }) => [url, archive({ [folder]: folder, "README.md": "-" })] as const,
        ),
    ]);
    const files: Record<string, string | Buffer> = {};
    for (const {
        release: { url, checksums },
    } of Object.values(tools)) {
        const content = contents.get(url) ?? "";
        const name = path.basename(url);
        const digest = { sha256: hashOf("sha256", content) };
        files[url.replace("https:/", "")] = content;
        files[checksums.replace("https:/", "")] = checksums.endsWith(".json")
            ? JSON.stringify({ subject: [{ name, digest }] })
            : `${digest.sha256}  ${name}\n`;
    }
    return files;
}

/** Go that logs its builds, on a machine that has no other tool. */
function withGo(): () => string[] {
    const log = `${withPrograms(goAlone)}/go.log`;
    const lines = () => (existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : []);
    return () => lines().filter((line) => line.startsWith("build "));
}

test("a whole toolchain comes from releases, without Go", async () => {
    withPrograms({ ...goAlone, go: "exit 127" });
    const { address, asked } = await serveFiles(publishedFiles());
    stubEnv(releasesVariable, address);
    const cache = temporaryFolder();
    const found = await ensureToolchain(cache);
    expect(await findToolchain(cache)).toEqual(found);
    const content = (tool: keyof typeof tools, program: string) =>
        readFileSync(path.join(found[tool] ?? "", program), "utf8");
    expect([content("buildkit", "buildkitd"), content("buildkit", "buildctl")]).toEqual(["buildkitd", "buildctl"]);
    expect([content("buildx", "buildx"), content("pulumi", "pulumi")]).toEqual(["buildx", "pulumi"]);
    expect(content("languageHost", "pulumi-language-nodejs")).toBe("host");
    for (const tool of ["dockerBuild", "github", "command"] as const) {
        expect(content(tool, tools[tool].folder)).toBe(tools[tool].folder);
    }
    expect(asked.filter((url) => url.includes("/sdk/"))).toHaveLength(2);
    expect(existsSync(path.join(cache, "toolchain", "releases"))).toBe(false);
});

test("what is wrong with a release concerns its tool alone: that is built, and the others are taken", async () => {
    const builds = withGo();
    listen();
    const files = publishedFiles();
    files[tools.github.release.url.replace("https:/", "")] = "forged";
    const broken = tools.command.release.url.replace("https:/", "");
    files[broken] = archive({ "README.md": "without the program" });
    const [sumsOf] = [tools.command.release.checksums.replace("https:/", "")];
    files[sumsOf] = `${hashOf("sha256", files[broken])}  ${path.basename(broken)}\n`;
    const { address } = await serveFiles(files);
    stubEnv(releasesVariable, address);
    await ensureToolchain(temporaryFolder());
    expect(builds()).toHaveLength(2);
    expect(said.join("\n")).toMatch(/warning: \S+github\S+ is not what its publisher's checksums say/);
    expect(said.join("\n")).toMatch(/warning: \S+ can't be unpacked \(.* does not contain pulumi-resource-command\)/);
});

test("where no release can be had everything is built, after one attempt", async () => {
    const builds = withGo();
    listen();
    const { address, asked } = await serveFiles({});
    stubEnv(releasesVariable, address);
    await ensureToolchain(temporaryFolder());
    expect(builds()).toHaveLength(Object.keys(tools).length);
    expect(new Set(asked).size).toBe(asked.length);
});

test("a folder that a killed run left is no obstacle", async () => {
    withPrograms({ ...goAlone, go: "exit 127" });
    const cache = temporaryFolder();
    mkdirSync(path.join(cache, "toolchain", "releases"), { recursive: true });
    writeFileSync(path.join(cache, "toolchain", "releases", path.basename(tools.buildx.release.url)), "part");
    const { address } = await serveFiles(publishedFiles());
    stubEnv(releasesVariable, address);
    const { buildx = "" } = await ensureToolchain(cache);
    expect(readFileSync(path.join(buildx, "buildx"), "utf8")).toBe("buildx");
});
