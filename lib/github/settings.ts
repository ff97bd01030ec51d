import { z } from "zod";
import type { Access } from "./permissions";
import { maximumValue, nameProblem, valueProblem } from "./names";

const repositoryName = z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,100}$/, "not the name of a repository; its owner is set by itself, in github:owner")
    .refine((name) => name !== "." && name !== "..", "not the name of a repository");

/** A branch name that `git check-ref-format --branch` accepts. */
const branchName = z
    .string()
    .refine(
        (name) =>
            /^[^\s~^:?*[\\\p{Cc}]+$/u.test(name) && !/\.\.|@\{|\/\/|^[-/]|(^|\/)\.|\.lock(\/|$)|[./]$|^@$/.test(name),
        "not the name of a branch",
    );

/** Ways to deliver workflow files into the repository. */
const deliveries = ["direct", "pull-request"] as const;

/** `layered-images:github`: the repository that gets secrets, variables and workflow files. */
export const githubSchema = z.strictObject({
    /** Name of the repository; its owner is `github:owner`. */
    repository: repositoryName,
    /** Whether workflow files are committed to the branch, or proposed by a pull request. */
    delivery: z.enum(deliveries).default("direct"),
    /** Whether foreign files at the paths of workflow files are replaced. */
    adopt: z.boolean().default(false),
    /** Target branch of the workflow files. */
    branch: branchName.default("main"),
    /** Whether `up` sends an event `repository_dispatch` for each image that moved. */
    dispatch: z.boolean().default(false),
    /** Whether `up` makes deployment records. */
    deployments: z.boolean().default(false),
});

/** The name of an environment of the repository (Settings, Environments). */
const environmentName = z
    .string()
    .regex(/^[^\p{Cc}"'`,;\\]{1,255}$/u, "not the name of an environment")
    .refine((name) => name.trim() === name, "the name of an environment has no spaces around it");

const secretValue = z.string().refine((value) => valueProblem(value) === undefined);

/** `layered-images:repositorySecrets`, by name: the value, or an object that names additional readers. */
export const repositorySecretsSchema = z
    .record(
        z.string(),
        z.union(
            [
                secretValue.transform((value) => ({
                    value,
                    dependabot: false,
                    codespaces: false,
                    environment: undefined,
                })),
                z.strictObject({
                    value: secretValue,
                    /** Also for workflows that Dependabot starts. */
                    dependabot: z.boolean().default(false),
                    /** Also for the repository's codespaces. */
                    codespaces: z.boolean().default(false),
                    /** Only for jobs in this environment, instead of all workflows of the repository. */
                    environment: environmentName.optional(),
                }),
            ],
            {
                error: `neither a text of 1 to ${maximumValue} bytes nor an object with value, dependabot, codespaces, environment`,
            },
        ),
    )
    .superRefine((secrets, context) => {
        const seen = new Set<string>();
        for (const name of Object.keys(secrets)) {
            const twice = seen.has(name.toUpperCase()) ? "GitHub does not tell names apart by case" : undefined;
            const problem = nameProblem(name) ?? twice;
            seen.add(name.toUpperCase());
            if (problem === undefined) continue;
            const message = `GitHub refuses this name: ${problem}`;
            context.addIssue({ code: "custom", path: [name], message, params: { remove: true } });
        }
    });

/**
 * Returns what a stack changes on GitHub in addition to files, from its setting `repositorySecrets`: values may be encrypted, and are not
 * needed.
 */
export function accessOf(repositorySecrets: unknown): Access[] {
    const record = z.record(z.string(), z.unknown()).safeParse(repositorySecrets).data ?? {};
    const flag = z.unknown().optional();
    const entry = z.object({ environment: z.string().optional(), dependabot: flag, codespaces: flag });
    const entries = Object.values(record).map((one) => entry.safeParse(one).data ?? {});
    const environments = entries.flatMap(({ environment }) => environment ?? []);
    const some = (reader: "dependabot" | "codespaces") =>
        entries.some((one) => [true, "true"].includes(one[reader] as boolean));
    return [
        "variables",
        ...(environments.length < entries.length ? (["secrets"] as const) : []),
        ...(["dependabot", "codespaces"] as const).filter(some),
        ...new Set(environments.map((environment) => `environment ${environment}` as const)),
    ];
}

/** Configuration and environment that affect the stack's GitHub settings. */
export interface GitHubSurroundings {
    /** The project, which is the namespace of the keys. */
    readonly project: string;
    /** The keys that are set in this namespace. */
    readonly keys: readonly string[];
    /** Whether the secrets' key contains a value that was set with --secret. */
    readonly encrypted: boolean;
    /** Paths below that key whose values are stored unencrypted in the stack's file. */
    readonly readable: readonly string[];
    /**
     * Settings of the GitHub provider: every place that sets an owner, the effective owner first, and the configured
     * token.
     */
    readonly provider: {
        readonly owners: readonly (readonly [where: string, owner: string])[];
        readonly token: string | undefined;
    };
}

/** Returns the problems that the schemas can't detect, each with the command that fixes it. */
export function githubProblems({ project, keys, encrypted, readable, provider }: GitHubSurroundings): string[] {
    const problems: string[] = [];
    const add = (key: string, problem: string, mend: string) => problems.push(`${key}: ${problem}: ${mend}`);
    if (provider.token !== undefined) {
        const mend = "pulumi config rm github:token, and export GITHUB_TOKEN";
        add(
            "github:token",
            "in the stack's configuration it would enter the state. Take it from the environment",
            mend,
        );
    }
    const [first, ...others] = provider.owners;
    if (keys.includes("github") && !first) {
        add("github:owner", "not set. Set it", "pulumi config set github:owner <user or organization>");
    }
    const other = others.find(([, owner]) => owner.toLowerCase() !== first?.[1].toLowerCase());
    // Secrets would be sent to the owner that the provider selects; a stray environment variable must not decide this.
    if (keys.includes("github") && first && other) {
        const [where, owner] = first;
        const mend = where.startsWith("github:") ? `pulumi config rm ${where}` : `unset ${where}`;
        add(other[0], `${other[1]}, while the provider takes ${owner} from ${where}. Keep one of them`, mend);
    }
    if (!keys.includes("repositorySecrets")) return problems;
    const secrets = `${project}:repositorySecrets`;
    if (!keys.includes("github")) {
        add(secrets, "set without a repository. Set one", "pulumi config set --path github.repository <name>");
    }
    const plain = readable.length > 0 ? readable : encrypted ? [] : ["<NAME>"];
    if (plain.length > 0) {
        const places = plain.map((place) => `repositorySecrets.${place}`);
        const which = readable.length > 0 ? ` (at ${readable.join(", ")})` : "";
        const mend = places.map((place) => `pulumi config set --secret --path ${place}`).join("; ");
        const problem =
            "readable by everyone in the stack's file. Set each value again, and change the secret wherever it is used";
        add(`${secrets}${which}`, problem, mend);
    }
    return problems;
}
