import { expect, test } from "../../tests/mocha";
import { componentTypes, dockerTypes } from "../engine/resources";
import { parseDeployment } from "../engine/state";
import { channelTags } from "./channelTags";

const digest = `sha256:${"a".repeat(64)}`;
const component = "urn:pulumi:s::p::layered-images:components:ImageLayer::app";
const promotion = "urn:pulumi:s::p::layered-images:components:Promotion::app";
const index = (name: string, tag: string) => ({
    urn: `urn:pulumi:s::p::docker-build:index:Index::${name}`,
    type: dockerTypes.index,
    parent: promotion,
    outputs: { ref: `r.io/app:${tag}@${digest}`, tag: `r.io/app:${tag}`, sources: [] },
});
const state = parseDeployment(
    JSON.stringify({
        deployment: {
            resources: [
                { urn: component, type: componentTypes.image },
                index("app", "pr-1"),
                index("app@release", "r-0123456789ab"),
                index("app:pr-1_3", "pr-1_3"),
            ],
        },
    }),
);
const names = (channel: string) => {
    const { tags, others } = channelTags(state, channel);
    return [tags, others].map((some) => some.map(({ tag }) => tag));
};

test("the tags of a channel are those that its stack moved, without releases", () => {
    expect(names("pr-1")).toEqual([["pr-1", "pr-1_3"], []]);
});

test("tags of the channel that the settings had before are told apart: nothing else would ever find them again", () => {
    expect(names("try-pr-1")).toEqual([[], ["pr-1", "pr-1_3"]]);
    expect(names("pr")).toEqual([[], ["pr-1", "pr-1_3"]]);
});
