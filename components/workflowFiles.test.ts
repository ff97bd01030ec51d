import { describe } from "mocha";
import { type Delivery, fileHash } from "../lib/github/delivery";
import { pullRequestNumber, record } from "../tests/harness";
import { expect, test } from "../tests/mocha";
import { WorkflowFiles } from "./workflowFiles";

const files = { ".github/workflows/a.yml": "# ours\na\n", ".github/dependabot.yml": "# ours\nb\n" };
const paths = Object.keys(files);
/** The requested removals and their branches, in order. */
let tidied: unknown[];
const removeLeftovers = (...asked: unknown[]) => {
    tidied.push(asked);
    return Promise.resolve([]);
};
const make = (delivery: Delivery) =>
    new WorkflowFiles("workflows", {
        ...{ owner: "us", repository: "bot", branch: "main", files, delivery },
        removeLeftovers,
    });
const run = (delivery: Delivery, preview = false) => {
    tidied = [];
    return record(() => void make(delivery), preview);
};

test("the plan says where the files go", async () => {
    const resources = await run({ by: "nothing" });
    const hashes = Object.fromEntries(Object.entries(files).map(([path, text]) => [path, fileHash(text)]));
    expect(resources["WorkflowFiles workflows"]?.inputs).toEqual({ repository: "bot", branch: "main", files: hashes });
});

describe("files that are committed", () => {
    const delivery: Delivery = { by: "commits", there: [] };

    test("are on the branch, with a message that starts no workflow and says whose they are", async () => {
        const resources = await run(delivery);
        expect(resources["workflows-.github/workflows/a.yml"]?.inputs).toEqual({
            repository: "bot",
            branch: "main",
            file: ".github/workflows/a.yml",
            content: "# ours\na\n",
            commitMessage: "Update .github/workflows/a.yml [skip ci]\n\nGenerated-by: layered-images",
            // Including files that another branch already has, if the files move there.
            overwriteOnCreate: true,
        });
    });

    test("are taken over, and nothing is written, where the branch has just their text", async () => {
        const [first = "", second = ""] = paths;
        const resources = await run({ by: "commits", there: [first] });
        const options = (path: string) => resources[`workflows-${path}`]?.options;
        expect(options(first)).toMatchObject({ importId: `bot:${first}:main`, ignoreChanges: ["*"] });
        expect(options(second)).toMatchObject({ importId: "", ignoreChanges: [] });
    });

    test("stay when they leave the stack, and what is a leftover then is removed by an update only", async () => {
        const resources = await run(delivery);
        for (const path of paths) expect(resources[`workflows-${path}`]?.options.retainOnDelete).toBe(true);
        expect(tidied).toEqual([["main", { quiet: true }]]);
        await run(delivery, true);
        expect(tidied).toEqual([]);
    });
});

describe("files that are proposed", () => {
    const head = "layered-images/workflows-0123456789ab";
    const round = { by: "pull-request", head, removes: [".github/workflows/old.yml"] } as const;
    const delivery: Delivery = { ...round, there: [], starts: true };
    const prefix = "workflows-0123456789ab";

    test("are on a branch of their own, and the pull request comes after them", async () => {
        const resources = await run(delivery);
        expect(resources[`${prefix}-branch`]?.inputs).toEqual({
            repository: "bot",
            branch: head,
            sourceBranch: "main",
        });
        for (const path of paths) {
            const file = resources[`${prefix}-${path}`];
            expect(file?.inputs).toMatchObject({ branch: head, file: path, overwriteOnCreate: true });
            expect(file?.inputs.commitMessage).not.toContain("skip ci");
            expect(file?.options.dependencies).toContain(`${prefix}-branch`);
        }
        const pullRequest = resources[`${prefix}-pull-request`];
        expect(pullRequest?.inputs).toMatchObject({ baseRepository: "bot", baseRef: "main", headRef: head });
        expect(pullRequest?.options.dependencies).toEqual(
            expect.arrayContaining(paths.map((path) => `${prefix}-${path}`)),
        );
    });

    test("come with the removal of leftovers, which the pull request names", async () => {
        const resources = await run(delivery);
        expect(tidied).toEqual([[head, { quiet: false }]]);
        expect(resources[`${prefix}-pull-request`]?.inputs.body).toContain("`.github/workflows/old.yml`");
    });

    test("are never taken back: people merge, close and delete", async () => {
        const resources = Object.values(await run(delivery));
        const custom = resources.filter(({ type }) => type.startsWith("github:"));
        expect(custom).toHaveLength(4);
        expect(custom.filter(({ options }) => !options.retainOnDelete)).toEqual([]);
    });

    test("make no empty commit of what the branch has, or will have because the target branch has it", async () => {
        const [first = "", second = ""] = paths;
        for (const starts of [true, false]) {
            const resources = await run({ ...delivery, there: [first], starts });
            expect(resources[`${prefix}-${first}`]?.options).toMatchObject({
                importId: `bot:${first}:${head}`,
                ignoreChanges: ["*"],
            });
            expect(resources[`${prefix}-${second}`]?.options).toMatchObject({ importId: "", ignoreChanges: [] });
        }
        const planned = (starts: boolean) => run({ ...delivery, there: [first], starts }, true);
        expect(await planned(true)).not.toHaveProperty([`${prefix}-${first}`]);
        expect(await planned(false)).toHaveProperty([`${prefix}-${first}`]);
    });

    test("go on with the pull request that is open, also when the state does not have it", async () => {
        expect((await run(delivery))[`${prefix}-pull-request`]?.options.importId).toBe("");
        const open = await run({ ...delivery, number: 7 });
        expect(open[`${prefix}-pull-request`]?.options.importId).toBe("us:bot:7");
    });

    test("wait for the pull request by its number", async () => {
        const numbers: number[] = [];
        await record(() => {
            const made = make(delivery);
            made.pullRequest?.apply((number) => numbers.push(number));
        });
        expect(numbers).toEqual([pullRequestNumber]);
    });
});

test("nothing is made when there is nothing to deliver", async () => {
    const resources = await run({ by: "nothing", declined: 7 });
    expect(Object.keys(resources)).toEqual(["WorkflowFiles workflows"]);
    expect(resources["WorkflowFiles workflows"]?.inputs).toMatchObject({ declined: 7 });
});

test("nothing is made when GitHub could not be asked, and the plan says that this was not decided", async () => {
    const resources = await run({ by: "unknown" }, true);
    expect(Object.keys(resources)).toEqual(["WorkflowFiles workflows"]);
    expect(resources["WorkflowFiles workflows"]?.inputs).toMatchObject({ isUndecided: true });
});
