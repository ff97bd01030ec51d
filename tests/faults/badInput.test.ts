import { rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import { after, before } from "mocha";
import { configWith, fixture, workflowsFile } from "../fixture";
import { type TestLab, makeRepository, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { repositories } from "../registry";
import { exportState, up } from "../stack";
import { writeTree } from "../tree";

/* Bad input with the real engine: one clear message, no stack trace, no build and no publication. */

let lab: TestLab;
before(async () => {
    lab = await startTestLab();
});
after(async () => {
    await lab.close();
});

const images = fixture["images.ts"] ?? "";

test.each<[string, Readonly<Record<string, string>>, RegExp]>([
    [
        "an unknown parent in our namespace",
        { "docker/Dockerfile": "FROM ghcr.io/fixture/bse:latest\n" },
        /docker\/Dockerfile:1: ghcr.io\/fixture\/bse:latest is in the namespace of this repository's images[\s\S]*allowed: ghcr.io\/fixture\/base:latest/,
    ],
    [
        "a cycle",
        { "docker/Dockerfile.base": "FROM ghcr.io/fixture/bot\n" },
        /the images form a cycle: base → bot → base/,
    ],
    [
        "a Dockerfile that is missing",
        { "images.ts": images.replace("docker/Dockerfile.ci", "docker/Dockerfile.cd") },
        /docker\/Dockerfile.cd: the Dockerfile of image ci is missing/,
    ],
    [
        "a Dockerfile that can't be parsed",
        { "docker/Dockerfile.ci": "FROM a\nCOPPY b /\n" },
        /docker\/Dockerfile.ci:2: COPPY/,
    ],
    [
        "a COPY of what is not there",
        { "docker/Dockerfile.ci": "FROM ghcr.io/fixture/base\nCOPY gone.txt /\n" },
        /docker\/Dockerfile.ci:2: COPY reads "gone.txt", which matches no file/,
    ],
    [
        "a platform that the parent lacks",
        { "images.ts": images.replace('"linux/amd64", "linux/arm64"', '"linux/amd64"') },
        /image bot needs its parent base for linux\/arm64, but base is only built for linux\/amd64/,
    ],
    [
        "a platform that is none",
        { "images.ts": images.replace('["linux/amd64"]', '["linux/x86"]').replace("linux/x86", "linux/X86") },
        /image ci: "linux\/X86" is not a platform/,
    ],
    [
        "two images of one name",
        { "images.ts": images.replace("ghcr.io/fixture/ci:latest", "ghcr.io/fixture/bot") },
        /images ci and bot would both be published as ghcr.io\/fixture\/bot:latest/,
    ],
    [
        "an invalid reference",
        { "images.ts": images.replace("ghcr.io/fixture/ci:latest", "ghcr.io/Fixture/ci") },
        /"ghcr.io\/Fixture\/ci" is not an image reference/,
    ],
    [
        "unknown keys and wrong kinds, at once",
        configWith('  layered-images:regsitry: x\n  layered-images:platforms: "[1]"\n'),
        /layered-images:platforms[\s\S]*unknown key layered-images:regsitry/,
    ],
    [
        "build arguments of an image that is not there",
        configWith("  layered-images:buildArgs:\n    bse:\n      A: b\n"),
        /setting `buildArgs`: there is no image "bse"[\s\S]*allowed: base, ci, bot, devcontainer/,
    ],
    [
        "a build argument that looks like a secret",
        configWith("  layered-images:buildArgs:\n    base:\n      INDEX_TOKEN: hunter2\n"),
        /build argument INDEX_TOKEN of image base looks like a secret/,
    ],
    [
        "a secret that the stack lacks",
        { "images.ts": images.replace('docker/smoke/ci.sh",', 'docker/smoke/ci.sh",\n        secrets: ["INDEX"],') },
        /image ci needs the secret INDEX[\s\S]*pulumi config set --secret --path 'buildSecrets.INDEX'/,
    ],
    [
        "a smoke test that is missing",
        { "images.ts": images.replace("docker/smoke/ci.sh", "docker/smoke/gone.sh") },
        /docker\/smoke\/gone.sh: a smoke test of image ci is missing/,
    ],
    [
        "a smoke test of an image that is never pushed",
        { "images.ts": images.replace('platforms: "host"', 'smokeTest: "docker/smoke/base.sh", platforms: "host"') },
        /image devcontainer has no name[\s\S]*run the script as the last step of its Dockerfile/,
    ],
    [
        "a field of images.ts that is misspelt, and one of another kind",
        { "images.ts": images.replace("smokeTest:", "smoketest:").replace('["linux/amd64"]', '"linux/amd64"') },
        /image base has an unknown field "smoketest"; known are description, [\s\S]*image ci: its platforms is neither/,
    ],
    [
        "an images.ts that does not compile",
        { "images.ts": `${images}export const more = {;\n` },
        /images\.ts: it can't be loaded: [^]*next: correct images\.ts/,
    ],
    [
        "an images.ts that throws",
        { "images.ts": `${images}throw new Error("no base today");\n` },
        /images\.ts: it can't be loaded: no base today\n +next: correct images\.ts/,
    ],
    [
        "a workflows.ts that throws",
        { "workflows.ts": 'throw new Error("no workflows today");\n' },
        /workflows\.ts: it can't be loaded: no workflows today\n +next: correct workflows\.ts/,
    ],
    [
        "a workflows.ts that names an image that is not there",
        workflowsFile({
            checks: [{ file: "test.yml", name: "Tests", image: "cy", steps: [{ name: "Test", run: "make" }] }],
        }),
        /workflows\.ts: checks\[0\]\.image: images\.ts has no image "cy"; it has base, ci, bot, devcontainer/,
    ],
    [
        "a source that is a link out of the repository",
        { link: "requirements/app.txt" },
        /docker\/Dockerfile\.ci:3: COPY reads "requirements\/app\.txt", which leads through the symbolic link requirements\/app\.txt to \/etc\/hostname, which is not in the build context/,
    ],
])("%s is refused before anything is built", async (_name, files, message) => {
    const program = makeRepository(path.join(lab.paths.state, "repository"), fixture);
    try {
        if ("link" in files) {
            const link = path.join(program, files.link);
            rmSync(link);
            symlinkSync("/etc/hostname", link);
        } else writeTree(program, files);
        const { code, output, operations } = await up(lab, program);
        expect(output).toMatch(message);
        expect(output).not.toMatch(/\n\s+at .*:\d+:\d+/);
        expect(output).not.toContain("hunter2");
        expect(code).toBe(1);
        expect(operations).toEqual({});
        expect(await exportState(lab, program)).toEqual({});
        expect(await repositories(lab)).toEqual(["library/python"]);
    } finally {
        rmSync(program, { recursive: true });
    }
});
