import { expect, test } from "vitest";
import { imagePlan, planOf } from "../tests/previews";
import { withSizes } from "./published";

test("sizes stand at the platform that they are of, and what could not be asked is a warning", () => {
    const platforms = ["linux/amd64", "linux/arm64"].map((platform) => ({ platform, action: "unchanged" as const }));
    const plan = planOf([imagePlan("base", { platforms }), imagePlan("bot")], { warnings: ["first"] });
    const sized = withSizes(plan, {
        missing: new Set(),
        bytes: new Map([["base linux/arm64", 12]]),
        unasked: ["what is published could not be asked: registry.test: no answer"],
    });
    expect(sized.images.map((image) => image.platforms.map(({ bytes }) => bytes))).toEqual([
        [undefined, 12],
        [undefined],
    ]);
    expect(sized.warnings).toEqual(["first", "what is published could not be asked: registry.test: no answer"]);
    expect(sized.pending).toBe(false);
});
