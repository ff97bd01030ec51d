import { describe, expect, test } from "vitest";
import { type ImageRecord, type UpdateRecord, keepUpdates, recordedSeconds } from "./history";

const build = (image: string, more: Partial<ImageRecord> = {}): ImageRecord => ({
    image,
    platform: "linux/amd64",
    kind: "build",
    operation: "update",
    seconds: 60,
    result: "succeeded",
    digestMoved: true,
    ...more,
});
const update = (start: number, ...images: ImageRecord[]): UpdateRecord => ({
    start: new Date(start * 1000).toISOString(),
    seconds: 100,
    result: "succeeded",
    images,
});

describe("the recorded duration of a build", () => {
    const base = { image: "base", platform: "linux/amd64" };

    test("is that of the newest one", () => {
        const history = [update(2, build("base", { seconds: 40 })), update(1, build("base", { seconds: 90 }))];
        expect(recordedSeconds(history, base)).toBe(40);
        expect(recordedSeconds(history, { ...base, platform: "linux/arm64" })).toBeUndefined();
    });

    test("is not that of a failed build, a test, a removal, or a build from the cache", () => {
        const others: Partial<ImageRecord>[] = [
            { result: "failed" },
            { kind: "test" },
            { operation: "delete" },
            { digestMoved: false },
        ];
        const quick = others.map((one, index) => update(10 + index, build("base", { seconds: 1, ...one })));
        expect(recordedSeconds([...quick, update(1, build("base", { seconds: 90 }))], base)).toBe(90);
    });

    test("is that of a build from the cache where there is no other", () => {
        expect(recordedSeconds([update(1, build("base", { seconds: 3, digestMoved: false }))], base)).toBe(3);
    });

    test("is known of an image that is never pushed", () => {
        const unpushed: ImageRecord = {
            ...{ image: "base", platform: "linux/amd64", kind: "build" },
            ...{ operation: "create", seconds: 7, result: "succeeded" },
        };
        expect(recordedSeconds([update(1, unpushed)], base)).toBe(7);
    });
});

describe("of many updates", () => {
    test("the newest are kept", () => {
        const history = [5, 4, 3, 2, 1].map((start) => update(start));
        expect(keepUpdates(history, 3)).toEqual(history.slice(0, 3));
        expect(keepUpdates(history, 9)).toEqual(history);
    });

    test("one that alone tells how long a build takes is kept, however old", () => {
        const base = update(1, build("base"));
        const bots = [5, 4, 3, 2].map((start) => update(start, build("bot")));
        expect(keepUpdates([...bots, base], 3)).toEqual([bots[0], bots[1], base]);
    });

    test("never more than wanted are kept", () => {
        const history = [5, 4, 3, 2, 1].map((start) => update(start, build(`image${String(start)}`)));
        expect(keepUpdates(history, 2)).toEqual(history.slice(0, 2));
    });
});
