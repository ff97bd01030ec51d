import { expect, test } from "../tests/mocha";
import { run } from "../lib/system/process";
import { parseStat } from "../lib/system/processTable";
import { below, endedChildrenSeconds, serverSeconds, watchMemory } from "./processes";

test("the descendants of a process are found, except those of the processes that are left out", () => {
    const process = (pid: number, parent: number) => parseStat(`${pid} (sh) S ${parent}`);
    const all = [process(2, 1), process(3, 2), process(4, 3), process(5, 2), process(6, 5), process(7, 1)];
    expect(below(all, 2, [5]).map(({ pid }) => pid)).toEqual([3, 4]);
});

test("the CPU time and memory of a child and of what it started are counted, those of a server apart", async () => {
    const before = endedChildrenSeconds();
    const most = watchMemory([]);
    const script =
        "const block = Buffer.alloc(150e6, 1); const end = Date.now() + 600; while (Date.now() < end) block[0]++;";
    await run("sh", ["-c", '"$0" -e "$1"; true', process.execPath, script]);
    expect(endedChildrenSeconds() - before).toBeGreaterThan(0.1);
    expect(most()).toBeGreaterThan(150e6);
    expect(serverSeconds(process.pid)).toBeGreaterThan(0.1);
});
