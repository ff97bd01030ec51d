import { homedir } from "node:os";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import type { Platform } from "../platform";
import {
    type BuilderSettings,
    builderSchema,
    createArguments,
    instancesFor,
    isOurs,
    parallelOperations,
} from "./settings";

const tls = { ca: "tls/ca.pem", cert: "/etc/client.pem", key: "~/client.key" };
const remote = (...nodes: object[]): unknown => ({ driver: "remote", nodes });
const node = { endpoint: "tcp://arm.test:1234" };
const parse = (setting: unknown) => builderSchema.parse(setting) as BuilderSettings;
const only = (setting: unknown, platform: Platform = "linux/arm64") => {
    const instance = instancesFor(parse(setting), [platform], "/repository").get(platform);
    if (!instance) throw new Error("it has one");
    return instance;
};

describe("a wrong setting", () => {
    test.each<[string, unknown, string, RegExp]>([
        ["no driver", { nodes: [node] }, "driver", /missing: allowed: docker-container, remote, kubernetes/],
        ["an unknown driver", { driver: "docker", nodes: [node] }, "driver", /^"docker": allowed: docker-container/],
        ["no nodes", { driver: "remote" }, "nodes", /allowed: a list of nodes/],
        ["an empty list of nodes", remote(), "nodes", /allowed: one node or more/],
        ["a remote node without endpoint", remote({}), "nodes.0.endpoint", /missing: allowed for a remote node: tcp/],
        ["an endpoint without scheme", remote({ endpoint: "arm:1234" }), "nodes.0.endpoint", /^"arm:1234": allowed/],
        ["an endpoint that is an option", remote({ endpoint: "--use" }), "nodes.0.endpoint", /^"--use": allowed/],
        [
            "an endpoint on Kubernetes",
            { driver: "kubernetes", nodes: [node] },
            "nodes.0.endpoint",
            /allowed: none, as KUBECONFIG names the cluster/,
        ],
        [
            "a platform in capitals",
            remote({ ...node, platforms: ["linux/ARM64"] }),
            "nodes.0.platforms.0",
            /^"linux\/ARM64"/,
        ],
        ["no platform in a list", remote({ ...node, platforms: [] }), "nodes.0.platforms", /./],
        [
            "a platform on two nodes, in other words",
            remote({ ...node, platforms: ["linux/arm64"] }, { endpoint: "tcp://b:1", platforms: ["linux/arm64/v8"] }),
            "nodes.1.platforms",
            /^linux\/arm64, as nodes\[0\] has; allowed: another one/,
        ],
        [
            "two nodes for all other platforms",
            remote(node, { endpoint: "tcp://b:1" }),
            "nodes.1.platforms",
            /^none, as/,
        ],
        [
            "an endpoint on two nodes",
            remote({ ...node, platforms: ["linux/amd64"] }, node),
            "nodes.1.endpoint",
            /^tcp:\/\/arm\.test:1234, as nodes\[0\] has/,
        ],
        [
            "the name of buildx's own builder",
            remote({ ...node, name: "default" }),
            "nodes.0.name",
            /^"default": allowed/,
        ],
        ["TLS over a socket", remote({ endpoint: "unix:///b.sock", tls }), "nodes.0.tls", /only for remote nodes/],
        [
            "TLS to a Docker host",
            { driver: "docker-container", nodes: [{ tls }] },
            "nodes.0.tls",
            /only for remote nodes/,
        ],
        [
            "a certificate without key",
            remote({ ...node, tls: { ca: "a", cert: "b" } }),
            "nodes.0.tls.key",
            /cert and key together/,
        ],
        ["no authority", remote({ ...node, tls: {} }), "nodes.0.tls.ca", /missing: allowed: the path of a file/],
        [
            "an option of another driver",
            remote({ ...node, options: { network: "host" } }),
            "nodes.0.options.network",
            /allowed: none/,
        ],
        [
            "a mistyped option",
            { driver: "kubernetes", nodes: [{ options: { replica: 2 } }] },
            "nodes.0.options.replica",
            /^not an option of kubernetes; allowed: .*replicas.*, env\.<NAME>/,
        ],
        [
            "an option that is a list",
            { driver: "kubernetes", nodes: [{ options: { replicas: [2] } }] },
            "nodes.0.options.replicas",
            /allowed: text/,
        ],
    ])("with %s is refused at its place, with what is allowed", (_name, setting, at, message) => {
        const { issues = [] } = builderSchema.safeParse(setting).error ?? {};
        expect(issues.map(({ path }) => path.join("."))).toEqual([at]);
        expect(issues[0]?.message).toMatch(message);
    });

    test("with the content of a key in the place of its path does not repeat it", () => {
        const key = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----";
        const { issues = [] } = builderSchema.safeParse(remote({ ...node, tls: { ...tls, key } })).error ?? {};
        expect(issues.map(({ message }) => message)).toEqual([
            expect.stringMatching(/^is the content of a file; allowed: the path/),
        ]);
        expect(JSON.stringify(issues)).not.toContain("hunter2");
    });
});

