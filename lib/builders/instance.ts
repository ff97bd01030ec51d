import { z } from "zod";
import { CommandError, InputError } from "../errors";
import { type Platform, normalPlatform } from "../platform";
import { buildx } from "../registry/manifest";
import { capture } from "../system/process";
import { type WantedInstance, createArguments, isOurs } from "./settings";

/** A node as `buildx inspect` shows it. */
interface SeenNode {
    readonly name: string;
    readonly endpoint: string;
    /** Options of its driver. */
    readonly options: Readonly<Record<string, string>>;
    /** "running", "inactive", …; undefined if it has an error. */
    readonly status: string | undefined;
    /** What its engine offers, if it runs. */
    readonly platforms: readonly Platform[];
    /** Whether it was given platforms, which stand among those that its engine offers. */
    readonly isGivenPlatforms: boolean;
    /** Why it can't be used. */
    readonly error: string | undefined;
}

/** An instance as `buildx inspect` shows it. */
interface SeenInstance {
    readonly driver: string;
    readonly nodes: readonly SeenNode[];
}

/** Returns the driver options in a line of `buildx inspect`: `cacert="/a" key="/b"`, in Go's quotes. */
const readOptions = (line: string): Readonly<Record<string, string>> =>
    Object.fromEntries(
        [...line.matchAll(/(\S+?)=("(?:[^"\\]|\\.)*")/g)].map(([, name = "", quoted = '""']) => {
            try {
                return [name, JSON.parse(quoted) as string] as const;
            } catch {
                return [name, quoted] as const;
            }
        }),
    );

/**
 * Reads the output of `buildx inspect`, which has no other form than text. On Kubernetes a node is shown once for each of its pods.
 *
 * @param text lines `<Name>: <value>`, those of a node from its own line "Name:" on; what is indented belongs to the line before
 */
export function readInspection(text: string): SeenInstance {
    const [head = "", body = ""] = text.split(/^Nodes:\s*$/m);
    const valueOf = (block: string, key: string) => new RegExp(`^${key}:[ \\t]+(.*)$`, "m").exec(block)?.[1]?.trim();
    const nodes = new Map<string, SeenNode>();
    for (const block of body.split(/^(?=Name:)/m).filter((one) => one.startsWith("Name:"))) {
        const name = valueOf(block, "Name") ?? "";
        const shown = (valueOf(block, "Platforms") ?? "").split(", ").filter((one) => one !== "");
        nodes.set(name, {
            name,
            endpoint: valueOf(block, "Endpoint") ?? "",
            options: readOptions(valueOf(block, "Driver Options") ?? ""),
            status: valueOf(block, "Status"),
            platforms: shown.map((one) => normalPlatform(one.replace("*", ""))),
            isGivenPlatforms: shown.some((one) => one.endsWith("*")),
            error: valueOf(block, "Error"),
        });
    }
    return { driver: valueOf(head, "Driver") ?? "", nodes: [...nodes.values()] };
}

/** Runs buildx, and returns what it said: its own errors, or its last line. */
async function runBuildx(args: readonly string[], env: NodeJS.ProcessEnv) {
    const [command, ...plugin] = buildx(env);
    const done = await capture(command, [...plugin, ...args], { env });
    const lines = done.stderr.trim().split("\n");
    const errors = lines.filter((line) => line.startsWith("ERROR: ")).map((line) => line.slice("ERROR: ".length));
    const said = errors.length > 0 ? errors.join("; ") : (lines.at(-1) ?? "");
    return { ...done, reason: said === "" ? (done.failure ?? "") : said };
}

/** Reasons why buildx can't look at an instance or start its engine, with the next step; the last one is for all others. */
const notInspected: readonly (readonly [pattern: RegExp, next: (name: string) => string])[] = [
    [
        /privileged/,
        () =>
            "the cluster lets no container run privileged: set `rootless: true` in `options` of this node, or allow it there",
    ],
    [
        /namespaces? .* not found/,
        () => "make the namespace (kubectl create namespace <name>), or correct `namespace` in `options` of this node",
    ],
    [
        /is forbidden: User|Unauthorized/,
        () =>
            "let the user in KUBECONFIG get, create, update and delete deployments, statefulsets and configmaps, list pods, and create pods/exec, in " +
            "the `namespace` of this node",
    ],
    [
        /replicas to be ready/,
        (name) =>
            `see why its pods don't start, in the \`namespace\` of this node: kubectl describe pods --selector app=${name}. Then correct its \`options\`: ` +
            "`nodeselector`, `tolerations` and `requests.…` that no machine meets; `rootless: true`, if privileged pods are refused; a longer `timeout`",
    ],
    [
        /./,
        () =>
            "correct what buildx says (install Docker's buildx plugin, start Docker, give access to the cluster), then run the same command again",
    ],
];

