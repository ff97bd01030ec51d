import { afterEach, beforeEach } from "mocha";
import { vi } from "vitest";
import { expect, spyOn, test } from "../../tests/mocha";
import { progress } from "./progress";

let said: string[] = [];
beforeEach(() => {
    said = [];
    vi.useFakeTimers();
    spyOn(process.stderr, "write").mockImplementation((text) => {
        said.push(String(text));
        return true;
    });
});
afterEach(() => {
    vi.useRealTimers();
});

const work = (milliseconds: number) => () =>
    new Promise<string>((resolve) => setTimeout(resolve, milliseconds, "done"));
const during = async (milliseconds: number, options?: { readonly after: number }) => {
    const running = progress("looking", work(milliseconds), options);
    await vi.advanceTimersByTimeAsync(milliseconds);
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
