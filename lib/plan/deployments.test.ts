import { expect, test } from "../../tests/mocha";
import { type ResourceState, type Step, unknown } from "../engine/preview";
import { componentTypes, remoteCommandType } from "../engine/resources";
import { causeText } from "./causes";
import { planDeployments } from "./deployments";
import { hasWork, otherWork } from "./repository";

const settings = { image: "bot", host: "h", port: 22, user: "u", hostKey: "k", command: "c", timeout: 1 };
const none: ReadonlySet<string> = new Set();
const stateOf = (type: string, inputs: object): ResourceState => ({
    ...{ type, custom: type === remoteCommandType, inputs: { ...inputs }, outputs: {}, retainOnDelete: false },
});
const step = (
    type: string,
    op: string,
    was: object | undefined,
    is: object | undefined,
    reasons: string[] = [],
): Step => ({
    ...{ op, urn: `urn:pulumi:s::p::${type}::main`, type, name: "main", parent: "", reasons },
    old: was && stateOf(type, was),
    new: is && stateOf(type, is),
});
/** The steps of a deployment whose component and command have these inputs before and after. */
const steps = (
    [before, after]: readonly [object | undefined, object | undefined],
    op: string,
    [was, is]: readonly [was: string | undefined, is?: string],
    reasons?: string[],
): Step[] => [
    step(componentTypes.deployment, before ? (after ? "same" : "delete") : "create", before, after),
    step(
        ...([remoteCommandType, op, was === undefined ? undefined : { stdin: was }] as const),
        is === undefined ? undefined : { stdin: is },
        reasons,
    ),
];
const same = [settings, settings] as const;

test.each<[string, Step[], ReadonlySet<string>, string, readonly string[]]>([
    ["is new", steps([undefined, settings], "create", [undefined, unknown]), none, "deploy", ["first deployment"]],
    [
        "never succeeded",
        steps(same, "create", [undefined, "2"]),
        none,
        "deploy",
        ["the last deployment failed or was not reached"],
    ],
    [
        "failed last time",
        steps(same, "update", ["1", "2"]),
        none,
        "deploy",
        ["the last deployment failed or was not reached"],
    ],
    [
        "may get another release",
        steps(same, "update", ["1", unknown]),
        none,
        "maybe",
        ["only if the digest of image bot changes"],
    ],
    [
        "gets another release",
        steps(same, "update", ["1", unknown]),
        new Set(["bot"]),
        "deploy",
        ["another release of image bot"],
    ],
    [
        "has other settings",
        steps(
            [settings, { ...settings, command: "d", port: 23, health: { command: "x", attempts: 1, interval: 1 } }],
            "update",
            ["1", "2"],
        ),
        ...([none, "deploy", ["host: u@h → u@h:23", "changed: command, health"]] as const),
    ],
    [
        "has other settings and may get another release",
        steps([settings, { ...settings, image: "web" }], "update", ["1", unknown]),
        ...([none, "deploy", ["image: bot → web"]] as const),
    ],
    [
        "has another key",
        steps(same, "update", ["1", "1"], ["connection"]),
        none,
        "deploy",
        ["the key that opens the host changed"],
    ],
    [
        "leaves the stack",
        steps([settings, undefined], "delete", ["1"]),
        ...([none, "remove", ["no longer in the stack's configuration; what runs on the host stays"]] as const),
    ],
])("a deployment that %s is planned as that", (_, all, moved, action, causes) => {
    const [plan, ...more] = planDeployments(all, moved, none);
    expect(more).toEqual([]);
    expect(plan).toMatchObject({ deployment: "main", action });
    expect(plan?.causes.map(causeText)).toEqual(causes);
    expect(hasWork(all)).toBe(true);
    expect(otherWork(all)).toEqual([]);
});

test("one without a change is no work, unless the registry lost a build of its image", () => {
    const all = steps(same, "same", ["1", "1"]);
    expect(planDeployments(all, none, none)).toEqual([]);
    expect(planDeployments(all, none, new Set(["bot"]))).toMatchObject([
        { action: "maybe", image: "bot", host: "u@h" },
    ]);
});
