import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import type { ImageDefinition } from "./definition";
import type { HierarchySettings } from "./settings";
import { publicationOf, refuseLoopback, refuseSharedTags } from "./publication";

const image = (changes: Partial<ImageDefinition> = {}): ImageDefinition => ({
    description: "",
    name: "ghcr.io/us/app:latest",
    dockerfile: "Dockerfile",
    platforms: ["linux/amd64"],
    ...changes,
});
const dockerfile =
    "ARG PYTHON=3.12\nFROM python:${PYTHON} AS first\nARG FIRST=1\nFROM first\nARG PYTHON CUDA=12-$PYTHON EMPTY\n";
const of = (
    changes: Partial<ImageDefinition>,
    settings: { registry?: string; buildArgs?: HierarchySettings["buildArgs"] } = {},
) => publicationOf("app", image(changes), dockerfile, { buildArgs: {}, ...settings });

describe("an image is published", () => {
    test("under its name alone", () => {
        expect(of({})).toEqual({ repository: "ghcr.io/us/app", tags: ["latest"], releaseTags: [], copies: [] });
        expect(
            publicationOf("dev", { ...image(), name: undefined } as never, dockerfile, { buildArgs: {} }),
        ).toBeUndefined();
    });

    test.each([
        ["docker.io/us/app", "docker.io/us/app", "latest"],
        ["us/app:1", "docker.io/us/app", "1"],
        ["index.docker.io/us/app:1", "docker.io/us/app", "1"],
        [
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/us/app:1",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/us/app",
            "1",
        ],
        ["registry.example:5000/team/app:1", "registry.example:5000/team/app", "1"],
    ])("also as %s, with the same further tags", (name, repository, tag) => {
        const tags = ["3.12", "{date}"];
        expect(of({ additionalNames: [name], tags })).toEqual({
            repository: "ghcr.io/us/app",
            tags: ["latest", "3.12"],
            releaseTags: ["{date}"],
            copies: [{ repository, tags: [tag, "3.12"] }],
        });
    });

    test("once where the stack pushes elsewhere", () => {
        const { repository, copies } =
            of({ additionalNames: ["quay.io/us/app"] }, { registry: "local.test:5000/x" }) ?? {};
        expect([repository, copies]).toEqual(["local.test:5000/x/us/app", []]);
    });
});

describe("a build argument in a tag has the value that the build gets", () => {
    test.each<[string, string, Partial<ImageDefinition>, HierarchySettings["buildArgs"]]>([
        ["the default before FROM", "v3.12", {}, {}],
        ["the image's", "v3.13", { buildArgs: { PYTHON: "3.13" } }, {}],
        ["the stack's before the image's", "v3.14", { buildArgs: { PYTHON: "3.13" } }, { app: { PYTHON: "3.14" } }],
    ])("%s", (_name, tag, changes, buildArgs) => {
        expect(of({ tags: ["v{ARG:PYTHON}"], ...changes }, { buildArgs })?.tags).toEqual(["latest", tag]);
    });

    test("the default in the stage that is built, with what it expands to", () => {
        expect(of({ tags: ["{ARG:CUDA}-{release}"] })?.releaseTags).toEqual(["12-3.12-{release}"]);
        expect(of({ tags: ["{ARG:FIRST}"], target: "first" })?.tags).toEqual(["latest", "1"]);
    });

    test.each(["EMPTY", "UNKNOWN", "TARGETARCH"])("but none is an error, with what to write: %s", (name) => {
        expect(() => of({ tags: [`{ARG:${name}}`] })).toThrow(
            `image app: its tag "{ARG:${name}}" names build argument ${name}, which has no value of its own in Dockerfile\n  next: set ${name} in buildArgs of image app`,
        );
    });

    test.each([
        ["1.0+cu118", "gives 1.0+cu118, which is no tag"],
        ["r-1", "begins like the tags of builds, releases and caches"],
        ["latest", "is the tag of its name"],
    ])("and one that is no tag is refused: %s", (value, problem) => {
        expect(() => of({ tags: ["{ARG:PYTHON}"], buildArgs: { PYTHON: value } })).toThrow(
            `its tag "{ARG:PYTHON}", with build arguments "${value}", ${problem}`,
        );
    });
});

