import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Review } from "../lib/forms/json";
import type { Action } from "../lib/plan/builds";
import { fixture } from "./fixture";
import { type TestLab, makeRepository, startTestLab } from "./lab";
import { expect } from "./mocha";
import { manifest } from "./registry";
import { type ImageOutput, imageOutputs, reviewPlan, up } from "./stack";
import { writeTree } from "./tree";

/** The fixture's build names, by image. */
export const builds = {
    base: ["base-amd64", "base-arm64"],
    ci: ["ci-amd64"],
    bot: ["bot-amd64", "bot-arm64"],
    devcontainer: ["devcontainer-amd64"],
} as const;
export const children: readonly string[] = [...builds.ci, ...builds.bot, ...builds.devcontainer];
export const everything: readonly string[] = [...builds.base, ...children];

const aBuild = /^(\w+)-(amd64|arm64)$/;

/** The complete effect that a change must have. */
export interface Expected {
    /** Builds that `up` runs. */
    readonly built: readonly string[];
    /** Images for which the digest of a platform changes. */
    readonly moved: readonly string[];
    /** Smoke tests that run; by default the tests of the moved images' builds. */
    readonly tested?: readonly string[];
    /** Images that leave the stack: only their resources are removed from the state. */
    readonly removed?: readonly string[];
    /** Causes that the review names before the update, by image. */
    readonly why?: Readonly<Record<string, readonly string[]>>;
}

type Outputs = Readonly<Record<string, ImageOutput>>;

/** Returns the image of a resource. */
const imageOf = (name: string): string => name.split("-")[0] ?? "";

/** Derives from the operations on an image's resources what `up` did to the image. */
function doneTo(image: string, operations: Readonly<Record<string, string>>, after: Outputs): Action | "built" {
    if (!Object.hasOwn(after, image)) return "remove";
    const own = Object.keys(operations).filter((name) => imageOf(name) === image);
    if (own.some((name) => aBuild.test(name) && operations[name] !== "delete")) return "built";
    if (own.includes(image)) return "retag";
    return own.length > 0 ? "retest" : "unchanged";
}

/** Returns the action that the review announced for an image that was not built. */
function announcedOf({ action, inAnyCase = [] }: Review["images"][number]): Action {
    if (action !== "rebuild" && action !== "maybe") return action;
    return inAnyCase.includes("promotion") ? "retag" : inAnyCase.includes("test") ? "retest" : "unchanged";
}

/**
 * Expects that `up` did exactly what the review announced: it built every *rebuild*, built a *maybe* exactly if its
 * parent's digest changed, did every *retag*, *retest* and *remove*, including a *retag* or *retest* that was certain
 * for a *maybe*, and did nothing else.
 */
function expectAnnounced(
    plan: Review,
    operations: Readonly<Record<string, string>>,
    before: Outputs,
    after: Outputs,
): void {
    const builds = plan.images.flatMap((image) => image.platforms.map((one) => ({ ...one, image })));
    const wanted = builds.filter(({ platform, action, image: { dependsOn = [] } }) => {
        const parentMoved = dependsOn.some(
            (key) => before[key]?.platforms[platform] !== after[key]?.platforms[platform],
        );
        return action === "rebuild" || (action === "maybe" && parentMoved);
    });
    const names = wanted.map(({ platform, image }) => `${image.image}-${platform.slice("linux/".length)}`);
    const built = Object.keys(operations).filter((name) => aBuild.test(name) && operations[name] !== "delete");
    expect(built.sort()).toEqual([...names].sort());
    const announced = plan.images.map((one) => {
        const isBuilt = names.some((name) => imageOf(name) === one.image);
        return [one.image, isBuilt ? "built" : announcedOf(one)];
    });
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    expect(Object.fromEntries(keys.map((key) => [key, doneTo(key, operations, after)]))).toEqual(
        Object.fromEntries(announced),
    );
    for (const { action, causes } of plan.images) {
        if (action !== "unchanged") expect(causes).not.toEqual([]);
    }
}

/** A repository and its stack, for a sequence of changes. */
export interface ChangingStack {
    readonly lab: TestLab;
    readonly at: (name: string) => string;
    readonly write: (files: Readonly<Record<string, string>>) => void;
    readonly append: (file: string, text: string) => void;
    /** Replaces text in images.ts; the text must occur there. */
    readonly inImages: (from: string | RegExp, to: string) => void;
    /** Runs `up` and checks that it did what is expected, and that the preview announced it. */
    readonly expectChange: (expected: Expected) => Promise<void>;
    /** The stack's output `images` after the last `up`. */
    readonly outputs: () => Readonly<Record<string, ImageOutput>>;
    readonly close: () => Promise<void>;
}

/**
 * Runs the first `up` of a repository that has adopted the program, and returns the stack, ready for changes.
 *
 * @throws Error with the output of `up` if it fails; the lab is closed first
 */
export async function changingStack(lab: TestLab, program: string): Promise<ChangingStack> {
    const at = (name: string) => path.join(program, name);
    let outputs: Outputs = {};
    const expectChange = async ({ built, moved, tested, removed = [], why = {} }: Expected): Promise<void> => {
        const plan = await reviewPlan(lab, program);
        const { code, operations, output } = await up(lab, program);
        expect(code, output).toBe(0);
        const gone = Object.keys(operations).filter((name) => operations[name] === "delete");
        expect([...new Set(gone.map(imageOf))]).toEqual(removed);
        const changed = Object.keys(operations).filter((name) => !gone.includes(name));
        const changedBuilds = changed.filter((name) => aBuild.test(name));
        expect(changedBuilds.sort()).toEqual([...built].sort());
        const after = await imageOutputs(lab, program);
        const moves = Object.keys(after).filter(
            (name) => JSON.stringify(after[name]?.platforms) !== JSON.stringify(outputs[name]?.platforms),
        );
        expect(moves.sort()).toEqual([...moved].sort());
        const expectedTests =
            tested ?? changedBuilds.filter((name) => moved.includes(imageOf(name))).map((name) => `${name}-test`);
        expect(changed.filter((name) => name.endsWith("-test")).sort()).toEqual([...expectedTests].sort());
        expectAnnounced(plan, operations, outputs, after);
        for (const [image, causes] of Object.entries(why)) {
            expect(plan.images.find((one) => one.image === image)?.causes, image).toEqual(causes);
        }
        expect(plan.dangers).toEqual([]);
        for (const [name, { ref, digest }] of Object.entries(after)) {
            if (ref === null) continue;
            const repository = ref.slice(ref.indexOf("/") + 1, ref.indexOf("@"));
            expect((await manifest(lab, repository, "latest"))?.digest, name).toBe(digest);
        }
        outputs = after;
    };
    const first = await up(lab, program);
    if (first.code !== 0) {
        await lab.close();
        throw new Error(`the first up failed:\n${first.output}`);
    }
    outputs = await imageOutputs(lab, program);
    return {
        lab,
        at,
        write: (files) => {
            writeTree(program, files);
        },
        append: (file, text) => {
            appendFileSync(at(file), text);
        },
        inImages: (from, to) => {
            const images = readFileSync(at("images.ts"), "utf8");
            const text = images.replace(from, to);
            expect(text).not.toBe(images);
            writeFileSync(at("images.ts"), text);
        },
        expectChange,
        outputs: () => outputs,
        close: lab.close,
    };
}

/** Builds the fixture in a new lab, at a path with spaces. */
export async function startChanges(): Promise<ChangingStack> {
    const lab = await startTestLab();
    return await changingStack(lab, makeRepository(path.join(lab.paths.state, "a path with spaces"), fixture));
}
