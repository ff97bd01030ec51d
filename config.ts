import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";
import { z } from "zod";
import { fullStackName, labStack } from "./lib/engine/stacks";
import { InputError } from "./lib/errors";
import type { GitHubTarget } from "./lib/github/api";
import type { Access } from "./lib/github/permissions";
import { type BuilderSettings, builderKeys, builderSchema } from "./lib/builders/settings";
import { accessOf, githubProblems, githubSchema, repositorySecretsSchema } from "./lib/github/settings";
import { secretKeys } from "./lib/hierarchy/secrets";
import { channelOf } from "./lib/hierarchy/channel";
import { buildsFromSchema } from "./lib/hierarchy/taken";
import { rebuildsSchema } from "./lib/hierarchy/rebuild";
import { type Compression, compressionSchema } from "./lib/hierarchy/compression";
import { type ReleasePin, pinKeys, pinsSchema } from "./lib/hierarchy/pins";
import { type Deployment, deploymentKeys, deploymentsSchema } from "./lib/hierarchy/deployments";
import { type PlatformStacks, platformStacksSchema, stackName } from "./lib/hierarchy/platformStacks";
import { type PolicySettings, policyKeys, policySchema } from "./lib/policy/settings";
import { type TimeLimitSettings, timeLimitKeys, timeLimitsSchema } from "./lib/update/timeLimits";
import {
    buildArgsSchema,
    buildArgsWithoutSchema,
    buildSettings,
    withBuildSettings,
    withUnreachable,
} from "./lib/hierarchy/settings";
import { configFileOf, findConfigFile, settingIn } from "./lib/engine/configFile";
import type { Platform } from "./lib/platform";
import { isPinned, referenceProblem, sameImage } from "./lib/registry/references";
import { type Instance, instanceFile, readInstance } from "./lib/system/instance";
import { serversFolder } from "./lib/system/paths";
import { keyArguments } from "./lib/system/shell";
import { deadServers, startedServers } from "./lib/system/pidFiles";
import { typed } from "./lib/system/commandLine";

/** A secret of the repository on GitHub. Its workflows get it, and Dependabot and codespaces if the flags are set. */
export interface RepositorySecret {
    /** At most 48 KB, the limit of GitHub. */
    readonly value: pulumi.Output<string>;
    /** Whether workflows that Dependabot starts get it too. */
    readonly dependabot: boolean;
    /** Whether the repository's codespaces get it too. */
    readonly codespaces: boolean;
    /** The environment whose jobs get it, instead of all workflows. */
    readonly environment?: string | undefined;
}

/** A deployment of the stack, with the private key that opens its host. */
export interface DeploymentConfig extends Deployment {
    /** PEM, with the line break at its end. */
    readonly key: pulumi.Output<string>;
}

/** The GitHub part of the stack's configuration. The token comes from the environment, never from the configuration. */
export interface GitHubConfig extends GitHubTarget {
    /** "direct": workflow files are committed to `branch`; "pull-request": they are proposed. Default: "direct". */
    readonly delivery: z.infer<typeof githubSchema>["delivery"];
    /** Whether files of other origin in the place of workflow files are replaced. Default: false. */
    readonly adopt: boolean;
    /** Whether `up` sends an event for each image that moved. Default: false. */
    readonly dispatch: boolean;
    /** Whether `up` makes deployment records. Default: false. */
    readonly deployments: boolean;
    /** The repository's secrets by name; empty if the stack sets none. */
    readonly secrets: Readonly<Record<string, RepositorySecret>>;
    /** What the program changes on GitHub in addition to workflow files. */
    readonly access: readonly Access[];
}

/** Settings of the default GitHub provider that concern this program. */
export interface ProviderSettings extends Readonly<Record<"baseUrl" | "token", string | undefined>> {
    /** The places that set an owner, in the provider's order of precedence (github/provider.go, 6.13.0). */
    readonly owners: readonly (readonly [where: string, owner: string])[];
}

