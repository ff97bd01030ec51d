import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe } from "mocha";
import { choosePort } from "../../lab/servers/ports";
import { archOf, hostPlatform } from "../../lib/platform";
import { blobReader } from "../../lib/registry/blobs";
import { onBuildTriggers, readManifest } from "../../lib/registry/manifest";
import { configWith, fixture } from "../fixture";
import { type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { eventually, expect, test } from "../mocha";
import { manifest, repositories, tags } from "../registry";
import { changesOf, exportState, imageOutputs, noChanges, reviewPlan, up } from "../stack";

/* Requests to registries, sent by the lab's buildx and outside it, to the lab's registry. */

let lab: TestLab;
before(async () => {
    lab = await startTestLab();
});
after(async () => {
    await lab.close();
});

test("an index and a manifest are read as the registry has them, an absent one is undefined", async () => {
    const [root = ""] = Object.values(lab.instance.roots);
    const repository = root.slice(0, root.indexOf("@"));
    const index = await readManifest(`${repository}:3.12-slim`, lab.env);
    expect(index?.digest).toBe(root.slice(root.indexOf("@") + 1));
    expect(Object.keys(index?.platforms ?? {}).sort()).toEqual(["linux/amd64", "linux/arm64"]);
    const digest = index?.platforms["linux/amd64"] ?? "";
    const found = await readManifest(`${repository}@${digest}`, lab.env);
    const held = await manifest(lab, "library/python", digest);
    expect(found).toEqual({
        digest,
        config: { digest: held?.config?.digest, size: held?.config?.size },
        layers: held?.layers?.map((layer) => ({ digest: layer.digest, size: layer.size })),
        platforms: {},
    });
    expect(await readManifest(`${repository}:other`, lab.env)).toBeUndefined();
    expect(await readManifest(`${repository}@sha256:${"0".repeat(64)}`, lab.env)).toBeUndefined();
    expect(await readManifest(`${lab.instance.registry}/never/made:latest`, lab.env)).toBeUndefined();
});

test("a registry that does not answer, and one that nobody vouches for, are told with the reason", async () => {
    const unknowing = { ...lab.env, SSL_CERT_FILE: lab.env.LAYERED_IMAGES_SYSTEM_CA };
    const ref = `${lab.instance.registry}/library/python:3.12-slim`;
    await expect(readManifest(ref, unknowing)).rejects.toThrow(
        /^registry registry\.localhost:\d+ can't be asked: .*certificate/,
    );
    await expect(readManifest("registry.localhost:1/o/r:latest", lab.env)).rejects.toThrow(
        /^registry registry\.localhost:1 can't be asked: .*connection refused/,
    );
});

test("a blob is looked for where buildx looks for manifests", async () => {
    const [root = ""] = Object.values(lab.instance.roots);
    const repository = root.slice(0, root.indexOf("@"));
    const { platforms } = (await readManifest(root, lab.env)) ?? {};
    const { layers, config } = (await readManifest(`${repository}@${platforms?.["linux/amd64"] ?? ""}`, lab.env)) ?? {};
    const reader = blobReader(lab.env);
    for (const { digest } of [...(layers ?? []), ...(config ? [config] : [])]) {
        expect(await reader.look(repository, digest)).toBe("there");
        // The registry has the blob, in another repository.
        expect(await reader.look(`${lab.instance.registry}/never/made`, digest)).toBe("lost");
    }
    await reader.close();
});

const imageNamed = (name: string) => `import type { ImageDefinitions } from "layered-images";
export const images: ImageDefinitions = {
    app: { description: "the only one", name: "ghcr.io/fixture/${name}:latest", dockerfile: "Dockerfile", platforms: "host" },
};
`;

test("what is to read a Dockerfile and can't be had is said before anything is built; BuildKit's own does without", async () => {
    // An unpublished version, so that network access changes nothing.
    const syntax = "docker/dockerfile:0.0.0-never-made";
    const files = {
        "images.ts": imageNamed("read"),
        Dockerfile: `# syntax=${syntax}\n# escape=\`\nFROM scratch\nCOPY \`\n  a.txt /a.txt\n`,
        "a.txt": "a\n",
    };
    const of = (name: string, more: Readonly<Record<string, string>>) =>
        makeRepository(path.join(lab.paths.state, name), { ...fixture, ...files, ...more });
    const program = of("syntax", {});
    const said = `Dockerfile:1: image app can't be built here, because ${syntax}, the frontend of its Dockerfile, is not available`;
    const preview = await runIn(lab, program, "pulumi", ["preview", "--non-interactive", "--color", "never"]);
    expect(preview.code, preview.output).toBe(0);
    expect(preview.output).toContain(`warning: ${said}`);
    expect(preview.output).toContain("pulumi config set builtinFrontend true");
    const refused = await up(lab, program);
    expect(refused.code).not.toBe(0);
    expect(refused.output).toMatch(new RegExp(`before hook .* failed: ${said.replaceAll(".", "\\.")}`));
    expect(await repositories(lab)).not.toContain("fixture/read");
    const builtin = of("builtin", configWith('  layered-images:builtinFrontend: "true"\n'));
    const made = await up(lab, builtin);
    expect(made.code, made.output).toBe(0);
    expect(made.output).not.toContain(syntax);
    expect(await tags(lab, "fixture/read")).toContain("latest");
});

describe("a root with ONBUILD", () => {
    let pinned: string;
    /** A program with a single image that has this Dockerfile. */
    const program = (name: string, dockerfile: string, by: string) =>
        makeRepository(path.join(lab.paths.state, name), {
            ...fixture,
            ...configWith(`  layered-images:roots:\n    example.test/onbuild:1: ${by}\n`),
            "images.ts": imageNamed("app"),
            Dockerfile: dockerfile,
            "a.txt": "a\n",
        });

    before(async () => {
        const folder = path.join(lab.paths.state, "onbuild");
        mkdirSync(folder);
        const [root = ""] = Object.values(lab.instance.roots);
        writeFileSync(
            path.join(folder, "Dockerfile"),
            `FROM ${root}\nRUN echo root > /root.txt\nONBUILD COPY . /srv/\nONBUILD RUN ls /srv\n`,
        );
        const at = `${lab.instance.registry}/roots/onbuild`;
        const options = ["--platform", "linux/amd64,linux/arm64", "--provenance", "false", "--tag", `${at}:1`];
        const made = await runIn(lab, folder, "buildx", ["build", ...options, "--output", "type=registry", "."]);
        expect(made.code, made.output).toBe(0);
        pinned = `${at}@${(await readManifest(`${at}:1`, lab.env))?.digest ?? ""}`;
    });

    test("has them for each platform, and for one that it is not sure of", async () => {
        for (const platform of ["linux/amd64", "linux/arm64", "linux/s390x"])
            expect(await onBuildTriggers(pinned, platform, lab.env)).toEqual(["COPY . /srv/", "RUN ls /srv"]);
        const [root = ""] = Object.values(lab.instance.roots);
        expect(await onBuildTriggers(root, "linux/amd64", lab.env)).toEqual([]);
        expect(await onBuildTriggers(`${lab.instance.registry}/never/made:1`, "linux/amd64", lab.env)).toBeUndefined();
    });

    test("is refused before a build, with what it would run, and nothing is promoted", async () => {
        const refused = await up(lab, program("refused", "FROM example.test/onbuild:1\nCOPY a.txt /a.txt\n", pinned));
        expect(refused.code).not.toBe(0);
        expect(refused.output).toContain(
            `image app is built from root example.test/onbuild:1 (${pinned}), whose ONBUILD would run`,
        );
        expect(refused.output).toMatch(
            /\n +COPY \. \/srv\/\n +RUN ls \/srv\n +next: declare it in images\.ts.*\n +export const roots: RootDefinitions = \{\n +"example\.test\/onbuild:1": \{ onBuild: \["COPY \. \/srv\/", "RUN ls \/srv"\] \},/,
        );
        expect(await repositories(lab)).not.toContain("fixture/app");
    });

    test("is refused where its registry can't say", async () => {
        const nowhere = pinned.replace(lab.instance.registry, "registry.localhost:1");
        const refused = await up(lab, program("unknown", "FROM example.test/onbuild:1\n", nowhere));
        expect(refused.code).not.toBe(0);
        expect(refused.output).toMatch(
            /root example\.test\/onbuild:1 \(registry\.localhost:1\S+\) may have ONBUILD .*connection refused/,
        );
        expect(await repositories(lab)).not.toContain("fixture/app");
    });

    test("is only copied from where no stage is built FROM it: nothing of it runs", async () => {
        const copied = "FROM scratch\nCOPY --from=example.test/onbuild:1 /root.txt /root.txt\n";
        const made = await up(lab, program("copied", copied, pinned));
        expect(made.code, made.output).toBe(0);
        expect(await tags(lab, "fixture/app")).toContain("latest");
        const [layer, ...more] = (await manifest(lab, "fixture/app", "latest"))?.manifests ?? [];
        expect(more).toEqual([]);
        expect((await manifest(lab, "fixture/app", layer?.digest ?? ""))?.layers).toHaveLength(1);
    });
});

test("ONBUILD of a declared root and of a parent brings its files into what is built on them, and an edit of one builds only that", async () => {
    const from = path.join(lab.paths.state, "light");
    mkdirSync(from);
    writeFileSync(path.join(from, "root.txt"), "root\n");
    writeFileSync(path.join(from, "Dockerfile"), "FROM scratch\nCOPY root.txt /\nONBUILD COPY a.txt /srv/\n");
    const at = `${lab.instance.registry}/roots/light`;
    const push = ["--provenance", "false", "--tag", `${at}:1`, "--output", "type=registry", "."];
    const made = await runIn(lab, from, "buildx", ["build", ...push]);
    expect(made.code, made.output).toBe(0);
    const pinned = `${at}@${(await readManifest(`${at}:1`, lab.env))?.digest ?? ""}`;
    const program = makeRepository(path.join(lab.paths.state, "declared"), {
        ...fixture,
        ...configWith(`  layered-images:roots:\n    example.test/light:1: ${pinned}\n`),
        "images.ts": `import type { ImageDefinitions, RootDefinitions } from "layered-images";
const image = (name: string) =>
    ({ description: name, name: \`ghcr.io/declared/\${name}:latest\`, dockerfile: \`\${name}.Dockerfile\`, platforms: "host" }) as const;
export const images: ImageDefinitions = { parent: image("parent"), app: image("app") };
export const roots: RootDefinitions = { "example.test/light:1": { onBuild: ["COPY a.txt /srv/"] } };
`,
        "parent.Dockerfile": "FROM example.test/light:1\nONBUILD COPY b.txt /srv/\n",
        "app.Dockerfile": "FROM ghcr.io/declared/parent\nCOPY c.txt /srv/\n",
        ...{ "a.txt": "a\n", "b.txt": "b\n", "c.txt": "c\n" },
    });
    const arch = archOf(hostPlatform());
    /** Returns the files of an image. */
    const filesOf = async (name: string) => {
        const { ref } = (await imageOutputs(lab, program))[name] ?? {};
        // A build FROM the image would run its ONBUILD instructions.
        writeFileSync(path.join(from, "Dockerfile"), `FROM scratch\nCOPY --from=${ref ?? ""} / /\n`);
        const out = path.join(lab.paths.state, "files", name);
        rmSync(out, { recursive: true, force: true });
        const copied = await runIn(lab, from, "buildx", ["build", "--output", `type=local,dest=${out}`, "."]);
        expect(copied.code, copied.output).toBe(0);
        const names = readdirSync(path.join(out, "srv")).sort();
        return names.map((file) => readFileSync(path.join(out, "srv", file), "utf8")).join("");
    };
    const first = await up(lab, program);
    expect(first.code, first.output).toBe(0);
    expect([await filesOf("parent"), await filesOf("app")]).toEqual(["a\n", "a\nb\nc\n"]);
    writeFileSync(path.join(program, "b.txt"), "another\n");
    const second = await up(lab, program);
    expect(changesOf(second)).toEqual({
        code: 0,
        operations: { [`app-${arch}`]: "update", app: "update" },
        onGitHub: {},
    });
    expect(await filesOf("app")).toBe("a\nanother\nc\n");
});

describe("tags by commit and date", () => {
    let program: string;
    const git = (...args: string[]) => {
        const author = ["-c", "user.name=a", "-c", "user.email=a@example.test", "-c", "commit.gpgsign=false"];
        return execFileSync("git", [...author, ...args], { cwd: program, encoding: "utf8", stdio: "pipe" }).trim();
    };
    const commit = (text: string) => {
        writeFileSync(path.join(program, "a.txt"), text);
        git("add", "a.txt", "Dockerfile", "images.ts");
        git("commit", "-q", "-m", text);
        return git("rev-parse", "HEAD").slice(0, 12);
    };
    const setTags = (...list: string[]) => {
        const entry = imageNamed("tagged").replace(
            'platforms: "host"',
            `platforms: "host", tags: ${JSON.stringify(list)}`,
        );
        writeFileSync(path.join(program, "images.ts"), entry);
    };
    /** Returns the tags by commit or date, and the digest that each of them and `latest` have. */
    const released = async () => {
        const names = (await tags(lab, "fixture/tagged")).filter((tag) => !/^(b|r|cache)-/.test(tag));
        const digests = names.map(async (tag) => [tag, (await manifest(lab, "fixture/tagged", tag))?.digest] as const);
        return Object.fromEntries(await Promise.all(digests));
    };
    const pending = async () => {
        const {
            images: [plan],
            warnings,
        } = await reviewPlan(lab, program);
        return { action: plan?.action, causes: plan?.causes, warnings };
    };
    let first: string;
    let former: string;

    before(() => {
        program = makeRepository(path.join(lab.paths.state, "tagged"), {
            ...fixture,
            Dockerfile: "FROM scratch\nCOPY a.txt /\n",
        });
        setTags("v-{commit}");
        git("init", "-q");
        first = commit("a\n");
    });

    test("are added to a release after its promotion, with its digest; an update with nothing to do adds none", async () => {
        const made = await up(lab, program);
        expect(made.code, made.output).toBe(0);
        const { latest = "", ...rest } = await released();
        expect(rest).toEqual({ [`v-${first}`]: latest });
        former = latest;
        expect(changesOf(await up(lab, program, "--expect-no-changes"))).toEqual(noChanges);
        expect(await pending()).toEqual({ action: "unchanged", causes: [], warnings: [] });
    });

    test("stay when a new release gets its own; a change that is not committed is told", async () => {
        const second = commit("b\n");
        expect(await pending()).toMatchObject({ action: "rebuild", causes: ["a.txt changed"], warnings: [] });
        expect(await up(lab, program)).toMatchObject({ code: 0 });
        const { latest = "" } = await released();
        expect(latest).not.toBe(former);
        expect(await released()).toEqual({ latest, [`v-${first}`]: former, [`v-${second}`]: latest });
        writeFileSync(path.join(program, "a.txt"), "c\n");
        expect(await up(lab, program)).toMatchObject({ code: 0 });
        expect(await released()).toMatchObject({
            [`v-${second}`]: latest,
            [`v-${second}-dirty`]: expect.any(String) as string,
        });
    });

    test("are added to the last release when they are declared later, without another build", async () => {
        setTags("v-{commit}", "{date}");
        expect(await pending()).toMatchObject({ action: "retag", causes: ["tag {date} added"], warnings: [] });
        const made = await up(lab, program);
        expect(changesOf(made)).toEqual(noChanges);
        const { latest, ...rest } = await released();
        expect(Object.entries(rest).find(([tag]) => /^\d{4}-\d\d-\d\d$/.test(tag))?.[1]).toBe(latest);
    });

    test("that can't be added leave the release promoted, and the next update adds them", async () => {
        const { latest: before } = await released();
        renameSync(path.join(program, ".git"), path.join(program, "moved.git"));
        writeFileSync(path.join(program, "a.txt"), "d\n");
        const failed = await up(lab, program);
        expect(failed.code).not.toBe(0);
        expect(failed.output).toContain(`git does not tell the commit of ${program}`);
        expect(failed.output).toMatch(
            /The release \S+@sha256:\w+ is promoted and stays so\. .*the next update adds its tags/,
        );
        const { latest } = await released();
        expect(latest).not.toBe(before);
        renameSync(path.join(program, "moved.git"), path.join(program, ".git"));
        const third = commit("d\n");
        expect(changesOf(await up(lab, program))).toEqual(noChanges);
        expect((await released())[`v-${third}`]).toBe(latest);
    });
});

/** Starts a registry with the lab's certificate beside the lab's own, and returns its process. */
async function startRegistry(folder: string, port: number): Promise<ChildProcess> {
    const tls = path.join(lab.paths.state, "tls");
    mkdirSync(folder, { recursive: true });
    const settings = {
        version: "0.1",
        storage: { filesystem: { rootdirectory: path.join(folder, "data") } },
        http: {
            addr: `127.0.0.1:${port.toString()}`,
            tls: { certificate: path.join(tls, "registry.pem"), key: path.join(tls, "registry.key") },
        },
    };
    writeFileSync(path.join(folder, "config.yml"), JSON.stringify(settings));
    const child = spawn("docker-registry", ["serve", path.join(folder, "config.yml")], { stdio: "ignore" });
    await eventually(async () => {
        expect(await readManifest(`registry.localhost:${port.toString()}/never/made:1`, lab.env)).toBeUndefined();
    });
    return child;
}

describe("an image with names in two registries", () => {
    let [other, port]: [ChildProcess | undefined, number] = [undefined, 0];
    let program: string;
    const folder = () => path.join(lab.paths.state, "other-registry");
    const stop = async () => {
        if (other?.exitCode !== null) return;
        const ended = once(other, "exit");
        other.kill();
        await ended;
    };
    /** Returns the tags of both repositories apart from builds and caches, with their digests; releases as "r". */
    const published = async () => {
        const places = [`${lab.instance.registry}/two/app`, `registry.localhost:${port.toString()}/copy/app`];
        const { release } = releases(await exportState(lab, program));
        const tagsOf = ["latest", "stable", "3.12", `r-${release}`, `v7-${release}`];
        return await Promise.all(
            places.map(async (place) =>
                Object.fromEntries(
                    await Promise.all(
                        tagsOf.map(async (tag) => {
                            const found = await readManifest(`${place}:${tag}`, lab.env).catch(() => undefined);
                            return [tag.replace(release, "<release>"), found?.digest] as const;
                        }),
                    ),
                ),
            ),
        );
    };
    const releases = (state: Awaited<ReturnType<typeof exportState>>) => ({
        release: String(state["app@release"]?.outputs.tag).split(":r-")[1] ?? "",
    });

    before(async () => {
        port = await choosePort(lab.instance.port + 1);
        other = await startRegistry(folder(), port);
        program = makeRepository(path.join(lab.paths.state, "two"), {
            ...fixture,
            "Pulumi.local.yaml": (fixture["Pulumi.local.yaml"] ?? "").replace('lab: "true"', 'lab: "false"'),
            "images.ts": `import type { ImageDefinitions } from "layered-images";
export const images: ImageDefinitions = {
    app: {
        description: "in two registries",
        name: "${lab.instance.registry}/two/app:latest",
        additionalNames: ["registry.localhost:${port.toString()}/copy/app:stable"],
        tags: ["3.12", "v{ARG:V}-{release}"],
        dockerfile: "Dockerfile",
        platforms: ["linux/amd64", "linux/arm64"],
    },
};
`,
            Dockerfile: "ARG V=7\nFROM scratch\nCOPY a.txt /\n",
            "a.txt": "a\n",
        });
    });
    after(stop);

    test("is built once, and its release and tags are the same in both, with everything that they name", async () => {
        const made = await up(lab, program);
        expect(made.code, made.output).toBe(0);
        const [own = {}, copy = {}] = await published();
        const digest = (await imageOutputs(lab, program)).app?.digest;
        const all = { "3.12": digest, "r-<release>": digest, "v7-<release>": digest };
        expect([own, copy]).toEqual([
            { ...all, latest: digest, stable: undefined },
            { ...all, latest: undefined, stable: digest },
        ]);
        const reader = blobReader(lab.env);
        const repository = `registry.localhost:${port.toString()}/copy/app`;
        for (const build of Object.values((await imageOutputs(lab, program)).app?.platforms ?? {})) {
            const held = await readManifest(`${repository}@${build}`, lab.env);
            for (const blob of [...(held?.layers ?? []), ...(held?.config ? [held.config] : [])])
                expect(await reader.look(repository, blob.digest)).toBe("there");
        }
        await reader.close();
        expect(changesOf(await up(lab, program, "--expect-no-changes"))).toEqual(noChanges);
    });

    test("is promoted in one while the other is away, and copied when that is back; the old release stays", async () => {
        const [{ latest: former } = {}] = await published();
        const { release: formerRelease } = releases(await exportState(lab, program));
        await stop();
        writeFileSync(path.join(program, "a.txt"), "b\n");
        const failed = await up(lab, program, "--continue-on-error");
        expect(failed.code).not.toBe(0);
        expect(failed.output).toContain(`image app: next: check that registry.localhost:${port.toString()} runs`);
        const digest = (await imageOutputs(lab, program)).app?.digest;
        expect(digest).not.toBe(former);
        expect((await published())[0]).toMatchObject({ latest: digest, "3.12": digest, "r-<release>": digest });
        other = await startRegistry(folder(), port);
        expect(await published()).toMatchObject([{}, { stable: former, "3.12": former }]);
        const copied = await up(lab, program);
        expect(copied.code, copied.output).toBe(0);
        expect(Object.keys(copied.operations).filter((name) => !name.includes("/"))).toEqual([]);
        expect(await published()).toMatchObject([{}, { stable: digest, "3.12": digest, "r-<release>": digest }]);
        for (const place of [`${lab.instance.registry}/two/app`, `registry.localhost:${port.toString()}/copy/app`])
            expect((await readManifest(`${place}:r-${formerRelease}`, lab.env))?.digest).toBe(former);
    });
});

describe("a registry without TLS", () => {
    const program = (registry: string) =>
        makeRepository(path.join(lab.paths.state, `plain-${registry.replace(/\W/g, "-")}`), {
            ...fixture,
            ...configWith(`  layered-images:registry: ${registry}\n`),
            "images.ts": imageNamed("plain"),
            Dockerfile: "FROM scratch\nCOPY a.txt /\n",
            "a.txt": "a\n",
        });

    test("on a loopback address is refused by preview and up, with the commands for one with TLS", async () => {
        const root = program("localhost:5000");
        const previewed = await runIn(lab, root, "pulumi", ["preview", "--non-interactive", "--color", "never"]);
        const updated = await up(lab, root);
        for (const { code, output } of [previewed, updated]) {
            expect(code).not.toBe(0);
            expect(output).toContain("registry localhost:5000 can't be pushed to (image app)");
            expect(output).toMatch(/next: use the lab's registry[^]*openssl req -x509 [^]*docker run -d -p 5000:5000 /);
        }
        expect(updated.operations).toEqual({});
    });

    test("under another name is refused before anything is built", async () => {
        const server = createServer((_request, response) => response.end()).listen(0, "127.0.0.1");
        await once(server, "listening");
        const registry = `registry.localhost:${(server.address() as AddressInfo).port.toString()}`;
        const refused = await up(lab, program(registry));
        server.close();
        expect(refused.code).not.toBe(0);
        expect(refused.output).toMatch(new RegExp(`next: ${registry} has no TLS[^]*openssl req -x509 `));
        expect(refused.output).not.toContain("[internal] load build definition");
    });
});
