import { fn } from "jest-mock";
import { openCheckout } from "../lib/context/checkout";
import type { ImageDefinitions } from "../lib/hierarchy/definition";
import { type PreparedImage, readHierarchy } from "../lib/hierarchy/prepare";
import { RegistryError } from "../lib/registry/manifest";
import { expect, test } from "../tests/mocha";
import { tree } from "../tests/tree";
import { askFrontends } from "./frontends";

const pin = `mirror.test/frontend@sha256:${"1".repeat(64)}`;
const prepared = (syntaxes: readonly string[], roots = {}): readonly PreparedImage[] => {
    const keys = syntaxes.map((_one, index) => `i${index.toString()}`);
    const files = Object.fromEntries(syntaxes.map((one, index) => [`i${index.toString()}`, `${one}\nFROM scratch\n`]));
    const images = keys.map((key) => [
        key,
        { description: "", name: `ghcr.io/us/${key}:1`, dockerfile: key, platforms: ["linux/amd64"] } as const,
    ]);
    const definitions = { images: Object.fromEntries(images) as ImageDefinitions };
    return readHierarchy(openCheckout(tree(files)), definitions, { platforms: "all", roots, buildArgs: {} }).images;
};
/** Registries that have the images `held`. The lab's registry lacks all other images, and other registries do not respond. */
const having = (...held: readonly string[]) =>
    fn((ref: string) =>
        held.includes(ref)
            ? Promise.resolve({})
            : ref.startsWith("lab:5000/")
              ? Promise.resolve(undefined)
              : Promise.reject(new RegistryError(ref.split("/")[0] ?? "", "no route to host")),
    );
const unreadable = async (images: readonly PreparedImage[], ask: ReturnType<typeof having>) =>
    (await askFrontends(images, "lab:5000", ask)).map((image) => image.unreadable);

test("what neither the lab's registry nor its own has is named with Dockerfile, reasons and the setting that does without", async () => {
    const ask = having();
    expect(
        await unreadable(prepared(["# syntax=docker/dockerfile:1", "# syntax=docker/dockerfile:1", "#"]), ask),
    ).toEqual([
        expect.stringMatching(
            /^i0:1: image i0 can't be built here, because docker\/dockerfile:1, .* is not available: lab:5000\/docker\/dockerfile:1 does not exist; registry docker\.io can't be asked: no route to host\. .*pulumi config set builtinFrontend true$/,
        ),
        expect.stringMatching(/^i1:1: image i1 /),
        undefined,
    ]);
    expect(ask).toHaveBeenCalledTimes(2);
});

test("what one of them has is nothing to say", async () => {
    const images = prepared(["# syntax=docker/dockerfile:1", "# syntax=else.test/frontend"]);
    const ask = having("lab:5000/docker/dockerfile:1", "else.test/frontend:latest");
    expect(await unreadable(images, ask)).toEqual([undefined, undefined]);
});

test("a pin is what is asked for, and a frontend of somebody else's is not replaced", async () => {
    const images = prepared(["# syntax=else.test/frontend"], { "else.test/frontend": pin });
    const ask = having();
    expect(await unreadable(images, ask)).toEqual([
        expect.stringMatching(
            /else\.test\/frontend \(mirror\.test\/frontend@\S+\), .*Let this machine reach it, or put a copy there/,
        ),
    ]);
    expect(ask.mock.calls.map(([ref]) => ref)).toEqual([pin]);
});

test("another stack's builder may be anywhere: nobody is asked", async () => {
    const ask = having();
    const images = prepared(["# syntax=docker/dockerfile:1"]);
    expect(await askFrontends(images, undefined, ask)).toEqual(images);
    expect(ask).not.toHaveBeenCalled();
});
