import type { UpdateRecord } from "../lib/update/history";

/** Returns a history of `updates` builds of each image, and the number of times that the work of any of its updates was read so far. */
export function countedReads(images: readonly string[], updates: number) {
    let reads = 0;
    const work = images.map((image): UpdateRecord["images"][number] => ({
        ...{ image, platform: "linux/amd64", kind: "build", operation: "update" },
        ...{ seconds: 90, result: "succeeded", digestMoved: true },
    }));
    const history = Array.from({ length: updates }, (_one, index): UpdateRecord => {
        const start = new Date((updates - index) * 1000).toISOString();
        return {
            ...{ start, seconds: 100, result: "succeeded" },
            get images() {
                reads++;
                return work;
            },
        };
    });
    return { history, reads: () => reads };
}
