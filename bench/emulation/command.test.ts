import { expect, test } from "../../tests/mocha";
import { table } from "./command";

test("the table gives how many times as long emulation takes", () => {
    const [native, emulated] = [
        { wall: 2, cpu: 1 },
        { wall: 9, cpu: 8 },
    ];
    expect(
        table([{ kind: "a step that computes", native, emulated }], 5)
            .split("\n")
            .slice(4),
    ).toEqual(["| a step that computes | 2.0 s, 1.0 s | 9.0 s, 8.0 s | 4.5 | 8.0 |"]);
});
