import { mkdirSync, readdirSync } from "node:fs";
import path from "node:path";
import { after, before } from "mocha";
import { run as execute } from "../../lib/system/process";
import { type Outcome, type TestLab, runIn, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { packedArchive } from "../package";
import { writeTree } from "../writeTree";

/*
 * The package as somebody else gets it: packed, installed by npm into an empty repository outside of this one, and used with nothing but
 * that repository's own files. The tests run in order and depend on each other.
 */
let lab: TestLab;
let root: string;

/** The files that define a hierarchy; everything else in the repository belongs to its images. */
const definitions = {
    "Pulumi.yaml": "name: acme\nruntime: nodejs\nmain: index.ts\n",
    "index.ts": 'import { program } from "layered-images";\n\nexport = program();\n',
    "workflows.ts": `import type { WorkflowDefinitions } from "layered-images";

export const workflows: WorkflowDefinitions = {
    up: [{ file: "publish.yml", name: "Publish" }],
    checks: [{ file: "check.yml", name: "Check", image: "tools", steps: [{ name: "Look", run: "cat /tools" }] }],
};
`,
    "images.ts": `import type { ImageDefinitions } from "layered-images";

export const images: ImageDefinitions = {
    tools: { description: "tools", name: "ghcr.io/acme/tools:latest", dockerfile: "tools/Dockerfile", platforms: ["linux/amd64"] },
    shop: {
        description: "the shop",
        name: "ghcr.io/acme/shop:latest",
        dockerfile: "Dockerfile",
        platforms: ["linux/amd64"],
        smokeTest: "smoke.sh",
    },
};
`,
};
const imageFiles = {
    "tools/Dockerfile": "FROM python:3.12-slim\nRUN echo tools > /tools\n",
    Dockerfile: "FROM ghcr.io/acme/tools:latest\nCOPY shop.py /\n",
    "shop.py": "print('open')\n",
    "smoke.sh": "#!/bin/sh\nset -eu\ntest -s /tools\npython /shop.py\n",
};

/** Runs a program as its user does, with nothing of the lab in the environment but its location. */
const run = (program: string, ...args: string[]): Promise<Outcome> =>
    runIn({ ...lab, env: { ...process.env, ...lab.variables } }, root, program, args);
/** Runs the program that npx finds, which takes npx a second each time. */
const layeredImages = (...args: string[]) => run("node_modules/.bin/layered-images", ...args);

before(async () => {
    lab = await startTestLab("host");
    root = path.join(lab.paths.state, "acme");
    mkdirSync(root);
    const install = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", packedArchive()];
    await execute("npm", install, { cwd: root });
    writeTree(root, { ...definitions, ...imageFiles });
});
after(async () => {
    await lab.close();
});

test("a preview plans the images, and says in this repository's terms how to go on", async () => {
    const { code, output } = await run("npx", "layered-images", "preview");
    expect(output).toContain("docker-build:index:Image shop-amd64 create");
    expect(output).not.toContain("npm run");
    expect(code, output).toBe(0);
});

test("bad input ends a preview with its message, and with nothing of the program's own", async () => {
    writeTree(root, { "images.ts": definitions["images.ts"].replace("tools/Dockerfile", "tools/Dockerfle") });
    const { code, output } = await layeredImages("preview");
    writeTree(root, { "images.ts": definitions["images.ts"] });
    expect(output).toMatch(/error: tools\/Dockerfle: the Dockerfile of image tools is missing\n\s+next: create it/);
    expect(output).not.toMatch(/\n\s+at /);
    expect(code, output).not.toBe(0);
});

test("an up builds, tests and promotes them; another one has nothing to do", async () => {
    const first = await layeredImages("up");
    expect(first.output).toContain("docker-build:index:Image shop-amd64-test created");
    expect(first.code, first.output).toBe(0);
    const second = await layeredImages("up");
    expect(second.output).toMatch(/Resources:\n\s+\d+ unchanged\n/);
    expect(second.code, second.output).toBe(0);
});

test("a review and the status agree that nothing is pending", async () => {
    const review = await layeredImages("review", "--expect-no-changes");
    expect(review.stdout).toContain("2 images unchanged");
    expect(review.code, review.output).toBe(0);
    const status = await layeredImages("status");
    expect(status.stdout).toContain("stack local: state and reality agree");
    expect(status.code, status.output).toBe(0);
});

test("the workflow files are written from its data", async () => {
    const written = await layeredImages("workflows");
    expect(written.code, written.output).toBe(0);
    expect(written.stdout.split("\n").filter(Boolean).sort()).toEqual([
        ".github/dependabot.yml",
        ...["check", "publish", "review"].map((name) => `.github/workflows/${name}.yml`),
    ]);
    expect(await layeredImages("workflows", "--check")).toMatchObject({ code: 0 });
});

test("the commands with which this project tests itself are not offered", async () => {
    const { stdout } = await layeredImages("--help");
    expect(stdout).toContain("review [options]");
    expect(stdout).not.toMatch(/^ +(test|bench|check)\b/m);
    expect(await layeredImages("test")).toMatchObject({ code: 64 });
});

test("outside of a repository a command says what is missing", async () => {
    const elsewhere = path.join(lab.paths.state, "elsewhere");
    mkdirSync(elsewhere);
    const program = path.join(root, "node_modules", ".bin", "layered-images");
    const env = { ...process.env, ...lab.variables };
    const { code, output } = await runIn({ ...lab, env }, elsewhere, program, ["review"]);
    expect(output).toContain(`error: ${elsewhere}: there is no Pulumi.yaml here or in a folder above`);
    expect(code).toBe(1);
});

test("nothing of the package was copied into the repository", () => {
    const ours = [...Object.keys(definitions), ...Object.keys(imageFiles).map((file) => file.split("/")[0])];
    const made = [
        ".github",
        ".stage",
        ".updates",
        "Pulumi.local.yaml",
        "node_modules",
        "package.json",
        "package-lock.json",
    ];
    expect(readdirSync(root).filter((name) => ![...ours, ...made].includes(name))).toEqual([]);
});