/** Reads the GitHub provider's settings from its configuration and environment. */
function providerSettings(): ProviderSettings {
    const config = new pulumi.Config("github");
    const { GITHUB_ORGANIZATION, GITHUB_OWNER, GITHUB_BASE_URL } = process.env;
    const owners = [
        ["github:organization", config.get("organization")],
        ["GITHUB_ORGANIZATION", GITHUB_ORGANIZATION],
        ["GITHUB_OWNER", GITHUB_OWNER],
        ["github:owner", config.get("owner")],
    ] as const;
    return {
        owners: owners.flatMap(([where, owner]) => (owner ? [[where, owner] as const] : [])),
        baseUrl: config.get("baseUrl") ?? GITHUB_BASE_URL,
        token: config.get("token"),
    };
}

/** Returns what the provider of images takes for the Docker engine, from its configuration and environment; "" for none. */
export const providerDockerHost = (): string =>
    new pulumi.Config("docker-build").get("host") ?? process.env.DOCKER_HOST ?? "";

/** Builds the GitHub part of the configuration from checked values; undefined if the stack names no repository. */
function githubConfig(
    github: z.infer<typeof githubSchema> | undefined,
    repositorySecrets: z.infer<typeof repositorySecretsSchema> = {},
): GitHubConfig | undefined {
    if (!github) return undefined;
    const { owners, baseUrl = "https://api.github.com/" } = providerSettings();
    const [[, owner] = ["", ""]] = owners;
    const secrets = Object.entries(repositorySecrets).map(
        ([name, { value, ...rest }]) => [name, { ...rest, value: pulumi.secret(value) }] as const,
    );
    return {
        ...github,
        access: accessOf(repositorySecrets),
        owner,
        baseUrl,
        ...(process.env.GITHUB_TOKEN && { token: process.env.GITHUB_TOKEN }),
        secrets: Object.fromEntries(secrets),
    };
}

/** Whether any part of a key's value was set with --secret. @pulumi/pulumi exports this function, but its types do not. */
const isEncrypted = (key: string): boolean =>
    (pulumi.runtime as unknown as { isConfigSecret: (key: string) => boolean }).isConfigSecret(key);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a value in a stack's file is encrypted. */
const isSecure = (value: unknown): boolean => isObject(value) && typeof value.secure === "string";

/**
 * Finds the values of a key with named secrets that are not encrypted in the stack's file. Pulumi itself reports only whether any part of
 * a key is encrypted.
 *
 * @param text the file `Pulumi.<stack>.yaml`
 * @param key with its project: "layered-images:repositorySecrets"
 * @param property the secret property of an entry that is an object
 * @returns paths below the key: "A", or "B.value" if an entry is an object; empty if the file does not have the key
 * @throws YAMLParseError if the file is not YAML
 */
export function readableSecrets(text: string, key: string, property = "value"): string[] {
    const file = parse(text) as unknown;
    const values = isObject(file) && isObject(file.config) ? file.config[key] : undefined;
    if (!isObject(values) || isSecure(values)) return [];
    return Object.entries(values).flatMap(([name, value]) => {
        if (isSecure(value)) return [];
        if (!isObject(value)) return [name];
        return property in value && !isSecure(value[property]) ? [`${name}.${property}`] : [];
    });
}

/** The configuration's keys, as the description of an issue needs them. */
export interface ConfigKeys {
    /** The project, which is the keys' namespace. */
    readonly project: string;
    /** The keys that are allowed, by the path of the object that contains them ("" for the top level). */
    readonly known: Readonly<Record<string, readonly string[]>>;
    /** Keys whose values are secret. */
    readonly secret: readonly string[];
}

/** Names a key for messages, with the path inside its value. */
function place([key, ...rest]: readonly PropertyKey[], project: string): string {
    const value = rest.length > 0 ? ` (at ${rest.map(String).join(".")})` : "";
    return `${project}:${String(key ?? "")}${value}`;
}

/** Whether a path in the configuration leads to the private key of a deployment. */
const isDeploymentKey = ([setting, , property]: readonly PropertyKey[]): boolean =>
    setting === "deployments" && property === "key";

/**
 * Describes an issue of the stack's configuration, with the command that repairs it. The command for a secret never contains its value.
 * An issue with the parameter `remove` concerns a key instead of its value.
 */
