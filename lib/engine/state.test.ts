import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { compareRoots, rootQuestions, rootsOf } from "../status/images";
import { type Commands, repairCommand } from "../status/repair";
import { stackFindings } from "../status/status";
import type { StackLock } from "./locks";
import { deployedImages, parseDeployment, publishedOf } from "./state";

const image = {
    urn: "urn:pulumi:local::layered-images::docker-build:index:Image::base-amd64",
    type: "docker-build:index:Image",
    inputs: {
        platforms: ["linux/amd64"],
        dockerfile: { location: "Dockerfile" },
        context: { location: "context" },
        exports: [{ raw: "type=registry,compression=gzip" }],
        tags: ["registry.test/base:b-0-amd64"],
    },
    outputs: { digest: `sha256:${"1".repeat(64)}` },
};
const withInputs = (inputs: Readonly<Record<string, unknown>>) => ({
    ...image,
    inputs: { ...image.inputs, ...inputs },
});

test("published builds are the images with a tag that are not about to go", () => {
    const others = [
        { ...image, type: "docker-build:index:Index" },
        withInputs({ tags: [] }),
        withInputs({ tags: undefined }),
        { ...image, delete: true },
        { type: "pulumi:pulumi:Stack" },
    ];
    expect(publishedOf([...others, image]).map(({ urn }) => urn)).toEqual([image.urn]);
});

test("build secrets are read in the clear and in Pulumi's envelope", () => {
    const envelope = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", plaintext: '{"A":"b"}' };
    const secrets = [undefined, { A: "b" }, envelope].map(
        (one) => publishedOf([withInputs({ secrets: one })])[0]?.inputs.secrets,
    );
    expect(secrets).toEqual([{}, { A: "b" }, { A: "b" }]);
});

test("a published build that can't be read is an error, not one build less to compare", () => {
    expect(() => publishedOf([withInputs({ dockerfile: {} })])).toThrow("location");
    expect(() => publishedOf([{ ...image, outputs: { digest: "" } }])).toThrow("sha256:");
});

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const urn = (type: string, name: string) => `urn:pulumi:ci::p::${type}::${name}`;
const layerType = "layered-images:components:ImageLayer";
const component = (name: string, parents: string[], roots = {}) => ({
    urn: urn(layerType, name),
    type: layerType,
    inputs: { parents, roots },
});
const build = (image: string, letter: string, tags = [`ghcr.io/o/${image}:b-1-amd64`]) => ({
    urn: urn("docker-build:index:Image", `${image}-amd64`),
    type: "docker-build:index:Image",
    parent: urn(layerType, image),
    modified: "2026-11-01T10:00:00Z",
    inputs: { platforms: ["linux/amd64"] },
    outputs: { digest: digest(letter), tags },
});
const index = (image: string, letter: string, source: string, name = image, tag = `ghcr.io/o/${image}:latest`) => ({
    urn: urn("docker-build:index:Index", name),
    type: "docker-build:index:Index",
    parent: urn("layered-images:components:Promotion", image),
    outputs: {
        ref: `${tag}@${digest(letter)}`,
        tag,
        sources: [`ghcr.io/o/${image}@${digest(source)}`],
    },
});
const read = (resources: readonly object[], rest = {}) =>
    parseDeployment(JSON.stringify({ version: 3, deployment: { resources, ...rest } }));

test("the images that were pushed are read, parents first, with what latest was promoted to", () => {
    const images = deployedImages(
        read([
            component("app", ["base"]),
            component("base", []),
            build("app", "a"),
            build("base", "b"),
            index("base", "c", "b"),
            index("base", "c", "b", "base@release", "ghcr.io/o/base:r-1"),
            index("base", "c", "c", "base/quay.io/o/base:latest", "quay.io/o/base:latest"),
        ]),
    );
    expect(images.map(({ image }) => image)).toEqual(["base", "app"]);
    expect(images[0]).toEqual({
        image: "base",
        parents: [],
        roots: {},
        builds: [
            {
                urn: urn("docker-build:index:Image", "base-amd64"),
                platform: "linux/amd64",
                digest: digest("b"),
                repository: "ghcr.io/o/base",
                built: "2026-11-01T10:00:00Z",
            },
        ],
        promotion: {
            urn: urn("docker-build:index:Index", "base"),
            tag: "ghcr.io/o/base:latest",
            digest: digest("c"),
            sources: [digest("b")],
        },
        otherTags: [
            { urn: urn("docker-build:index:Index", "base@release"), tag: "ghcr.io/o/base:r-1", digest: digest("c") },
            {
                urn: urn("docker-build:index:Index", "base/quay.io/o/base:latest"),
                tag: "quay.io/o/base:latest",
                digest: digest("c"),
            },
        ],
    });
});

