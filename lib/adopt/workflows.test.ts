import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import type { Build } from "./build";
import { loadExpressions } from "./expressions";
import { combinations, metadataTags, readWorkflows } from "./workflows";

/** Reads a workflow of the repository acme/shop, and other files that it uses. */
async function read(
    text: string,
    others: Readonly<Record<string, string>> = {},
    given: Readonly<Record<string, string>> = {},
) {
    const files = [{ file: ".github/workflows/images.yml", text }];
    const called = Object.entries(others).filter(([file]) => file.startsWith(".github/workflows/"));
    return readWorkflows([...files, ...called.map(([file, other]) => ({ file, text: other }))], {
        evaluation: await loadExpressions(),
        repository: { owner: "acme", name: "shop" },
        branch: "main",
        given,
        textOf: (file) => others[file],
    });
}

/** A workflow with one job, which pushes to main start unless `head` says otherwise. */
const workflow = (steps: string, job = "", head = "on: { push: { branches: [main] } }\n") =>
    `${head}jobs:\n  build:\n    runs-on: ubuntu-latest\n${job}    steps:\n${steps}`;

/** A step that builds with docker/build-push-action. */
const buildStep = (inputs: string) =>
    `      - uses: docker/build-push-action@v6\n        with:\n${inputs.replace(/^/gm, "          ")}\n`;

const short = ({ dockerfile, names, buildArgs, platforms }: Build) => [
    dockerfile,
    names.join(" "),
    JSON.stringify(buildArgs),
    platforms.join(" "),
];

