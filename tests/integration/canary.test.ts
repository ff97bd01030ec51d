import path from "node:path";
import { after, before } from "mocha";
import { rebuild } from "../../cli/canary";
import { publishedBuilds } from "../../lib/engine/state";
import { configWith, fixture } from "../fixture";
import { type TestLab, makeRepository, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { up } from "../stack";

/* The same inputs produce the same bits: published images are built again without any cache. */

let lab: TestLab;
before(async () => {
    lab = await startTestLab();
});
after(async () => {
    await lab.close();
});

async function rebuilds(name: string, files: Readonly<Record<string, string>>) {
    const program = makeRepository(path.join(lab.paths.state, name), { ...fixture, ...files });
    expect(await up(lab, program)).toMatchObject({ code: 0 });
    const options = { env: lab.env, cwd: program };
    const outcomes = [];
    for (const one of await publishedBuilds(options)) outcomes.push(await rebuild(one, options));
    return outcomes;
}

test("every image of the hierarchy comes back with the same digest, on both platforms, with its secret and without what cache mounts hold; one whose context is gone is told", async () => {
    // The image shows content that a cache mount keeps between builds: a second build with the same mount would contain
    // 2.
    const dockerfile =
        (fixture["docker/Dockerfile.ci"] ?? "") +
        "RUN --mount=type=cache,target=/counted echo x >> /counted/builds && wc -l < /counted/builds > /builds\n" +
        'RUN --mount=type=secret,id=INDEX test "$(cat /run/secrets/INDEX)" = hunter2\n';
    const images = (fixture["images.ts"] ?? "").replace(
        'docker/smoke/ci.sh",',
        'docker/smoke/ci.sh",\n        secrets: ["INDEX"],',
    );
    const config = configWith("  layered-images:buildSecrets:\n    INDEX: hunter2\n");
    const outcomes = await rebuilds("repository", {
        "images.ts": images,
        "docker/Dockerfile.ci": dockerfile,
        ...config,
    });
    expect(outcomes.map(({ name }) => name).sort()).toEqual([
        "base-amd64",
        "base-arm64",
        "bot-amd64",
        "bot-arm64",
        "ci-amd64",
    ]);
    for (const { published, rebuilt } of outcomes) expect(rebuilt).toBe(published);
    const elsewhere = { env: lab.env, cwd: path.join(lab.paths.state, "repository", "docker") };
    const [first] = await publishedBuilds({ env: lab.env, cwd: path.join(lab.paths.state, "repository") });
    await expect(first && rebuild(first, elsewhere)).rejects.toThrow(
        /is not staged in this checkout[\s\S]*npm run preview/,
    );
});

test("an image that holds the time of its build is found out, with the layer and the file", async () => {
    const dockerfile = `${fixture["docker/Dockerfile.ci"] ?? ""}RUN date +%s%N > /built\n`;
    const differing = (await rebuilds("dated", { "docker/Dockerfile.ci": dockerfile })).filter(
        ({ published, rebuilt }) => published !== rebuilt,
    );
    expect(differing).toMatchObject([{ name: "ci-amd64" }]);
    const file = "built: sha256 [0-9a-f]{64}";
    expect(differing[0]?.difference).toMatch(
        new RegExp(`^layer 7 of 7 differs:\\n +published +${file}\\n +rebuilt +${file}$`),
    );
});
