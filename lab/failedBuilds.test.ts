import { expect, test, vi } from "vitest";
import { describeFailedBuild, tellFailedBuilds } from "./failedBuilds";

const unmasked = (line: string) => line;
const build = { platform: "linux/arm64", step: "[2/3] RUN make", output: ["one", "two"] };

test.each([
    [
        "/repository/.stage/base/0123456789ab/context",
        "image base failed on linux/arm64, at [2/3] RUN make:\n    one\n    two",
    ],
    [".stage/base-test/0123456789ab/context", "the smoke test of image base failed on linux/arm64"],
    ["somewhere/else", "image somewhere/else failed"],
])("a failed build of %s names image, platform, step and output", (context, text) => {
    expect(describeFailedBuild({ ...build, context }, unmasked)).toContain(text);
});

test("of a long output the end is shown", () => {
    const output = Array.from({ length: 100 }, (_, index) => `line ${String(index)}`);
    const text = describeFailedBuild({ ...build, context: "x", output }, unmasked);
    expect(text).toContain("line 99");
    expect(text).not.toContain("line 69\n");
});

test("secrets are masked in all that is told, and where they can't be read only the step is", () => {
    const secret = { ...build, context: ".stage/ci/0/context", output: ["it is hunter2", "oh no"] };
    const mask = (line: string) => line.replaceAll("hunter2", "[secret]");
    const where = "image ci failed on linux/arm64, at [2/3] RUN make";
    expect(describeFailedBuild(secret, mask)).toBe(`${where}:\n    it is [secret]\n    oh no`);
    expect(describeFailedBuild(secret, undefined)).toBe(where);
});

test("a builder that can't be asked is no second failure", async () => {
    const told = vi.spyOn(console, "error").mockReturnValue(undefined);
    try {
        await tellFailedBuilds({ PATH: "/nowhere" }, new Date(), () => Promise.resolve(unmasked));
        expect(told.mock.calls).toEqual([
            [expect.stringMatching(/^note: what the failed builds printed can't be read: /)],
        ]);
    } finally {
        told.mockRestore();
    }
});
