import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { recordedPreview } from "../../tests/previews";
import { planBuilds } from "./builds";
import { groups } from "./groups";
import { causeText } from "./causes";
import { planImages as imagesOf } from "./images";
import { otherWork } from "./repository";
import type { ResourceState, Step } from "../engine/preview";

const planImages = (steps: readonly Step[], missing: ReadonlySet<string> = new Set()) => {
    const all = groups(steps);
    return imagesOf(all, planBuilds(all, missing)).map((plan) => ({ ...plan, causes: plan.causes.map(causeText) }));
};
type Worded = ReturnType<typeof planImages>[number];

/** Pending changes by image: the action, then the causes. */
const pending = (plans: readonly Worded[]) =>
    Object.fromEntries(
        plans
            .filter(({ action }) => action !== "unchanged")
            .map(({ image, action, causes }) => [image, [action, ...causes]]),
    );
const leaves = ["remove", "no longer in images.ts; what was published stays"];
const tests = "in any case: its smoke tests run";
const children = {
    bot: ["maybe", "parent base"],
    ci: ["maybe", "parent base"],
    devcontainer: ["maybe", "parent base"],
};

describe("from what a real engine said, the plan of", () => {
    test.each<[string, string, Record<string, readonly string[]>]>([
        [
            "the first update",
            "first",
            Object.fromEntries(
                ["base", "bot", "ci", "devcontainer", "leaf"].map((key) => [key, ["rebuild", "first build"]]),
            ),
        ],
        ["nothing new", "same", {}],
        [
            "files changed, added, renamed and made executable",
            "files",
            {
                bot: [
                    "rebuild",
                    "app/bot/__init__.py is now executable",
                    "app/bot/__main__.py changed",
                    "app/bot/extra.txt added",
                ],
                ci: [
                    "rebuild",
                    "docker/Dockerfile.ci changed",
                    "requirements/dev.txt renamed to requirements/tools.txt",
                ],
                devcontainer: [
                    "rebuild",
                    ".devcontainer/Dockerfile changed",
                    "requirements/dev.txt renamed to requirements/tools.txt",
                ],
                leaf: ["maybe", "parent bot", "parent ci"],
            },
        ],
        [
            "a comment in the base's Dockerfile and a smoke test",
            "base",
            {
                base: ["rebuild", "docker/Dockerfile.base changed"],
                ...children,
                ci: ["maybe", "smoke test docker/smoke/ci.sh changed", tests, "parent base"],
                leaf: ["maybe", "smoke test docker/smoke/ci.sh changed", tests, "parent bot", "parent ci"],
            },
        ],
        [
            "arguments, labels, secrets, cache and platforms",
            "settings",
            {
                bot: [
                    "rebuild",
                    "secret INDEX_PASSWORD removed",
                    "build argument API_TOKEN added: •••",
                    "build argument TZ added: UTC",
                ],
                ci: [
                    "rebuild",
                    "platform linux/arm64 added",
                    "label org.example added: x",
                    "registry cache switched off",
                ],
                leaf: ["maybe", "parent bot", "parent ci"],
            },
        ],
        [
            "another promoted tag, which the children's Dockerfiles name",
            "promotion",
            {
                base: [
                    "retag",
                    "promoted as registry.localhost:17443/fixture/base:stable instead of " +
                        "registry.localhost:17443/fixture/base:latest",
                ],
                bot: ["rebuild", "docker/Dockerfile changed"],
                ci: ["rebuild", "docker/Dockerfile.ci changed"],
                devcontainer: ["rebuild", ".devcontainer/Dockerfile changed"],
                leaf: ["maybe", "parent bot", "parent ci"],
            },
        ],
        [
            "a smoke test alone",
            "tested",
            {
                ci: ["retest", "smoke test docker/smoke/ci.sh changed"],
                leaf: ["retest", "smoke test docker/smoke/ci.sh changed"],
            },
        ],
        [
            "an image removed and one renamed",
            "removed",
            { devbox: ["rebuild", "renamed from devcontainer"], devcontainer: leaves, leaf: leaves },
        ],
        [
            "a platform removed",
            "platform",
            {
                base: ["retag", "platform linux/arm64 removed"],
                bot: ["retag", "platform linux/arm64 removed"],
            },
        ],
        [
            "a root moved",
            "root",
            {
                base: ["rebuild", "root python:3.12-slim moved (83d4b32befc9 → 1234567890ab)"],
                ...children,
                leaf: ["maybe", "parent bot", "parent ci"],
            },
        ],
        [
            "an update that ended after the base",
            "behind",
            {
                base: ["retag", "docker/Dockerfile.base changed"],
                bot: ["rebuild", "parent base has moved"],
                ci: ["rebuild", "parent base has moved"],
                devcontainer: ["rebuild", "parent base has moved"],
                leaf: ["maybe", "parent bot", "parent ci"],
            },
        ],
        [
            "another change after a build failed, which left others unbuilt",
            "failed",
            {
                base: ["rebuild", "an update ended before it was built", "requirements/base.txt changed"],
                ...children,
                bot: ["rebuild", "an update ended before it was built"],
                leaf: ["maybe", "parent bot", "parent ci"],
            },
        ],
    ])("%s", (_title, name, expected) => {
        expect(pending(planImages(recordedPreview(name).steps))).toEqual(expected);
    });
});

