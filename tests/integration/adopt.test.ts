import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe } from "mocha";
import { planAdoption } from "../../cli/adopt";
import { packageRoot } from "../../lib/system/paths";
import { type Outcome, type TestLab, runIn, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { packedModules } from "../package";
import { tree } from "../tree";

/*
 * The examples, each adopted in a repository of its own that knows nothing of this one: what `adopt` writes is all that changes, apart from
 * the edits that a row names. The tests run in order and depend on each other; docs/adopting.md shows the same.
 */
let lab: TestLab;

before(async () => {
    lab = await startTestLab("host");
});
after(async () => {
    await lab.close();
});

interface Example {
    readonly name: string;
    /** Whether no remote says which repository on GitHub it is, although its names need it. */
    readonly asksForRepository?: boolean;
    /** Whether only `npm run test:all` builds it. */
    readonly seldom?: boolean;
    /** Commands that the plan names as left to do. */
    readonly commands: readonly string[];
    /** Keys of the images, and what a preview says of each. */
    readonly images: readonly string[];
}

const examples: readonly Example[] = [
    {
        name: "variants",
        asksForRepository: true,
        commands: [],
        images: ["tools-slim", "tools-full", "app-slim", "app-full"],
    },
    { name: "onbuild", seldom: true, commands: [], images: ["python-base", "api", "worker"] },
    { name: "bake", commands: ["make service/version.txt"], images: ["platform", "service", "report"] },
];

const files = ["Pulumi.ci.yaml", "Pulumi.yaml", "images.ts", "index.cjs", "package.json", "workflows.ts"];

describe("the example", () => {
    for (const { name, asksForRepository = false, seldom = false, commands, images } of examples) {
        const root = () => path.join(lab.paths.state, "examples", name);
        const git = (...args: string[]) => execFileSync("git", ["-C", root(), ...args], { encoding: "utf8" });
        /** Runs a command as its user does, with nothing of the lab in the environment but its location. */
        const run = (command: string, ...args: string[]): Promise<Outcome> =>
            runIn({ ...lab, env: { ...process.env, ...lab.variables } }, root(), command, args);
        const layeredImages = (...args: string[]) => run("node_modules/.bin/layered-images", ...args);

        test(`${name} is adopted by one command and an answer`, async () => {
            cpSync(path.join(packageRoot, "examples", name), root(), { recursive: true });
            git("init", "--quiet", "--initial-branch=main");
            if (!asksForRepository) git("remote", "add", "origin", `https://github.com/acme/${name}.git`);
            git("add", ".");
            symlinkSync(packedModules(), path.join(root(), "node_modules"));
            const refused = await layeredImages("adopt");
            expect(refused.output).toContain(
                `nothing was written, because ${asksForRepository ? "the plan is incomplete" : "nobody could be asked"}`,
            );
            expect(refused.code).toBe(64);
            // `script` gives the command a terminal, from which it reads the answers.
            const answers = asksForRepository ? `acme/${name}\\ny\\n` : "y\\n";
            const { output, code } = await run(
                "sh",
                "-c",
                `printf '${answers}' | script --quiet --return --command 'npx layered-images adopt' /dev/null`,
            );
            expect(output).toMatch(/Write these \d files\? \[y\/N\]/);
            expect(code, output).toBe(0);
            const written = git("status", "--porcelain", "--untracked-files=all").split("\n");
            const created = written.filter((line) => line.startsWith("??")).map((line) => line.slice(3));
            expect(created.filter((file) => ![".gitignore", "node_modules"].includes(file)).sort()).toEqual(files);
            expect(written.filter((line) => /^.[^ ?]/.test(line)).map((line) => line.slice(3))).toEqual(
                existsSync(path.join(packageRoot, "examples", name, ".gitignore")) ? [".gitignore"] : [],
            );
            for (const command of commands) expect(output).toContain(command);
        });

        (seldom ? test.thorough : test)(
            `${name} is planned, built and promoted, and then unchanged, without another edit`,
            async () => {
                for (const command of commands) execFileSync("sh", ["-c", command], { cwd: root() });
                const preview = await layeredImages("preview");
                expect(preview.code, preview.output).toBe(0);
                for (const key of images) expect(preview.output).toContain(`docker-build:index:Image ${key}-`);
                const first = await layeredImages("up");
                expect(first.code, first.output).toBe(0);
                const second = await layeredImages("up");
                expect(second.output).toMatch(/Resources:\n\s+\d+ unchanged\n/);
                expect(second.code, second.output).toBe(0);
            },
        );

        test(`${name} is not adopted twice`, async () => {
            const before = readFileSync(path.join(root(), "images.ts"), "utf8");
            const { output, code } = await layeredImages("adopt", "--yes");
            expect(output).toContain("nothing to write: this repository uses layered-images already");
            expect(code).toBe(0);
            expect(readFileSync(path.join(root(), "images.ts"), "utf8")).toBe(before);
        });
    }
});

test("a repository of ES modules with a tsconfig.json, own folders and a strict .gitignore runs all the same", async () => {
    const root = path.join(lab.paths.state, "examples", "modules");
    const write = (file: string, text: string) => {
        writeFileSync(path.join(root, file), text);
    };
    cpSync(path.join(packageRoot, "examples", "onbuild", "base"), path.join(root, "lib"), { recursive: true });
    cpSync(path.join(packageRoot, "examples", "onbuild", "base"), path.join(root, "components"), { recursive: true });
    write("package.json", '{ "name": "web", "type": "module", "main": "index.js" }\n');
    write(
        "tsconfig.json",
        '{ "compilerOptions": { "module": "ESNext", "moduleResolution": "bundler", "strict": true } }\n',
    );
    write("index.ts", "export const ours = true;\n");
    write("config.ts", "export const config = {};\n");
    write(".gitignore", "lib/\nbuild/\n*.egg-info/\n");
    write(
        "compose.yaml",
        "services:\n  web:\n    image: ghcr.io/acme/web:latest\n    build: { context: ., dockerfile: components/Dockerfile.web }\n",
    );
    write("components/Dockerfile.web", "FROM scratch\nCOPY lib/run.sh config.ts /\n");
    execFileSync("sh", ["-c", "git init --quiet && git add --all && git add --force lib && rm components/Dockerfile"], {
        cwd: root,
    });
    symlinkSync(packedModules(), path.join(root, "node_modules"));
    const layeredImages = (...args: string[]) =>
        runIn({ ...lab, env: { ...process.env, ...lab.variables } }, root, "node_modules/.bin/layered-images", args);
    const adopted = await layeredImages("adopt", "--yes");
    expect(adopted.code, adopted.output).toBe(0);
    expect(readFileSync(path.join(root, "Pulumi.yaml"), "utf8")).toContain("main: index.cjs\n");
    expect(readFileSync(path.join(root, "index.ts"), "utf8")).toBe("export const ours = true;\n");
    const up = await layeredImages("up");
    expect(up.output).toContain("docker-build:index:Image web-");
    expect(up.code, up.output).toBe(0);
});

test("the variables of a bake file on which names depend are asked for, and others are not", async () => {
    const files = {
        "docker-bake.hcl":
            'variable "REPO" { default = "x/app" }\nvariable "NOTE" { default = "" }\nvariable "LEVEL" { default = "1" }\n' +
            'group "default" { targets = ["app"] }\n' +
            'target "app" { \n tags = ["${REPO}:1"]\n args = { NOTE = NOTE, LEVEL = LEVEL }\n}\n',
        Dockerfile: "FROM scratch\nARG LEVEL NOTE\nCOPY Dockerfile /\n",
    };
    const plan = async (step: string, set: readonly string[] = []) => {
        const text = `on: push\njobs:\n  build:\n    steps:\n      - ${step}\n`;
        const root = tree({ ...files, ".github/workflows/ci.yml": text });
        execFileSync("sh", ["-c", "git init --quiet && git add ."], { cwd: root });
        const { images, needed, notes } = (await planAdoption(root, { dryRun: true, set })).plan;
        return {
            names: images.map(({ definition }) => definition.name),
            needed: needed.flatMap(({ values }) => values),
            notes: notes.map(({ text: note }) => note),
        };
    };
    const env = (values: string) =>
        `uses: docker/bake-action@v6\n        with: { push: true }\n        env: { ${values} }`;
    const own = env('REPO: "ghcr.io/${{ vars.OWNER }}/app", OTHER: "${{ vars.OTHER }}"');
    expect(await plan(own)).toMatchObject({ names: [undefined], needed: ["vars.OWNER"] });
    expect(await plan(own, ["vars.OWNER=acme"])).toEqual({ names: ["ghcr.io/acme/app:1"], needed: [], notes: [] });
    const script = 'run: REPO="ghcr.io/${{ vars.OWNER }}/app" docker buildx bake --push';
    expect(await plan(script)).toMatchObject({ needed: ["vars.OWNER"] });
    // An image would contain a secret that is its build argument: nobody is asked for it.
    expect(await plan(env('NOTE: "${{ secrets.NOTE }}"'))).toEqual({
        names: ["x/app:1"],
        needed: [],
        notes: [expect.stringContaining("secrets.NOTE is known only to GitHub, and is left out")],
    });
    // What only a running step knows can't be asked for: the file's default is what is left.
    expect(await plan(env('LEVEL: "${{ steps.level.outputs.level }}"'))).toEqual({
        names: ["x/app:1"],
        needed: [],
        notes: [expect.stringContaining("steps.level is not known before it runs")],
    });
});
