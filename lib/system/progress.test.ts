import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { mock } from "node:test";
import { afterEach, beforeEach } from "mocha";
import { expect, spyOn, test } from "../../tests/mocha";
import { temporaryFolder } from "../../tests/tree";
import { announce, progress, secondsLeft } from "./progress";

let said: string[] = [];
beforeEach(() => {
    said = [];
    // Node says that its mocked timers are experimental, on the stream that these tests read.
    spyOn(process, "emitWarning").mockReturnValue();
    mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
    spyOn(process.stderr, "write").mockImplementation((text) => {
        said.push(String(text));
        return true;
    });
    spyOn(console, "error").mockImplementation((text: unknown) => {
        said.push(`${String(text)}\n`);
    });
});
afterEach(() => {
    mock.timers.reset();
});

const work = (milliseconds: number) => () =>
    new Promise<string>((resolve) => setTimeout(resolve, milliseconds, "done"));
const during = async (milliseconds: number, options?: { readonly after: number }) => {
    const running = progress("looking", work(milliseconds), options);
    mock.timers.tick(milliseconds);
    expect(await running).toBe("done");
    return said.join("");
};

test("what is under way is said when it begins and when it ends", async () => {
    expect(await during(1000)).toMatch(/looking … *\n?.*looking: done in 1 s/s);
});

test("what is over soon enough is not said", async () => {
    expect(await during(1000, { after: 2000 })).toBe("");
    expect(await during(5000, { after: 2000 })).toMatch(/looking … *\n?.*looking: done in 5 s/s);
});

test.each<[string, Record<string, Record<string, number>>, Record<string, number>, number]>([
    ["nothing was announced", {}, {}, 0],
    ["nothing has begun", { one: { a: 60, b: 30 } }, {}, 90],
    ["a phase has begun", { one: { a: 60, b: 30 } }, { a: 80_000 }, 70],
    ["a phase takes longer than expected", { one: { a: 60, b: 30 } }, { a: 0 }, 30],
    ["a shorter lane runs beside it", { one: { a: 60, b: 30 }, two: { c: 80 } }, { a: 80_000, c: 90_000 }, 70],
    ["a longer lane runs beside it", { one: { a: 60 }, two: { c: 80 } }, { a: 80_000, c: 90_000 }, 70],
])("what is left is the rest of the longest lane when %s", (_when, lanes, started, left) => {
    const expected = new Map(Object.entries(lanes).map(([lane, phases]) => [lane, new Map(Object.entries(phases))]));
    expect(secondsLeft(expected, new Map(Object.entries(started)), 100_000)).toBe(left);
});

test("works at the same time share a line, which says what is left by earlier runs and estimates", async () => {
    const file = path.join(temporaryFolder(), "durations.json");
    writeFileSync(file, JSON.stringify({ compiling: 600, other: 5 }));
    announce(
        "compiler",
        [
            { name: "compiling", seconds: 60 },
            { name: "linking", seconds: 120 },
        ],
        file,
    );
    const works = [progress("compiling", work(130_000), { phase: "compiling" }), progress("fetching", work(70_000))];
    mock.timers.tick(60_000);
    mock.timers.tick(10_000);
    await works[1];
    mock.timers.tick(50_000);
    mock.timers.tick(10_000);
    await works[0];
    expect(said.join("")).toBe(
        "compiling …\nfetching …\ncompiling … 1 min 00 s, fetching … 1 min 00 s (about 11 min left)\n" +
            "fetching: done in 1 min 10 s\ncompiling … 2 min 00 s (about 10 min left)\ncompiling: done in 2 min 10 s\n",
    );
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ compiling: 130, other: 5 });
    announce("compiler", [], file);
});

test("a phase that fails is no measure of later ones", async () => {
    const file = path.join(temporaryFolder(), "durations.json");
    announce("compiler", [{ name: "compiling", seconds: 60 }], file);
    const failing = progress("compiling", () => Promise.reject(new Error("no")), { phase: "compiling" });
    await expect(failing).rejects.toThrow("no");
    expect(existsSync(file)).toBe(false);
    announce("compiler", [], file);
});