test("a grandchild depends on its parent, not on the image that was changed", () => {
    const plans = planImages(recordedPreview("root").steps);
    const of = (key: string) => plans.find(({ image }) => image === key);
    expect(of("bot")?.dependsOn).toEqual(["base"]);
    expect(of("leaf")?.dependsOn).toEqual(["bot", "ci"]);
    expect(of("base")?.dependsOn).toBeUndefined();
});

test("a replacement is one build, however many steps it takes", () => {
    const steps = recordedPreview("same").steps.flatMap((step) => {
        if (step.name !== "ci-amd64") return [step];
        return ["create-replacement", "replace", "delete-replaced"].map((op) => ({ ...step, op }));
    });
    expect(planImages(steps).find(({ image }) => image === "ci")).toMatchObject({
        action: "rebuild",
        platforms: [{ platform: "linux/amd64", action: "rebuild" }],
    });
    expect(planImages(steps).find(({ image }) => image === "ci")?.platforms).toHaveLength(1);
});

test("images stand in build order, with parents, roots and platforms; those that leave stand last", () => {
    const plans = planImages(recordedPreview("removed").steps);
    expect(plans.map(({ image }) => image)).toEqual(["base", "bot", "ci", "devbox", "devcontainer", "leaf"]);
    expect(plans[0]).toMatchObject({
        root: "python:3.12-slim",
        platforms: [{ platform: "linux/amd64" }, { platform: "linux/arm64" }],
    });
    expect(plans.find(({ image }) => image === "leaf")).toMatchObject({ parent: "bot", copiesFrom: ["ci"] });
});

test("what only reads the Dockerfile is not the root that an image stands on", () => {
    const rootWith = (inputs: object) => {
        const steps = recordedPreview("removed").steps.map((step) =>
            step.name === "base" && step.new && step.type.endsWith(":ImageLayer")
                ? { ...step, new: { ...step.new, inputs: { ...step.new.inputs, ...inputs } } }
                : step,
        );
        return planImages(steps).find(({ image }) => image === "base")?.root;
    };
    const roots = { "a/frontend:1": "not pinned", "python:3": "not pinned" };
    expect(rootWith({ roots, frontend: "a/frontend:1" })).toBe("python:3");
    expect(rootWith({ roots: { "a/frontend:1": "not pinned" }, frontend: "a/frontend:1" })).toBeUndefined();
});