function describeIssue(issue: z.core.$ZodIssue, { project, known, secret }: ConfigKeys): string {
    if (issue.code === "unrecognized_keys") {
        const paths = issue.keys.map((key) => [...issue.path, key]);
        const names = paths.map((path) => place(path, project)).join(", ");
        const [setting] = issue.path;
        // All entries of a list have the same keys.
        const inside = issue.path.filter((part) => typeof part !== "number").map(String);
        const where = setting === "deployments" || setting === "pins" ? setting : inside.join(".");
        const allowed = known[where]?.join(", ") ?? "other keys";
        const commands = paths.map((path) => `pulumi config rm ${keyArguments(path)}`).join("; ");
        return `unknown key ${names}; known are ${allowed}. Remove it: ${commands}`;
    }
    if (issue.code === "custom" && issue.params?.remove === true) {
        return `${place(issue.path, project)}: ${issue.message}. Remove it: pulumi config rm ${keyArguments(issue.path)}`;
    }
    const isSecret = secret.includes(String(issue.path[0])) || isDeploymentKey(issue.path);
    const set = `pulumi config set ${isSecret ? "--secret " : ""}${keyArguments(issue.path)}${isSecret ? "" : " <value>"}`;
    return `${place(issue.path, project)}: ${issue.message}. Set it: ${set}`;
}

/** Checks the form only. Platforms that no image declares are refused later, with the list of those declared. */
const platform = z.custom<Platform>((text) => typeof text === "string" && /^linux(\/[a-z0-9]+){1,2}$/.test(text));

/** The keys of the stack's configuration (`pulumi config set <key>`) and their values. */
const schema = z.strictObject({
    /** Whether registry, platforms and stand-ins for roots come from the lab on this machine; by default for the lab's own stack. */
    lab: z.boolean().optional(),
    /** Registry host, optionally with port and path prefix, to which images are pushed instead of the registry in their names. */
    registry: z.string().min(1).optional(),
    /** "all" platforms that the images declare, "host" for this machine's platform, or a list. */
    platforms: z
        .union([z.enum(["all", "host"]), z.array(platform).min(1)], {
            error: 'not "all", "host" or a list such as ["linux/amd64"]',
        })
        .optional(),
    /** By platform, the other stack that builds it. */
    platformStacks: platformStacksSchema.optional(),
    /** The channel that the stack promotes to: tags of its own, instead of those in images.ts; {stack} is the stack's name. */
    channel: z.string().min(1).optional(),
    /** Other stacks: what one of them has built from the same inputs is taken, and not built. */
    buildsFrom: buildsFromSchema.optional(),
    /** Another stack, from whose file the settings come that decide a build and that this stack does not set itself. */
    buildSettingsOf: stackName.optional(),
    /** Whether the stack promotes what it built; false for a stack that another one names in platformStacks. */
    promote: z.boolean({ error: "neither true nor false" }).optional(),
    /** Pins of external images: by reference as Dockerfiles write it, `<repository>@<digest>`. */
    roots: z
        .record(z.string(), z.string().refine(isPinned, "not <repository>@sha256:<64 hex>"))
        .superRefine((roots, context) => {
            for (const name of Object.keys(roots)) {
                const problem = referenceProblem(name);
                if (problem === undefined) continue;
                context.addIssue({ code: "custom", path: [name], message: problem, params: { remove: true } });
            }
        })
        .optional(),
    /** Whether BuildKit's own frontend reads Dockerfiles whose `# syntax=` is docker/dockerfile. */
    builtinFrontend: z.boolean({ error: "neither true nor false" }).optional(),
    /** "zstd", "gzip", or an object with `type` and `level`: how the layers of published images are compressed. */
    compression: compressionSchema.optional(),
    /** Whether images use their registry caches; false ignores what images.ts says. */
    registryCache: z.boolean({ error: "neither true nor false" }).optional(),
    /** Build arguments by image or entry with a matrix, over those in images.ts. */
    buildArgs: buildArgsSchema.optional(),
    /** In the lab, build arguments for machines that can't reach an address. */
    buildArgsWithout: buildArgsWithoutSchema.optional(),
    /** By image or entry with a matrix, the period of its last scheduled rebuild, which `bump` writes. */
    rebuilds: rebuildsSchema.optional(),
    /** By image, the release that replaces its build, which `rollback` writes. */
    pins: pinsSchema.optional(),
    /** Build secrets by name, set with --secret. */
    buildSecrets: z.record(z.string(), z.string()).optional(),
    /** Machines that run releases, by name. */
    deployments: deploymentsSchema.optional(),
    /** In minutes: how long a build, a smoke test and a promotion may take. */
    timeLimits: timeLimitsSchema.optional(),
    /** What the stack refuses to build or promote; nothing of that by default. */
    policy: policySchema.optional(),
    /** The engines that build the images; by default buildx's current builder. */
    builder: builderSchema.optional(),
    /** Whether an update also makes the devcontainer, in the Docker of the machine that it runs on. */
    devcontainer: z.boolean({ error: "neither true nor false" }).optional(),
    /** The repository on GitHub; without it the program manages images only. */
    github: githubSchema.optional(),
    /** Secrets of that repository by name, set with --secret. */
    repositorySecrets: repositorySecretsSchema.optional(),
});

