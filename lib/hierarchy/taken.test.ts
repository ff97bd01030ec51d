import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { type StackBuild, type StackBuilds, nothingElsewhere } from "./elsewhere";
import { type PreparedImage, buildTagOf } from "./prepare";
import { type Sources, takeBuilds } from "./taken";

const amd64 = "linux/amd64";
const digest = (digit: string) => `sha256:${digit.repeat(64)}`;

/** An image, as far as the search looks at it. */
const image = (key: string, parents: readonly string[] = [], more: Partial<PreparedImage> = {}) =>
    ({
        key,
        platforms: [amd64],
        repository: `r.io/${key}`,
        parents: parents.map((parent) => ({ key: parent, expanded: parent, platforms: { [amd64]: amd64 } })),
        roots: [],
        inputHash: `hash of ${key}`,
        ...more,
    }) as unknown as PreparedImage;

const base = image("base");
const app = image("app", ["base"]);
const leaf = image("leaf", ["app"]);

/** What a stack has that built images of one digest each, one on the other. */
const builtOn = (digits: string, images: readonly PreparedImage[] = [base, app, leaf]): Record<string, StackBuild> => {
    const builds: Record<string, StackBuild> = {};
    for (const [index, one] of images.entries()) {
        const ref = `${one.repository ?? ""}@${digest(digits[index] ?? "")}`;
        const refs = one.parents.map(({ key }) => builds[key]?.ref ?? "");
        builds[one.key] = { ref, tag: buildTagOf(one, amd64, refs) };
    }
    return builds;
};
const stackOf = (builds: Readonly<Record<string, StackBuild>>): StackBuilds =>
    Object.fromEntries(Object.entries(builds).map(([key, build]) => [key, { [amd64]: build }]));

const take = (
    images: readonly PreparedImage[],
    sources: Partial<Pick<Sources, "others" | "taken">> & { readonly own?: Readonly<Record<string, StackBuild>> },
    uncached: readonly string[] = [],
) => {
    const { own = {}, others = [], taken = {} } = sources;
    const isSelf = (stack: string) => stack === "self";
    const found = takeBuilds(images, nothingElsewhere, { isSelf, own: (key) => own[key], others, taken }, uncached);
    return Object.fromEntries(
        found.images.map((one) => {
            const build = found.elsewhere.builds[one.key]?.[amd64];
            expect(one.elsewhere?.[amd64]).toBe(build?.from);
            return [one.key, build?.from === undefined ? "here" : `${build.from} ${build.ref.at(-1) ?? ""}`];
        }),
    );
};