describe("what is certain of an image that may not be built", () => {
    const before = `registry.localhost:17443/fixture/ci@sha256:${"0".repeat(64)}`;
    type Inputs = Readonly<Record<string, unknown>>;
    /** The inputs of a resource of ci in the state, and its new inputs. */
    const changed = (name: string, type: string, of: (old: Inputs, after: Inputs) => [Inputs, Inputs]) =>
        recordedPreview("base").steps.map((step) => {
            if (step.name !== name || step.type !== `docker-build:index:${type}` || !step.old || !step.new) return step;
            const [old, after] = of(step.old.inputs, step.new.inputs);
            return { ...step, old: { ...step.old, inputs: old }, new: { ...step.new, inputs: after } };
        });
    const ci = (steps: readonly Step[]) => planImages(steps).find(({ image }) => image === "ci");
    /** The previous smoke test, which last passed on this build; without an argument, on the build in the state. */
    const sameTest = (on?: string) =>
        changed("ci-amd64-test", "Image", (old, after) => {
            const { context, dockerfile } = old as { context: object; dockerfile: object };
            const open = (after.context as { named: object }).named;
            const named = { "image-under-test": { location: `docker-image://${on ?? ""}` } };
            return [
                on === undefined ? old : { ...old, context: { ...context, named } },
                { ...after, dockerfile, context: { ...context, named: open } },
            ];
        });

    test("is a test that is another now", () => {
        expect(ci(recordedPreview("base").steps)).toMatchObject({ action: "maybe", inAnyCase: ["test"] });
    });

    test("is a test that has not passed on what was built last", () => {
        expect(ci(sameTest(before))).toMatchObject({
            action: "maybe",
            inAnyCase: ["test"],
            causes: ["smoke test docker/smoke/ci.sh changed", tests, "parent base"],
        });
        expect(ci(sameTest())).not.toHaveProperty("inAnyCase");
    });

    test("is the promotion of what was built last and is not promoted yet", () => {
        const unpromoted = ci(changed("ci", "Index", (old, after) => [{ ...old, sources: [before] }, after]));
        expect(unpromoted).toMatchObject({ action: "maybe", inAnyCase: ["test", "promotion"] });
        expect(unpromoted?.causes).toContain("in any case: its smoke tests run, and its tag moves");
    });

    test("is the promotion by another tag", () => {
        const tagged = changed("ci", "Index", (old, after) => [
            old,
            { ...after, tag: "registry.localhost:17443/fixture/ci:stable" },
        ]);
        expect(ci(tagged)?.inAnyCase).toContain("promotion");
    });
});

describe("a registry that lost a build", () => {
    /** `<repository>@<digest>` of a build in the state of the preview `name`. */
    const published = (name: string, build: string) => {
        const before = recordedPreview(name).steps.find((step) => step.name === build)?.old;
        return `${String((before?.inputs.tags as string[])[0]).replace(/:[^:]*$/, "")}@${String(before?.outputs.digest)}`;
    };
    const planned = (name: string, ...lost: string[]) =>
        planImages(recordedPreview(name).steps, new Set(lost.map((build) => published(name, build))));
    const lost = "the registry no longer has it";

    test("has it recreated: that platform, and no image that has nothing to do with it", () => {
        const plans = planned("same", "leaf-amd64");
        expect(pending(plans)).toEqual({ leaf: ["recreate", lost] });
        const bot = planned("same", "bot-arm64").find(({ image }) => image === "bot");
        expect(bot?.platforms.map(({ action }) => action)).toEqual(["unchanged", "recreate"]);
    });

    test("may have its children rebuilt, for that platform: the new build can have another digest", () => {
        const plans = planned("same", "base-arm64");
        expect(pending(plans)).toEqual({ base: ["recreate", lost], bot: ["maybe", "parent base"] });
        expect(plans.find(({ image }) => image === "bot")?.platforms.map(({ action }) => action)).toEqual([
            "unchanged",
            "maybe",
        ]);
        expect(pending(planned("same", "base-amd64"))).toEqual({
            base: ["recreate", lost],
            ...children,
            leaf: ["maybe", "parent bot", "parent ci"],
        });
    });

    test("makes sure of what would else only perhaps be built", () => {
        const plans = planned("base", "ci-amd64");
        expect(pending(plans)).toMatchObject({
            base: ["rebuild", "docker/Dockerfile.base changed"],
            bot: ["maybe", "parent base"],
            ci: ["recreate", lost, "smoke test docker/smoke/ci.sh changed"],
        });
        expect(planned("base", "bot-amd64").find(({ image }) => image === "bot")).toMatchObject({
            action: "recreate",
            causes: [lost, "parent base"],
            dependsOn: ["base"],
            platforms: [{ action: "recreate" }, { action: "maybe" }],
        });
    });

    test("is no other repository that has the same digest", () => {
        const elsewhere = published("same", "bot-amd64").replace("/fixture/bot@", "/fixture/copy@");
        expect(pending(planImages(recordedPreview("same").steps, new Set([elsewhere])))).toEqual({});
    });

    test("changes nothing of what is built anyhow", () => {
        expect(pending(planned("behind", "bot-amd64", "bot-arm64")).bot).toEqual(["rebuild", "parent base has moved"]);
    });
});

