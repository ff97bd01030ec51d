import { createHash } from "node:crypto";
import { homedir } from "node:os";
import path from "node:path";
import { z } from "zod";
import { InputError } from "../errors";
import { type Platform, isPlatform, normalPlatform } from "../platform";

/** The drivers of buildx that the provider can build with: its plain `docker` driver can neither push by digest nor take named contexts. */
const drivers: readonly Driver[] = ["docker-container", "remote", "kubernetes"];

/** How buildx reaches the engines of a builder. */
export type Driver = "docker-container" | "remote" | "kubernetes";

/** Files for mutual TLS with a node. They are paths, so that no key is ever part of the configuration, a plan or the state. */
export interface NodeTls {
    /** Certificate authority that signed the certificate of the node. */
    readonly ca: string;
    /** Certificate with which this machine identifies itself. */
    readonly cert?: string | undefined;
    /** Private key of `cert`. */
    readonly key?: string | undefined;
    /** Name in the certificate of the node. Default: the host in its endpoint. */
    readonly servername?: string | undefined;
}

/** One engine. It is a buildx instance of its own: each image is built for one platform, so the program chooses the engine, not buildx. */
export interface BuilderNode {
    /** Name of the buildx instance. Default: one that its definition determines. */
    readonly name?: string | undefined;
    /** Address of its BuildKit (remote), or the Docker context or host that runs it (docker-container). */
    readonly endpoint?: string | undefined;
    /** What is built on it. Default: all platforms that no other node has. */
    readonly platforms?: readonly Platform[] | undefined;
    /** How a remote node is trusted, and trusts this machine. */
    readonly tls?: NodeTls | undefined;
    /** Options of the driver, by buildx's own names. */
    readonly options?: Readonly<Record<string, string>> | undefined;
}

/** The builder of a stack. */
export interface BuilderSettings {
    /** How buildx reaches its engines. */
    readonly driver: Driver;
    /** Its engines, each for its platforms. */
    readonly nodes: readonly BuilderNode[];
}

/**
 * The options that buildx (0.35) knows, by driver, without those for loading an image into Docker, which no build here does. `env.<NAME>` is
 * allowed in addition, except for engines that run already.
 */
const optionsOf: Readonly<Record<Driver, readonly string[]>> = {
    "docker-container": [
        ...["cgroup-parent", "cpu-period", "cpu-quota", "cpu-shares", "cpuset-cpus", "cpuset-mems", "image", "memory"],
        ...["memory-swap", "network", "restart-policy"],
    ],
    remote: [],
    kubernetes: [
        ...["annotations", "buildkit-root-volume-memory", "image", "labels", "limits.cpu", "limits.ephemeral-storage"],
        ...["limits.memory", "loadbalance", "namespace", "nodeselector", "persistent-volume-claim.requests.storage"],
        ...["qemu.image", "qemu.install", "replicas", "requests.cpu", "requests.ephemeral-storage", "requests.memory"],
        ...["rootless", "schedulername", "serviceaccount", "timeout", "tolerations"],
    ],
};

/** Whether a text is the content of a file rather than its path; it may be a private key, so no message repeats it. */
const isContent = (text: string) => /-----BEGIN|[\r\n]/.test(text);

/** Returns a value for messages. */
const shown = (value: unknown): string => (value === undefined ? "missing" : JSON.stringify(value));

/** Returns a schema for texts that match a pattern, whose message has the value and what is allowed. */
const textLike = (pattern: RegExp, allowed: string) =>
    z.custom<string>((text) => typeof text === "string" && pattern.test(text), {
        error: ({ input }) =>
            typeof input === "string" && isContent(input)
                ? `is the content of a file; allowed: ${allowed}`
                : `${shown(input)}: allowed: ${allowed}`,
    });

const file = textLike(/^(?!-)[^\r\n]+$/, "the path of a file: absolute, from ~/, or from the repository's root");

const tlsSchema = z
    .strictObject(
        {
            ca: file,
            cert: file.optional(),
            key: file.optional(),
            servername: textLike(/^[\w.:-]+$/, "a host name").optional(),
        },
        { error: "allowed: an object with ca, cert and key, which are paths of files" },
    )
    .superRefine(({ cert, key }, context) => {
        if ((cert === undefined) === (key === undefined)) return;
        const missing = cert === undefined ? "cert" : "key";
        const message = `missing: allowed: cert and key together, or neither of them`;
        context.addIssue({ code: "custom", path: [missing], message });
    });

const platform = z.custom<Platform>((text) => typeof text === "string" && isPlatform(text), {
    error: ({ input }) => `${shown(input)}: allowed: linux/<architecture>, such as linux/arm64`,
});

