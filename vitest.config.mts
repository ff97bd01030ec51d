import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vitest/config";

/** @actions/languageservice imports JSON in a way that Node.js refuses, and names source maps that it does not bring. */
const actions: Plugin = {
    name: "actions",
    enforce: "pre",
    load: (id) =>
        /\/@actions\/.+\.js$/.test(id) ? readFileSync(id, "utf8").replace(/^\/\/# sourceMappingURL=.*$/m, "") : null,
};

/** Tests that need nothing but node_modules and yet take seconds: they start the command line or the lint. */
const slow = ["cli/main.test.ts", "workflows/scripts.test.ts", "tests/architecture.test.ts"];

/**
 * `unit` needs nothing but node_modules; `integration` needs the lab and takes minutes; `real` builds this repository's own
 * images, PyTorch and all.
 */
export default defineConfig({
    test: {
        maxWorkers: "100%",
        projects: [
            {
                plugins: [actions],
                test: {
                    name: "unit",
                    include: ["*.test.ts", "{bench,cli,components,lib,lab,tests,workflows}/**/*.test.ts"],
                    exclude: ["tests/{integration,faults,oracle,real}/**", ...slow],
                    sequence: { shuffle: true },
                    // A worker imports what many files share once: half of the time. Shuffled, so that none leans on another.
                    isolate: false,
                    testTimeout: 30_000,
                    server: { deps: { inline: [/@actions\//] } },
                },
            },
            {
                test: {
                    name: "integration",
                    include: ["tests/{integration,faults,oracle}/**/*.test.ts", ...slow],
                    testTimeout: 900_000,
                    hookTimeout: 3_600_000,
                },
            },
            {
                test: {
                    name: "real",
                    include: ["tests/real/**/*.test.ts"],
                    testTimeout: 3_600_000,
                    hookTimeout: 3_600_000,
                },
            },
        ],
    },
});