/**
 * Returns an instance of this machine; undefined if there is none.
 *
 * @param boot whether to start its engine, where buildx does so, and to wait for it
 * @throws CommandError if buildx can't say
 */
async function inspect(
    name: string,
    env: NodeJS.ProcessEnv,
    { boot = false }: { readonly boot?: boolean } = {},
): Promise<SeenInstance | undefined> {
    const { failure, stdout, reason } = await runBuildx(["inspect", ...(boot ? ["--bootstrap"] : []), name], env);
    if (failure === undefined) return readInspection(stdout);
    if (/no builder .* found/.test(reason)) return undefined;
    throw new CommandError(
        `builder ${name} can't be ${boot ? "started" : "inspected"}: ${reason}`,
        notInspected.find(([pattern]) => pattern.test(reason))?.[1](name) ?? "",
    );
}

const optionTexts = (options: Readonly<Record<string, string>>) =>
    JSON.stringify(
        Object.entries(options)
            .map(([name, value]) => `${name}=${value}`)
            .sort(),
    );

/** Returns the cluster configuration that an instance was made with, which buildx keeps in its endpoint; undefined if it is of another driver. */
const kubeconfigOf = ({ endpoint }: SeenNode): string | undefined =>
    endpoint.startsWith("kubernetes:") ? (new URL(endpoint).searchParams.get("kubeconfig") ?? "") : undefined;

/** Whether a node runs in the cluster that KUBECONFIG names: an instance stays with the file that it was made with, whatever that is later. */
const isInCluster = (seen: SeenNode, env: NodeJS.ProcessEnv): boolean =>
    (kubeconfigOf(seen) ?? env.KUBECONFIG ?? "") === (env.KUBECONFIG ?? "");

/**
 * Whether a node is as wanted. Its name holds the definition; the rest finds what was changed by hand, and certificates of another checkout.
 * Where buildx rewrites an endpoint (Docker hosts, clusters), the name alone decides.
 */
const isAsWanted = (wanted: WantedInstance, seen: SeenNode): boolean =>
    seen.name === wanted.node &&
    !seen.isGivenPlatforms &&
    (wanted.driver !== "remote" || seen.endpoint === wanted.endpoint) &&
    optionTexts(seen.options) === optionTexts(wanted.options);

/**
 * Removes an instance that is ours, with the engine that buildx started for it.
 *
 * @param keepsEngine whether that engine goes on: in another cluster, which may not be reachable any more
 */
async function remove(name: string, env: NodeJS.ProcessEnv, keepsEngine = false): Promise<void> {
    const { failure, reason } = await runBuildx(["rm", ...(keepsEngine ? ["--keep-daemon"] : []), name], env);
    if (failure === undefined) return;
    throw new CommandError(
        `builder ${name} can't be removed: ${reason}`,
        `remove it by hand: docker buildx rm --keep-daemon ${name}`,
    );
}

const where = "the stack's setting `builder`";

/**
 * Makes an instance unless it is there, and makes one of ours that differs anew.
 *
 * @throws InputError if an instance of that name was made by somebody else
 */
async function ensure(wanted: WantedInstance, env: NodeJS.ProcessEnv): Promise<void> {
    const { name } = wanted;
    const seen = await inspect(name, env);
    if (seen && !isOurs(seen.nodes)) {
        throw new InputError({
            problem:
                `builder ${name} is on this machine already, and was not made by this program ` +
                `(driver ${seen.driver}, ${seen.nodes.map((node) => node.endpoint || node.name).join(", ")})`,
            where,
            next:
                "let the program make one beside it: give the node another `name` in the setting\n" +
                `  or, if nothing else uses it, remove it: docker buildx rm ${name}`,
        });
    }
    const [node] = seen?.nodes ?? [];
    if (node && isAsWanted(wanted, node) && isInCluster(node, env)) return;
    if (seen) await remove(name, env, node && !isInCluster(node, env));
    const { failure, reason } = await runBuildx(createArguments(wanted), env);
    if (failure === undefined) return;
    throw new CommandError(`builder ${name} can't be made: ${reason}`, `correct ${where}, or what buildx says`);
}

