import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { type GitHubConfig, githubConfig, isEncrypted, providerSettings } from "./githubConfig";
import { instanceFile, readInstance } from "./lab/instance";
import { deadServers, startedServers } from "./lab/servers";
import { InputError } from "./lib/errors";
import { githubProblems, githubSchema, repositorySecretsSchema } from "./lib/githubSettings";
import type { Platform } from "./lib/images";
import { readableSecrets } from "./lib/stackFile";

const platform = z.templateLiteral(["linux/", z.string()]);

/** `pulumi config set --path` writes digits and true as YAML's numbers and booleans; a build argument is text. */
const argument = z
    .union([z.string(), z.int(), z.boolean()], { error: "not text; write it in quotes, as YAML changes 3.10 to 3.1" })
    .transform(String);

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
        .record(z.string(), z.string().regex(/^[^@\s]+@sha256:[0-9a-f]{64}$/, "not <repository>@sha256:<64 hex>"))
        .optional(),
    /** Build arguments by image, over those in images.ts. */
    buildArgs: z.record(z.string(), z.record(z.string(), argument)).optional(),
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
    readonly buildArgs: Readonly<Record<string, Readonly<Record<string, string>>>>;
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

/** The arguments of `pulumi config set` that name a value: its key, or with --path its place in a key's value. */
function keyArguments([key, ...rest]: readonly PropertyKey[]): string {
    if (rest.length === 0) return String(key);
    const parts = rest.map((part) =>
        /^[A-Za-z_]\w*$/.test(String(part)) ? `.${String(part)}` : `["${String(part)}"]`,
    );
    return `--path '${String(key)}${parts.join("")}'`;
}

function describeIssue(issue: z.core.$ZodIssue, project: string): string {
    const known = Object.keys(schema.shape).join(", ");
    if (issue.code === "unrecognized_keys") {
        const keys = issue.keys.map((key) => `${project}:${key}`).join(", ");
        const commands = issue.keys.map((key) => `pulumi config rm ${key}`).join("; ");
        return `unknown key ${keys}; known are ${known}. Remove it: ${commands}`;
    }
    const [key, ...rest] = issue.path.map(String);
    const value = rest.length > 0 ? ` (at ${rest.join(".")})` : "";
    const set = `pulumi config set ${keyArguments(issue.path)} <value>`;
    return `${project}:${key ?? ""}${value}: ${issue.message}. Set it: ${set}`;
}

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
        ...(parsed.error?.issues.map((issue) => describeIssue(issue, project)) ?? []),
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
    const instance = lab ? readInstance(instanceFile()) : undefined;
    if (lab && !instance) {
        throw new InputError({
            problem: `stack ${pulumi.getStack()} uses the lab, and no lab was ever started here`,
            where: instanceFile(),
            next: "npm run lab -- start",
        });
    }
    if (lab && !pulumi.runtime.isDryRun()) requireRunningLab();
    const where = registry ?? instance?.registry;
    const github = githubConfig(parsed.data.github, parsed.data.repositorySecrets);
    return {
        ...(where !== undefined && { registry: where }),
        platforms: platforms ?? instance?.platforms ?? "all",
        roots: { ...instance?.roots, ...roots },
        buildArgs,
        secretNames: Object.keys(buildSecrets),
        secrets: Object.fromEntries(Object.entries(buildSecrets).map(([name, value]) => [name, pulumi.secret(value)])),
        ...(github && { github }),
    };
}