describe("a build is read from", () => {
    test.each<[string, string, string[][]]>([
        [
            "docker/build-push-action, whose context is the root by default",
            workflow(buildStep("push: true\ntags: ghcr.io/acme/shop:latest")),
            [["Dockerfile", "ghcr.io/acme/shop:latest", "{}", "linux/amd64"]],
        ],
        [
            "its lists with commas and lines, and a path with ./",
            workflow(
                buildStep(
                    'context: "./docker/"\nfile: ./docker/app.Dockerfile\npush: true\nplatforms: linux/amd64,linux/arm64\ntags: |\n  a/b:1\n  a/b:2, a/c:1\nbuild-args: |\n  A=1=2\n  B=x,y',
                ),
            ),
            [["docker/app.Dockerfile", "a/b:1 a/b:2 a/c:1", '{"A":"1=2","B":"x,y"}', "linux/amd64 linux/arm64"]],
        ],
        [
            "expressions over env of all levels, with functions and defaults",
            workflow(
                `      - uses: docker/build-push-action@v6\n        env: { TAG: "\${{ github.ref_name == 'main' && 'edge' || 'dev' }}" }\n        with: { push: true, tags: "\${{ format('{0}/{1}:{2}', env.REGISTRY, env.IMAGE, env.TAG) }}" }\n`,
                '    env: { IMAGE: "${{ github.repository }}" }\n',
                "on: push\nenv: { REGISTRY: ghcr.io }\n",
            ),
            [["Dockerfile", "ghcr.io/acme/shop:edge", "{}", "linux/amd64"]],
        ],
        [
            "a matrix with include, on a machine with another architecture",
            workflow(
                buildStep(
                    "push: true\ncontext: ${{ matrix.dir }}\ntags: ghcr.io/acme/${{ matrix.dir }}:${{ matrix.version }}",
                ),
                "    strategy: { matrix: { dir: [a, b], version: ['3.11'], include: [{ dir: c, version: '4' }] } }\n",
            ).replace("ubuntu-latest", "ubuntu-24.04-arm"),
            [
                ["a/Dockerfile", "ghcr.io/acme/a:3.11", "{}", "linux/arm64"],
                ["b/Dockerfile", "ghcr.io/acme/b:3.11", "{}", "linux/arm64"],
                ["c/Dockerfile", "ghcr.io/acme/c:4", "{}", "linux/arm64"],
            ],
        ],
        [
            "a matrix that stands in JSON",
            workflow(
                buildStep("push: true\ntags: x/${{ matrix.name }}:1"),
                '    strategy: { matrix: { name: "${{ fromJSON(\'[\\"p\\", \\"q\\"]\') }}" } }\n',
            ),
            [
                ["Dockerfile", "x/p:1", "{}", "linux/amd64"],
                ["Dockerfile", "x/q:1", "{}", "linux/amd64"],
            ],
        ],
        [
            "the tags of docker/metadata-action",
            workflow(
                `      - id: meta\n        uses: docker/metadata-action@v5\n        with:\n          images: |\n            ghcr.io/Acme/Shop\n            name=docker.io/acme/shop,enable=false\n          tags: |\n            type=ref,event=branch\n            type=raw,value=latest,enable={{is_default_branch}}\n${buildStep("push: true\ntags: ${{ steps.meta.outputs.tags }}")}`,
            ),
            [["Dockerfile", "ghcr.io/acme/shop:main ghcr.io/acme/shop:latest", "{}", "linux/amd64"]],
        ],
        [
            "commands of a shell, with variables that an earlier step handed on, and a push of its own",
            workflow(
                `      - run: echo "IMAGE=ghcr.io/\${GITHUB_REPOSITORY,,}" >> "$GITHUB_ENV"\n      - run: |\n          docker build \\\n            --build-arg V=1 -f docker/Dockerfile \\\n            -t "$IMAGE:latest" .\n      - run: docker push "$IMAGE:latest"\n`,
            ),
            [["docker/Dockerfile", "ghcr.io/acme/shop:latest", '{"V":"1"}', ""]],
        ],
        [
            "a folder in which a step works",
            workflow(
                "      - working-directory: images/web\n        run: docker buildx build --push --platform linux/arm64 --tag=a/web:1 .\n",
            ),
            [["images/web/Dockerfile", "a/web:1", "{}", "linux/arm64"]],
        ],
        [
            "a step that does not run on main, not",
            workflow(
                buildStep("tags: a/b:1").replace(
                    "      - uses",
                    "      - if: github.event_name == 'pull_request'\n        uses",
                ),
            ),
            [],
        ],
    ])("%s", async (_name, text, expected) => {
        const { builds, notes } = await read(text);
        expect(builds.map(short)).toEqual(expected);
        expect(notes).toEqual([]);
    });

    test("a reusable workflow, with what each caller gives it, and its jobs' outputs", async () => {
        const called = `on: { workflow_call: { inputs: { image: { type: string }, tag: { type: string, default: latest } } } }\njobs:\n  name:\n    runs-on: x\n    outputs: { ref: "\${{ steps.name.outputs.ref }}" }\n    steps: [{ id: name, run: 'echo "ref=ghcr.io/acme/\${{ inputs.image }}" >> $GITHUB_OUTPUT' }]\n  build:\n    needs: name\n    runs-on: x\n    steps:\n      - { uses: docker/build-push-action@v6, with: { push: true, context: "\${{ inputs.image }}", tags: "\${{ needs.name.outputs.ref }}:\${{ inputs.tag }}" } }\n`;
        const caller =
            "on: push\njobs:\n  a: { uses: ./.github/workflows/build.yml, with: { image: a } }\n  b: { needs: a, uses: ./.github/workflows/build.yml, with: { image: b, tag: '1' } }\n";
        const { builds } = await read(caller, { ".github/workflows/build.yml": called });
        expect(builds.map(({ names, context, where }) => [names[0], context, where])).toEqual([
            ["ghcr.io/acme/a:latest", "a", ".github/workflows/build.yml:11"],
            ["ghcr.io/acme/b:1", "b", ".github/workflows/build.yml:11"],
        ]);
    });

    test("an action of the repository", async () => {
        const action = `inputs: { dir: { required: true } }\nruns:\n  using: composite\n  steps:\n    - { uses: docker/build-push-action@v6, with: { push: true, context: "\${{ inputs.dir }}", tags: "a/\${{ inputs.dir }}:1" } }\n`;
        const text = workflow("      - { uses: ./.github/actions/build, with: { dir: web } }\n");
        const { builds } = await read(text, { ".github/actions/build/action.yml": action });
        expect(builds.map(({ names, dockerfile }) => [names[0], dockerfile])).toEqual([["a/web:1", "web/Dockerfile"]]);
    });
});

