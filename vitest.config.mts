import { defineConfig } from "vitest/config";

/** `unit` needs nothing but node_modules; `integration` needs the lab and takes minutes. */
export default defineConfig({
    test: {
        projects: [
            {
                test: {
                    name: "unit",
                    include: ["*.test.ts", "{components,lib,lab,tests,workflows}/**/*.test.ts"],
                    exclude: ["tests/integration/**", "tests/faults/**"],
                    sequence: { shuffle: true },
                },
            },
            {
                test: {
                    name: "integration",
                    include: ["tests/integration/**/*.test.ts", "tests/faults/**/*.test.ts"],
                    fileParallelism: false,
                    testTimeout: 900_000,
                    hookTimeout: 3_600_000,
                },
            },
        ],
    },
});
