import { execFileSync } from "node:child_process";
import {
    appendFileSync,
    cpSync,
    existsSync,
    mkdirSync,
    mkdtempSync,
    readFileSync,
    readdirSync,
    rmSync,
    writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe } from "mocha";
import { loadDefinitions } from "../definitions";
import { expect, spyOn, test } from "../tests/mocha";
import { tree } from "../tests/tree";
import type { AdoptionPlan } from "../lib/adopt/report";
import { type AdoptOptions, planAdoption, runAdopt } from "./adopt";

/** An empty repository, which is copied: three runs of git for each test would take half of the time. */
const empty = mkdtempSync(path.join(tmpdir(), "layered-images-git-"));
execFileSync("git", ["-C", empty, "init", "--quiet", "--template=", "--initial-branch=main"]);
after(() => {
    rmSync(empty, { recursive: true });
});

/** Makes a repository of these files, all of which git tracks. */
function repository(
    files: Readonly<Record<string, string>>,
    remote: string | undefined = "https://github.com/acme/shop.git",
): string {
    const root = tree(files);
    cpSync(empty, root, { recursive: true });
    if (remote !== "") appendFileSync(path.join(root, ".git/config"), `[remote "origin"]\n\turl = ${remote}\n`);
    execFileSync("git", ["-C", root, "add", "--all", "--force"]);
    return root;
}

const plan = async (files: Readonly<Record<string, string>>, options: AdoptOptions = {}) =>
    (await planAdoption(repository(files), { dryRun: true, ...options })).plan;

const compose = (services: string) => `services:\n${services.replace(/^/gm, "  ")}\n`;

