import { expect, test } from "../../tests/mocha";
import type { EngineLog, EngineStep, StepState } from "../engine/log";
import { componentTypes, dockerTypes, remoteCommandType } from "../engine/resources";
import { type Announcements, type UpdateFacts, announcementsOf } from "./announcements";
import { deploymentOutcomes, deploymentsLeft } from "./deployments";
import { leftUndone } from "./leftUndone";
import { promotedIn } from "./promoted";
import { quotations, updateSummary } from "./summary";
import { updateRecord } from "./steps";

const settings = { image: "bot", host: "h", port: 22, user: "u", hostKey: "k", command: "c", timeout: 1 };
const state = (inputs: object, outputs: object = {}, parent = ""): StepState => ({
    ...{ parent, inputs: inputs as StepState["inputs"], outputs: outputs as StepState["outputs"] },
});
const urn = (types: string, name: string) => `urn:pulumi:s::p::${types}::${name}`;
const step = (types: string, name: string, rest: Partial<EngineStep>): EngineStep => ({
    ...{ urn: urn(types, name), type: types.split("$").at(-1) ?? "", operation: "update", seconds: 1 },
    ...{ before: undefined, after: undefined, result: "succeeded" },
    ...rest,
});
const commandTypes = `${componentTypes.deployment}$${remoteCommandType}`;
const component = (name: string, operation = "same") =>
    step(componentTypes.deployment, name, { operation, after: state(settings), before: state(settings) });
const command = (name: string, rest: Partial<EngineStep> = {}) => step(commandTypes, name, rest);
const logOf = (steps: readonly EngineStep[], messages: EngineLog["messages"] = new Map()): EngineLog => ({
    ...{ stack: "s", start: 0, seconds: 1, steps, messages },
    result: steps.some(({ result }) => result !== "succeeded") ? "failed" : "succeeded",
});
const errors = (name: string, ...lines: string[]) =>
    new Map([[urn(commandTypes, name), lines.map((line) => ({ severity: "error", line }))]]);

test("a deployment that succeeded says what runs, and the summary has the end of its output", () => {
    const output = { stdout: "one\ntwo", stderr: "deployment bot: the release runs" };
    const log = logOf([component("bot"), command("bot", { after: state({}, output) })]);
    expect(deploymentOutcomes(log)).toMatchObject([
        { deployment: "bot", image: "bot", host: "u@h", outcome: "deployed", said: "the release runs" },
    ]);
    expect(deploymentsLeft(log)).toEqual([]);
    const summary = updateSummary(log, updateRecord(log, undefined, new Map()), [], {
        mask: (line) => line.replace("two", "[secret]"),
    });
    expect(summary).toContain("#### Deployed: bot (image bot) to u@h\n\nthe release runs.\n\n```\none\n[secret]\n```");
});

test("a failed one says what runs now, is quoted once, and is left to do", () => {
    const lines = ['exit status 1: running "sh -s":', "output", "deployment bot: it failed. The former one runs", ""];
    const log = logOf([component("bot"), command("bot", { result: "failed" })], errors("bot", ...lines));
    expect(leftUndone(log)).toEqual([
        "deployment bot (image bot, u@h): it failed. The former one runs; the next `up` tries again",
    ]);
    const [quoted, ...more] = quotations(log, [], { mask: (line) => line });
    expect(more).toEqual([]);
    expect(quoted).toContain("#### Deployment bot of image bot to u@h failed");
    expect(quoted).toContain("output\ndeployment bot: it failed.");
});

test("one whose host did not answer, or that was not reached, says that it is not known what runs", () => {
    const failed = logOf([component("bot"), command("bot", { result: "failed" })], errors("bot", "gave up"));
    expect(deploymentsLeft(failed)).toMatchObject([expect.stringContaining("the host did not say what it runs")]);
    const unreached = logOf([component("bot"), { ...component("x"), result: "failed" }]);
    expect(deploymentsLeft(unreached)[0]).toMatch(/^deployment bot .*: not reached/);
});

test("those that did not change, or left the stack, are no work", () => {
    const log = logOf([
        ...[component("a"), command("a", { operation: "same" })],
        ...[component("b", "delete"), command("b", { operation: "delete" })],
    ]);
    expect(deploymentOutcomes(log).map(({ outcome }) => outcome)).toEqual(["unchanged", "removed"]);
    expect(deploymentsLeft(log)).toEqual([]);
});

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
/** The index of an image's tag that moved from one digest to another, and that of its release. */
const promotion = (image: string, from: string | undefined, to: string, result: EngineStep["result"] = "succeeded") => {
    const parent = urn(componentTypes.promotion, image);
    const index = (name: string, tag: string) =>
        step(`${componentTypes.promotion}$${dockerTypes.index}`, name, {
            operation: from === to ? "same" : "update",
            result,
            before:
                from === undefined ? undefined : state({}, { ref: `r.test/${image}:${tag}@${digest(from)}` }, parent),
            after: state({ tag: `r.test/${image}:${tag}` }, { ref: `r.test/${image}:${tag}@${digest(to)}` }, parent),
        });
    return [index(`${image}@release`, `r-${to.repeat(12)}`), index(image, "latest")];
};
const release = (image: string, digit: string) => ({
    ...{ image, ref: `r.test/${image}@${digest(digit)}`, release: `r-${digit.repeat(12)}` },
});

