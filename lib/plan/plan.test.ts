import fc from "fast-check";
import { describe } from "mocha";
import { countedReads } from "../../tests/countedReads";
import { expect, test } from "../../tests/mocha";
import { imagePlan, planOf, recordedPreview } from "../../tests/previews";
import type { Preview, Step } from "../engine/preview";
import type { UpdateRecord } from "../update/history";
import type { Action } from "./builds";
import { type OtherSeconds, expectedTime, makePlan, withPublished } from "./plan";

const built = (
    image: string,
    action: Action,
    seconds: Record<string, number>,
    rest: { parent?: string; copiesFrom?: string[] } = {},
) =>
    imagePlan(image, {
        action,
        ...rest,
        platforms: Object.entries(seconds).map(([arch, one]) => ({ platform: `linux/${arch}`, action, seconds: one })),
    });

test("children come after their parents, siblings and platforms run side by side", () => {
    const images = [
        built("base", "rebuild", { amd64: 100, arm64: 300 }),
        built("bot", "rebuild", { amd64: 50, arm64: 20 }, { parent: "base" }),
        built("ci", "rebuild", { amd64: 10 }, { parent: "base" }),
    ];
    expect(expectedTime(images)).toEqual({ least: 320, most: 320, unknown: [] });
});

test("cutoff may save the builds that depend on a digest", () => {
    const images = [
        built("base", "rebuild", { amd64: 100 }),
        built("bot", "maybe", { amd64: 50 }, { parent: "base" }),
        built("leaf", "maybe", { amd64: 5 }, { parent: "bot" }),
    ];
    expect(expectedTime(images)).toEqual({ least: 100, most: 155, unknown: [] });
});

test("an image waits for every image that it takes files from", () => {
    const images = [
        built("tools", "rebuild", { amd64: 500 }),
        built("base", "rebuild", { amd64: 100 }),
        built("bot", "rebuild", { amd64: 50 }, { parent: "base", copiesFrom: ["tools"] }),
    ];
    expect(expectedTime(images).most).toBe(550);
});

describe("smoke tests and promotions", () => {
    const other: OtherSeconds = (kind, image) => ({ test: 7, promotion: image === "base" ? 4 : 2 })[kind];
    const base = built("base", "rebuild", { amd64: 10, arm64: 30 });

    test("come after the builds of all platforms; a child's build waits for neither", () => {
        expect(expectedTime([base], other).most).toBe(30 + 7 + 4);
        const bot = built("bot", "rebuild", { amd64: 50 }, { parent: "base" });
        expect(expectedTime([base, bot], other).most).toBe(10 + 50 + 7 + 2);
        const quick = built("bot", "rebuild", { amd64: 1 }, { parent: "base" });
        expect(expectedTime([base, quick], other).most).toBe(30 + 7 + 4 + 2);
    });

    test("take time where nothing is built, too", () => {
        expect(expectedTime([built("base", "retag", { amd64: 60 })], other).least).toBe(4);
        expect(expectedTime([built("base", "retest", { amd64: 60 })], other).least).toBe(7);
        expect(expectedTime([built("base", "unchanged", { amd64: 60 })], other).most).toBe(0);
    });
});

test("tests and promotions that are pending in any case count though the build may not be done", () => {
    const other: OtherSeconds = (kind, image) => ({ test: image === "ci" ? 20 : 7, promotion: 2 })[kind];
    const base = built("base", "rebuild", { amd64: 100 });
    const ci = built("ci", "maybe", { amd64: 50 }, { parent: "base" });
    const least = (inAnyCase: ("test" | "promotion")[]) => expectedTime([base, { ...ci, inAnyCase }], other).least;
    expect([least([]), least(["test"]), least(["test", "promotion"])]).toEqual([109, 120, 122]);
    expect(expectedTime([base, { ...ci, inAnyCase: ["test"] }], other).most).toBe(172);
});

test("what is recreated is built, what is only tagged or tested is not", () => {
    const actions: Action[] = ["recreate", "retag", "retest", "remove", "unchanged"];
    const times = actions.map((action) => expectedTime([built("a", action, { amd64: 60 })]).least);
    expect(times).toEqual([60, 0, 0, 0, 0]);
});