describe("an image is", () => {
    test.each<[string, Readonly<Record<string, string>>, (string | undefined)[][]]>([
        [
            "what a compose file builds, with defaults for its variables",
            {
                "deploy/compose.yaml": compose(
                    "web:\n  image: ${REG:-ghcr.io/acme}/web:${TAG-1}\n  build: { context: .., dockerfile: web/Dockerfile, args: [A=1], target: run }",
                ),
                "web/Dockerfile": "FROM scratch AS run\nARG A\nCOPY web /\nFROM scratch\n",
            },
            [["web", "ghcr.io/acme/web:1", "web/Dockerfile", undefined, undefined]],
        ],
        [
            "one, where several files build it, and has the name that FROM uses",
            {
                "compose.yaml": compose("base:\n  image: ghcr.io/acme/base:dev\n  build: base\nweb: { build: web }"),
                "build.sh": "docker build -t ghcr.io/acme/base:latest -t ghcr.io/acme/base:dev base\n",
                "base/Dockerfile": "FROM scratch\n",
                "web/Dockerfile": "FROM ghcr.io/acme/base\n",
            },
            [
                ["base", "ghcr.io/acme/base:latest", "base/Dockerfile", "base", undefined],
                ["web", undefined, "web/Dockerfile", "web", "base"],
            ],
        ],
        [
            "a variant for each combination of build arguments",
            {
                Makefile:
                    "all:\n\tfor v in 1 2; do docker build --build-arg V=$$v -t ghcr.io/acme/x:$$v . ; done\n\tdocker build --build-arg V=1 -t ghcr.io/acme/x:1 .\n\tdocker build --build-arg V=2 -t ghcr.io/acme/x:2 .\n",
                Dockerfile: "FROM scratch\nARG V\nLABEL v=$V\n",
            },
            [
                ["x-1", "ghcr.io/acme/x:1", "Dockerfile", undefined, undefined],
                ["x-2", "ghcr.io/acme/x:2", "Dockerfile", undefined, undefined],
            ],
        ],
        [
            "the devcontainer, which has no name",
            {
                ".devcontainer/devcontainer.json":
                    '{ // ours\n  "build": { "dockerfile": "Dockerfile", "context": "..", "args": { "A": "1" } }, }',
                ".devcontainer/Dockerfile": "FROM scratch\nARG A\nCOPY .devcontainer/Dockerfile /\n",
            },
            [["devcontainer", undefined, ".devcontainer/Dockerfile", undefined, undefined]],
        ],
        [
            "named by the FROM of another, if nothing builds it",
            {
                "base/Dockerfile": "FROM scratch\nCOPY a /\n",
                "base/a": "",
                "web/Dockerfile": "FROM quay.io/acme/base:2\n",
            },
            [
                ["base", "quay.io/acme/base:2", "base/Dockerfile", "base", undefined],
                ["web", undefined, "web/Dockerfile", undefined, "base"],
            ],
        ],
        [
            "joined from images of single platforms",
            {
                "build.sh":
                    "docker build --platform linux/amd64 -t a/b:1-amd64 .\ndocker build --platform linux/arm64 -t a/b:1-arm64 .\n",
                Dockerfile: "FROM scratch\n",
            },
            [["b", "a/b:1", "Dockerfile", undefined, undefined]],
        ],
        [
            "what a script of a package.json builds",
            {
                "web/package.json": '{ "scripts": { "image": "docker build -t ghcr.io/acme/web:latest ." } }',
                "web/Dockerfile": "FROM scratch\nCOPY package.json /\n",
            },
            [["web", "ghcr.io/acme/web:latest", "web/Dockerfile", "web", undefined]],
        ],
    ])("%s", async (_name, files, expected) => {
        const { images } = await plan(files);
        expect(
            images
                .map(({ key, definition, parent }) => [
                    key,
                    definition.name,
                    definition.dockerfile,
                    definition.context,
                    parent,
                ])
                .sort(),
        ).toEqual(expected);
    });

    test("known by all of its names and tags", async () => {
        const names = ["ghcr.io/acme/a:latest", "ghcr.io/acme/a:1", "docker.io/acme/a", "docker.io/acme/a:1"];
        const { images, tasks } = await plan({
            "build.sh": `docker build ${names.map((name) => `-t ${name}`).join(" ")} .\n`,
            Dockerfile: "FROM scratch\n",
        });
        expect(images.map(({ definition: { name, additionalNames, tags } }) => [name, additionalNames, tags])).toEqual([
            ["ghcr.io/acme/a:latest", ["docker.io/acme/a:latest"], ["1"]],
        ]);
        expect(tasks).toEqual([]);
    });

    test("built for all platforms of its parts, by the arguments that lead to its parents here", async () => {
        const { images } = await plan({
            "build.sh":
                "docker build --platform linux/amd64 -t ghcr.io/acme/base:1 base\ndocker build -t ghcr.io/acme/app:1 app\ndocker build --platform linux/arm64 -t ghcr.io/acme/base:1 base\n",
            "base/Dockerfile": "FROM scratch\n",
            "app/Dockerfile": "ARG REGISTRY=quay.io\nARG OWNER=other\nFROM $REGISTRY/${OWNER}/base:1\n",
        });
        expect(
            images.map(({ key, definition: { platforms, buildArgs }, parent }) => [key, platforms, buildArgs, parent]),
        ).toEqual([
            ["base", ["linux/amd64", "linux/arm64"], undefined, undefined],
            ["app", ["linux/amd64"], { REGISTRY: "ghcr.io", OWNER: "acme" }, "base"],
        ]);
    });
});

describe("images that differ in build arguments are written", () => {
    const imagesOf = async (script: string, files: Readonly<Record<string, string>>) => {
        const { files: planned, images } = await plan({ "build.sh": script, ...files });
        const text = planned.find(({ file }) => file === "images.ts")?.text ?? "";
        const read = loadDefinitions(tree({ "images.ts": text }));
        expect(read.images).toEqual(Object.fromEntries(images.map(({ key, definition }) => [key, definition])));
        return text.replace(/\s+/g, " ");
    };
    const build = (version: string, tag = version) =>
        `docker build --build-arg PY=${version} -t ghcr.io/acme/py:${tag} py\ndocker build --build-arg BASE=ghcr.io/acme/py:${tag} --build-arg PY=${version} -t ghcr.io/acme/app:${tag} app\n`;
    const dockerfiles = {
        "py/Dockerfile": "FROM scratch\nARG PY\nLABEL py=$PY\n",
        "app/Dockerfile": "ARG BASE\nFROM $BASE\nARG PY\nLABEL py=$PY\n",
    };

    test("as a matrix, with the parent's name as a template", async () => {
        const text = await imagesOf(build("3.11") + build("3.12"), dockerfiles);
        expect(text.match(/matrix: \{ PY: \["3\.11", "3\.12"\], \}/g)).toHaveLength(2);
        expect(text).toContain('name: "ghcr.io/acme/py:{PY}"');
        expect(text).toContain('BASE: "ghcr.io/acme/py:{PY}"');
    });

    test("one by one, if their names don't contain the values", async () => {
        expect(await imagesOf(build("3.11", "old") + build("3.12", "new"), dockerfiles)).not.toContain("matrix");
    });
});

