/** Whether `found` ("3.259.0") is `wanted` or later. */
export function isAtLeast(found: string, wanted: string): boolean {
    const parts = (version: string) => version.split(".").map(Number);
    const [have, need] = [parts(found), parts(wanted)];
    for (let index = 0; index < need.length; index++) {
        const difference = (have[index] ?? 0) - (need[index] ?? 0);
        if (difference !== 0) return difference > 0;
    }
    return true;
}

/** The version in what a program says about itself: "3.259.0" in "v3.259.0"; undefined where it names none. */
export const versionIn = (text: string): string | undefined => /v?(\d+\.\d+\.\d+)/.exec(text)?.[1];
