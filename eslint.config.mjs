import pulumi from "@pulumi/eslint-plugin";
import importX, { createNodeResolver } from "eslint-plugin-import-x";
import tseslint from "typescript-eslint";

/**
 * The rooms, from the roof to the ground (docs/ARCHITECTURE.md): no file imports one from a room above its own. Rooms that share a line
 * share a floor.
 */
export const floors = [
    ["images.ts", "workflows.ts"],
    ["cli"],
    ["api.ts"],
    ["program.ts"],
    ["lib/adopt"],
    ["definitions.ts"],
    ["components"],
    ["workflows"],
    ["lab"],
    ["config.ts"],
    ["lib/forms"],
    ["lib/plan"],
    ["lib/cleanup"],
    ["lib/status"],
    ["lib/update"],
    ["lib/github"],
    ["lib/policy"],
    ["lib/engine"],
    ["lib/devcontainer"],
    ["lib/hierarchy"],
    ["lib/context"],
    ["lib/dockerfile"],
    ["lib/builders"],
    ["lib/registry"],
    ["lib/system"],
    ["lib/errors.ts", "lib/platform.ts"],
];

/** The command line runs the tests and the benchmark of this repository; nothing else knows them. */
const workshops = (room) => (room === "cli" ? [] : ["tests", "bench"]);

/** For each room, what stands above it. */
const zones = floors.flatMap((rooms, index) =>
    rooms.map((room) => ({
        target: room,
        from: [...floors.slice(0, index).flat(), ...workshops(room)],
        message: `${room} stands below it (docs/ARCHITECTURE.md).`,
    })),
);

export default tseslint.config(
    { ignores: ["node_modules/", ".stage/", ".packed/", "coverage/", "dist/", "docs/api/"] },
    {
        files: ["**/*.ts"],
        extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
        plugins: { "@pulumi": pulumi, "import-x": importX },
        languageOptions: {
            parserOptions: {
                projectService: true,
                tsconfigRootDir: import.meta.dirname,
            },
        },
        settings: {
            "import-x/extensions": [".ts"],
            "import-x/resolver-next": [createNodeResolver({ extensions: [".ts", ".js", ".json"] })],
        },
        rules: {
            "@pulumi/no-output-in-template-literal": "error",
            "@pulumi/no-output-instance-in-template-literal": "off",
            "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
            "import-x/no-cycle": "error",
        },
    },
    {
        // Tests lie next to what they test, and use helpers from tests/.
        files: ["**/*.ts"],
        ignores: ["**/*.test.ts", "**/testing.ts", "tests/**", "bench/**"],
        rules: { "import-x/no-restricted-paths": ["error", { basePath: import.meta.dirname, zones }] },
    },
);
