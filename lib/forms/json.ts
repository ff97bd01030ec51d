import { z } from "zod";
import { actions } from "../plan/builds";
import { causeText } from "../plan/causes";
import type { Plan } from "../plan/plan";

const action = z.enum(actions as [Plan["images"][number]["action"], ...Plan["images"][number]["action"][]]);

/** The output of `npm run review -- --format json`. Within a version fields are only added: readers must ignore unknown fields. */
export const reviewSchema = z.object({
    version: z.literal(1),
    stack: z.string(),
    images: z
        .array(
            z.object({
                image: z.string().describe("key in images.ts"),
                parent: z.string().optional().describe("the image that it is built FROM"),
                copiesFrom: z
                    .array(z.string())
                    .optional()
                    .describe("other images that its Dockerfile takes files from"),
                root: z.string().optional().describe("the external image that it is built FROM"),
                action: action.describe("the most urgent of its platforms' actions"),
                platforms: z.array(
                    z.object({
                        platform: z.string().describe("such as linux/amd64"),
                        action,
                        seconds: z.number().optional().describe("that the longest of its last builds took"),
                        bytes: z
                            .number()
                            .optional()
                            .describe("compressed size of the published image; present if the registry was queried"),
                    }),
                ),
                causes: z.array(z.string()).describe("why, for people"),
                inAnyCase: z
                    .array(z.enum(["test", "promotion"]))
                    .optional()
                    .describe("of an image that is maybe: what is done although it may not be built"),
                pinned: z.string().optional().describe("the release that replaces its builds (r-…): a rollback"),
                changedSincePinned: z
                    .boolean()
                    .optional()
                    .describe("of a pinned image: whether it would be built without the pin"),
                dependsOn: z
                    .array(z.string())
                    .optional()
                    .describe("where a platform is maybe: the images whose digests decide, of which one is enough"),
            }),
        )
        .describe("in build order, parents first; images that leave the stack come last"),
    repository: z.array(
        z.object({
            kind: z.enum(["secret", "variable", "file", "branch", "pull request"]),
            name: z.string(),
            action: z.enum(["create", "update", "delete", "maybe"]),
        }),
    ),
    deployments: z
        .array(
            z.object({
                deployment: z.string().describe("its name in the stack's configuration"),
                image: z.string().describe("key in images.ts"),
                host: z.string().describe("user, host and, if it is not 22, port"),
                action: z
                    .enum(["deploy", "maybe", "remove"])
                    .describe("maybe: if the digest of the image changes; remove: what runs on the host stays"),
                causes: z.array(z.string()).describe("why, for people"),
            }),
        )
        .optional()
        .describe("deployments that change; versions that knew none leave it out"),
    expected: z.object({
        least: z.number().describe("seconds if no digest of a pending parent changes"),
        most: z.number().describe("seconds if all of them change"),
        unknown: z.array(z.string()).describe("pending images without a recorded build; the seconds are without them"),
    }),
    dangers: z.array(z.string()).describe("what would be lost permanently; exit code 3 if there is anything"),
    warnings: z.array(z.string()),
    pending: z.boolean().describe("whether an update would change anything"),
});

/** The parsed output. */
export type Review = z.infer<typeof reviewSchema>;

/** The schema of the output (JSON Schema 2020-12), published as docs/review.schema.json. */
export const jsonSchema = (): string => `${JSON.stringify(z.toJSONSchema(reviewSchema, { io: "input" }), null, 2)}\n`;

/** Renders the plan as JSON. */
export function jsonForm(plan: Plan): string {
    const images = plan.images.map((image) => ({ ...image, causes: image.causes.map(causeText) }));
    const deployments = plan.deployments.map((one) => ({ ...one, causes: one.causes.map(causeText) }));
    return `${JSON.stringify({ version: 1, ...plan, images, deployments }, null, 2)}\n`;
}
