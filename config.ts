import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";
import { z } from "zod";
import { InputError } from "./lib/errors";
import type { GitHubTarget } from "./lib/github/api";
import type { Access } from "./lib/github/permissions";
import { githubProblems, githubSchema, repositorySecretsSchema } from "./lib/github/settings";
import { secretKeys } from "./lib/hierarchy/secrets";
import { buildArgsSchema } from "./lib/hierarchy/settings";
import type { Platform } from "./lib/platform";
import { isPinned, referenceProblem } from "./lib/registry/references";
import { instanceFile, readInstance } from "./lib/system/instance";
import { keyArguments } from "./lib/system/shell";
import { deadServers, startedServers } from "./lib/system/pidFiles";

/** A secret of the repository on GitHub, and who gets it beside its workflows. */
export interface RepositorySecret {
    readonly value: pulumi.Output<string>;
    readonly dependabot: boolean;
    readonly codespaces: boolean;
}

/** What the stack's configuration says of GitHub. The token comes from the environment and is in no configuration. */
export interface GitHubConfig extends GitHubTarget {
    readonly delivery: z.infer<typeof githubSchema>["delivery"];
    readonly adopt: boolean;
    readonly secrets: Readonly<Record<string, RepositorySecret>>;
    /** What there is to change beside workflow files. */
    readonly access: readonly Access[];
}

/** Settings of the default GitHub provider that the program needs to know. */
export interface ProviderSettings extends Readonly<Record<"baseUrl" | "token", string | undefined>> {
    /** Wherever an owner is set, in the provider's order: it takes the first (github/provider.go, 6.13.0). */
    readonly owners: readonly (readonly [where: string, owner: string])[];
}

