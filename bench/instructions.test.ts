import { expect, test } from "../tests/mocha";
import { countIn } from "./instructions";

test.each<[string, string, number | undefined]>([
    ["counted", "# started on Fri Nov 27\n\n1352616,,instructions:u,1352616,100.00,,\n", 1352616],
    ["a machine that does not count", "\n<not supported>,,instructions:u,0,100.00,,\n", undefined],
    ["processes that did nothing", "<not counted>,,instructions:u,0,0.00,,\n", undefined],
    ["nothing", "", undefined],
])("perf's output, %s: the instructions are read", (_name, output, count) => {
    expect(countIn(output)).toBe(count);
});
