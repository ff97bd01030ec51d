import { expect, test } from "../../tests/mocha";
import { parseProcesses, parseStat, processTable } from "./processTable";

test("the table has this process, with its start", () => {
    const self = processTable().find(({ pid }) => pid === process.pid);
    expect(self?.name).toMatch(/^node/);
    expect(Math.abs((self?.started ?? 0) - (Date.now() - process.uptime() * 1000))).toBeLessThan(5000);
});

test("what ps prints where there is no /proc is read: macOS names programs by their path", () => {
    const output = `    1 14-03:02:01 /sbin/launchd
  612    02:00:07 /Applications/Docker Desktop.app/Contents/MacOS/Docker Desktop
92001       00:42 /opt/homebrew/bin/pulumi
92007    01:00:00 (node)
`;
    const now = 1_800_000_000_000;
    const age = ({ started }: { readonly started: number }) => (now - started) / 1000;
    expect(parseProcesses(output, now).map((one) => [one.pid, one.name, age(one)])).toEqual([
        [1, "launchd", 14 * 86_400 + 3 * 3600 + 2 * 60 + 1],
        [612, "Docker Desktop", 7207],
        [92001, "pulumi", 42],
        [92007, "(node)", 3600],
    ]);
    expect(parseProcesses("", now)).toEqual([]);
});

test("what /proc says of a process is read where proc(5) has them, whatever its program is called", () => {
    const fields = Array.from({ length: 52 }, (_, index) => (index + 1).toString());
    const text = `17 (a) b (c) S ${fields.slice(3).join(" ")}`;
    expect(parseStat(text)).toEqual({
        ...{ pid: 17, name: "a) b (c", state: "S", parent: 4, started: "22", pages: 24 },
        ticks: { own: 14 + 15, children: 16 + 17 },
    });
});
