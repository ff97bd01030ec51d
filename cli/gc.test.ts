import { expect, spyOn, stubEnv, test } from "../tests/mocha";
import { temporaryFolder, tree, writeTree } from "../tests/tree";
import { UnknownNamesError } from "../lib/cleanup/names";
import { imagesOf, runGc } from "./gc";

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

test.each<[string, Readonly<Record<string, string>>, string]>([
    ["a backend does not list", { other: "{}" }, "the backend does not list stack ci"],
    [
        "a backend lists with a state of another form",
        { ci: '{"deployment":{"resources":[{}]}}' },
        "the state of stack ci can't be read",
    ],
    ["a backend lists with something that is no state", { "us/ci": "[]" }, "the state of stack ci can't be read"],
])("of a stack that %s, what is in use is not known", (_, states, problem) => {
    const read = () => imagesOf("ci", new Map(Object.entries(states)));
    expect(read).toThrow(UnknownNamesError);
    expect(read).toThrow(problem);
});
