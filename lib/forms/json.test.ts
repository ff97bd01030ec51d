import path from "node:path";
import { expect, test } from "../../tests/mocha";
import { packageRoot } from "../system/paths";
import { causeText } from "../plan/causes";
import { makePlan } from "../plan/plan";
import { planOf, recordedPreview, sixtyImages } from "../../tests/previews";
import { jsonForm, jsonSchema, reviewSchema } from "./json";

test.each([
    "first",
    "same",
    "files",
    "base",
    "settings",
    "promotion",
    "tested",
    "removed",
    "platform",
    "root",
    "behind",
    "failed",
    "lost",
])("the plan of the preview %s is as its schema says", (name) => {
    const plan = makePlan({ stack: "local", preview: recordedPreview(name), history: [] });
    // Parsing drops properties that the schema does not describe.
    const images = plan.images.map((image) => ({ ...image, causes: image.causes.map(causeText) }));
    expect(reviewSchema.parse(JSON.parse(jsonForm(plan)))).toEqual({ version: 1, ...plan, images });
});

test("the schema takes fields that a later program adds, and refuses others than it describes", () => {
    const json = JSON.parse(jsonForm(sixtyImages())) as Record<string, unknown>;
    expect(reviewSchema.safeParse({ ...json, more: 1 }).success).toBe(true);
    expect(jsonSchema()).not.toContain("additionalProperties");
    expect(reviewSchema.safeParse({ ...json, pending: "yes" }).success).toBe(false);
});

test("what may be shown is what the plan has: no value of a masked argument", () => {
    const plan = makePlan({ stack: "local", preview: recordedPreview("settings"), history: [] });
    expect(jsonForm(plan)).not.toContain("hunter2");
    expect(jsonForm(planOf([]))).toContain('"images": []');
});

test("docs/review.schema.json is the schema (to write it anew: npx vitest run --project unit review/forms --update)", async () => {
    await expect(jsonSchema()).toMatchFileSnapshot(path.join(packageRoot, "docs", "review.schema.json"));
});