describe("the plan says", () => {
    const app = { "compose.yaml": compose("app: { image: ghcr.io/acme/app:1, build: . }") };

    test.each<[string, string, string]>([
        ["which rule of a Makefile", "gen/v.txt: src\n\tdate > $@\n", "Makefile:1 makes it: make gen/v.txt."],
        ["that a pattern", "gen/%.txt: src\n\tdate > $@\n", "Makefile:1 makes it: make gen/v.txt."],
        ["which line of a script", "all:\n\tdate > gen/v.txt\n", "Makefile:2 writes it."],
        ["that nothing", "all:\n\ttrue\n", "no rule of a Makefile and no script that adopt read makes it."],
    ])("%s makes a file that is made before a build, and keeps the image", async (_name, Makefile, expected) => {
        const { images, tasks } = await plan({ ...app, Makefile, Dockerfile: "FROM scratch\nCOPY gen/v.txt /\n" });
        expect(images.map(({ key }) => key)).toEqual(["app"]);
        expect(tasks.map(({ where, text }) => `${where}: ${text}`)).toEqual([
            expect.stringContaining(`Dockerfile:2: COPY reads gen/v.txt, which is not there; ${expected}`),
        ]);
    });

    test("why an image can't be read, and leaves it and its children to comments", async () => {
        const { images, left, files } = await plan({
            "compose.yaml": compose(
                "a: { image: x/a:1, build: a }\nb: { image: x/b:1, build: b }\nc: { image: x/c:1, build: c }",
            ),
            "a/Dockerfile": "ARG V\nFROM python:$V\n",
            "b/Dockerfile": "FROM x/a:1\n",
            "c/Dockerfile": "FROM scratch\n",
        });
        expect(images.map(({ key }) => key)).toEqual(["c"]);
        expect(left.map(({ entry, problem }) => [entry.key, problem.split("\n")[0]])).toEqual([
            ["a", expect.stringContaining("a/Dockerfile:2: ")],
            ["b", "its parent a is left out"],
        ]);
        const text = files.find(({ file }) => file === "images.ts")?.text ?? "";
        expect(text.split("\n").filter((line) => line.includes('name: "x/a:1"'))).toEqual(['  //   name: "x/a:1",']);
    });

    test("which FROM a bake file replaces, and what to write there", async () => {
        const bake = {
            target: {
                base: { context: "base", tags: ["x/base:1"] },
                app: { context: "app", tags: ["x/app:1"], contexts: { base: "target:base" } },
            },
            group: { default: { targets: ["base", "app"] } },
        };
        const { notes } = await plan({
            "docker-bake.json": JSON.stringify(bake, undefined, 1),
            "base/Dockerfile": "FROM scratch\n",
            "app/Dockerfile": "FROM base\n",
        });
        expect(notes.map(({ where, text }) => `${where}: ${text}`)).toEqual([
            expect.stringMatching(
                /^app\/Dockerfile:1: FROM of base is replaced by target:base in docker-bake\.json:\d+\. Name the image here: x\/base:1/,
            ),
        ]);
    });

    test("which secrets a build needs, and keeps the image", async () => {
        const { images, left, tasks } = await plan({
            "build.sh": "docker build --secret id=netrc -t x/a:1 a\ndocker build --secret id=netrc -t x/b:1 b\n",
            "a/Dockerfile": "FROM scratch\nRUN --mount=type=secret,id=netrc,required=true true\n",
            "b/Dockerfile": "FROM x/a:1\nRUN --mount=type=secret,id=netrc --mount=type=secret,id=pip true\n",
        });
        expect([images.map(({ definition }) => definition.secrets), left]).toEqual([[["netrc"], ["netrc", "pip"]], []]);
        expect(tasks.map(({ where, text }) => `${where}: ${text}`)).toEqual([
            "a/Dockerfile: every stack needs the value of the build secret netrc (a, b): pulumi config set --secret --path 'buildSecrets.netrc' --stack <stack>",
            "b/Dockerfile: every stack needs the value of the build secret pip (b): pulumi config set --secret --path 'buildSecrets.pip' --stack <stack>",
        ]);
    });

    test("which Dockerfiles nothing builds, and takes a name for them", async () => {
        const files = { ...app, Dockerfile: "FROM scratch\n", "docs/Dockerfile": "FROM scratch\n" };
        expect((await plan(files)).unused).toEqual(["docs/Dockerfile"]);
        const { images } = await plan(files, { name: ["docs/Dockerfile=ghcr.io/acme/docs:1"] });
        expect(images.map(({ definition }) => definition.name)).toEqual(["ghcr.io/acme/app:1", "ghcr.io/acme/docs:1"]);
    });

    test("that an image copies what adopt writes", async () => {
        const files = { ...app, Dockerfile: "FROM scratch\nCOPY . /srv\n" };
        const ignored = "*.ts\n*.cjs\npackage*.json\n";
        expect((await plan(files)).tasks[0]?.text).toContain("image app copies the repository's root (COPY in line 2)");
        expect((await plan({ ...files, ".dockerignore": ignored })).tasks).toEqual([]);
    });
});