describe("what only leaves the state is said of an unchanged image", () => {
    const gone = (name: string, ...left: string[]) =>
        recordedPreview(name).steps.map((step) => (left.includes(step.name) ? { ...step, op: "delete" } : step));
    const of = (key: string, steps: readonly Step[]) => planImages(steps).find(({ image }) => image === key);

    test("a smoke test: nothing is tested", () => {
        const steps = gone("same", "ci-amd64-test");
        expect(of("ci", steps)).toMatchObject({ action: "unchanged", causes: ["smoke test removed"] });
        const named = steps.map((step) => {
            if (step.name !== "ci" || !step.new || !step.type.endsWith(":ImageLayer")) return step;
            return { ...step, new: { ...step.new, inputs: { ...step.new.inputs, smokeTests: {} } } };
        });
        expect(of("ci", named)?.causes).toContain("smoke test docker/smoke/ci.sh removed");
    });

    test("a platform of an image that is never pushed", () => {
        const devcontainer = of("devcontainer", gone("same", "devcontainer-amd64"));
        expect(devcontainer).toMatchObject({ action: "unchanged", causes: ["platform linux/amd64 removed"] });
    });
});

describe("tags of releases", () => {
    const tagsOf = (tags: string | undefined): ResourceState | undefined =>
        tags === undefined
            ? undefined
            : {
                  type: "command:local:Command",
                  custom: true,
                  parent: "urn:pulumi:s::p::layered-images:components:Promotion::ci",
                  inputs: { environment: { REF: "r", TAGS: tags } },
                  outputs: {},
                  retainOnDelete: false,
              };
    /** The plan of an update with nothing to do but a step on the tags of ci. */
    const planned = (op: string, before?: string, after?: string) => {
        const command: Step = {
            op,
            urn: "urn:pulumi:s::p::command:local:Command::ci-tags",
            type: "command:local:Command",
            name: "ci-tags",
            parent: "ci",
            old: tagsOf(before),
            new: tagsOf(after),
            reasons: [],
        };
        const steps = [...recordedPreview("same").steps, command];
        const { action, causes } = planImages(steps).find(({ image }) => image === "ci") ?? {};
        return { action, causes, warnings: otherWork(steps) };
    };

    test.each<[string, Parameters<typeof planned>, string, string[]]>([
        ["none new", ["same", "{date}", "{date}"], "unchanged", []],
        ["the first", ["create", undefined, "v-{commit}"], "retag", ["tag v-{commit} added"]],
        ["one more", ["update", "{date}", "{date} {commit}"], "retag", ["tag {commit} added"]],
        ["one that an earlier update could not add", ["replace", "{date}", "{date}"], "retag", ["tag {date} added"]],
        ["none any more", ["delete", "{date}", undefined], "unchanged", ["tag {date} removed"]],
    ])("%s", (_name, given, action, causes) => {
        expect(planned(...given)).toEqual({ action, causes, warnings: [] });
    });
});