const option = z
    .union([z.string(), z.int(), z.boolean()], { error: "allowed: text, a whole number, true or false" })
    .transform(String);

const nodeSchema = z.strictObject(
    {
        name: textLike(
            /^(?!default$)[a-z][a-z0-9._-]*$/,
            "lower-case letters, digits, dots, dashes and underscores, and not default",
        ).optional(),
        endpoint: textLike(/^(?!-)[^\s,]+$/, "an address, or the name of a Docker context").optional(),
        platforms: z.array(platform, { error: 'allowed: a list such as ["linux/arm64"]' }).min(1).optional(),
        tls: tlsSchema.optional(),
        options: z.record(z.string(), option, { error: "allowed: an object with the driver's options" }).optional(),
    },
    { error: "allowed: an object" },
);

/** The keys of each object in the setting, for messages. */
export const builderKeys = {
    builder: ["driver", "nodes"],
    "builder.nodes": Object.keys(nodeSchema.shape),
    "builder.nodes.tls": ["ca", "cert", "key", "servername"],
} as const;

/** What is wrong with a node for its driver: the path inside the node, the message, and whether the key is to be removed. */
type NodeProblem = readonly [at: readonly string[], message: string, remove?: boolean];

const remoteEndpoint = /^((tcp|ssh|docker-container|kube-pod):\/\/[^\s/]|unix:\/\/\/)/;

function problemsOf(driver: Driver, { endpoint, tls, options = {} }: z.infer<typeof nodeSchema>): NodeProblem[] {
    const found: NodeProblem[] = [];
    if (driver === "remote" && !remoteEndpoint.test(endpoint ?? "")) {
        const schemes = "tcp://<host>:<port>, unix:///<path>, ssh://<user>@<host>, docker-container:// or kube-pod://";
        found.push([["endpoint"], `${shown(endpoint)}: allowed for a remote node: ${schemes}`]);
    }
    if (driver === "kubernetes" && endpoint !== undefined)
        found.push([["endpoint"], `${shown(endpoint)}: allowed: none, as KUBECONFIG names the cluster`, true]);
    if (tls && !(driver === "remote" && endpoint?.startsWith("tcp://")))
        found.push([["tls"], `allowed only for remote nodes with an endpoint tcp://<host>:<port>`, true]);
    const known = optionsOf[driver];
    for (const name of Object.keys(options)) {
        if (known.includes(name) || (driver !== "remote" && /^env\.\w+$/.test(name))) continue;
        const allowed = driver === "remote" ? "none, as the engine runs already" : `${known.join(", ")}, env.<NAME>`;
        found.push([["options", name], `not an option of ${driver}; allowed: ${allowed}`, true]);
    }
    return found;
}

/** Returns what two nodes say alike, for the second of them: an image is built for each platform on one node. */
function repeated(nodes: readonly z.infer<typeof nodeSchema>[]): readonly (readonly [node: number, NodeProblem])[] {
    const seen = new Map<string, number>();
    const twice = (index: number, key: string, what: string): (readonly [number, NodeProblem])[] => {
        const first = seen.get(`${key} ${what}`) ?? index;
        seen.set(`${key} ${what}`, first);
        if (first === index) return [];
        return [[index, [[key], `${what}, as nodes[${first.toString()}] has; allowed: another one for each node`]]];
    };
    return nodes.flatMap(({ name, endpoint, platforms }, index) => [
        ...(name === undefined ? [] : twice(index, "name", name)),
        ...(endpoint === undefined ? [] : twice(index, "endpoint", endpoint)),
        ...(platforms?.flatMap((one) => twice(index, "platforms", normalPlatform(one))) ??
            twice(index, "platforms", "none")),
    ]);
}

/** `layered-images:builder`: the engines that build the stack's images. */
export const builderSchema = z
    .strictObject(
        {
            driver: z.enum(drivers, {
                error: ({ input }) => `${shown(input)}: allowed: ${drivers.join(", ")}`,
            }),
            nodes: z
                .array(nodeSchema, { error: "missing: allowed: a list of nodes" })
                .min(1, "an empty list: allowed: one node or more"),
        },
        { error: "allowed: an object with driver and nodes" },
    )
    .superRefine(({ driver, nodes }, context) => {
        const problems = [
            ...nodes.flatMap((node, index) => problemsOf(driver, node).map((problem) => [index, problem] as const)),
            ...repeated(nodes),
        ];
        for (const [index, [at, message, remove = false]] of problems)
            context.addIssue({ code: "custom", path: ["nodes", index, ...at], message, params: { remove } });
    });

/** Returns the number of a builder's engines: on Kubernetes a node has as many as it has replicas. */
const enginesIn = ({ nodes }: BuilderSettings): number =>
    nodes.reduce((sum, { options }) => sum + (Number(options?.replicas) || 1), 0);

