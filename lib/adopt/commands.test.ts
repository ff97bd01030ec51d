import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { readMakefile, readPackageScripts, readScript } from "./commands";

const read = (script: string, isMakefile = false, variables: ReadonlyMap<string, string> = new Map()) =>
    readScript(script, { folder: ".", variables, where: (line) => `build.sh:${line}`, isMakefile });

describe("a script builds", () => {
    test.each<[string, string, string[][]]>([
        ["with short options", "docker build -t a/b:1 -f x/Dockerfile .", [["x/Dockerfile", ".", "a/b:1"]]],
        [
            "with options that stick to their values",
            "docker build -ta/b:1 --file=x/Dockerfile x",
            [["x/Dockerfile", "x", "a/b:1"]],
        ],
        [
            "after a condition, with sudo",
            "if true; then sudo docker build --pull --tag a/b:1 web; fi",
            [["web/Dockerfile", "web", "a/b:1"]],
        ],
        ["in a folder that it enters", "cd web && docker image build -t a/b:1 .", [["web/Dockerfile", "web", "a/b:1"]]],
        [
            "with podman and buildah",
            "podman build -t a/b:1 .\nbuildah bud -t a/c:1 .",
            [
                ["Dockerfile", ".", "a/b:1"],
                ["Dockerfile", ".", "a/c:1"],
            ],
        ],
        [
            "with variables and their defaults",
            'REG=${REG:-ghcr.io/acme}\nTAG="1"\ndocker build -t "$REG/b:${TAG}" .',
            [["Dockerfile", ".", "ghcr.io/acme/b:1"]],
        ],
        [
            "in a loop",
            "for v in 1 2\ndo\n  docker build -t a/b:$v v$v\ndone",
            [
                ["v1/Dockerfile", "v1", "a/b:1"],
                ["v2/Dockerfile", "v2", "a/b:2"],
            ],
        ],
        [
            "in a loop in a loop",
            "for a in x y; do for b in 1 2; do docker build -t $a/b:$b .; done; done",
            [
                ["Dockerfile", ".", "x/b:1"],
                ["Dockerfile", ".", "x/b:2"],
                ["Dockerfile", ".", "y/b:1"],
                ["Dockerfile", ".", "y/b:2"],
            ],
        ],
        [
            "under a name that it adds later",
            "docker build -t b .\ndocker tag b ghcr.io/acme/b:1",
            [["Dockerfile", ".", "b ghcr.io/acme/b:1"]],
        ],
        ["not in a comment or a text", "# docker build -t a/b:1 .\necho 'docker build -t a/b:1 .'", []],
        ["and redirects its output", "docker build -t a/b:1 . > log 2>&1 | tee x", [["Dockerfile", ".", "a/b:1"]]],
    ])("%s", (_name, script, expected) => {
        const { builds, notes } = read(script);
        expect(builds.map(({ dockerfile, context, names }) => [dockerfile, context, names.join(" ")])).toEqual(
            expected,
        );
        expect(notes).toEqual([]);
    });

    test("and pushes: with an option, an output, or a command of its own", () => {
        const script =
            "docker build -t a:1 .\ndocker push a:1\ndocker buildx build --push -t b:1 .\ndocker buildx build -o type=registry -t c:1 .\ndocker build -t d:1 .";
        expect(read(script).builds.map(({ pushed }) => pushed)).toEqual([true, true, true, false]);
    });
});

