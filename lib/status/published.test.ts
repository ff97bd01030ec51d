import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import type { DeployedImage } from "../engine/state";
import type { Answer } from "./findings";
import type { Held } from "./imageStatus";
import { readAnswers } from "./published";

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const urn = (name: string) => `urn:pulumi:local::p::t::${name}`;
/** An image without a parent, with one build. */
const image = (key: string, letter: string): DeployedImage => ({
    image: key,
    parents: [],
    otherTags: [],
    roots: {},
    builds: [{ urn: urn(key), platform: "linux/amd64", digest: digest(letter), repository: `r.io/us/${key}` }],
    promotion: {
        urn: urn(`${key}-index`),
        tag: `r.io/us/${key}:latest`,
        digest: digest("f"),
        sources: [digest(letter)],
    },
});
const held = (letter: string, ...sizes: number[]): { readonly found: Held } => ({
    found: {
        digest: digest(letter),
        layers: sizes.map((size) => ({ digest: digest("e"), size })),
        platforms: { "linux/amd64": digest("a") },
    },
});
const local = { stack: "local", isLab: true, isCi: false };

describe("what registries answered", () => {
    const [base, ci] = [image("base", "a"), image("ci", "a")];
    const [baseRef, ciRef] = [`r.io/us/base@${digest("a")}`, `r.io/us/ci@${digest("a")}`];

    test("is what was lost, by repository: another one may have the same digest", () => {
        const answers = new Map<string, Answer<Held>>([
            [baseRef, held("a", 5, 7)],
            [ciRef, { found: undefined }],
        ]);
        const { missing, bytes, moved, unasked } = readAnswers([base, ci], answers, local);
        expect([...missing]).toEqual([ciRef]);
        expect([...bytes]).toEqual([["base linux/amd64", 12]]);
        expect([moved, unasked]).toEqual([[], []]);
    });

    test("is what lost a layer, with what comes first where the registry says that it has it", () => {
        const broken = {
            found: { ...held("a", 5, 7).found, blobs: { lost: [{ digest: digest("e"), remembered: true }] } },
        };
        const { missing, bytes, before } = readAnswers([base], new Map([[baseRef, broken]]), local);
        expect([...missing]).toEqual([baseRef]);
        expect([...bytes]).toEqual([["base linux/amd64", 12]]);
        expect(before).toEqual([
            expect.stringMatching(/^registry r\.io reports layers that it lost as present, .*: npm run down first$/),
        ]);
    });

    test.each([
        ["lost", { found: undefined }, "is not in the registry", /with --refresh puts it back$/],
        ["moved", held("b"), "points at", /afterwards: npm run up -- --replace 'urn:pulumi:local::p::t::base-index'$/],
    ])("names a promoted tag that is %s, with what puts it back", (_title, answer, said, next) => {
        const { missing, moved } = readAnswers([base], new Map([["r.io/us/base:latest", answer]]), local);
        expect(missing.size).toBe(0);
        expect(moved).toHaveLength(1);
        expect(moved[0]).toContain(`image base: r.io/us/base:latest ${said}`);
        expect(moved[0]).toMatch(next);
    });

    test("warns of a lost build of another stack, which no update here builds again", () => {
        const taken = { ...base, builds: base.builds.map((build) => ({ ...build, from: "ci-arm64" })) };
        const { missing, moved } = readAnswers([taken], new Map([[baseRef, { found: undefined }]]), local);
        expect(missing.size).toBe(0);
        expect(moved).toEqual([
            expect.stringMatching(
                /^image base: linux\/amd64: .* is not in the registry; stack ci-arm64 built it.*: npm run status -- --stack 'ci-arm64'$/,
            ),
        ]);
    });

    test("says nothing of a promoted tag that is where it was put, or was not asked for", () => {
        expect(readAnswers([base], new Map([["r.io/us/base:latest", held("f")]]), local).moved).toEqual([]);
        expect(readAnswers([base], new Map(), local).moved).toEqual([]);
    });

    test("counts what could not be asked as there, and says so once a registry", () => {
        const answers = new Map([baseRef, ciRef].map((ref) => [ref, { unknown: "no answer" }] as const));
        const { missing, moved, unasked } = readAnswers([base, ci], answers, local);
        expect([missing.size, moved]).toEqual([0, []]);
        expect(unasked).toEqual(["what is published could not be asked: r.io: no answer"]);
    });
});