describe("a build of another stack", () => {
    const ci = stackOf(builtOn("123"));

    test("is taken for equal inputs and parents, and nothing that stands on what is built here", () => {
        expect(take([base, app, leaf], { others: [["ci", ci]] })).toEqual({ base: "ci 1", app: "ci 2", leaf: "ci 3" });
        const changed = image("app", ["base"], { inputHash: "new" });
        expect(take([base, changed, leaf], { others: [["ci", ci]] })).toEqual({
            base: "ci 1",
            app: "here",
            leaf: "here",
        });
    });

    test("is taken after other tests, to be tested here, unless another one passed the same", () => {
        const tests = { inputHash: "tests" } as NonNullable<PreparedImage["tests"]>;
        const tested = image("base", [], { tests });
        expect(take([tested, app], { others: [["ci", ci]] })).toEqual({ base: "ci 1", app: "ci 2" });
        const { base: build } = builtOn("4", [base]);
        const same = stackOf(build ? { base: { ...build, tests: "tests" } } : {});
        expect(
            take([tested], {
                others: [
                    ["ci", ci],
                    ["edge", same],
                ],
            }),
        ).toEqual({ base: "edge 4" });
    });

    test("is not taken from another repository, by a name that is never pushed, or against a pin", () => {
        const others: Sources["others"] = [["ci", ci]];
        const pin = { release: "r-000000000000", digest: digest("8"), platforms: { [amd64]: digest("9") } };
        expect(take([image("base", [], { repository: "other.io/base" }), app], { others })).toEqual({
            base: "here",
            app: "here",
        });
        expect(take([image("base", [], { pin }), app], { others })).toEqual({ base: "here", app: "here" });
        const local: PreparedImage = { ...base };
        Reflect.deleteProperty(local, "repository");
        expect(take([local], { others })).toEqual({ base: "here" });
    });

    test("is taken on a pinned release that it was built on", () => {
        const pin = { release: "r-000000000000", digest: digest("8"), platforms: { [amd64]: digest("1") } };
        expect(take([image("base", [], { pin }), app], { others: [["ci", ci]] })).toEqual({
            base: "here",
            app: "ci 2",
        });
    });

    test("does not replace what the stack has built itself, also below what is taken", () => {
        const others: Sources["others"] = [["ci", stackOf(builtOn("456"))]];
        const own = builtOn("123");
        expect(take([base, app, leaf], { own, others })).toEqual({ base: "here", app: "here", leaf: "here" });
        // Built here on other inputs: another stack has these.
        const former = builtOn("123", [image("base", [], { inputHash: "old" }), app, leaf]);
        expect(take([base, app, leaf], { own: former, others })).toEqual({ base: "ci 4", app: "ci 5", leaf: "ci 6" });
    });

    test("comes from the first stack that has it, and with the name of the one that built it", () => {
        const second = stackOf(
            Object.fromEntries(
                Object.entries(builtOn("4", [base])).map(([key, build]) => [key, { ...build, from: "pr-1" }]),
            ),
        );
        expect(
            take([base], {
                others: [
                    ["empty", {}],
                    ["second", second],
                    ["ci", ci],
                ],
            }),
        ).toEqual({ base: "pr-1 4" });
    });

    test("stays when its stack has gone on to other inputs, until a stack has a newer one", () => {
        const before = Object.fromEntries(
            Object.entries(builtOn("123")).map(([key, build]) => [key, { ...build, from: "ci" }]),
        );
        const moved = stackOf(builtOn("789", [image("base", [], { inputHash: "new" }), app, leaf]));
        expect(take([base, app], { others: [["ci", moved]], taken: stackOf(before) })).toEqual({
            base: "ci 1",
            app: "ci 2",
        });
        const again = stackOf(builtOn("456"));
        expect(take([base, app], { others: [["ci", again]], taken: stackOf(before) })).toEqual({
            base: "ci 4",
            app: "ci 5",
        });
        // Without any stack to ask, too.
        expect(take([base, app], { taken: stackOf(before) })).toEqual({ base: "ci 1", app: "ci 2" });
        // What the stack built itself and has no longer is not taken from the past.
        expect(take([base], { others: [["ci", moved]], taken: stackOf(builtOn("1")) })).toEqual({ base: "here" });
    });

    test("stays where it was taken from, whatever other stacks have, and other tests are no reason to take another one", () => {
        const before = stackOf(
            Object.fromEntries(
                Object.entries(builtOn("12", [base, app])).map(([key, build]) => [key, { ...build, from: "ci" }]),
            ),
        );
        const moved = stackOf(builtOn("78", [image("base", [], { inputHash: "new" }), app]));
        const edge = stackOf(builtOn("4", [base]));
        const goneOn = {
            others: [
                ["ci", moved],
                ["edge", edge],
            ],
            taken: before,
        } satisfies Partial<Sources>;
        expect(take([base, app], goneOn)).toEqual({ base: "ci 1", app: "ci 2" });
        const still = {
            others: [
                ["edge", edge],
                ["ci", stackOf(builtOn("56", [base, app]))],
            ],
            taken: before,
        } satisfies Partial<Sources>;
        expect(take([base, app], still)).toEqual({ base: "ci 5", app: "ci 6" });
        const tests = { inputHash: "tests" } as NonNullable<PreparedImage["tests"]>;
        const { base: other } = builtOn("4", [base]);
        const tested = stackOf(other ? { base: { ...other, tests: "tests" } } : {});
        expect(
            take([image("base", [], { tests }), app], {
                others: [
                    ["ci", moved],
                    ["edge", tested],
                ],
                taken: before,
            }),
        ).toEqual({ base: "ci 1", app: "ci 2" });
    });

    test("is not taken back where another stack took it from this one, which has it no longer: a refresh found it lost", () => {
        const back = stackOf(
            Object.fromEntries(
                Object.entries(builtOn("12", [base, app])).map(([key, build]) => [key, { ...build, from: "self" }]),
            ),
        );
        expect(take([base, app], { others: [["ci", back]] })).toEqual({ base: "here", app: "here" });
        expect(take([base, app], { own: builtOn("1", [base]), others: [["ci", back]] })).toEqual({
            base: "here",
            app: "here",
        });
        expect(take([base, app], { others: [["ci", back]], taken: back })).toEqual({ base: "here", app: "here" });
    });

    test("is not taken for an image that is to be built without cache, nor what stands on it", () => {
        expect(take([base, app, leaf], { others: [["ci", ci]] }, ["app"])).toEqual({
            base: "ci 1",
            app: "here",
            leaf: "here",
        });
    });
});
