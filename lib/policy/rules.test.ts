import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { type JudgedImage, advice, judge, refusal, saysRefused, tooLarge, violationsOf } from "./rules";
import { type PolicySettings, levelOf, policySchema, rules } from "./settings";

const digest = `sha256:${"a".repeat(64)}`;
const inputs: JudgedImage["inputs"] = {
    roots: { "docker.io/library/python:3.12": `docker.io/library/python@${digest}` },
    smokeTests: { "smoke.sh": "0123456789ab executable" },
};
/** An image that keeps to every rule. */
const clean: JudgedImage = {
    ...{ image: "app", isPublished: true, inputs, plainArguments: [], buildArgs: { VERSION: "3" } },
    contexts: { "ghcr.io/acme/base:latest": `ghcr.io/acme/base@${digest}` },
};
const pin = { release: "r-0123456789ab", digest, platforms: {} };
const token = `ghp_${"a1".repeat(18)}`;

describe("an image is refused", () => {
    test.each<[string, Partial<JudgedImage>, rule: string, names: RegExp]>([
        ["without a smoke test", { inputs: { ...inputs, smokeTests: {} } }, "smoke-test", /image app .*no smoke test/],
        [
            "that copies from or is built from a root without a pin",
            { inputs: { ...inputs, roots: { "docker.io/library/python:3.12": "not pinned" } } },
            "parent-by-digest",
            /image app is built from docker\.io\/library\/python:3\.12, .*<repository>@sha256:… is allowed/,
        ],
        [
            "whose parent is passed by its tag",
            { contexts: { "ghcr.io/acme/base:latest": "ghcr.io/acme/base:b-1" } },
            "parent-by-digest",
            /ghcr\.io\/acme\/base:latest \(ghcr\.io\/acme\/base:b-1\)/,
        ],
        ["with a token by name", { buildArgs: { API_TOKEN: "x" } }, "no-credentials", /API_TOKEN of image app/],
        ["with a token by value", { buildArgs: { VERSION: token } }, "no-credentials", /argument VERSION of image app/],
        [
            "with a user in a URL",
            { buildArgs: { INDEX: "https://user:pass@index.example/simple" } },
            "no-credentials",
            /argument INDEX of image app/,
        ],
    ])("%s", (_, change, rule, names) => {
        const violations = violationsOf({ ...clean, ...change });
        expect(violations.map((one) => one.rule)).toEqual([rule]);
        const text = refusal(violations[0] ?? { rule: "no-loss", problem: "", next: "" });
        expect(text).toMatch(names);
        expect(text).toMatch(/\n {2}next: \S/);
        expect(text).not.toMatch(/pass@|ghp_/);
    });
});

describe("an image is allowed", () => {
    test.each<[string, Partial<JudgedImage>]>([
        ["that keeps to every rule", {}],
        [
            "that is never pushed",
            { isPublished: false, inputs: { roots: {}, smokeTests: {} }, buildArgs: { TOKEN: "x" } },
        ],
        ["that is pinned to a release", { inputs: { roots: {}, smokeTests: {}, pin } }],
        ["whose Dockerfile names a digest", { inputs: { ...inputs, roots: { [`python@${digest}`]: "not pinned" } } }],
        [
            "whose frontend alone is a tag",
            { inputs: { ...inputs, roots: { "docker/dockerfile:1": "not pinned" }, frontend: "docker/dockerfile:1" } },
        ],
        ["whose arguments are declared public", { buildArgs: { API_TOKEN: "x" }, plainArguments: ["API_TOKEN"] }],
    ])("%s", (_, change) => {
        expect(violationsOf({ ...clean, ...change })).toEqual([]);
    });
});

test("a build is too large from the first byte over its budget, and the message has both sizes", () => {
    const of = (bytes: number) => tooLarge("app", { ref: `ghcr.io/acme/app@${digest}`, bytes }, "1.5 MB");
    expect(of(1_500_000)).toEqual([]);
    const [violation] = of(1_500_001);
    expect(violation?.problem).toContain(
        `the layers of ghcr.io/acme/app@${digest} have 1.5 MB (1500001 bytes), and 1.5 MB`,
    );
});

test("levels: a stack without a policy has no rules, one with a policy refuses unless it says otherwise", () => {
    const levels = (settings: PolicySettings | undefined) =>
        Object.keys(rules).map((rule) => levelOf(settings, rule as keyof typeof rules));
    expect(levels(undefined)).toEqual(["disabled", "disabled", "disabled", "disabled", "disabled"]);
    expect(levels({})).toEqual(["mandatory", "mandatory", "mandatory", "mandatory", "mandatory"]);
    expect(levels({ level: "advisory", rules: { "smoke-test": "disabled" } })).toEqual([
        ...["advisory", "disabled", "advisory", "advisory", "advisory"],
    ]);
});

test("violations are refused, advised or left out by level, and only a refusal says that it is one", () => {
    const violations = [
        { rule: "smoke-test", problem: "a", next: "b" },
        { rule: "max-size", problem: "c", next: "d" },
        { rule: "no-loss", problem: "e", next: "f" },
    ] as const;
    const { refused, advised } = judge({ rules: { "max-size": "advisory", "no-loss": "disabled" } }, violations);
    expect(refused).toEqual([refusal(violations[0])]);
    expect(advised).toEqual([advice(violations[1])]);
    expect([...refused, ...advised].map(saysRefused)).toEqual([true, false]);
});

test.each([
    ["an unknown rule", { rules: { "smoke-tests": "mandatory" } }, /smoke-tests/],
    ["an unknown level", { level: "error" }, /none of mandatory, advisory, disabled/],
    ["a size without a unit", { maxSize: "500" }, /not a number and one of kB, MB, GB/],
    ["a size of nothing", { maxSize: "0 MB" }, /not a number and one of/],
])("the setting refuses %s", (_, settings, message) => {
    expect(policySchema.safeParse(settings).error?.message).toMatch(message);
});