/** Reads the provider's settings from where the provider takes them. */
export function providerSettings(): ProviderSettings {
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

/** The GitHub part of the stack's configuration, from checked values; undefined where the stack names no repository. */
export function githubConfig(
    github: z.infer<typeof githubSchema> | undefined,
    repositorySecrets: z.infer<typeof repositorySecretsSchema> = {},
): GitHubConfig | undefined {
    if (!github) return undefined;
    const { owners, baseUrl = "https://api.github.com/" } = providerSettings();
    const [[, owner] = ["", ""]] = owners;
    const secrets = Object.entries(repositorySecrets).map(
        ([name, { value, ...rest }]) => [name, { ...rest, value: pulumi.secret(value) }] as const,
    );
    const some = (reader: "dependabot" | "codespaces") => secrets.some(([, secret]) => secret[reader]);
    return {
        ...github,
        access: [
            "variables",
            ...(secrets.length > 0 ? ["secrets" as const] : []),
            ...(["dependabot", "codespaces"] as const).filter(some),
        ],
        owner,
        baseUrl,
        ...(process.env.GITHUB_TOKEN && { token: process.env.GITHUB_TOKEN }),
        secrets: Object.fromEntries(secrets),
    };
}

/** Whether any part of a key's value was set with --secret. @pulumi/pulumi exports this, and leaves it out of its types. */
export const isEncrypted = (key: string): boolean =>
    (pulumi.runtime as unknown as { isConfigSecret: (key: string) => boolean }).isConfigSecret(key);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a value is as Pulumi writes what was set with --secret. */
const isSecure = (value: unknown): boolean => isObject(value) && typeof value.secure === "string";

/**
 * Where the values of a key of secrets by name stand in the stack's file for everybody to read. Pulumi tells a program of a key
 * only that some part of it was encrypted.
 *
 * @param text the file `Pulumi.<stack>.yaml`
 * @param key with its project: "layered-images:repositorySecrets"
 * @returns paths below the key: "A", or "B.value" where an entry is an object; none where the file does not have the key
 * @throws YAMLParseError when it is no YAML
 */
export function readableSecrets(text: string, key: string): string[] {
    const file = parse(text) as unknown;
    const values = isObject(file) && isObject(file.config) ? file.config[key] : undefined;
    if (!isObject(values) || isSecure(values)) return [];
    return Object.entries(values).flatMap(([name, value]) => {
        if (isSecure(value)) return [];
        if (!isObject(value)) return [name];
        return "value" in value && !isSecure(value.value) ? [`${name}.value`] : [];
    });
}

/** What the description of an issue needs to know of the configuration. */
export interface ConfigKeys {
    /** The project, in whose namespace the keys stand. */
    readonly project: string;
    /** The keys that are known below a place, by the place ("" for the top). */
    readonly known: Readonly<Record<string, readonly string[]>>;
    /** Keys whose values are secret. */
    readonly secret: readonly string[];
}

/** A key as messages name it, with the place in its value. */
function place([key, ...rest]: readonly PropertyKey[], project: string): string {
    const value = rest.length > 0 ? ` (at ${rest.map(String).join(".")})` : "";
    return `${project}:${String(key ?? "")}${value}`;
}

/**
 * What is wrong with the stack's configuration, with the command that mends just that. A secret's value is never put on a
 * command line. An issue whose own parameters say `remove` is about a key, not about its value.
 */
export function describeIssue(issue: z.core.$ZodIssue, { project, known, secret }: ConfigKeys): string {
    if (issue.code === "unrecognized_keys") {
        const paths = issue.keys.map((key) => [...issue.path, key]);
        const names = paths.map((path) => place(path, project)).join(", ");
        const allowed = known[issue.path.map(String).join(".")]?.join(", ") ?? "others";
        const commands = paths.map((path) => `pulumi config rm ${keyArguments(path)}`).join("; ");
        return `unknown key ${names}; known are ${allowed}. Remove it: ${commands}`;
    }
    if (issue.code === "custom" && issue.params?.remove === true) {
        return `${place(issue.path, project)}: ${issue.message}. Remove it: pulumi config rm ${keyArguments(issue.path)}`;
    }
    const isSecret = secret.includes(String(issue.path[0]));
    const set = `pulumi config set ${isSecret ? "--secret " : ""}${keyArguments(issue.path)}${isSecret ? "" : " <value>"}`;
    return `${place(issue.path, project)}: ${issue.message}. Set it: ${set}`;
}

/** Of this form; which there are the images say, and an unknown one is refused with their list. */
const platform = z.custom<Platform>((text) => typeof text === "string" && /^linux(\/[a-z0-9]+){1,2}$/.test(text));

/** Keys of the stack's configuration (`pulumi config set <key>`), each with what it takes. */
const schema = z.strictObject({
    /** Everything about where images go comes from the lab on this machine. */
    lab: z.boolean().optional(),
    /** Registry host, with port and path prefix where wanted, to push to instead of the one in the images' names. */
    registry: z.string().min(1).optional(),
    /** "all" that the images declare, the "host" machine's own, or a list. */
    platforms: z
        .union([z.enum(["all", "host"]), z.array(platform).min(1)], {
            error: 'not "all", "host" or a list such as ["linux/amd64"]',
        })
        .optional(),
    /** External images as Dockerfiles write them → repository@digest to build on. */
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
    /** Build arguments by image, over those in images.ts. */
    buildArgs: buildArgsSchema.optional(),
    /** Build secrets by name, set with --secret. */
    buildSecrets: z.record(z.string(), z.string()).optional(),
    /** The repository on GitHub; without it the program makes images only. */
    github: githubSchema.optional(),
    /** Secrets of that repository by name, set with --secret. */
    repositorySecrets: repositorySecretsSchema.optional(),
});

/** What the stack's configuration decides. */
export interface StackConfig {
    readonly registry?: string;
    readonly platforms: "all" | "host" | readonly Platform[];
    readonly roots: Readonly<Record<string, string>>;
    /** Those of them that the stack pins itself. */
    readonly pins: readonly string[];
    readonly buildArgs: Readonly<Record<string, Readonly<Record<string, string>>>>;
    readonly builtinFrontend: boolean;
    /** The lab's own registry, where its BuildKit looks first; absent where the stack is not the lab's. */
    readonly labRegistry?: string;
    readonly secretNames: readonly string[];
    readonly secrets: Readonly<Record<string, pulumi.Output<string>>>;
    /** Absent where the stack is about images only. */
    readonly github?: GitHubConfig;
}

/** A configuration value arrives as text; booleans, lists and objects as JSON text. */
function parseValue(text: string): unknown {
    if (!/^(true$|false$|\[|\{)/.test(text)) return text;
    try {
        return JSON.parse(text);
    } catch {
        return text;
    }
}

/** Those that are known, by the place that they stand in. */
const known = { "": Object.keys(schema.shape), github: Object.keys(githubSchema.shape) };

/** A preview needs no servers; an update that finds none would fail halfway with the provider's words for it. */
function requireRunningLab(): void {
    const servers = path.join(path.dirname(instanceFile()), "servers");
    const dead = deadServers(servers);
    if (dead.length === 0 && startedServers(servers).length > 0) return;
    throw new InputError({
        problem: `the lab is not running (${dead.length > 0 ? `${dead.join(" and ")} ended` : "its servers are stopped"})`,
        next: "npm run lab -- start",
    });
}

/** A build secret that everybody can read may be none, as in a test: it is no error. */
function warnOfReadable(names: readonly string[]): void {
    const commands = names
        .map((name) => `pulumi config set --secret ${keyArguments(["buildSecrets", name])}`)
        .join("; ");
    const problem = "buildSecrets stand in the stack's file for everybody to read";
    void pulumi.log.warn(`${problem}. Set each anew, and change it where it is used: ${commands}`);
}

/** Secrets of a key that stand in the stack's file for everybody to read; none where its configuration comes from elsewhere. */
function readableIn(root: string, key: string): string[] {
    const file = path.join(root, `Pulumi.${pulumi.getStack()}.yaml`);
    return existsSync(file) ? readableSecrets(readFileSync(file, "utf8"), key) : [];
}

/**
 * Reads and checks the stack's configuration, and the lab's instance where the stack says `lab: true`; a key that is set
 * wins over what the lab says.
 *
 * @param root of the repository, where the stack's file lies
 * @throws InputError that lists every problem with the command that mends it
 */
export function readConfig(root: string = process.cwd()): StackConfig {
    const project = pulumi.getProject();
    const own = Object.entries(pulumi.runtime.allConfig())
        .filter(([key]) => key.startsWith(`${project}:`))
        .map(([key, value]) => [key.slice(project.length + 1), parseValue(value)] as const);
    const parsed = schema.safeParse(Object.fromEntries(own));
    const problems = [
        ...(parsed.error?.issues.map((issue) => describeIssue(issue, { project, known, secret: secretKeys })) ?? []),
        ...githubProblems({
            project,
            keys: own.map(([key]) => key),
            encrypted: isEncrypted(`${project}:repositorySecrets`),
            readable: readableIn(root, `${project}:repositorySecrets`),
            provider: providerSettings(),
        }),
    ];
    if (!parsed.success || problems.length > 0) {
        throw new InputError({
            problem: `the configuration of stack ${pulumi.getStack()} is wrong:\n  ${problems.join("\n  ")}`,
        });
    }
    const { lab, registry, platforms, roots = {}, buildArgs = {}, buildSecrets = {} } = parsed.data;
    const { builtinFrontend = false } = parsed.data;
    const instance = lab ? readInstance(instanceFile()) : undefined;
    if (lab && !instance) {
        throw new InputError({
            problem: `stack ${pulumi.getStack()} uses the lab, and no lab was ever started here`,
            where: instanceFile(),
            next: "npm run lab -- start",
        });
    }
    if (lab && !pulumi.runtime.isDryRun()) requireRunningLab();
    const names = Object.keys(buildSecrets);
    const key = `${project}:buildSecrets`;
    const readable = isEncrypted(key) ? readableIn(root, key) : names;
    if (readable.length > 0) warnOfReadable(readable);
    const where = registry ?? instance?.registry;
    const github = githubConfig(parsed.data.github, parsed.data.repositorySecrets);
    return {
        ...(where !== undefined && { registry: where }),
        platforms: platforms ?? instance?.platforms ?? "all",
        roots: { ...instance?.roots, ...roots },
        pins: Object.keys(roots),
        buildArgs,
        builtinFrontend,
        ...(instance && { labRegistry: instance.registry }),
        secretNames: names,
        secrets: Object.fromEntries(Object.entries(buildSecrets).map(([name, value]) => [name, pulumi.secret(value)])),
        ...(github && { github }),
    };
}
