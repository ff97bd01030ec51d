import { spawnSync } from "node:child_process";

/** Event of perf(1): instructions that programs execute, without those of the kernel. */
const event = "instructions:u";

/** Returns the arguments of `perf` for counting; `target` is what is counted: a command, or `--pid` and pids. */
export const perfArguments = (output: string, target: readonly string[]): string[] => [
    ...["stat", "--field-separator", ",", "--output", output, "--event", event],
    ...target,
];

/**
 * Returns the number in the output of `perf stat --field-separator ,`; undefined if the machine does not count, or counted nothing.
 */
export function countIn(output: string): number | undefined {
    const line = output.split("\n").find((one) => /^[^#,]+,/.test(one));
    const count = Number(line?.split(",")[0]);
    return Number.isFinite(count) ? count : undefined;
}

/** Whether perf(1) is installed and this machine counts instructions; virtual machines often don't. */
export function countsInstructions(): boolean {
    const { stderr, error } = spawnSync("perf", perfArguments("/dev/stderr", ["--", "true"]), { encoding: "utf8" });
    return error === undefined && countIn(stderr) !== undefined;
}