test("smoke tests, images that are never pushed and what waits for its deletion are left out", () => {
    const old = { ...build("base", "d"), delete: true };
    const images = deployedImages(
        read([
            component("base", []),
            component("dev", ["base"]),
            build("base", "a"),
            build("base", "b", []),
            build("dev", "c", []),
            old,
        ]),
    );
    expect(images.map(({ image, builds }) => [image, builds.map((one) => one.digest)])).toEqual([
        ["base", [digest("a")]],
    ]);
});

test("an image consists of what the stack built and of what it took from other stacks", () => {
    const said = (letter: string, from?: string) => ({
        ref: `ghcr.io/o/base@${digest(letter)}`,
        tag: "b-0",
        ...(from !== undefined && { from }),
    });
    const stack = {
        urn: urn("pulumi:pulumi:Stack", "o-ci"),
        type: "pulumi:pulumi:Stack",
        outputs: {
            builds: {
                // The stack has built amd64 since, in an update of chosen resources.
                base: { "linux/amd64": said("d", "ci"), "linux/arm64": said("b", "ci-arm64") },
                app: { "linux/arm64": said("c", "ci-arm64") },
            },
        },
    };
    const images = deployedImages(
        read([stack, component("base", []), build("base", "a"), component("app", ["base"]), component("dev", [])]),
    );
    const builds = images.map((one) => [
        one.image,
        one.builds.map(({ platform, digest, from }) => [platform, digest, from]),
    ]);
    expect(builds).toEqual([
        [
            "base",
            [
                ["linux/amd64", digest("a"), undefined],
                ["linux/arm64", digest("b"), "ci-arm64"],
            ],
        ],
        ["app", [["linux/arm64", digest("c"), "ci-arm64"]]],
    ]);
});

test("a hierarchy with very many ways through it takes no longer than its images", () => {
    const names = (level: number) => ["a", "b"].map((one) => `${level.toString().padStart(2, "0")}-${one}`);
    const levels = Array.from({ length: 40 }, (_one, level) => level);
    const resources = levels.flatMap((level) =>
        names(level).flatMap((name) => [component(name, level > 0 ? names(level - 1) : []), build(name, "a")]),
    );
    expect(deployedImages(read([...resources].reverse())).map((one) => one.image)).toEqual(levels.flatMap(names));
});

test("an empty stack is one without images; what is no deployment is told", () => {
    expect(deployedImages(parseDeployment('{"version":3,"deployment":{}}'))).toEqual([]);
    expect(() => parseDeployment("nothing")).toThrow(/`pulumi stack export` printed no deployment/);
});

const roots = { "python:3.12-slim": `docker.io/library/python@${digest("1")}`, "debian:13": "not pinned" };
const standing = deployedImages(read([component("base", [], roots), build("base", "a")]));
const commands = { stack: "ci", isLab: false, isCi: true };

test("a root is compared with its tag where it is pinned to; one that moved is pinned anew", () => {
    const found = rootsOf(standing);
    expect(rootQuestions(found)).toEqual(["docker.io/library/python:3.12-slim"]);
    const answer = (letter: string) =>
        new Map([
            ["docker.io/library/python:3.12-slim", { found: { digest: digest(letter), layers: [], platforms: {} } }],
        ]);
    const unpinned = { kind: "note", about: "root debian:13", text: expect.stringContaining("not pinned") as string };
    expect(compareRoots(found, answer("1"), commands).findings).toEqual([unpinned]);
    expect(compareRoots(found, answer("2"), commands).findings).toEqual([
        {
            kind: "drift",
            about: "root python:3.12-slim",
            text: `docker.io/library/python:3.12-slim moved to ${digest("2")}; pinned is ${digest("1")}`,
            repair: {
                by: "command",
                command: `pulumi config set --stack 'ci' --path 'roots["python:3.12-slim"]' docker.io/library/python@${digest("2")} && git commit --message 'Move the root python:3.12-slim' 'Pulumi.ci.yaml' && git push`,
            },
        },
        unpinned,
    ]);
});