describe("a platform", () => {
    const nodes = [
        { endpoint: "tcp://rest:1" },
        { endpoint: "tcp://arm:1", platforms: ["linux/arm64", "linux/arm/v7"] },
    ];
    test.each<[Platform, string]>([
        ["linux/arm64", "tcp://arm:1"],
        ["linux/arm64/v8", "tcp://arm:1"],
        ["linux/arm", "tcp://arm:1"],
        ["linux/amd64", "tcp://rest:1"],
    ])("is built on the node that has it, or on the one for all others: %s", (platform, endpoint) => {
        expect(only(remote(...nodes), platform).endpoint).toBe(endpoint);
    });

    test("that no node has is refused before anything is asked", () => {
        expect(() => only(remote({ ...node, platforms: ["linux/amd64"] }))).toThrow(
            /no node builds linux\/arm64, which the stack builds\s+allowed: linux\/amd64\s+next: add a node for it/,
        );
    });
});

describe("the name of an instance", () => {
    test("follows the definition, not the order of its keys, nor the place of the checkout or the platforms", () => {
        const setting = { endpoint: "tcp://a:1", tls, platforms: ["linux/arm64"] };
        const { name, node: own } = only(remote(setting));
        expect(name).toMatch(/^layered-images-[0-9a-f]{12}$/);
        expect(own).toBe(name);
        const same = { tls: { key: tls.key, cert: tls.cert, ca: tls.ca }, endpoint: "tcp://a:1" };
        expect(instancesFor(parse(remote(same)), ["linux/amd64"], "/elsewhere").get("linux/amd64")?.name).toBe(name);
        const other = [
            ...[
                { ...setting, endpoint: "tcp://a:2" },
                { ...setting, tls: { ...tls, key: "other" } },
                { endpoint: "tcp://a:1" },
            ],
        ].map((one) => only(remote(one)).name);
        expect(new Set([name, ...other]).size).toBe(4);
    });

    test("can be set; the name of its node still tells whose it is", () => {
        const { name, node: own } = only(remote({ ...node, name: "farm" }));
        expect(name).toBe("farm");
        expect(isOurs([{ name: own }])).toBe(true);
        expect([[], [{ name: "farm0" }], [{ name: own }, { name: own }], [{ name: `${own}-0` }]].map(isOurs)).toEqual([
            ...[false, false, false, false],
        ]);
    });
});

// Recorded with buildx 0.35: what it takes, and what `buildx inspect` then shows.
test.each<[string, unknown, readonly string[]]>([
    [
        "a remote engine with mutual TLS",
        remote({ ...node, tls: { ...tls, servername: "engine" } }),
        [
            ...[
                "--driver",
                "remote",
                "--driver-opt",
                "cacert=/repository/tls/ca.pem",
                "--driver-opt",
                "cert=/etc/client.pem",
            ],
            ...[
                "--driver-opt",
                `key=${homedir()}/client.key`,
                "--driver-opt",
                "servername=engine",
                "tcp://arm.test:1234",
            ],
        ],
    ],
    [
        "a container of a Docker host",
        {
            driver: "docker-container",
            nodes: [{ endpoint: "ssh://us@arm", options: { network: "host", "env.A": 'x,"y"' } }],
        },
        [
            "--driver",
            "docker-container",
            "--driver-opt",
            "network=host",
            "--driver-opt",
            '"env.A=x,""y"""',
            "ssh://us@arm",
        ],
    ],
    [
        "pods on Kubernetes",
        {
            driver: "kubernetes",
            nodes: [
                {
                    options: {
                        ...{
                            namespace: "builds",
                            replicas: 2,
                            rootless: true,
                            nodeselector: "kubernetes.io/arch=arm64,disk=ssd",
                        },
                        ...{ "requests.cpu": 2, "requests.memory": "4Gi", "limits.memory": "8Gi" },
                    },
                },
            ],
        },
        [
            ...["--driver", "kubernetes", "--driver-opt", "namespace=builds", "--driver-opt", "replicas=2"],
            ...["--driver-opt", "rootless=true", "--driver-opt", '"nodeselector=kubernetes.io/arch=arm64,disk=ssd"'],
            ...[
                "--driver-opt",
                "requests.cpu=2",
                "--driver-opt",
                "requests.memory=4Gi",
                "--driver-opt",
                "limits.memory=8Gi",
            ],
        ],
    ],
])("buildx is told what makes %s", (_name, setting, rest) => {
    const wanted = only(setting);
    expect(createArguments(wanted)).toEqual(["create", "--name", wanted.name, "--node", wanted.node, ...rest]);
});

describe("Pulumi runs as many operations at once as", () => {
    const two = remote({ ...node, platforms: ["linux/arm64"] }, { endpoint: "tcp://amd64.test:1234" });
    const replicas = (count: unknown) => ({ driver: "kubernetes", nodes: [{ options: { replicas: count } }] });
    test.each<[string, unknown, NodeJS.ProcessEnv, string | undefined]>([
        ["it does by itself, without a builder", undefined, {}, undefined],
        ["it does by itself, for one engine", remote(node), {}, undefined],
        ["all engines can build", two, {}, "16"],
        ["all replicas of a node can build", replicas(3), {}, "24"],
        ["it does by itself, for a number of replicas that Kubernetes refuses", replicas("many"), {}, undefined],
        ["the environment says", two, { PULUMI_PARALLEL: "3" }, undefined],
    ])("%s", (_what, setting, env, expected) => {
        const builder = setting === undefined ? undefined : parse(setting);
        expect(parallelOperations(builder, env, 2).PULUMI_PARALLEL).toBe(expected);
    });
});