test("images without a recorded build are named where they are pending", () => {
    const images = [imagePlan("a", { action: "rebuild" }), imagePlan("b", { action: "maybe" }), imagePlan("c")];
    expect(expectedTime(images)).toEqual({ least: 0, most: 0, unknown: ["a", "b"] });
});

test("the least is never more than the most, nor that more than everything one after the other", () => {
    const action = fc.constantFrom<Action>("rebuild", "maybe", "unchanged", "recreate", "retag");
    const chain = fc.array(fc.tuple(action, fc.nat({ max: 1000 }), fc.boolean()), { maxLength: 20 });
    fc.assert(
        fc.property(chain, (given) => {
            const images = given.map(([one, seconds, onTop], index) =>
                built(
                    index.toString(),
                    one,
                    { amd64: seconds },
                    onTop && index > 0 ? { parent: (index - 1).toString() } : {},
                ),
            );
            const { least, most } = expectedTime(images);
            expect(least).toBeLessThanOrEqual(most);
            expect(most).toBeLessThanOrEqual(given.reduce((sum, [, seconds]) => sum + seconds, 0));
        }),
    );
});

const plan = (preview: Preview, history: readonly UpdateRecord[] = []) =>
    makePlan({ stack: "local", preview, history });

test("the recorded durations of all that is planned are read from each recorded update once", () => {
    const { history, reads } = countedReads(["base", "bot", "ci"], 50);
    const { images, expected } = plan(recordedPreview("base"), history);
    const seconds = images.flatMap(({ platforms }) => platforms.map((build) => build.seconds));
    expect([seconds.includes(90), expected.least, reads()]).toEqual([true, 90, 50]);
});