describe("a root that moved is taken", () => {
    const [python, tag] = ["python:3.12-slim", "registry.localhost:5443/library/python"];
    const command = (commands: Commands, own?: string, pinned = `${tag}@${digest("1")}`) => {
        const root = { root: python, pinned, tag: `${tag}:3.12-slim`, images: ["base"] };
        const answers = new Map([[root.tag, { found: { digest: digest("2"), layers: [], platforms: {} } }]]);
        const labRoots = own === undefined ? {} : { [python]: `${tag}@${digest(own)}` };
        const { findings } = compareRoots([root], answers, commands, labRoots);
        return findings[0]?.repair && repairCommand(commands, findings[0].repair);
    };
    const local = { stack: "local", isLab: true, isCi: false };

    test("in the lab from the lab, and nothing of this machine's is written into the stack's file", () => {
        expect(command(local, "2")).toBe("npm run up");
        expect(command(local, "1")).toBe("npm run lab -- start --renew-root && npm run up");
    });

    test("in the lab from the stack's file where that pins another one than the lab's", () => {
        expect(command(local, "1", `docker.io/library/python@${digest("3")}`)).toBe(
            `eval "$(npm run --silent lab -- env)" && pulumi config set --stack 'local' --path 'roots["${python}"]' ` +
                `docker.io/library/python@${digest("2")} && npm run up`,
        );
    });

    test("by an `up` where nobody else runs the stack, by a push where CI does", () => {
        const set = (stack: string) =>
            `pulumi config set --stack '${stack}' --path 'roots["${python}"]' ${tag}@${digest("2")} && `;
        const other = (stack: string, isCi: boolean) => command({ stack, isLab: false, isCi });
        expect(other("mine", false)).toBe(`${set("mine")}pulumi up --stack 'mine'`);
        expect(other("acme/ci", true)).toBe(
            `${set("acme/ci")}git commit --message 'Move the root ${python}' 'Pulumi.ci.yaml' && git push`,
        );
    });
});

test("a root whose tag is nowhere is a note, one that could not be asked is left to the registry's finding", () => {
    const tag = "docker.io/library/python:3.12-slim";
    const pinned = rootsOf(standing).filter(({ root }) => root.startsWith("python"));
    expect(compareRoots(pinned, new Map([[tag, { found: undefined }]]), commands).findings).toMatchObject([
        { kind: "note", about: "root python:3.12-slim" },
    ]);
    expect(compareRoots(pinned, new Map([[tag, { unknown: "refused" }]]), commands).findings).toEqual([]);
});

test("an update that was cut off and the locks of the stack are notes", () => {
    const pending = read([], { pending_operations: [{ resource: { urn: urn("t", "base-amd64") }, type: "creating" }] });
    const lock = { pid: 7, since: "2026-11-01", host: "here", isDead: true };
    const other = { ...lock, isDead: false };
    expect(stackFindings(pending, [lock, other], commands)).toEqual([
        expect.objectContaining({
            kind: "note",
            text: "a killed update left its lock (pid 7 on here, since 2026-11-01)",
            repair: { by: "command", command: "pulumi cancel --stack 'ci' --yes" },
        }),
        expect.objectContaining({ kind: "note", text: expect.stringContaining("it is locked") as string }),
        expect.objectContaining({ kind: "note", text: expect.stringContaining("creating base-amd64") as string }),
    ]);
    expect(stackFindings({ pending: [] }, [], commands)).toEqual([]);
});

test("a lock that can't be read is a note that names its file; the repair is named where no pulumi may hold it", () => {
    const lock = { file: "/s/a.json", reason: "it is empty", mayHold: [] };
    const found = (one: StackLock, isLab: boolean) => stackFindings({ pending: [] }, [one], { ...commands, isLab });
    const text = "pulumi refuses to update it because of a lock that can't be read: /s/a.json (it is empty)";
    const note = { kind: "note", about: "stack ci" };
    expect(found(lock, true)).toEqual([{ ...note, text, repair: { by: "up" } }]);
    const command = "pulumi cancel --stack 'ci' --yes";
    expect(found(lock, false)).toEqual([{ ...note, text, repair: { by: "command", command } }]);
    expect(found({ ...lock, mayHold: [7, 8] }, true)).toEqual([
        { ...note, text: `${text}. It stays while a pulumi runs that may hold it (pid 7, 8)` },
    ]);
});

test("that nobody can see whether the stack is locked is a note", () => {
    expect(stackFindings({ pending: [] }, undefined, commands)).toEqual([
        { kind: "note", about: "stack ci", text: "whether it is locked can't be seen on this backend" },
    ]);
});
