import { readFileSync } from "node:fs";
import path from "node:path";
import { type Preview, readPreview } from "../lib/engine/preview";
import type { Cause } from "../lib/plan/causes";
import type { DeploymentPlan } from "../lib/plan/deployments";
import type { ImagePlan } from "../lib/plan/images";
import type { Plan } from "../lib/plan/plan";
import { packageRoot } from "../lib/system/paths";

const folder = path.join(packageRoot, "lib", "engine", "recorded", "previews");

/** Reads a recorded preview of a real engine; `lib/engine/recorded/README.md` describes the recordings. */
export function recordedPreview(name: string): Preview {
    const lines = readFileSync(path.join(folder, `${name}.jsonl`), "utf8")
        .trimEnd()
        .split("\n");
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const steps = parsed.filter((one) => "op" in one);
    const diagnostics = parsed.filter((one) => "severity" in one);
    return readPreview(JSON.stringify({ steps, diagnostics }));
}

/** Returns the cause for a changed input file. */
export const fileChanged = (path: string): Cause => ({ kind: "file changed", path, role: "input" });

/** Returns an image of a plan: by default unchanged, built from a root, for one platform. */
export const imagePlan = (image: string, rest: Partial<ImagePlan> = {}): ImagePlan => ({
    image,
    action: "unchanged",
    platforms: [{ platform: "linux/amd64", action: rest.action ?? "unchanged" }],
    causes: [],
    ...(rest.parent === undefined && { root: "python:3.12-slim" }),
    ...rest,
});

/** Returns a deployment of a plan: by default it waits for the digest of its image. */
export const deploymentPlan = (deployment: string, rest: Partial<DeploymentPlan> = {}): DeploymentPlan => ({
    ...{ deployment, image: "bot", host: "deploy@bot.example.org", action: "maybe" },
    causes: [{ kind: "release decides", image: "bot" }],
    ...rest,
});

/** Returns a plan of these images; all other fields are empty by default. */
export const planOf = (images: readonly ImagePlan[], rest: Partial<Plan> = {}): Plan => ({
    stack: "local",
    images,
    repository: [],
    deployments: [],
    expected: { least: 0, most: 0, unknown: [] },
    dangers: [],
    warnings: [],
    pending: images.some(({ action }) => action !== "unchanged"),
    ...rest,
});

/** Returns a plan of sixty images, four generations deep, two platforms: some are certain, most depend on a parent. */
export function sixtyImages(): Plan {
    const both = ["linux/amd64", "linux/arm64"];
    const images = Array.from({ length: 60 }, (_, index): ImagePlan => {
        const parent =
            index < 3 ? undefined : index < 12 ? index % 3 : index < 36 ? 3 + (index % 9) : 12 + (index % 24);
        const action = index % 7 === 0 ? "rebuild" : index % 5 === 0 ? "unchanged" : index < 3 ? "retag" : "maybe";
        const key = (number: number) => `service-${number.toString().padStart(2, "0")}`;
        return imagePlan(key(index), {
            action,
            ...(parent !== undefined && { parent: key(parent) }),
            ...(action === "maybe" && parent !== undefined && { dependsOn: [key(parent)] }),
            platforms: both.map((platform) => ({
                platform,
                action: action === "retag" ? "unchanged" : action,
                seconds: 20 + index * 7,
                bytes: 3e6 * (index + 1),
            })),
            causes:
                action === "rebuild"
                    ? [
                          fileChanged(`requirements/service-${index.toString()}/requirements.txt`),
                          {
                              ...{ kind: "value changed", of: "build argument", name: "TZ" },
                              ...{ from: "UTC", to: "Europe/Berlin" },
                          },
                      ]
                    : action === "maybe" && parent !== undefined
                      ? [{ kind: "parent decides", parent: key(parent) }]
                      : [],
        });
    });
    return planOf(images, { expected: { least: 480, most: 1320, unknown: [] } });
}