describe("what only GitHub knows is said, and never guessed:", () => {
    test.each<[string, string, RegExp]>([
        [
            "a secret",
            "ghcr.io/${{ secrets.USER }}/x:1",
            /:7: tags: ghcr\.io\/\$\{\{ secrets\.USER \}\}\/x:1: secrets\.USER is known only to GitHub$/,
        ],
        [
            "an output of another action",
            "a/b:${{ steps.version.outputs.tag }}",
            /steps\.version is not known before it runs/,
        ],
        ["a commit", "a/b:${{ github.sha }}", /github\.sha is not known before it runs/],
        ["an input that nothing declares", "a/b:${{ inputs.tag }}", /inputs\.tag is not known/],
        ["a function of the runner", "a/b:${{ hashFiles('x') }}", /hashFiles\('x'\) is not known/],
    ])("%s in a tag, beside which others hold", async (_name, tag, expected) => {
        const { builds, notes } = await read(
            workflow(buildStep(`push: true\ntags: |\n  a/b:fixed\n  ${tag}`), "    timeout-minutes: 5\n"),
        );
        expect(builds.map(({ names }) => names)).toEqual([["a/b:fixed"]]);
        expect(notes.map(({ where, text }) => `${where}: ${text}`)).toEqual([expect.stringMatching(expected)]);
    });

    test("a value that the user gives is used", async () => {
        const { builds, notes } = await read(
            workflow(buildStep("push: true\ntags: ${{ secrets.USER }}/x:1")),
            {},
            { "secrets.USER": "acme" },
        );
        expect([builds.map(({ names }) => names), notes]).toEqual([[["acme/x:1"]], []]);
    });

    test.each([
        ["a context", buildStep("context: ${{ steps.find.outputs.dir }}\ntags: a/b:1")],
        ["a Dockerfile", buildStep("file: ${{ secrets.FILE }}\ntags: a/b:1")],
        ["a context of another repository", buildStep("context: https://github.com/other/repo.git\ntags: a/b:1")],
        ["a matrix", buildStep("tags: a/b:1").replace(/^/, "").concat("")],
    ])("%s leaves the build out", async (name, steps) => {
        const job =
            name === "a matrix" ? '    strategy: { matrix: { x: "${{ fromJSON(needs.list.outputs.all) }}" } }\n' : "";
        const { builds, notes } = await read(workflow(steps, job));
        expect([builds.length, notes.length]).toEqual([0, 1]);
    });
});

test("a step of a job that builds is superfluous, or does something else", async () => {
    const { steps } = await read(
        workflow(
            `      - uses: actions/checkout@v4\n      - uses: docker/login-action@v3\n${buildStep("tags: a/b:1")}      - uses: sigstore/cosign-installer@v3\n      - { name: Tell, run: ./tell.sh }\n`,
        ),
    );
    expect(steps.map(({ what, role, where }) => [where.split(":")[1], what, role])).toEqual([
        ["7", "docker/login-action", "superfluous"],
        ["8", "docker/build-push-action", "superfluous"],
        ["11", "sigstore/cosign-installer (signs or attests the image)", "other"],
        ["12", "Tell", "other"],
    ]);
});

test("a matrix is combined as GitHub documents it", () => {
    // docs.github.com, "Running variations of jobs in a workflow", the example for `include`.
    const include = [
        { color: "green" },
        { color: "pink", animal: "cat" },
        { fruit: "apple", shape: "circle" },
        { fruit: "banana" },
        { fruit: "banana", animal: "cat" },
    ];
    expect(combinations({ fruit: ["apple", "pear"], animal: ["cat", "dog"], include })).toEqual([
        { fruit: "apple", animal: "cat", color: "pink", shape: "circle" },
        { fruit: "apple", animal: "dog", color: "green", shape: "circle" },
        { fruit: "pear", animal: "cat", color: "pink" },
        { fruit: "pear", animal: "dog", color: "green" },
        { fruit: "banana" },
        { fruit: "banana", animal: "cat" },
    ]);
    expect(combinations({ a: [1, 2], b: [1, 2], exclude: [{ a: 1, b: 2 }] })).toHaveLength(3);
    expect(combinations({ include: [{ a: 1 }, { a: 2 }] })).toEqual([{ a: 1 }, { a: 2 }]);
});

test.each<[string, string[], string[], boolean, string[], number]>([
    ["no tags: the branch", [], [], false, ["a/b:main"], 0],
    [
        "versions, where tags start the workflow: also latest",
        ["type=semver,pattern={{version}}", "type=ref,event=branch"],
        [],
        true,
        ["a/b:main", "a/b:latest"],
        1,
    ],
    ["versions, where they don't", ["type=semver,pattern={{version}}"], [], false, [], 1],
    ["a suffix", ["type=raw,value=1.2"], ["latest=true", "suffix=-alpine"], false, ["a/b:1.2-alpine", "a/b:latest"], 0],
    ["a commit", ["type=sha", "edge"], [], false, ["a/b:edge"], 1],
])("docker/metadata-action makes of %s", (_name, tags, flavor, isTagged, expected, notes) => {
    const made = metadataTags({ images: ["a/b"], tags, flavor }, { name: "push", branch: "main", tags: isTagged });
    expect([made.names, made.notes.length]).toEqual([expected, notes]);
});

test("a call of docker/bake-action is kept with its environment, known or not", async () => {
    const step =
        '      - uses: docker/bake-action@v6\n        env: { REPO: "ghcr.io/${{ github.repository }}", USER: "${{ secrets.USER }}" }\n';
    expect((await read(workflow(step))).bakes).toMatchObject([
        { env: { REPO: "ghcr.io/acme/shop" }, unknown: { USER: "secrets.USER" } },
    ]);
});
