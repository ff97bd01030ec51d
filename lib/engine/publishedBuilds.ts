import { z } from "zod";
import type { Platform } from "../hierarchy/definition";
import { type RunOptions, run } from "../system/process";

/** A secret property as `pulumi stack export --show-secrets` writes it: its JSON as text. */
const revealed = z.object({ plaintext: z.string() }).transform(({ plaintext }) => JSON.parse(plaintext) as unknown);
const secretValues = z.union([revealed, z.unknown()]).pipe(z.record(z.string(), z.string()));

/** A published build as the stack's state has it: enough to do it again. */
const build = z.object({
    urn: z.string(),
    outputs: z.object({ digest: z.string().startsWith("sha256:") }),
    inputs: z.object({
        platforms: z.tuple([z.custom<Platform>((one) => typeof one === "string")]),
        dockerfile: z.object({ location: z.string() }),
        context: z.object({
            location: z.string(),
            named: z.record(z.string(), z.object({ location: z.string() })).default({}),
        }),
        buildArgs: z.record(z.string(), z.string()).default({}),
        labels: z.record(z.string(), z.string()).default({}),
        secrets: secretValues.default({}),
        target: z.string().optional(),
        tags: z.array(z.string()).min(1),
    }),
});
export type Build = z.infer<typeof build>;

/** What tells published builds from everything else in the state: smoke tests and unpublished images have no tags. */
const isPublished = (resource: unknown): boolean =>
    z
        .object({
            type: z.literal("docker-build:index:Image"),
            inputs: z.object({ tags: z.array(z.string()).min(1) }),
            delete: z.literal(false).optional(),
        })
        .safeParse(resource).success;

/** Name of a build: `<image>-<arch>`. */
export const nameOf = ({ urn }: Pick<Build, "urn">) => urn.split("::").at(-1) ?? urn;

/** Where the state and the builder are. */
export type CanaryOptions = Pick<RunOptions, "cwd" | "env">;

/** The published builds among the resources of an exported state. */
export const publishedOf = (resources: readonly unknown[]): Build[] =>
    resources.filter(isPublished).map((one) => build.parse(one));

/** The published builds of the stack's state, with the values of their build secrets. */
export async function publishedBuilds(options: CanaryOptions): Promise<Build[]> {
    const exported = JSON.parse(await run("pulumi", ["stack", "export", "--show-secrets"], options)) as {
        deployment: { resources?: unknown[] };
    };
    return publishedOf(exported.deployment.resources ?? []);
}