describe("further tags that move", () => {
    const tagged = (tag: string | undefined): ResourceState | undefined =>
        tag === undefined
            ? undefined
            : {
                  ...{ type: "docker-build:index:Index", custom: true, outputs: {}, retainOnDelete: true },
                  parent: "urn:pulumi:s::p::layered-images:components:Promotion::ci",
                  inputs: { tag, sources: [] },
              };
    /** The plan of an update with nothing to do but a step on another index of ci. */
    const planned = (op: string, name: string, before?: string, after?: string) => {
        const index: Step = {
            ...{ op, name, type: "docker-build:index:Index", parent: "ci", reasons: [] },
            urn: `urn:pulumi:s::p::docker-build:index:Index::${name}`,
            old: tagged(before),
            new: tagged(after),
        };
        const steps = [...recordedPreview("same").steps, index];
        const { action, causes } = planImages(steps).find(({ image }) => image === "ci") ?? {};
        return { action, causes, warnings: otherWork(steps) };
    };
    const { steps: same } = recordedPreview("same");
    const own = String(same.find(({ name, type }) => name === "ci" && type.endsWith("Index"))?.new?.inputs.tag);
    const repository = own.slice(0, own.lastIndexOf(":"));

    test.each<[string, Parameters<typeof planned>, string, string[]]>([
        ["unchanged", ["same", "ci:3", `${repository}:3`, `${repository}:3`], "unchanged", []],
        ["the first release", ["create", "ci@release", undefined, `${repository}:r-1`], "retag", ["tag r-1 added"]],
        ["another", ["create", "ci:3", undefined, `${repository}:3`], "retag", ["tag 3 added"]],
        ["elsewhere", ["create", "ci/q.io/a:3", undefined, "q.io/a:3"], "retag", ["tag q.io/a:3 added"]],
        [
            "not moved yet",
            ["update", "ci:3", "q.io/a:3", "q.io/a:3"],
            "retag",
            ["what was built last is not promoted yet"],
        ],
        ["removed", ["delete", "ci:3", `${repository}:3`, undefined], "unchanged", ["tag 3 removed"]],
    ])("%s", (_name, given, action, causes) => {
        expect(planned(...given)).toEqual({ action, causes, warnings: [] });
    });
});