describe("two images", () => {
    const both = (a: Partial<ImageDefinition>, b: Partial<ImageDefinition>) => () => {
        const [one, two] = [of(a), of(b)];
        refuseSharedTags([
            { key: "a", ...(one && { publication: one }) },
            { key: "b", ...(two && { publication: two }) },
        ]);
    };
    const [x, y] = [{ name: "ghcr.io/us/x:a" }, { name: "ghcr.io/us/x:b" }];

    test.each<[string, Partial<ImageDefinition>, Partial<ImageDefinition>, string]>([
        ["a name", x, x, "ghcr.io/us/x:a"],
        ["a name and a tag", { ...x, tags: ["b"] }, y, "ghcr.io/us/x:b"],
        ["two tags", { ...x, tags: ["{date}"] }, { ...y, tags: ["{date}"] }, "ghcr.io/us/x:{date}"],
        [
            "a name and an additional name",
            { name: "quay.io/us/x:1" },
            { additionalNames: ["quay.io/us/x:1"] },
            "quay.io/us/x:1",
        ],
    ])("can't share %s", (_name, a, b, reference) => {
        for (const refuse of [both(a, b), both(b, a)]) {
            expect(refuse).toThrow(`images a and b would both be published as ${reference}`);
        }
    });

    test.each<[string, Partial<ImageDefinition>, Partial<ImageDefinition>, string]>([
        ["the name", { tags: ["v-{commit}"] }, { name: "ghcr.io/us/app:v-0123456789ab-dirty" }, "v-{commit}"],
        ["a tag", { tags: ["{date}"] }, { name: "ghcr.io/us/app:2", tags: ["2026-01-31"] }, "{date}"],
        [
            "an additional name",
            { additionalNames: ["quay.io/us/y"], tags: ["{date}"] },
            { name: "ghcr.io/us/z", additionalNames: ["quay.io/us/y:2026-01-31"] },
            "{date}",
        ],
    ])("can't have a tag of a release that is %s of the other", (_name, a, b, tag) => {
        for (const [refuse, key] of [[both(a, b), "a"] as const, [both(b, a), "b"] as const]) {
            expect(refuse).toThrow(/images ([ab]) and (?!\1)[ab] can both be published as /);
            expect(refuse).toThrow(`, by the tag "${tag}" of ${key}`);
        }
    });

    test("can share a repository, and tags by release", () => {
        expect(both({ ...x, tags: ["{release}"] }, { ...y, tags: ["{release}", "{date}"] })).not.toThrow();
    });
});

describe("a registry on a loopback address", () => {
    const refuse = (changes: Partial<ImageDefinition>, registry?: string) => () => {
        const settings = registry === undefined ? {} : { registry };
        const publication = of(changes, settings);
        refuseLoopback([{ key: "app", ...(publication && { publication }) }], settings);
    };

    test.each(["localhost:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]:5000", "localhost"])(
        "is refused: %s",
        (registry) => {
            expect(refuse({}, `${registry}/team`)).toThrow(
                `the stack's setting \`registry\`: registry ${registry} can't be pushed to (image app)`,
            );
            expect(refuse({ additionalNames: [`${registry}/us/app:1`] })).toThrow(
                `registry ${registry} can't be pushed to`,
            );
        },
    );

    test("is refused with the commands that start one with TLS, on the same port", () => {
        expect(refuse({}, "localhost:5001")).toThrow(
            /next: use the lab's registry.*\n.*\n +openssl req .*\n +docker run -d -p 5001:5000 .*\n +and then: pulumi config set registry registry\.localhost:5001/,
        );
    });

    test.each(["registry.localhost:5000", "127.example", "localhost.example:5000"])("is none: %s", (registry) => {
        expect(refuse({}, registry)).not.toThrow();
    });
});
