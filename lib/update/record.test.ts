import { fn } from "jest-mock";
import { expect, test } from "../../tests/mocha";
import { type Manifest, RegistryError } from "../registry/manifest";
import { pushedBytes } from "./record";
import type { ImageStep } from "./steps";

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const ref = (image: string, letter: string, registry = "ghcr.io") => `${registry}/o/${image}@${digest(letter)}`;
const build = (more: Partial<ImageStep>): ImageStep => ({
    urn: "",
    image: "bot",
    platform: "linux/amd64",
    kind: "build",
    operation: "update",
    seconds: 1,
    result: "succeeded",
    bases: [],
    ...more,
});
const manifest = (layers: Readonly<Record<string, number>>, platforms: Manifest["platforms"] = {}): Manifest => ({
    digest: "",
    layers: Object.entries(layers).map(([name, size]) => ({ digest: name, size })),
    platforms,
});
const registry = (held: Readonly<Record<string, Manifest>>) =>
    fn((name: string) => Promise.resolve<Manifest | undefined>(held[name]));

test("layers count that neither the former digest nor the parents had", async () => {
    const held = {
        [ref("bot", "b")]: manifest({ root: 100, parent: 50, kept: 7, changed: 3 }),
        [ref("bot", "a")]: manifest({ root: 100, kept: 7, before: 2 }),
        [ref("base", "c")]: manifest({ root: 100, parent: 50 }),
    };
    const step = build({ pushed: ref("bot", "b"), former: ref("bot", "a"), bases: [ref("base", "c")] });
    const { bytes, unasked } = await pushedBytes([step], {}, registry(held));
    expect([...bytes]).toEqual([[ref("bot", "b"), 3]]);
    expect(unasked).toEqual([]);
});

test("a root that is an index counts by its platform, and one of another registry is pushed", async () => {
    const held = {
        [ref("bot", "b")]: manifest({ root: 100, own: 5 }),
        [ref("root", "c")]: manifest({}, { "linux/amd64": digest("d") }),
        [ref("root", "d")]: manifest({ root: 100 }),
    };
    const pushed = ref("bot", "b");
    const near = await pushedBytes([build({ pushed, bases: [ref("root", "c")] })], {}, registry(held));
    const far = await pushedBytes([build({ pushed, bases: [ref("root", "c", "docker.io")] })], {}, registry(held));
    expect([near.bytes.get(pushed), far.bytes.get(pushed)]).toEqual([5, 105]);
});

test("a build to the digest that was there pushes nothing and asks nothing; what was not built is left out", async () => {
    const read = registry({});
    const same = build({ pushed: ref("bot", "a"), former: ref("bot", "a") });
    const left = build({ pushed: ref("ci", "a"), operation: "same" });
    const { bytes } = await pushedBytes([same, left, build({})], {}, read);
    expect([...bytes]).toEqual([[ref("bot", "a"), 0]]);
    expect(read).not.toHaveBeenCalled();
});

test("a registry that can't be asked is asked once and costs its numbers alone", async () => {
    const read = fn((name: string) =>
        name.startsWith("ghcr.io")
            ? Promise.reject(new RegistryError("ghcr.io", "no route"))
            : Promise.resolve<Manifest | undefined>(manifest({ own: 4 })),
    );
    const there = ref("bot", "d", "quay.io");
    const steps = [ref("bot", "b"), ref("ci", "c"), there].map((pushed) => build({ pushed }));
    const { bytes, unasked } = await pushedBytes(steps, {}, read);
    expect([...bytes]).toEqual([[there, 4]]);
    expect(unasked.map(({ message }) => message)).toEqual(["registry ghcr.io can't be asked: no route"]);
    expect(read).toHaveBeenCalledTimes(2);
});
