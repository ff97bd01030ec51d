import { describe, expect, test } from "vitest";
import { recordedPreview } from "../../tests/previews";
import type { UpdateRecord } from "./history";
import { makePlan } from "./makePlan";
import type { Preview } from "./preview";

const plan = (preview: Preview, history: readonly UpdateRecord[] = []) =>
    makePlan({ stack: "local", preview, history });

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

    test("add up along the longest chain, with and without what cutoff may save", () => {
        expect(plan(recordedPreview("base"), history).expected).toEqual({
            least: 300,
            most: 330,
            unknown: ["devcontainer", "leaf"],
        });
    });
});

test("pending is what an update would change on images or on GitHub", () => {
    expect(plan(recordedPreview("same")).pending).toBe(false);
    expect(plan(recordedPreview("tested")).pending).toBe(true);
    const { steps, diagnostics } = recordedPreview("same");
    const inputs = { variableName: "CI_IMAGE", value: "x" };
    const type = "github:index/actionsVariable:ActionsVariable";
    const created = {
        op: "create",
        urn: `urn:pulumi:s::p::${type}::v`,
        type,
        name: "v",
        parent: "repository",
        old: undefined,
        new: { type, inputs, outputs: {}, retainOnDelete: false },
        reasons: [],
    };
    expect(plan({ steps: [...steps, created], diagnostics }).pending).toBe(true);
});
