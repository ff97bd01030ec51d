import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before } from "mocha";
import { startLab } from "../../lab/lab";
import { stopLab } from "../../lab/labState";
import { fixture } from "../fixture";
import { type TestLab, makeRepository, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { manifest } from "../registry";
import { imageOutputs, up } from "../stack";

/* A builder that starts empty, like the builder of a CI runner. */

let lab: TestLab;
before(async () => {
    lab = await startTestLab();
});
after(async () => {
    await lab.close();
});

/** An instruction that produces a different layer each time it is executed. */
const mark = (file: string) => `RUN cat /proc/sys/kernel/random/uuid > ${file}\n`;

test("a fresh builder executes the bot's instructions from a change of the app on, and no others", async () => {
    const copy = "COPY app/bot /app/bot\n";
    const dockerfile = (fixture["docker/Dockerfile"] ?? "").replace(copy, mark("/before") + copy + mark("/after"));
    const program = makeRepository(path.join(lab.paths.state, "repository"), {
        ...fixture,
        "docker/Dockerfile": dockerfile,
    });
    const layers = async (platform: string) => {
        const digest = (await imageOutputs(lab, program)).bot?.platforms[platform] ?? "";
        return (await manifest(lab, "fixture/bot", digest))?.layers?.map((layer) => layer.digest) ?? [];
    };
    const platforms = ["linux/amd64", "linux/arm64"];
    expect(await up(lab, program)).toMatchObject({ code: 0 });
    const before = await Promise.all(platforms.map(layers));

    await stopLab(lab.paths);
    rmSync(path.join(lab.paths.state, "buildkit", "root"), { recursive: true });
    await startLab({ paths: lab.paths });
    writeFileSync(path.join(program, "app/bot/__main__.py"), 'print("changed")\n');
    const { code, operations } = await up(lab, program);
    expect(code).toBe(0);
    const built = ["bot", "bot-amd64", "bot-amd64-test", "bot-arm64", "bot-arm64-test"];
    expect(Object.keys(operations).sort()).toEqual(built);

    const after = await Promise.all(platforms.map(layers));
    for (const [index, had] of before.entries()) {
        const has = after[index] ?? [];
        const first = had.findIndex((layer, position) => layer !== has[position]);
        // The layers of the base image, of app.txt and of /before are equal; the layers of the app, /after and /app
        // follow.
        expect(had.slice(first)).toHaveLength(3);
        expect(has[first + 1]).not.toBe(had[first + 1]);
        expect(has).toHaveLength(had.length);
    }
});