describe("made by hand", () => {
    const state = (type: string, parent: string, inputs: Record<string, unknown>): ResourceState => ({
        type,
        custom: type.startsWith("docker-build:"),
        parent: `urn:pulumi:s::p::t::${parent}`,
        inputs,
        outputs: {},
        retainOnDelete: true,
    });
    const step = (name: string, op: string, old: ResourceState, after: ResourceState): Step => ({
        op,
        urn: `urn:pulumi:s::p::${old.type}::${name}`,
        type: old.type,
        name,
        parent: old.parent?.split("::").at(-1) ?? "",
        old,
        new: after,
        reasons: ["buildArgs"],
    });
    const plan = (component: [object, object], build: [object, object]) => {
        const [before, after] = component.map((inputs) =>
            state("layered-images:components:ImageLayer", "images", { parents: [], inputs: {}, roots: {}, ...inputs }),
        ) as [ResourceState, ResourceState];
        const [old, next] = build.map((inputs) =>
            state("docker-build:index:Image", "app", { platforms: ["linux/amd64"], tags: ["r.io/app:b-1"], ...inputs }),
        ) as [ResourceState, ResourceState];
        return planImages([step("app", "update", before, after), step("app-amd64", "update", old, next)])[0];
    };
    const hashed = (hash: string, rest: object = {}) => ({ buildArgs: { INPUT_HASH: hash }, ...rest });
    const dockerfile = { dockerfile: { "docker/app": "1" } };

    test.each<[string, [object, object], [object, object], string[]]>([
        [
            "a target",
            [{}, {}],
            [hashed("1", { target: "" }), hashed("2", { target: "prod" })],
            ["target: the last stage → prod"],
        ],
        [
            "another registry",
            [{}, {}],
            [hashed("1"), hashed("2", { tags: ["other.io/app:b-1"] })],
            ["pushed to other.io/app instead of r.io/app"],
        ],
        [
            "how the program builds",
            [dockerfile, dockerfile],
            [hashed("1"), hashed("2")],
            ["this program builds differently"],
        ],
        [
            "how the program builds, after an update that ended before",
            [
                { ...dockerfile, inputHash: "2" },
                { ...dockerfile, inputHash: "3" },
            ],
            [hashed("1"), hashed("3")],
            ["an update ended before it was built"],
        ],
        [
            "what an older state does not name",
            [{}, dockerfile],
            [hashed("1"), hashed("2")],
            ["Dockerfile or build settings changed"],
        ],
        [
            "a property that nothing here knows",
            [{}, {}],
            [hashed("1"), hashed("1", { network: "host" })],
            ["changed: buildArgs"],
        ],
        [
            "a root that is pinned",
            [
                { roots: { "python:3": "not pinned" } },
                { roots: { "python:3": `r.io/python@sha256:${"a".repeat(64)}` } },
            ],
            [hashed("1"), hashed("1", { context: {} })],
            ["root python:3 pinned (aaaaaaaaaaaa)"],
        ],
        [
            "what reads the Dockerfile",
            [
                {
                    frontend: "docker/dockerfile:1",
                    roots: { "docker/dockerfile:1": `r.io/f@sha256:${"a".repeat(64)}` },
                },
                {
                    frontend: "docker/dockerfile:1",
                    roots: { "docker/dockerfile:1": `r.io/f@sha256:${"b".repeat(64)}` },
                },
            ],
            ["a", "b"].map((one) => ({ buildArgs: { INPUT_HASH: "1", BUILDKIT_SYNTAX: one } })) as [object, object],
            ["root docker/dockerfile:1 moved (aaaaaaaaaaaa → bbbbbbbbbbbb)"],
        ],
        ["a parent", [{ parents: [] }, { parents: ["base"] }], [hashed("1"), hashed("2")], ["parent base added"]],
    ])("%s is a cause", (_title, component, build, causes) => {
        expect(plan(component, build)).toMatchObject({ action: "rebuild", causes });
    });

    test("an image with more platforms says which one is certain and which one waits", () => {
        const layerStep = (key: string, parents: string[]) => {
            const component = state("layered-images:components:ImageLayer", "images", {
                parents,
                inputs: {},
                roots: {},
            });
            return step(key, "same", component, component);
        };
        const build = (image: string, arch: string, op: string, after: object) => {
            const common = { platforms: [`linux/${arch}`], buildArgs: { INPUT_HASH: "1" } };
            const of = (inputs: object) => state("docker-build:index:Image", image, { ...common, ...inputs });
            return step(`${image}-${arch}`, op, of({ tags: ["r.io/a:b-1"] }), of({ tags: ["r.io/a:b-1"], ...after }));
        };
        const open = { tags: ["04da6b54-80e4-46f7-96ec-b56ff0331ba9"] };
        const plans = planImages([
            layerStep("base", []),
            build("base", "amd64", "update", { target: "x" }),
            build("base", "arm64", "same", {}),
            layerStep("app", ["base"]),
            build("app", "amd64", "update", open),
            build("app", "arm64", "update", { target: "y" }),
        ]);
        expect(plans[1]).toMatchObject({
            action: "rebuild",
            dependsOn: ["base"],
            platforms: [
                { platform: "linux/amd64", action: "maybe" },
                { platform: "linux/arm64", action: "rebuild" },
            ],
        });
    });

    describe("of an image that another stack has built", () => {
        const elsewhere = { "linux/amd64": "ci" };
        const file = (hash: string) => ({ inputs: { "app.txt": hash }, platforms: ["linux/amd64"] });
        const component = (before: object, after: object) =>
            step(
                "app",
                "update",
                state("layered-images:components:ImageLayer", "images", { parents: [], roots: {}, ...before }),
                state("layered-images:components:ImageLayer", "images", { parents: [], roots: {}, ...after }),
            );
        const index = (from: string, to: string) => {
            const of = (digit: string) => {
                const sources = [`r.io/app@sha256:${digit.repeat(64)}`];
                return state("docker-build:index:Index", "app", { tag: "r.io/app:pr-1", sources });
            };
            return step("app", "update", of(from), of(to));
        };
        const built = state("docker-build:index:Image", "app", {
            ...{ platforms: ["linux/amd64"], buildArgs: { INPUT_HASH: "2" }, tags: ["r.io/app:b-2"] },
        });
        const create: Step = { ...step("app-amd64", "create", built, built), old: undefined };

        test("a change that this stack builds is no first build", () => {
            const changed = component({ ...file("1"), elsewhere }, file("2"));
            expect(planImages([changed, create, index("1", "2")])).toMatchObject([
                { action: "rebuild", causes: ["app.txt changed", "linux/amd64 is built by this stack"] },
            ]);
            // An update that failed before it built anything wrote only the component.
            expect(planImages([component(file("1"), file("2")), create])).toMatchObject([{ causes: ["first build"] }]);
        });

        test("another digest of the same inputs says that it was built again there", () => {
            const same = component({ ...file("1"), elsewhere }, { ...file("1"), elsewhere });
            expect(planImages([same, index("1", "2")])).toMatchObject([
                { action: "retag", causes: ["stack ci has built linux/amd64 again"] },
            ]);
            // An update that failed before the promotion.
            expect(planImages([same, index("1", "1")])).toMatchObject([
                { action: "retag", causes: ["what was built last is not promoted yet"] },
            ]);
        });
    });

    test("another registry makes sure of every build, although the tags on top of a parent are not known yet", () => {
        const open = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
        const component = (key: string, parents: string[]) => {
            const of = state("layered-images:components:ImageLayer", "images", { parents, inputs: {}, roots: {} });
            return step(key, "same", of, of);
        };
        const common = { platforms: ["linux/amd64"], buildArgs: { INPUT_HASH: "1" } };
        const build = (image: string, before: object, after: object) => {
            const of = (inputs: object) => state("docker-build:index:Image", image, { ...common, ...inputs });
            return step(`${image}-amd64`, "update", of(before), of(after));
        };
        const index = (image: string, tag: string) => {
            const of = (registry: string) => state("docker-build:index:Index", image, { tag: `${registry}/${tag}` });
            return step(image, "update", of("r.io"), of("other.io"));
        };
        const plans = planImages([
            component("base", []),
            build("base", { tags: ["r.io/base:b-1"] }, { tags: ["other.io/base:b-1"] }),
            index("base", "base:latest"),
            component("app", ["base"]),
            build("app", { tags: ["r.io/app:b-1"] }, { tags: open }),
            index("app", "app:latest"),
            component("dev", ["app"]),
            build("dev", { tags: [], context: "on r.io/app" }, { tags: [], context: open }),
        ]);
        expect(pending(plans)).toEqual({
            base: ["rebuild", "pushed to other.io/base instead of r.io/base"],
            app: ["rebuild", "parent base comes from elsewhere", "pushed to other.io/app instead of r.io/app"],
            dev: ["rebuild", "parent app comes from elsewhere"],
        });
    });
});