describe("files of the repository stay:", () => {
    const app = {
        "compose.yaml": compose("app: { image: ghcr.io/acme/app:1, build: . }"),
        Dockerfile: "FROM scratch\n",
    };
    const fileOf = async (files: Readonly<Record<string, string>>, name: string) =>
        (await plan({ ...app, ...files })).files.find(({ file }) => file === name);

    test.each<[string, string, string]>([
        [
            "in the format that it has",
            '{\n\t"name": "x",\n\t"scripts": { "a": "b" }\n}\n',
            '{\n\t"name": "x",\n\t"scripts": { "a": "b" },\n\t"devDependencies": {\n\t\t"layered-images": "0.1.0"\n\t}\n}\n',
        ],
        [
            "after others",
            '{\n  "devDependencies": {\n    "a": "1"\n  },\n  "z": 1\n}',
            '{\n  "devDependencies": {\n    "a": "1",\n    "layered-images": "0.1.0"\n  },\n  "z": 1\n}',
        ],
        ["in an empty object", "{}", '{\n  "devDependencies": {\n    "layered-images": "0.1.0"\n  }\n}'],
        [
            "nowhere if it is there",
            '{"dependencies":{"layered-images":"file:x.tgz"}}',
            '{"dependencies":{"layered-images":"file:x.tgz"}}',
        ],
    ])("package.json gets the package %s", async (_name, before, after) => {
        expect((await fileOf({ "package.json": before }, "package.json"))?.text).toBe(after);
    });

    test(".gitignore gets the lines that it lacks", async () => {
        expect((await fileOf({ ".gitignore": "lib/\n/node_modules" }, ".gitignore"))?.text).toBe(
            "lib/\n/node_modules\n.stage/\n.updates/\nPulumi.pr-*.yaml\n",
        );
    });

    test.each(["test.yml", "images.yml", "review.yml", "Images.yaml"])(
        "a workflow %s keeps its file and name",
        async (name) => {
            const workflow = `name: ${name.replace(/\..*/, "").replace(/^./, (letter) => letter.toUpperCase())}\non: push\njobs: {}\n`;
            const text = (await fileOf({ [`.github/workflows/${name}`]: workflow }, "workflows.ts"))?.text ?? "";
            expect(text).toContain(/^images/i.test(name) ? '"layered-images.yml"' : '"images.yml"');
            expect(text.includes('file: "layered-images-review.yml"')).toBe(name === "review.yml");
        },
    );

    test("dependabot.yml stays theirs", async () => {
        expect((await fileOf({ ".github/dependabot.yml": "version: 2\n" }, "workflows.ts"))?.text).toContain(
            "dependabot: false",
        );
    });

    test.each<[string, Readonly<Record<string, string>>, string]>([
        ["nothing else", {}, "index.cjs"],
        ['"main" of npm init', { "package.json": '{ "main": "index.js" }' }, "index.cjs"],
        ["ES modules", { "package.json": '{ "type": "module" }' }, "index.cjs"],
        ["a tsconfig.json", { "tsconfig.json": "{}" }, "index.cjs"],
        ["an index.ts", { "index.ts": "export {};\n" }, "index.cjs"],
        ["an index.ts and an index.cjs", { "index.ts": "export {};\n", "index.cjs": "" }, "layered-images.cjs"],
    ])("with %s in the root the program is another file", async (_name, files, program) => {
        const { files: planned } = await plan({ ...app, ...files });
        expect(
            planned
                .filter(({ file, action }) => action === "create" && /^(?:index|layered-images)\./.test(file))
                .map(({ file }) => file),
        ).toEqual([program]);
        expect(planned.find(({ file }) => file === "Pulumi.yaml")?.text).toContain(`main: ${program}\n`);
    });

    test("the program of an earlier adoption, in TypeScript, stays", async () => {
        const earlier = {
            "index.ts": 'import { program } from "layered-images";\n\nexport = program();\n',
            "Pulumi.yaml": "name: acme\nruntime: nodejs\nmain: index.ts\n",
        };
        const { files: planned } = await plan({ ...app, ...earlier });
        expect(planned.filter(({ file }) => /^(?:index|layered-images)[.]|^Pulumi.yaml$/.test(file))).toEqual([
            expect.objectContaining({ file: "index.ts", action: "keep" }),
            expect.objectContaining({ file: "Pulumi.yaml", action: "keep" }),
        ]);
    });

    test.each<[string, string]>([
        ["images.ts", "export const images = [];\n"],
        ["workflows.ts", "export {};\n"],
        ["Pulumi.yaml", "name: other\nruntime: python\n"],
    ])("a %s of somebody else is refused", async (file, text) => {
        await expect(plan({ ...app, [file]: text })).rejects.toThrow(`${file}: the file is there already`);
    });
});