/** The checked configuration of the stack. */
export interface StackConfig {
    /**
     * Host, with port and path prefix if wanted, to which images are pushed ("registry.localhost:5443/local"). Absent: the
     * registries in the images' names.
     */
    readonly registry?: string;
    /** Which of the images' platforms are built: all, this machine's, or those in the list. Default: "all", or the lab's. */
    readonly platforms: "all" | "host" | readonly Platform[];
    /** By platform, the other stack that builds it. */
    readonly platformStacks?: PlatformStacks;
    /** The channel that it promotes to: tags of its own, instead of those in images.ts. */
    readonly channel?: string;
    /** Other stacks: what one of them has built from the same inputs is taken, and not built. */
    readonly buildsFrom?: readonly string[];
    /** For each pin, the stack in whose file it is. */
    readonly pinnedIn: Readonly<Record<string, string>>;
    /** false: it builds, tests and pushes for a stack that names it in `platformStacks`, and promotes nothing. Default: true. */
    readonly promote?: boolean;
    /** `<repository>@sha256:…` by the external image, as Dockerfiles write it, that it replaces. */
    readonly roots: Readonly<Record<string, string>>;
    /** The lab's roots for platforms that it added later, by platform. */
    readonly rootsByPlatform?: Readonly<Record<string, Readonly<Record<string, string>>>>;
    /** The keys of `roots` that the stack's configuration sets; the others come from the lab. */
    readonly pinnedRoots: readonly string[];
    /** Values by argument, by image or matrix; they override those in images.ts. */
    readonly buildArgs: Readonly<Record<string, Readonly<Record<string, string>>>>;
    /** Whether the builder's own frontend replaces the docker/dockerfile that `# syntax=` names. Default: false. */
    readonly builtinFrontend: boolean;
    /** How the layers of published images are compressed. Default: zstd, at BuildKit's own level. */
    readonly compression?: Compression;
    /** false: no image reads or writes a registry cache, which may be written by everybody who can write to its repository. Default: true. */
    readonly registryCache?: boolean;
    /** By image, the period of its last scheduled rebuild ("2026-W48"), which `bump` writes. */
    readonly rebuilds?: Readonly<Record<string, string>>;
    /** By image, the release that replaces its build: a rollback, which `rollback` writes. */
    readonly pins?: Readonly<Record<string, ReleasePin>>;
    /** The lab's registry, which its BuildKit asks first; absent if the stack does not use the lab. */
    readonly labRegistry?: string;
    /** Names of the build secrets, which are the keys of `secrets`. */
    readonly secretNames: readonly string[];
    /** Values of the build secrets by name. */
    readonly secrets: Readonly<Record<string, pulumi.Output<string>>>;
    /** Machines that run releases, by name; empty if the stack deploys nothing. */
    readonly deployments: Readonly<Record<string, DeploymentConfig>>;
    /** In minutes: how long a build, a smoke test and a promotion may take. Absent ones follow recorded durations. */
    readonly timeLimits?: TimeLimitSettings;
    /** What the stack refuses to build or promote. Default: nothing of that. */
    readonly policy?: PolicySettings;
    /** The engines that build the images. Default: buildx's current builder. */
    readonly builder?: BuilderSettings;
    /** Whether an update also makes the devcontainer, in the Docker of the machine that it runs on. Default: false. */
    readonly devcontainer?: boolean;
    /** Absent if the stack manages images only. */
    readonly github?: GitHubConfig;
}