describe("dangers", () => {
    test("are resources that leave without being retained in the state; a smoke test has nothing to lose", () => {
        const { dangers } = plan(recordedPreview("lost"));
        expect(dangers).toEqual([
            expect.stringMatching(/^deleting the promoted tag of leaf would remove .* retainOnDelete/),
            expect.stringMatching(/^deleting the build leaf-amd64 would remove .* retainOnDelete/),
        ]);
    });

    test("are none where the state retains what leaves or is replaced", () => {
        for (const name of ["removed", "platform", "promotion"]) {
            expect(plan(recordedPreview(name)).dangers, name).toEqual([]);
        }
    });

    test("are what an earlier replacement left to be deleted, with another way out", () => {
        expect(plan(recordedPreview("left")).dangers).toEqual([
            expect.stringMatching(
                /^deleting the build ci-amd64, which an earlier update replaced, .* `pulumi stack import/,
            ),
        ]);
    });

    test("are replacements that would not be retained, once however many steps they take", () => {
        const { steps, diagnostics } = recordedPreview("promotion");
        const replaced = steps.flatMap((step) => {
            if (step.op !== "replace" || !step.old) return [step];
            const old = { ...step.old, retainOnDelete: false };
            return [
                { ...step, op: "create-replacement", old },
                { ...step, old },
                { ...step, op: "delete-replaced", old },
            ];
        });
        expect(plan({ steps: replaced, diagnostics }).dangers).toEqual([
            expect.stringMatching(/^replacing the promoted tag of base would remove/),
        ]);
    });
});

describe("warnings", () => {
    test("name build arguments that look like secrets, and nothing shows their values", () => {
        const made = plan(recordedPreview("settings"));
        expect(made.warnings).toEqual([
            expect.stringMatching(/^build argument API_TOKEN of image bot looks like a secret/),
        ]);
        expect(JSON.stringify(made)).not.toContain("hunter2");
    });

    test("are the engine's, each once, without the one about an output that is left out on purpose", () => {
        const { steps } = recordedPreview("same");
        const messages = [
            "warning: Undefined value (github) will not show as a stack output.\n",
            "root python:3 is not pinned\n",
            "root python:3 is not pinned\n",
        ];
        const diagnostics = [
            ...messages.map((message) => ({ severity: "warning", message })),
            { severity: "info", message: "images only" },
        ];
        expect(plan({ steps, diagnostics }).warnings).toEqual(["root python:3 is not pinned"]);
    });
});

describe("durations", () => {
    const built = (image: string, arch: string, seconds: number): UpdateRecord["images"][number] => ({
        image,
        platform: `linux/${arch}`,
        kind: "build",
        operation: "update",
        seconds,
        result: "succeeded",
        digestMoved: true,
    });
    const history: UpdateRecord[] = [
        {
            start: "2026-11-01T00:00:00Z",
            seconds: 400,
            result: "succeeded",
            images: [
                built("base", "amd64", 60),
                built("base", "arm64", 300),
                built("bot", "amd64", 20),
                built("bot", "arm64", 30),
                built("ci", "amd64", 90),
            ],
        },
    ];

    test("are those that were recorded, by image and platform", () => {
        const base = plan(recordedPreview("base"), history).images.find(({ image }) => image === "base");
        expect(base?.platforms.map(({ seconds }) => seconds)).toEqual([60, 300]);
    });

    test("count what tests and promotions took", () => {
        const [update] = history;
        const images: UpdateRecord["images"] = [
            ...(update?.images ?? []),
            { ...built("bot", "arm64", 8), kind: "test" },
            { image: "bot", kind: "promotion", operation: "update", seconds: 4, result: "succeeded" },
        ];
        const more = update ? [{ ...update, images }] : [];
        expect(plan(recordedPreview("base"), more).expected).toMatchObject({ least: 300, most: 330 + 8 + 4 });
    });

    test("add up along the longest chain, with and without what cutoff may save", () => {
        expect(plan(recordedPreview("base"), history).expected).toEqual({
            least: 300,
            most: 330,
            unknown: ["devcontainer", "leaf"],
        });
    });
});

test("a delivery that could not be decided deletes nothing of the round that is open, and other changes stay", () => {
    const component = "layered-images:components:WorkflowFiles";
    const state = (type: string, inputs: Record<string, unknown>) => ({
        ...{ type, custom: type.startsWith("github:"), inputs, outputs: {}, retainOnDelete: true },
    });
    const step = (op: string, types: string, type: string, before: object, after?: object): Step => ({
        op,
        urn: `urn:pulumi:s::p::${types}${type}::x`,
        type,
        name: "x",
        parent: "",
        old: state(type, { ...before }),
        new: after && state(type, { ...after }),
        reasons: [],
    });
    const round = `${component}$layered-images:components:WorkflowPullRequest$`;
    const variable = { variableName: "CI_IMAGE", value: "x" };
    const made = (isUndecided: object) => {
        const { steps } = recordedPreview("same");
        const more = [
            step("update", "", component, {}, { repository: "r", ...isUndecided }),
            step("delete", round, "github:index/branch:Branch", { branch: "b" }),
            step("delete", round, "github:index/repositoryPullRequest:RepositoryPullRequest", { title: "t" }),
        ];
        const changed = step("delete", "", "github:index/actionsVariable:ActionsVariable", variable);
        return [more, [...more, changed]].map((all) => {
            const { repository, pending } = plan({ steps: [...steps, ...all], diagnostics: [] });
            return [repository.map(({ kind }) => kind), pending];
        });
    };
    expect(made({ isUndecided: true })).toEqual([
        [[], false],
        [["variable"], true],
    ]);
    expect(made({})[0]).toEqual([["branch", "pull request"], true]);
});

describe("pending is whatever an update would do", () => {
    const state = (type: string, custom = true) => ({ type, custom, inputs: {}, outputs: {}, retainOnDelete: false });
    const added = (type: string, op: string, custom = true): Step => ({
        op,
        urn: `urn:pulumi:s::p::${type}::mine`,
        type,
        name: "mine",
        parent: "",
        old: op === "create" ? undefined : state(type, custom),
        new: op === "delete" ? undefined : state(type, custom),
        reasons: [],
    });
    const { steps, diagnostics } = recordedPreview("same");
    const withStep = (step: Step) => plan({ steps: [...steps, step], diagnostics });

    test("to images", () => {
        expect(plan(recordedPreview("same")).pending).toBe(false);
        expect(plan(recordedPreview("tested")).pending).toBe(true);
    });

    test("on GitHub", () => {
        expect(withStep(added("github:index/actionsVariable:ActionsVariable", "create")).pending).toBe(true);
    });

    test.each([
        ["create", "create mine"],
        ["update", "update mine"],
        ["replace", "replace mine"],
        ["delete", "delete mine"],
        ["import", "import mine"],
    ])("to resources of any other type, which a warning names (%s)", (op, words) => {
        const { pending, warnings } = withStep(added("random:index:Pet", op));
        expect(pending).toBe(true);
        expect(warnings).toEqual([`an update would also ${words} (random:index:Pet), which this review can't explain`]);
    });

    test.each(["create", "update", "discard"])(
        "but not to a reference to another stack (%s), which is only in the state",
        (op) => {
            expect(withStep(added("pulumi:pulumi:StackReference", op))).toMatchObject({ pending: false, warnings: [] });
        },
    );

    test("to the devcontainer, which is named, and its end is told like that of others", () => {
        const devcontainer = (op: string) => ({ ...added("command:local:Command", op), name: "devcontainer" });
        expect(withStep(devcontainer("create"))).toMatchObject({
            pending: true,
            warnings: ["an update would also build the devcontainer into the Docker of its machine"],
        });
        expect(withStep(devcontainer("delete")).warnings).toEqual([
            "an update would also delete devcontainer (command:local:Command), which this review can't explain",
        ]);
    });

    test("to what only leaves the state: a platform of an image that is never pushed", () => {
        const left = steps.map((step) => (step.name === "devcontainer-amd64" ? { ...step, op: "delete" } : step));
        expect(plan({ steps: left, diagnostics })).toMatchObject({ pending: true, warnings: [] });
    });

    test("to a build that the registry lost", () => {
        const bot = steps.find(({ name }) => name === "bot-amd64")?.old;
        const lost = `${String((bot?.inputs.tags as string[])[0]).replace(/:[^:]*$/, "")}@${String(bot?.outputs.digest)}`;
        const made = makePlan({ stack: "s", preview: { steps, diagnostics }, history: [], missing: new Set([lost]) });
        expect(made.pending).toBe(true);
    });

    test("to what an earlier replacement left", () => {
        const { pending, warnings, images } = plan(recordedPreview("left"));
        expect(pending).toBe(true);
        expect(warnings).toEqual([
            expect.stringMatching(/would also delete ci-amd64 .* before an earlier update replaced it$/),
        ]);
        expect(images.filter(({ action }) => action !== "unchanged")).toEqual([]);
    });

    test("to what an earlier replacement left and nobody deletes, such as the last release", () => {
        const left = recordedPreview("left");
        const retained = left.steps.map((step) =>
            step.op === "delete-replaced" && step.old ? { ...step, old: { ...step.old, retainOnDelete: true } } : step,
        );
        expect(plan({ ...left, steps: retained })).toMatchObject({
            dangers: [],
            warnings: [expect.stringMatching(/would also forget ci-amd64 .* replaced it; what was published stays$/)],
        });
    });

    test("and neither the bookkeeping of components nor what is only read", () => {
        for (const step of [added("my:own:Component", "update", false), added("random:index:Pet", "read")]) {
            expect(withStep(step)).toMatchObject({ pending: false, warnings: [] });
        }
    });
});

test("sizes stand at the platform that they are of, and what is said of the registry is a warning", () => {
    const platforms = ["linux/amd64", "linux/arm64"].map((platform) => ({ platform, action: "unchanged" as const }));
    const plan = planOf([imagePlan("base", { platforms }), imagePlan("bot")], { warnings: ["first"] });
    const sized = withPublished(plan, {
        missing: new Set(),
        bytes: new Map([["base linux/arm64", 12]]),
        moved: ["second"],
        before: ["third"],
        unasked: ["fourth"],
    });
    expect(sized.images.map((one) => one.platforms.map(({ bytes }) => bytes))).toEqual([[undefined, 12], [undefined]]);
    expect(sized.warnings).toEqual(["first", "second", "third", "fourth"]);
    expect(sized.pending).toBe(false);
});
