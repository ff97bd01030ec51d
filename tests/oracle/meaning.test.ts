import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { after, before } from "mocha";
import { readDockerfile } from "../../lib/dockerfile/read";
import { InputError } from "../../lib/errors";
import { expect, test } from "../mocha";
import { dockerfiles, plain, spellings, write } from "./dockerfiles";
import { type Oracle, runs, startOracle } from "./oracle";

let oracle: Oracle;

before(async () => {
    oracle = await startOracle();
});

after(() => {
    oracle.stop();
});

interface Built {
    /** Hash of the steps that BuildKit would run. */
    readonly steps: string;
    /** The image's configuration. */
    readonly image: unknown;
}

const platform = "linux/amd64";
const buildArgs = { A: "given", X: "unused" };

const built = (dockerfile: string) => oracle.ask<Built>("llb", { dockerfile, platform, buildArgs });

function meaning(dockerfile: string): string | InputError {
    try {
        return readDockerfile(dockerfile, { path: "Dockerfile", platforms: [platform], buildArgs }).meaning.text;
    } catch (error) {
        if (error instanceof InputError) return error;
        throw error;
    }
}

test("what is built in place of a Dockerfile is the same to BuildKit, and the same however the Dockerfile is written", async () => {
    let compared = 0;
    await fc.assert(
        fc.asyncProperty(
            dockerfiles,
            spellings,
            spellings,
            fc.constantFrom("\\", "\\", "`"),
            async (instructions, styles, others, escape) => {
                const text = write(instructions, styles, escape);
                const { answer, error } = await built(text);
                const ours = meaning(text);
                if (answer === undefined || ours instanceof InputError) return;
                compared++;
                expect((await built(ours)).answer, ours).toEqual(answer);
                const other = write(instructions, others, escape);
                expect((await built(other)).answer, error).toEqual(answer);
                expect(meaning(other)).toBe(ours);
            },
        ),
        runs(1500),
    );
    expect(compared).toBeGreaterThan(0);
});

/**
 * Instructions whose change or removal may lead to the same steps without `readDockerfile` detecting it: stages
 * composed in another way, variables with the same final value, and settings of a stage that no later instruction uses.
 */
const mayDiffer = ["FROM", "ARG", "ENV", "USER", "SHELL", "WORKDIR", "ONBUILD"];

test("instructions that come, go or change have another meaning where BuildKit does something else, and only there", async () => {
    let [same, different] = [0, 0];
    const change = fc.record({ how: fc.constantFrom("add", "remove", "replace"), at: fc.nat(), from: fc.nat() });
    await fc.assert(
        fc.asyncProperty(dockerfiles, change, async (before, { how, at, from }) => {
            const index = at % before.length;
            const other = before[from % before.length];
            const after = before.toSpliced(index, how === "add" ? 0 : 1, ...(other && how !== "remove" ? [other] : []));
            const texts = [before, after].map((all) => write(all, [plain], "\\"));
            const [one, two] = await Promise.all(texts.map(built));
            const [ours, theirs] = texts.map(meaning);
            if (!one?.answer || !two?.answer || ours instanceof InputError || theirs instanceof InputError) return;
            const changed = [before[index], ...(how === "remove" ? [] : [other])].map((one) => one?.keyword ?? "");
            if (isDeepStrictEqual(one.answer, two.answer)) {
                same++;
                if (!changed.some((keyword) => mayDiffer.includes(keyword))) expect(theirs).toBe(ours);
            } else {
                different++;
                expect(theirs).not.toBe(ours);
            }
        }),
        runs(1500),
    );
    expect(Math.min(same, different)).toBeGreaterThan(0);
});