/** Reasons why an engine can't be used, with the next step; the last one is for all others. */
const unusable: readonly (readonly [pattern: RegExp, next: string])[] = [
    [
        /remote error: tls: |broken pipe|connection reset|\bEOF\b/,
        "the engine ends the connection: set `tls.cert` and `tls.key` of this node to a pair that is signed by the authority in the engine's " +
            "own configuration (`[grpc.tls]`, ca)",
    ],
    [
        /x509: |tls: |certificate/,
        "set `tls.ca` of this node to the authority that signed the engine's certificate, and `tls.servername` if that names another host",
    ],
    [
        /no such file|permission denied/,
        "correct the paths in `endpoint` and `tls` of this node, and let this user read them",
    ],
    [/./, "start its BuildKit, or correct `endpoint` in the setting, then run the same command again"],
];

/** What a buildx command that only asks says when it can't reach the engine. `inspect` says nothing, and waits for twenty seconds if told to boot. */
const reasonFor = async (name: string, env: NodeJS.ProcessEnv): Promise<string> =>
    (await runBuildx(["--builder", name, "du"], env)).reason;

/**
 * Starts the engine of an instance where buildx does so, and returns what it offers.
 *
 * @throws InputError if it does not answer
 */
async function offeredBy({ name, driver, endpoint }: WantedInstance, env: NodeJS.ProcessEnv) {
    const isRunning = ({ status }: SeenNode) => status === "running";
    const first = await inspect(name, env);
    const isStarted = driver === "remote" || first?.nodes.some(isRunning);
    const seen = isStarted ? first : await inspect(name, env, { boot: true });
    const running = seen?.nodes.find(isRunning);
    if (running) return running.platforms;
    const reason = seen?.nodes.find(({ error }) => error !== undefined)?.error ?? (await reasonFor(name, env));
    throw new InputError({
        problem: `node ${endpoint ?? name} can't be used: ${reason}`,
        where,
        next: unusable.find(([pattern]) => pattern.test(reason))?.[1] ?? "",
    });
}

/**
 * Makes the stack's builder on this machine unless it is there, and checks that it can build what is built: each node answers, and really
 * offers its platforms.
 *
 * @param instances by platform, where it is built
 * @param env environment of buildx
 * @throws InputError for an instance of somebody else, a node that can't be used, and a platform that its node does not offer
 * @throws CommandError if buildx fails
 */
export async function readyBuilder(
    instances: ReadonlyMap<Platform, WantedInstance>,
    env: NodeJS.ProcessEnv,
): Promise<void> {
    const byName = new Map([...instances.values()].map((one) => [one.name, one] as const));
    await Promise.all(
        [...byName.values()].map(async (wanted) => {
            await ensure(wanted, env);
            const offered = await offeredBy(wanted, env);
            const built = [...instances].filter(([, { name }]) => name === wanted.name).map(([platform]) => platform);
            const missing = built.filter((platform) => !offered.includes(normalPlatform(platform)));
            if (missing.length === 0) return;
            throw new InputError({
                problem: `node ${wanted.endpoint ?? wanted.name} is to build ${missing.join(", ")}, which its engine does not offer`,
                where,
                allowed: offered,
                next:
                    "add a node for it, let the engine emulate it (binfmt), or build without it: " +
                    "pulumi config set platforms <list>",
            });
        }),
    );
}

/** An instance in a line of `buildx ls --format json`. */
const listed = z.object({
    Name: z.string(),
    Nodes: z.array(z.object({ Name: z.string() }).transform(({ Name: name }) => ({ name }))),
});

/**
 * Removes the instances of this machine that this program made, for any stack, and returns their names. Instances of others stay, whatever
 * their names are.
 *
 * @param env environment of buildx
 * @throws CommandError if buildx fails
 */
export async function removeBuilders(env: NodeJS.ProcessEnv): Promise<readonly string[]> {
    const { failure, stdout, reason } = await runBuildx(["ls", "--format", "json"], env);
    if (failure !== undefined) {
        throw new CommandError(
            `buildx can't list the builders of this machine: ${reason}`,
            "install Docker's buildx plugin, or correct what it says, then run the same command again",
        );
    }
    const all = stdout.split("\n").filter((line) => line !== "");
    const ours = all.map((line) => listed.parse(JSON.parse(line))).filter(({ Nodes }) => isOurs(Nodes));
    for (const { Name } of ours) await remove(Name, env);
    return ours.map(({ Name }) => Name);
}
