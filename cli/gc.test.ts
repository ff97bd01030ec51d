import { expect, spyOn, stubEnv, test } from "../tests/mocha";
import { temporaryFolder, tree, writeTree } from "../tests/tree";
import { runGc } from "./gc";

test.each(["ci", "other"])(
    "with a damaged state of stack %s, gc refuses: what is in use is not known",
    async (damaged) => {
        const backend = temporaryFolder();
        const whole = JSON.stringify({ version: 3, checkpoint: { latest: { resources: [] } } });
        const state = (stack: string) => (stack === damaged ? whole.slice(0, 20) : whole);
        const stacks = Object.fromEntries(
            ["ci", "other"].map((stack) => [`.pulumi/stacks/images/${stack}.json`, state(stack)]),
        );
        writeTree(backend, stacks);
        stubEnv("PULUMI_BACKEND_URL", `file://${backend}`);
        spyOn(process, "cwd").mockReturnValue(tree({ "Pulumi.yaml": "name: images\nruntime: nodejs\n" }));
        const said = spyOn(console, "error").mockReturnValue();
        expect(await runGc({ stack: "ci", keepReleases: 10, keepDays: 30, yes: true })).toBe(3);
        expect(said.mock.calls.flat().join()).toMatch(
            new RegExp(`^error: .*/${damaged}\\.json: the state of the stack can't be read[^]*next: `),
        );
    },
);
