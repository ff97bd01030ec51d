import { createHash } from "node:crypto";

/** Environment variable with the seed of the tests' order; without it tests run in the order in which they are written. */
export const seedVariable = "TEST_SEED";

/** Returns the items in another order, which is the same for equal seeds. */
export const shuffled = <T>(items: readonly T[], seed: string): T[] =>
    items
        .map((item, index) => ({ item, key: createHash("sha256").update(`${seed} ${index}`).digest("hex") }))
        .sort((a, b) => (a.key < b.key ? -1 : 1))
        .map(({ item }) => item);