/** Parses a configuration value: Pulumi hands booleans, lists and objects over as JSON. */
function parseValue(text: string): unknown {
    if (!/^(true$|false$|\[|\{)/.test(text)) return text;
    try {
        return JSON.parse(text);
    } catch {
        return text;
    }
}

/**
 * Returns the settings of another stack that decide a build, from its file in the checkout.
 *
 * @throws InputError if the stack has no file, or takes them from a third one itself
 */
function settingsOfStack(root: string, project: string, stack: string): Readonly<Record<string, unknown>> {
    const remove = "pulumi config rm buildSettingsOf";
    const file = findConfigFile(root, stack, project);
    if (!file || stack === pulumi.getStack()) {
        throw new InputError({
            problem: file ? `stack ${stack} is this stack` : `stack ${stack} has no file ${configFileOf(stack)}`,
            where: "the stack's setting `buildSettingsOf`",
            next: `name a stack whose file is in the checkout, or remove it: ${remove}`,
        });
    }
    const third = settingIn(file, "buildSettingsOf");
    if (typeof third === "string") {
        throw new InputError({
            problem: `stack ${stack} has these settings from stack ${third} itself`,
            where: "the stack's setting `buildSettingsOf`",
            next: `pulumi config set buildSettingsOf ${third}, or remove it: ${remove}`,
        });
    }
    return Object.fromEntries(
        buildSettings.flatMap((key) => {
            const value = settingIn(file, key);
            return value === undefined ? [] : [[key, typeof value === "string" ? parseValue(value) : value]];
        }),
    );
}

/** The allowed keys, by the path of the object that contains them. */
const known: Readonly<Record<string, readonly string[]>> = {
    "": Object.keys(schema.shape),
    github: Object.keys(githubSchema.shape),
    timeLimits: timeLimitKeys,
    ...builderKeys,
    ...policyKeys,
    // Of all deployments, whatever their names are.
    deployments: deploymentKeys,
    // Of all pins, whatever their images are.
    pins: pinKeys,
};

/** Returns the lab's roots by platform without those that the stack's configuration pins; nothing if there are none. */
function unpinned(
    byPlatform: Instance["rootsByPlatform"],
    pins: readonly string[],
): Pick<StackConfig, "rootsByPlatform"> {
    const isPinnedHere = (root: string) => pins.some((pin) => sameImage(pin, root));
    const rootsByPlatform = Object.fromEntries(
        Object.entries(byPlatform).map(([platform, roots]) => [
            platform,
            Object.fromEntries(Object.entries(roots).filter(([root]) => !isPinnedHere(root))),
        ]),
    );
    return Object.values(rootsByPlatform).some((roots) => Object.keys(roots).length > 0) ? { rootsByPlatform } : {};
}

/** Refuses an update while the lab is stopped: it would fail halfway, with the provider's message. A preview needs no servers. */
function requireRunningLab(): void {
    const servers = serversFolder({ state: path.dirname(instanceFile()) });
    const dead = deadServers(servers);
    if (dead.length === 0 && startedServers(servers).length > 0) return;
    throw new InputError({
        problem: `the lab is not running (${dead.length > 0 ? `${dead.join(" and ")} ended` : "its servers are stopped"})`,
        next: typed("lab", "start"),
    });
}

/** Warns of build secrets that are not encrypted. It is not an error: in a test the value may not be secret. */
function warnOfReadable(names: readonly string[]): void {
    const commands = names
        .map((name) => `pulumi config set --secret ${keyArguments(["buildSecrets", name])}`)
        .join("; ");
    const problem = "buildSecrets are not encrypted in the stack's file";
    void pulumi.log.warn(`${problem}. Set each again, and change the secret wherever it is used: ${commands}`);
}

/** Finds secrets of a key that are not encrypted in the stack's file; empty if the stack has no file. */
function readableIn(root: string, key: string, property?: string): string[] {
    const file = path.join(root, `Pulumi.${pulumi.getStack()}.yaml`);
    return existsSync(file) ? readableSecrets(readFileSync(file, "utf8"), key, property) : [];
}

/** Returns the paths of encrypted values in a part of a stack's file. */
const securePaths = (value: unknown, at: readonly string[] = []): string[][] =>
    isSecure(value)
        ? [[...at]]
        : isObject(value)
          ? Object.entries(value).flatMap(([key, inner]) => securePaths(inner, [...at, key]))
          : [];

/** Returns a problem for each setting of a deployment that is encrypted although plans and the state show it. */
function shownSettings(root: string, project: string): string[] {
    const key = `${project}:deployments`;
    const file = path.join(root, `Pulumi.${pulumi.getStack()}.yaml`);
    const found = existsSync(file) ? (parse(readFileSync(file, "utf8")) as unknown) : undefined;
    const values = isObject(found) && isObject(found.config) ? found.config[key] : undefined;
    const paths = isSecure(values) ? [] : securePaths(values).filter((at) => at.length > 1 && at[1] !== "key");
    return paths.map((at) => {
        const where = keyArguments(["deployments", ...at]);
        return (
            `${key} (at ${at.join(".")}): set with --secret, but plans and the state show it. Put a secret into a file on the machine, and ` +
            `set this without: pulumi config rm ${where}; pulumi config set ${where} <value>`
        );
    });
}

/** What a stack with `promote: false` can't have, because it is about what is promoted. */
const needPromotion = ["github", "deployments", "platformStacks", "channel"] as const;

/** Returns a problem for each setting that needs a promotion, in a stack that promotes nothing. */
function buildingOnly(project: string, data: z.infer<typeof schema> | undefined): string[] {
    if (data?.promote !== false) return [];
    return needPromotion
        .filter((key) => data[key] !== undefined)
        .map(
            (key) =>
                `${project}:${key}: the stack promotes nothing (promote is false), and this is about what is promoted. Set it in the ` +
                `stack that promotes, and remove it here: pulumi config rm ${key}`,
        );
}

/** Returns a problem if a stack with a channel also sets what there is once a repository, such as the variables with promoted refs. */
const withoutGitHub = (project: string, data: z.infer<typeof schema> | undefined): string[] =>
    data?.channel === undefined || data.github === undefined
        ? []
        : [
              `${project}:github: the stack promotes to channel "${data.channel}", and the repository's variables and workflows follow the stack ` +
                  "that promotes to the tags in images.ts. Remove it here: pulumi config rm github; or promote to those tags: pulumi config rm channel",
          ];

/** Returns a problem for each stack from which builds can't come: the stack itself, and those of other projects. */
const sourceProblems = (project: string, data: z.infer<typeof schema> | undefined): string[] => {
    const full = (name: string) => fullStackName(name, { organization: pulumi.getOrganization(), project });
    const sources = [
        ...(data?.buildsFrom ?? []).map((name, index) => ({ name, path: ["buildsFrom", index] })),
        ...Object.entries(data?.platformStacks ?? {}).map(([platform, name]) => ({
            name,
            path: ["platformStacks", platform],
        })),
    ];
    return sources.flatMap(({ name, path }) => {
        const remove = `Remove it: pulumi config rm ${keyArguments(path)}`;
        const where = `${project}:${String(path[0])}: ${name}`;
        if (full(name) === full(pulumi.getStack()))
            return [`${where} is this stack, which keeps what it has built anyway. ${remove}`];
        if (full(name).split("/")[1] !== project)
            return [
                `${where} is a stack of another project, whose \`gc\` does not read the state of this one and could remove what it ` +
                    `names. Name one of project ${project}. ${remove}`,
            ];
        return [];
    });
};

/** Returns a problem for each deployment whose private key is not encrypted. */
function readableKeys(root: string, project: string, names: readonly string[]): string[] {
    const key = `${project}:deployments`;
    const readable = isEncrypted(key) ? readableIn(root, key, "key") : names.map((name) => `${name}.key`);
    return readable.map((place) => {
        const path = ["deployments", ...place.split(/\.(?=key$)/)];
        return (
            `${key} (at ${place}): readable by everyone in the stack's file. Replace this key by a new one, and set it: ` +
            `pulumi config set --secret ${keyArguments(path)} < <file of the private key>`
        );
    });
}

/**
 * Reads and checks the stack's configuration and, for a stack that uses the lab, the lab's instance file. A configured key takes precedence over the
 * lab's value.
 *
 * @param root the repository's root, which contains the stack's file
 * @throws InputError that lists every problem with the command that repairs it
 */
export function readConfig(root: string = process.cwd()): StackConfig {
    const project = pulumi.getProject();
    const values = Object.entries(pulumi.runtime.allConfig())
        .filter(([key]) => key.startsWith(`${project}:`))
        .map(([key, value]) => [key.slice(project.length + 1), parseValue(value)] as const);
    const own = Object.fromEntries(values);
    const { buildSettingsOf: source } = own;
    const other = typeof source === "string" ? settingsOfStack(root, project, source) : {};
    const parsed = schema.safeParse(withBuildSettings(own, other));
    const problems = [
        ...(parsed.error?.issues.map((issue) => describeIssue(issue, { project, known, secret: secretKeys })) ?? []),
        ...githubProblems({
            project,
            keys: values.map(([key]) => key),
            encrypted: isEncrypted(`${project}:repositorySecrets`),
            readable: readableIn(root, `${project}:repositorySecrets`),
            provider: providerSettings(),
        }),
        ...readableKeys(root, project, Object.keys(parsed.data?.deployments ?? {})),
        ...shownSettings(root, project),
        ...buildingOnly(project, parsed.data),
        ...withoutGitHub(project, parsed.data),
        ...sourceProblems(project, parsed.data),
    ];
    if (!parsed.success || problems.length > 0) {
        throw new InputError({
            problem: `the configuration of stack ${pulumi.getStack()} is wrong:\n  ${problems.join("\n  ")}`,
        });
    }
    const {
        lab = pulumi.getStack() === labStack,
        registry,
        platforms,
        roots = {},
        buildArgs = {},
        buildArgsWithout = {},
        buildSecrets = {},
    } = parsed.data;
    const { builtinFrontend = false, registryCache, channel, buildsFrom } = parsed.data;
    const instance = lab ? readInstance(instanceFile()) : undefined;
    if (lab && !instance) {
        throw new InputError({
            problem: `stack ${pulumi.getStack()} uses the lab, and no lab was ever started here`,
            where: instanceFile(),
            next: typed("lab", "start"),
        });
    }
    if (lab && !pulumi.runtime.isDryRun()) requireRunningLab();
    const names = Object.keys(buildSecrets);
    const key = `${project}:buildSecrets`;
    const readable = isEncrypted(key) ? readableIn(root, key) : names;
    if (readable.length > 0) warnOfReadable(readable);
    const deployments = Object.entries(parsed.data.deployments ?? {}).map(
        // A file that was piped into the configuration lost its last line break.
        ([name, { key, ...rest }]) => [name, { ...rest, key: pulumi.secret(`${key.trim()}\n`) }] as const,
    );
    const where = registry ?? instance?.registry;
    const github = githubConfig(parsed.data.github, parsed.data.repositorySecrets);
    return {
        ...(where !== undefined && { registry: where }),
        platforms: platforms ?? instance?.platforms ?? "all",
        ...(parsed.data.platformStacks && { platformStacks: parsed.data.platformStacks }),
        ...(channel !== undefined && { channel: channelOf(channel, pulumi.getStack()) }),
        ...(buildsFrom && { buildsFrom }),
        ...(parsed.data.promote !== undefined && { promote: parsed.data.promote }),
        roots: { ...instance?.roots, ...roots },
        ...(instance && unpinned(instance.rootsByPlatform, Object.keys(roots))),
        pinnedRoots: Object.keys(roots),
        buildArgs: instance ? withUnreachable(buildArgs, buildArgsWithout, instance.reachable) : buildArgs,
        builtinFrontend,
        ...(parsed.data.compression && { compression: parsed.data.compression }),
        ...(registryCache !== undefined && { registryCache }),
        ...(parsed.data.rebuilds && { rebuilds: parsed.data.rebuilds }),
        ...(parsed.data.pins && { pins: parsed.data.pins }),
        pinnedIn: Object.fromEntries(
            Object.keys(parsed.data.pins ?? {}).map((name) => {
                const isOwn = isObject(own.pins) && Object.hasOwn(own.pins, name);
                return [name, isOwn ? pulumi.getStack() : (parsed.data.buildSettingsOf ?? pulumi.getStack())];
            }),
        ),
        ...(instance && { labRegistry: instance.registry }),
        secretNames: names,
        secrets: Object.fromEntries(Object.entries(buildSecrets).map(([name, value]) => [name, pulumi.secret(value)])),
        ...(parsed.data.timeLimits && { timeLimits: parsed.data.timeLimits }),
        ...(parsed.data.policy && { policy: parsed.data.policy }),
        ...(parsed.data.builder && { builder: parsed.data.builder }),
        ...(parsed.data.devcontainer !== undefined && { devcontainer: parsed.data.devcontainer }),
        deployments: Object.fromEntries(deployments) as StackConfig["deployments"],
        ...(github && { github }),
    };
}