test("a release moved where the digest is another one, or the first", () => {
    const log = logOf([
        ...promotion("new", undefined, "1"),
        ...promotion("moved", "1", "2"),
        ...promotion("same", "3", "3"),
        ...promotion("refused", "3", "4", "failed"),
    ]);
    expect(promotedIn(log).releases).toEqual([
        expect.objectContaining(release("moved", "2")),
        expect.objectContaining(release("new", "1")),
    ]);
});

const facts: UpdateFacts = { before: [], commit: undefined, mask: (text) => text };
const nothing: Announcements = { dispatches: [], records: [] };
const wanting = (announcements?: string[]) =>
    step(componentTypes.repositorySettings, "repository", { after: state({ announcements }) });

test("GitHub is told what the configuration asks for, and of deployments how they ended", () => {
    const steps = [
        ...promotion("bot", "1", "2"),
        ...promotion("web", "3", "4"),
        ...promotion("same", "5", "5"),
        component("host"),
        command("host", { after: state({}, { stderr: "deployment host: it runs" }) }),
    ];
    const told = (announcements?: string[]) =>
        announcementsOf(logOf([...steps, wanting(announcements)]), facts, nothing);
    expect(told()).toEqual({ dispatches: [], records: [] });
    expect(told(["dispatch"])).toEqual({ dispatches: [release("bot", "2"), release("web", "4")], records: [] });
    expect(told(["deployments"])).toEqual({
        dispatches: [],
        records: [
            { ...release("bot", "2"), environment: "host", state: "success", description: "it runs" },
            { ...release("web", "4"), environment: "web" },
        ],
    });
});

test("a deployment that is tried again is recorded although its release did not move", () => {
    const log = logOf(
        [
            ...promotion("bot", "2", "2"),
            ...[component("host"), command("host", { result: "failed" })],
            wanting(["deployments"]),
        ],
        errors("host", "gave up"),
    );
    expect(announcementsOf(log, facts, nothing).records).toEqual([
        { ...release("bot", "2"), environment: "host", state: "failure" },
    ]);
});

test("records name the commit, and no secret that a host said", () => {
    const said = { after: state({}, { stderr: "deployment host: it runs with hunter2" }) };
    const log = logOf([
        ...promotion("bot", "2", "2"),
        component("host"),
        command("host", said),
        wanting(["deployments"]),
    ]);
    const commit = "a".repeat(40);
    const mask = (text: string) => text.replace("hunter2", "[secret]");
    expect(announcementsOf(log, { ...facts, commit, mask }, nothing).records).toMatchObject([
        { commit, description: "it runs with [secret]" },
    ]);
});

/* What earlier updates could not tell, of image bot and of another one. */
const toHost = { ...release("bot", "1"), environment: "host", state: "success" } as const;
const toOthers = { ...release("bot", "1"), environment: "bot" };
const untold: Announcements = {
    dispatches: [release("bot", "1"), release("web", "4")],
    records: [toHost, toOthers, { ...release("web", "4"), environment: "web" }],
};
const both = ["dispatch", "deployments"];
const web = { ...release("web", "4"), environment: "web" };

test.each<[string, EngineStep[], Announcements]>([
    ["an update that moves nothing tells all of it", [...promotion("bot", "1", "1"), wanting(both)], untold],
    [
        "a newer release makes what is told of an image obsolete, but not what was deployed",
        [...promotion("bot", "1", "2"), wanting(both)],
        {
            dispatches: [release("web", "4"), release("bot", "2")],
            records: [toHost, web, { ...release("bot", "2"), environment: "bot" }],
        },
    ],
    [
        "a later deployment makes the earlier one's record obsolete",
        [...promotion("bot", "1", "1"), component("host"), command("host", { result: "failed" }), wanting(both)],
        { ...untold, records: [toOthers, web, { ...toHost, state: "failure" }] },
    ],
    [
        "a promotion that fails leaves the earlier release in place",
        [...promotion("bot", "1", "2", "failed"), wanting(both)],
        untold,
    ],
    ["what the configuration no longer wants is forgotten", [wanting(["dispatch"])], { ...untold, records: [] }],
    ["without GitHub in the configuration all of it", [{ ...wanting(), after: undefined }], nothing],
])("of what was not told, %s", (_what, steps, expected) => {
    expect(announcementsOf(logOf(steps), facts, untold)).toEqual(expected);
});

test("an update that ends before it comes to the settings goes by those of the state", () => {
    const settingsBefore = { type: componentTypes.repositorySettings, inputs: { announcements: ["dispatch"] } };
    const log = logOf(promotion("bot", "1", "2"));
    const told = (before: UpdateFacts["before"]) => announcementsOf(log, { ...facts, before }, nothing).dispatches;
    expect([told([settingsBefore]), told([])]).toEqual([[release("bot", "2")], []]);
});