/**
 * Returns the variable that has Pulumi run more operations at once on a builder of several engines. By itself it runs four for each processor
 * of the machine that runs it, as if everything were built there: a second engine would only share the builds of the first. `--parallel`
 * counts more than the variable.
 *
 * @param processors of this machine
 * @returns nothing if one engine builds, or if `env` has the variable
 */
export function parallelOperations(
    builder: BuilderSettings | undefined,
    env: NodeJS.ProcessEnv,
    processors: number,
): { readonly PULUMI_PARALLEL?: string } {
    const engines = builder ? enginesIn(builder) : 1;
    return engines === 1 || env.PULUMI_PARALLEL ? {} : { PULUMI_PARALLEL: (4 * processors * engines).toString() };
}

/** Names that this program gives to the node of an instance: buildx keeps them, whatever the driver, so they mark what is ours. */
const nodeNames = /^layered-images-[0-9a-f]{12}$/;

/** Whether an instance was made by this program, and nobody added a node to it. */
export const isOurs = (nodes: readonly { readonly name: string }[]): boolean =>
    nodes.length === 1 && nodes.every(({ name }) => nodeNames.test(name));

/** A buildx instance as the stack's configuration wants it on this machine: one node. */
export interface WantedInstance extends Pick<BuilderNode, "endpoint"> {
    /** Name of the instance. */
    readonly name: string;
    /** Name of its node: over the whole definition, so that it tells whether the instance was made from this one. */
    readonly node: string;
    readonly driver: Driver;
    /** The driver's options by name, with absolute paths. */
    readonly options: Readonly<Record<string, string>>;
}

const absolute = (file: string, root: string): string =>
    path.resolve(root, file.startsWith("~/") ? path.join(homedir(), file.slice(2)) : file);

/**
 * Returns the instance of a node. Its names are the same on every machine; only the paths of the certificates differ.
 *
 * @param root the repository's root, from which relative paths start
 */
function instanceOf(driver: Driver, { name, endpoint, tls, options = {} }: BuilderNode, root: string): WantedInstance {
    const sorted = Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1));
    const definition = [driver, name, endpoint, tls && [tls.ca, tls.cert, tls.key, tls.servername], sorted];
    const hash = createHash("sha256").update(JSON.stringify(definition)).digest("hex").slice(0, 12);
    const node = `layered-images-${hash}`;
    return {
        ...{ name: name ?? node, node, driver },
        ...(endpoint !== undefined && { endpoint }),
        options: {
            ...options,
            ...(tls && { cacert: absolute(tls.ca, root) }),
            ...(tls?.cert !== undefined && { cert: absolute(tls.cert, root) }),
            ...(tls?.key !== undefined && { key: absolute(tls.key, root) }),
            ...(tls?.servername !== undefined && { servername: tls.servername }),
        },
    };
}

/**
 * Returns the instance on which each platform is built.
 *
 * @param platforms those that the stack builds
 * @param root the repository's root, from which relative paths start
 * @throws InputError for a platform that no node has
 */
export function instancesFor(
    { driver, nodes }: BuilderSettings,
    platforms: Iterable<Platform>,
    root: string,
): ReadonlyMap<Platform, WantedInstance> {
    return new Map(
        [...platforms].map((platform) => {
            const isMeant = (node: BuilderNode) =>
                node.platforms?.some((one) => normalPlatform(one) === normalPlatform(platform));
            const node = nodes.find(isMeant) ?? nodes.find((one) => one.platforms === undefined);
            if (node) return [platform, instanceOf(driver, node, root)] as const;
            throw new InputError({
                problem: `no node builds ${platform}, which the stack builds`,
                where: "the stack's setting `builder`",
                allowed: nodes.flatMap((one) => one.platforms ?? []),
                next:
                    "add a node for it, add it to `platforms` of a node that can build it, or build without it: " +
                    "pulumi config set platforms <list>",
            });
        }),
    );
}

/** A value of --driver-opt, which buildx reads as a line of CSV. */
const driverOption = ([name, value]: readonly [string, string]): string => {
    const text = `${name}=${value}`;
    return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/**
 * Returns the arguments of buildx that make an instance. On an instance of this definition they change nothing, so two runs that make the same
 * one at the same time do no harm. It is given no platforms: buildx would show them as if its engine offered them.
 */
export const createArguments = ({ name, node, driver, options, endpoint }: WantedInstance): string[] => [
    ...["create", "--name", name, "--node", node, "--driver", driver],
    ...Object.entries(options).flatMap((one) => ["--driver-opt", driverOption(one)]),
    ...(endpoint === undefined ? [] : [endpoint]),
];