/** Runs `adopt` and returns its exit code and what it prints. */
async function run(folder: string, options: AdoptOptions) {
    const [log, error] = [spyOn(console, "log"), spyOn(console, "error")];
    for (const stream of [log, error]) stream.mockClear().mockImplementation(() => undefined);
    const code = await runAdopt(folder, options);
    const texts = [log, error].map(({ mock }) => mock.calls.map(([text]) => String(text)).join("\n"));
    const [printed = "", said = ""] = texts;
    return { code, printed, said };
}

describe("a repository whose remote is not on GitHub", () => {
    const owner = "${{ github.repository_owner }}";
    const job = (steps: string, settings = "") =>
        `on: push\nenv: { IMAGE: "ghcr.io/${owner}/app" }\njobs:\n  build:\n    runs-on: ubuntu-latest\n${settings}    steps:\n      - ${steps}\n`;
    const step = (inputs: string) => `uses: docker/build-push-action@v6\n        with: { push: true, ${inputs} }`;
    const workflows: readonly (readonly [string, string])[] = [
        ["a tag", job(step(`tags: "ghcr.io/${owner}/app:1"`))],
        ["the environment", job(step('tags: "${{ env.IMAGE }}:1"'))],
        ["a variable of a script", job('run: docker build --push -t "$IMAGE:1" .')],
        ["an automatic variable", job('run: docker build --push -t "ghcr.io/$GITHUB_REPOSITORY_OWNER/app:1" .')],
        [
            "a variable that a script sets",
            job(`run: |\n          NAME=ghcr.io/${owner}/app\n          docker build --push -t $NAME:1 .`),
        ],
        [
            "a matrix",
            job(step('tags: "${{ matrix.name }}"'), `    strategy: { matrix: { name: ["ghcr.io/${owner}/app:1"] } }\n`),
        ],
        [
            "the output of a step",
            job(
                `uses: docker/metadata-action@v5\n        id: meta\n        with: { images: "\${{ env.IMAGE }}", tags: "type=raw,value=1" }\n      - ${step('tags: "${{ steps.meta.outputs.tags }}"')}`,
            ),
        ],
        ["the repository's name", job(step('tags: "ghcr.io/acme/${{ github.event.repository.name }}:1"'))],
        [
            "the call of bake",
            job(
                `uses: docker/bake-action@v6\n        with: { files: docker-bake.json, set: "app.tags=\${{ env.IMAGE }}:1" }`,
            ),
        ],
    ];
    const filesFor = (workflow: string) => ({
        ".github/workflows/ci.yml": workflow,
        "docker-bake.json":
            '{ "target": { "app": { "tags": ["x/unset:1"] } }, "group": { "default": { "targets": ["app"] } } }',
        Dockerfile: "FROM scratch\n",
    });

    test.each(workflows)("asks for it before it writes, if it is in %s", async (_name, workflow) => {
        const root = repository(filesFor(workflow), "https://git.example.com/acme/shop.git");
        const { code, said, printed } = await run(root, { yes: true });
        expect([code, existsSync(path.join(root, "images.ts"))]).toEqual([64, false]);
        expect(said).toContain("run it again with --github <owner>/<name>;");
        expect(printed.split("\n")[0]).toMatch(
            /^This plan is incomplete, because github\.\S+ is not known\. Give it: --github/,
        );
    });

    test.each(workflows)(
        "and with it has the images of one with that remote, if it is in %s",
        async (_name, workflow) => {
            const images = async (remote: string, options: AdoptOptions) =>
                (await planAdoption(repository(filesFor(workflow), remote), { dryRun: true, ...options })).plan;
            const [here, there] = [
                await images("", { github: "acme/shop" }),
                await images("https://github.com/acme/shop", {}),
            ];
            expect([here.images, here.needed]).toEqual([there.images, []]);
            expect(here.files).toEqual(there.files);
        },
    );

    test("can be adopted without what depends on it", async () => {
        const root = repository(
            { ".github/workflows/ci.yml": workflows[0]?.[1] ?? "", Dockerfile: "FROM scratch\n" },
            "",
        );
        expect((await run(root, { yes: true, incomplete: true })).code).toBe(0);
        expect(readFileSync(path.join(root, "images.ts"), "utf8")).not.toContain("name:");
    });

    test("needs no value that no image depends on, and no secret that an image would contain", async () => {
        const args = 'build-args: "TOKEN=${{ secrets.TOKEN }}"';
        const workflow = job(`${step(`tags: "ghcr.io/acme/app:1", ${args}`)}\n      - run: echo "${owner}"`);
        const { needed, notes } = await plan(filesFor(workflow));
        expect(needed).toEqual([]);
        expect(notes.map(({ text }) => text)).toEqual([
            expect.stringContaining("secrets.TOKEN is known only to GitHub, and is left out"),
        ]);
    });

    test("refuses a name that is none", async () => {
        await expect(plan(filesFor(""), { github: "acme" })).rejects.toThrow("--github acme names no repository");
    });
});

