import { expect, test, vi } from "vitest";
import { describeFailedBuild, tellFailedBuilds } from "./failedBuilds";

const build = { platform: "linux/arm64", step: "[2/3] RUN make", output: ["one", "two"] };

test.each([
    [
        "/repository/.stage/base/0123456789ab/context",
        "image base failed on linux/arm64, at [2/3] RUN make:\n    one\n    two",
    ],
    [".stage/base-test/0123456789ab/context", "the smoke test of image base failed on linux/arm64"],
    ["somewhere/else", "image somewhere/else failed"],
])("a failed build of %s names image, platform, step and output", (context, text) => {
    expect(describeFailedBuild({ ...build, context })).toContain(text);
});

test("of a long output the end is shown", () => {
    const output = Array.from({ length: 100 }, (_, index) => `line ${String(index)}`);
    const text = describeFailedBuild({ ...build, context: "x", output });
    expect(text).toContain("line 99");
    expect(text).not.toContain("line 69\n");
});

test("a builder that can't be asked is no second failure", async () => {
    const told = vi.spyOn(console, "error").mockReturnValue(undefined);
    try {
        await tellFailedBuilds({ PATH: "/nowhere" }, new Date());
        expect(told.mock.calls).toEqual([
            [expect.stringMatching(/^note: what the failed builds printed can't be read: /)],
        ]);
    } finally {
        told.mockRestore();
    }
});
