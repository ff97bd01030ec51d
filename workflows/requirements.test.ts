import { describe } from "mocha";
import { openCheckout } from "../lib/context/checkout";
import { images } from "../images";
import type { ImageDefinition, ImageDefinitions } from "../lib/hierarchy/definition";
import { repositoryRoot } from "../lib/system/paths";
import { expect, test } from "../tests/mocha";
import { tree } from "../tests/tree";
import { imageOf, workflowImages } from "./images";
import { installRequirements } from "./requirements";

const install = (root: string, definitions: ImageDefinitions, key: string) => {
    const images = workflowImages(openCheckout(root), { images: definitions });
    return installRequirements(images, imageOf(images, key));
};

test("the CI image's requirements are those of the base and its own, as each Dockerfile installs them", () => {
    const [step, ...more] = install(repositoryRoot, images, "ci");
    expect(more).toEqual([]);
    expect(step?.run?.split("\n")).toEqual([
        expect.stringMatching(/^pip install .*--require-hashes --requirement requirements\/requirements-uv\.txt$/),
        expect.stringMatching(
            /^uv pip install \$\{TORCH_INDEX_URL:\+--index .* --requirement requirements\/requirements-torch\.txt$/,
        ),
        expect.stringMatching(/^uv pip install .*--require-hashes --requirement requirements\/requirements\.txt$/),
        expect.stringMatching(/^uv pip install .*--require-hashes --requirement requirements\/requirements-dev\.txt$/),
    ]);
    expect(step?.env).toEqual({ TORCH_INDEX_URL: "https://download.pytorch.org/whl/cpu" });
});

describe("of one Dockerfile,", () => {
    const one = (text: string, changes: Partial<ImageDefinition> = {}) => {
        const { context = "." } = changes;
        const root = tree({
            Dockerfile: `FROM a\n${text}`,
            ...Object.fromEntries(
                ["requirements.txt", "r/requirements-dev.txt", "other.txt"].map((name) => [`${context}/${name}`, ""]),
            ),
        });
        const definition: ImageDefinition = {
            description: "",
            dockerfile: "Dockerfile",
            platforms: ["linux/amd64"],
            ...changes,
        };
        const [step] = install(root, { one: definition }, "one");
        return step && { run: step.run, env: step.env };
    };
    const mount = "RUN --mount=source=requirements.txt,target=/r.txt";

    test.each<[string, string, string, Readonly<Record<string, string>> | undefined]>([
        [
            "the mounted file is the checkout's",
            `${mount} pip install -r /r.txt && echo /r.txt.bak`,
            "pip install -r requirements.txt && echo /r.txt.bak",
            undefined,
        ],
        [
            "so is one in a mounted folder",
            "RUN --mount=type=bind,src=r,dst=/r pip install -r /r/requirements-dev.txt",
            "pip install -r r/requirements-dev.txt",
            undefined,
        ],
        [
            "arguments that it uses have their values",
            `ARG A=x\nARG B=$A-y\nARG C=z\n${mount} pip install -i \${B} -r /r.txt`,
            "pip install -i ${B} -r requirements.txt",
            { B: "x-y" },
        ],
        [
            "a file that an argument names is the one that its value names",
            "ARG REQ=dev\nRUN --mount=source=r/requirements-${REQ}.txt,target=/r.txt pip install -r /r.txt",
            "pip install -r r/requirements-dev.txt",
            undefined,
        ],
        [
            "so is one that a stage before it set",
            "ENV REQ=dev\nFROM a AS b\nENV REQ=dev\nFROM b\n" +
                "RUN --mount=source=r/requirements-$REQ.txt,target=/r.txt pip install -r /r.txt",
            "pip install -r r/requirements-dev.txt",
            undefined,
        ],
        [
            "lines that go on are one",
            `${mount} pip install \\\n    -r /r.txt`,
            "pip install -r requirements.txt",
            undefined,
        ],
    ])("%s", (_what, text, run, env) => {
        expect(one(text)).toEqual({ run, env });
    });

    test("a build argument of images.ts wins, and paths are from the repository's root", () => {
        const text = `ARG A=x\n${mount} pip install -i $A -r /r.txt`;
        expect(one(text, { context: "sub", buildArgs: { A: "mine" } })).toEqual({
            run: "pip install -i $A -r sub/requirements.txt",
            env: { A: "mine" },
        });
    });

    test.each([
        ["no requirements are mounted", "RUN --mount=source=other.txt,target=/o.txt cat /o.txt"],
        ["they come from elsewhere", "RUN --mount=from=b,source=requirements.txt,target=/r.txt pip install -r /r.txt"],
        ["nothing is mounted", "RUN pip install x"],
    ])("there is no step where %s", (_what, text) => {
        expect(one(text)).toBeUndefined();
    });
});