test("a value that only GitHub knows is asked for once, with all that needs it", async () => {
    const tags = (name: string) => `docker build -t "\${{ secrets.USER }}/${name}:1" ${name}`;
    const { needed } = await plan({
        ".github/workflows/ci.yml": `on: push\njobs:\n  all:\n    steps:\n      - run: ${tags("a")}\n      - run: ${tags("b")}\n`,
        "a/Dockerfile": "FROM scratch\n",
        "b/Dockerfile": "FROM scratch\n",
    });
    expect(needed.map(({ option, values, uses }) => [option, values, uses.map(({ where }) => where)])).toEqual([
        ["--set secrets.USER=<value>", ["secrets.USER"], [".github/workflows/ci.yml:5", ".github/workflows/ci.yml:6"]],
    ]);
});

describe("adopt writes", () => {
    const files = { Dockerfile: "FROM scratch\n", "sub/x": "" };

    test("everything, from a folder of the repository, and nothing the second time", async () => {
        const root = repository(files);
        const first = await run(path.join(root, "sub"), { yes: true, json: true });
        expect(first.code).toBe(0);
        expect(first.said).toContain("next: npm install, then ");
        const plan = JSON.parse(first.printed) as AdoptionPlan;
        expect(plan.files.map(({ action }) => action)).toEqual(Array(7).fill("create"));
        const written = readdirSync(root).sort();
        expect(written).toEqual([
            ".git",
            ".gitignore",
            "Dockerfile",
            "Pulumi.ci.yaml",
            "Pulumi.yaml",
            "images.ts",
            "index.cjs",
            "package.json",
            "sub",
            "workflows.ts",
        ]);
        const second = await run(root, { dryRun: true });
        expect([second.code, second.said]).toEqual([
            0,
            "nothing to write: this repository uses layered-images already",
        ]);
    });

    test("nothing over an images.ts with other images, and says what to do", async () => {
        const root = repository(files);
        await run(root, { yes: true });
        writeFileSync(path.join(root, "build.sh"), "docker build -t ghcr.io/acme/app:1 .\n");
        execFileSync("git", ["-C", root, "add", "build.sh"]);
        const { code, said } = await run(root, { yes: true });
        expect([code, said]).toEqual([
            0,
            expect.stringContaining("To have the plan's: remove it, and run adopt again"),
        ]);
        expect(readdirSync(root).filter((name) => name.startsWith(".adopt"))).toEqual([]);
    });

    test("without asking for npm install where the package is installed", async () => {
        const root = repository(files);
        mkdirSync(path.join(root, "node_modules/layered-images"), { recursive: true });
        writeFileSync(path.join(root, "node_modules/layered-images/package.json"), "{}");
        expect((await run(root, { yes: true })).said).not.toContain("npm install");
    });

    test("nothing without a terminal, and nothing with --dry-run", async () => {
        const root = repository(files);
        expect((await run(root, {})).code).toBe(64);
        const { code, printed } = await run(root, { dryRun: true });
        expect([code, printed.split("\n")[0]]).toEqual([0, "1 image"]);
        expect(existsSync(path.join(root, "images.ts"))).toBe(false);
    });

    test("nothing at all if a file can't be written", async () => {
        const root = repository({ ...files, "package.json": "{}\n" });
        execFileSync("mkdir", [path.join(root, ".gitignore")]);
        await expect(run(root, { yes: true })).rejects.toThrow();
        expect(readdirSync(root).sort()).toEqual([".git", ".gitignore", "Dockerfile", "package.json", "sub"]);
        expect(readFileSync(path.join(root, "package.json"), "utf8")).toBe("{}\n");
    });

    test("outside of a repository, and without a Dockerfile, an error says what is missing", async () => {
        await expect(planAdoption(tree({}), {})).rejects.toThrow("this is not in a git repository");
        await expect(plan({ "a.txt": "" })).rejects.toThrow("git tracks no Dockerfile here");
    });
});

test("a plan for twenty images takes less than five seconds of the processor", async () => {
    const names = Array.from({ length: 20 }, (_value, index) => `image${index}`);
    const root = repository({
        "build.sh": names.map((name) => `docker build -t ghcr.io/acme/${name}:latest ${name}\n`).join(""),
        ...Object.fromEntries(
            names.map((name, index) => [
                `${name}/Dockerfile`,
                `FROM ${index === 0 ? "python:3.12-slim" : `ghcr.io/acme/image${Math.floor((index - 1) / 2)}:latest`}\nCOPY a /\n`,
            ]),
        ),
        ...Object.fromEntries(names.map((name) => [`${name}/a`, ""])),
    });
    const start = process.cpuUsage();
    const { images } = (await planAdoption(root, { dryRun: true })).plan;
    expect(images).toHaveLength(20);
    const { user, system } = process.cpuUsage(start);
    expect(user + system).toBeLessThan(5e6);
});