test.each<[string, string, string]>([
    [
        "the output of a command",
        "docker build -t a/b:$(git describe) .",
        "build.sh:1: the tag a/b:$(git describe): $(git describe) is not known before it runs",
    ],
    [
        "an argument of the script",
        "\n\ndocker build -t a/b:$1 .",
        "build.sh:3: the tag a/b:$1: $1 is not known before it runs",
    ],
    [
        "a variable that nobody sets",
        "docker build $DIR",
        "build.sh:1: the context $DIR: $DIR is not known before it runs",
    ],
    [
        "a variable that is the output of a command",
        "V=$(cat v)\ndocker build --build-arg V=$V .",
        "build.sh:2: the build argument V=$(cat v): $(cat v) is not known before it runs",
    ],
    [
        "an argument from the environment",
        "docker build --build-arg TOKEN .",
        "build.sh:1: the build argument TOKEN comes from the environment of whoever builds",
    ],
    [
        "a context that is a download",
        "docker build https://example.com/x.tar",
        "build.sh:1: the context https://example.com/x.tar is not a path in this repository",
    ],
])("is not understood: %s", (_name, script, expected) => {
    expect(read(script).notes.map(({ where, text }) => `${where}: ${text}`)).toEqual([expected]);
});

test("a call of bake is kept with its files, targets and settings", () => {
    const { bakes } = read("docker buildx bake -f a.hcl --set '*.platform=linux/amd64' --push web api");
    expect(bakes).toMatchObject([
        { files: ["a.hcl"], targets: ["web", "api"], sets: ["*.platform=linux/amd64"], pushed: true },
    ]);
});

test("a call of bake is kept with its environment, known or not, also what is set for it alone", () => {
    const { bakes } = read("A=1\nB=$(date)\nC=3 D=$E docker buildx bake\ndocker buildx bake");
    const [first, second] = bakes;
    expect(first).toMatchObject({ env: { A: "1", C: "3" }, unknown: { B: "$(date)", D: "$E" } });
    expect(second).toMatchObject({ env: { A: "1" }, unknown: { B: "$(date)" } });
    expect([second?.env.C, second?.unknown.D]).toEqual([undefined, undefined]);
});

test("the scripts of a package.json run in its folder, and its version is not known", () => {
    const text = `{
  "name": "web",
  "version": "1.2.3",
  "scripts": {
    "test": "mocha",
    "image": "tsc && docker build -t \\"ghcr.io/acme/$npm_package_name:latest\\" -f docker/Dockerfile ..",
    "release": "docker buildx build --push -t ghcr.io/acme/web:$npm_package_version ."
  }
}`;
    const readings = readPackageScripts({ file: "web/package.json", text });
    const builds = readings.flatMap((reading) => reading.builds);
    expect(builds.map(({ where, context, dockerfile, names }) => [where, context, dockerfile, names])).toEqual([
        ["web/package.json:6", ".", "web/docker/Dockerfile", ["ghcr.io/acme/web:latest"]],
        ["web/package.json:7", "web", "web/Dockerfile", []],
    ]);
    expect(readings.flatMap(({ notes }) => notes)).toEqual([
        {
            where: "web/package.json:7",
            text: "the tag ghcr.io/acme/web:$npm_package_version: $npm_package_version is not known before it runs",
        },
    ]);
});

test.each(["", "[]", "{", '{ "scripts": ["docker build ."] }', '{ "scripts": { "a": 1 } }'])(
    "a package.json without scripts builds nothing: %s",
    (text) => {
        expect(readPackageScripts({ file: "package.json", text })).toEqual([]);
    },
);

test("a Makefile has rules with recipes, and variables with constant values", () => {
    const text =
        "REG ?= ghcr.io/acme\nV := $(shell git describe)\nall: base app\n\nbase: base/Dockerfile ## build it\n\t@docker build -t $(REG)/base:$(V) \\\n\t  -t ${REG}/base:latest base\n\nout/%.txt: in/%.csv\n\tmake-it $< > $@\n";
    const { rules, variables } = readMakefile(text);
    expect(rules.map(({ targets, line }) => [targets.join(" "), line])).toEqual([
        ["all", 3],
        ["base", 5],
        ["out/%.txt", 9],
    ]);
    expect([...variables]).toEqual([["REG", "ghcr.io/acme"]]);
    const [, base] = rules;
    const { builds, notes } = read(base?.recipe ?? "", true, variables);
    expect(builds.map(({ names, dockerfile }) => [names, dockerfile])).toEqual([
        [["ghcr.io/acme/base:latest"], "base/Dockerfile"],
    ]);
    expect(notes).toHaveLength(1);
});
