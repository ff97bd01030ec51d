import { expect, test } from "vitest";
import { publishedOf } from "./publishedBuilds";

const image = {
    urn: "urn:pulumi:local::layered-images::docker-build:index:Image::base-amd64",
    type: "docker-build:index:Image",
    inputs: {
        platforms: ["linux/amd64"],
        dockerfile: { location: "Dockerfile" },
        context: { location: "context" },
        tags: ["registry.test/base:b-0-amd64"],
    },
    outputs: { digest: `sha256:${"1".repeat(64)}` },
};
const withInputs = (inputs: Readonly<Record<string, unknown>>) => ({
    ...image,
    inputs: { ...image.inputs, ...inputs },
});

test("published builds are the images with a tag that are not about to go", () => {
    const others = [
        { ...image, type: "docker-build:index:Index" },
        withInputs({ tags: [] }),
        withInputs({ tags: undefined }),
        { ...image, delete: true },
        { type: "pulumi:pulumi:Stack" },
    ];
    expect(publishedOf([...others, image]).map(({ urn }) => urn)).toEqual([image.urn]);
});

test("build secrets are read in the clear and in Pulumi's envelope", () => {
    const envelope = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", plaintext: '{"A":"b"}' };
    const secrets = [undefined, { A: "b" }, envelope].map(
        (one) => publishedOf([withInputs({ secrets: one })])[0]?.inputs.secrets,
    );
    expect(secrets).toEqual([{}, { A: "b" }, { A: "b" }]);
});

test("a published build that can't be read is an error, not one build less to compare", () => {
    expect(() => publishedOf([withInputs({ dockerfile: {} })])).toThrow("location");
    expect(() => publishedOf([{ ...image, outputs: { digest: "" } }])).toThrow("sha256:");
});
