import { readFiles } from "../tests/github/reading";
import { split } from "../tests/github/world";
import { expect, test } from "../tests/mocha";
import { tree } from "../tests/tree";
import { ciPlatformStacks } from "./ciStack";

/* The jobs of stacks that build platforms for CI's stack. In which orders they run is in simulation.test.ts. */

const { workflows } = readFiles(split);

test("a stack for a platform has a job on its runner, without emulation and without a token that writes to GitHub", () => {
    for (const file of ["soil.yml", "shop.yml"]) {
        const { jobs } = workflows.get(file) ?? {};
        const [commit, platform, up] = ["commit", "up-arm64", "up"].map((key) => jobs?.[key]);
        expect([commit, platform, up].map((job) => job?.["runs-on"])).toEqual([
            ...["ubuntu-latest", "ubuntu-24.04-arm", "ubuntu-latest"],
        ]);
        expect([platform?.needs, up?.needs]).toEqual(["commit", ["commit", "up-arm64"]]);
        for (const job of [platform, up]) {
            expect(job?.steps?.[0]?.with).toMatchObject({ ref: "${{ needs.commit.outputs.sha }}" });
            expect(job?.steps?.map(({ uses = "" }) => uses).filter((uses) => uses.includes("qemu"))).toEqual([]);
            expect(job?.concurrency).toBeUndefined();
        }
        const step = platform?.steps?.at(-1);
        expect(step?.run).toMatch(/ up -- --stack "\$PULUMI_STACK" /);
        expect(JSON.stringify(step?.env)).toContain("'ci-arm64'");
        expect(step?.env).not.toHaveProperty("GITHUB_TOKEN");
    }
});

test("a setting that names no platform is refused with its place", () => {
    const root = tree({ "Pulumi.ci.yaml": "config:\n  p:platformStacks:\n    arm64: ci-arm64\n" });
    expect(() => ciPlatformStacks(root)).toThrow(
        /^Pulumi\.ci\.yaml: platformStacks \(at arm64\): not a platform, such as linux\/arm64/,
    );
    expect(ciPlatformStacks(tree({}))).toEqual({});
});