describe("a pinned image", () => {
    const pin = { release: "r-0123456789ab", digest: "sha256:1", platforms: { "linux/amd64": "sha256:2" } };
    type Side = "old" | "new";
    /** A preview with a pin of the base in the state, in the program, or in both, and without the builds that leave the state. */
    const withPin = (name: string, sides: readonly Side[], dropped = false) =>
        recordedPreview(name).steps.map((step): Step => {
            const isBase = step.parent === "base" && step.type.endsWith(":Image");
            if (isBase && dropped) return { ...step, op: "delete", new: undefined };
            if (step.name !== "base" || !step.type.endsWith(":ImageLayer")) return step;
            const pinned = (side: Side) =>
                step[side] &&
                (sides.includes(side) ? { ...step[side], inputs: { ...step[side].inputs, pin } } : step[side]);
            return { ...step, old: pinned("old"), new: pinned("new") };
        });
    const base = (steps: readonly Step[]) => planImages(steps).find(({ image }) => image === "base");

    test("says so where nothing happens, and its children are unchanged", () => {
        expect(base(withPin("same", ["old", "new"]))).toMatchObject({
            ...{ action: "unchanged", pinned: pin.release, causes: ["pinned to r-0123456789ab"] },
        });
        expect(pending(planImages(withPin("same", ["old", "new"])))).toEqual({});
    });

    test("whose build left the state says that it changed, is not built, and leaves its children alone", () => {
        const plan = base(withPin("same", ["old", "new"], true));
        expect(plan).toMatchObject({ action: "unchanged", changedSincePinned: true });
        expect(plan?.causes).toEqual(["pinned to r-0123456789ab, and its inputs changed since"]);
        expect(plan?.platforms.map(({ action }) => action)).not.toContain("remove");
        expect(pending(planImages(withPin("same", ["old", "new"], true)))).toEqual({});
    });

    test("without its pin is as any other image", () => {
        expect(base(withPin("same", ["old"]))).toMatchObject({ action: "unchanged" });
        expect(base(withPin("same", ["old"]))?.pinned).toBeUndefined();
        expect(base(withPin("first", ["old"]))?.action).toBe("rebuild");
    });
});
