import { readFileSync } from "node:fs";
import path from "node:path";
import { type Preview, readPreview } from "../lib/engine/preview";
import type { Cause } from "../lib/plan/causes";
import type { ImagePlan } from "../lib/plan/images";
import type { Plan } from "../lib/plan/plan";
import { repositoryRoot } from "../lib/system/paths";

const folder = path.join(repositoryRoot, "lib", "engine", "recorded", "previews");

/** A preview that a real engine printed; `lib/engine/recorded/README.md` says of what. */
export function recordedPreview(name: string): Preview {
    const lines = readFileSync(path.join(folder, `${name}.jsonl`), "utf8")
        .trimEnd()
        .split("\n");
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const steps = parsed.filter((one) => "op" in one);
    const diagnostics = parsed.filter((one) => "severity" in one);
    return readPreview(JSON.stringify({ steps, diagnostics }));
}

/** That a file changed, as a cause. */
export const fileChanged = (path: string): Cause => ({ kind: "file changed", path, role: "input" });

/** An image of a plan: unchanged, on a root, for one platform, unless something else is said. */
export const imagePlan = (image: string, rest: Partial<ImagePlan> = {}): ImagePlan => ({
    image,
    action: "unchanged",
    platforms: [{ platform: "linux/amd64", action: rest.action ?? "unchanged" }],
    causes: [],
    ...(rest.parent === undefined && { root: "python:3.12-slim" }),
    ...rest,
});

/** A plan of these images in which nothing else is said. */
export const planOf = (images: readonly ImagePlan[], rest: Partial<Plan> = {}): Plan => ({
    stack: "local",
    images,
    repository: [],
    expected: { least: 0, most: 0, unknown: [] },
    dangers: [],
    warnings: [],
    pending: images.some(({ action }) => action !== "unchanged"),
    ...rest,
});

/** A hierarchy of sixty images, four generations deep: some certain, most waiting for a parent, for two platforms. */
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
