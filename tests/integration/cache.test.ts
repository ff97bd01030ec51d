import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before } from "mocha";
import { startLab } from "../../lab/lab";
import { stopLab } from "../../lab/labState";
import { configWith, fixture } from "../fixture";
import { type TestLab, makeRepository, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { manifest } from "../registry";
import { changesOf, command, imageOutputs, noChanges, reviewPlan, up } from "../stack";
import { except } from "../thorough";
import { writeTree } from "../tree";

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

const platforms = ["linux/amd64", "linux/arm64"];
let program: string;
/** The layers of the bot, by platform. */
const layers = async () => {
    const { bot } = await imageOutputs(lab, program);
    return await Promise.all(
        platforms.map(async (platform) => {
            const found = await manifest(lab, "fixture/bot", bot?.platforms[platform] ?? "");
            return found?.layers?.map((layer) => layer.digest) ?? [];
        }),
    );
};

test("a fresh builder executes the bot's instructions from a change of the app on, and no others", async () => {
    const copy = "COPY app/bot /app/bot\n";
    const dockerfile = (fixture["docker/Dockerfile"] ?? "").replace(copy, mark("/before") + copy + mark("/after"));
    program = makeRepository(path.join(lab.paths.state, "repository"), {
        ...fixture,
        "docker/Dockerfile": dockerfile,
    });
    expect(await up(lab, program)).toMatchObject({ code: 0 });
    const before = await layers();

    await stopLab(lab.paths);
    rmSync(path.join(lab.paths.state, "buildkit", "root"), { recursive: true });
    await startLab({ paths: lab.paths });
    writeFileSync(path.join(program, "app/bot/__main__.py"), 'print("changed")\n');
    const { code, operations } = await up(lab, program);
    expect(code).toBe(0);
    const built = ["bot", "bot-amd64", "bot-amd64-test", "bot-arm64", "bot-arm64-test"];
    expect(Object.keys(operations).sort()).toEqual(built);

    const after = await layers();
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

test.each(
    except<[string, () => Promise<{ readonly code: number; readonly output: string }>]>(
        ["by schedule"],
        [
            [
                "by schedule",
                () => {
                    writeTree(program, configWith("  layered-images:rebuilds:\n    bot: 2026-W48\n"));
                    return up(lab, program);
                },
            ],
            ["by hand", () => command(lab, program, ["up", "--rebuild", "bot"])],
        ],
    ),
)(
    "a rebuild %s executes every RUN again although all is cached, and leaves the next update nothing to do",
    async (_how, rebuild) => {
        const before = await layers();
        const { code, output } = await rebuild();
        expect(code, output).toBe(0);
        const after = await layers();
        for (const [index, had] of before.entries()) {
            const moved = had.flatMap((layer, position) =>
                layer === after[index]?.[position] ? [] : [position - had.length],
            );
            // From the top: /app, /after, the app, /before. The layers of the base and of app.txt are below.
            expect(moved).toEqual(expect.arrayContaining([-4, -2]));
            expect(moved.every((position) => position >= -4)).toBe(true);
        }
        expect(changesOf(await up(lab, program))).toEqual(noChanges);
        expect(await layers()).toEqual(after);
    },
);

test.thorough(
    "another compression rebuilds each image once, for that reason, and every layer has it: also those of the root",
    async () => {
        writeTree(program, configWith("  layered-images:compression: gzip\n"));
        const { images } = await reviewPlan(lab, program);
        const [base, ...children] = images.filter(({ image }) => image !== "devcontainer");
        expect(base?.causes).toContain("compression: zstd → gzip");
        for (const child of children) expect(child.causes, child.image).toContain("compression: zstd → gzip");
        const { code, output } = await up(lab, program);
        expect(code, output).toBe(0);
        for (const [key, { platforms: digests }] of Object.entries(await imageOutputs(lab, program))) {
            if (key === "devcontainer") continue;
            for (const digest of Object.values(digests)) {
                const types = (await manifest(lab, `fixture/${key}`, digest))?.layers?.map(
                    ({ mediaType }) => mediaType,
                );
                expect([...new Set(types)], key).toEqual(["application/vnd.oci.image.layer.v1.tar+gzip"]);
            }
        }
        expect(changesOf(await up(lab, program))).toEqual(noChanges);
    },
);
