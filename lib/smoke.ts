import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { inputHash, stageContext } from "./context";
import { InputError } from "./errors";
import { collectInputs } from "./inputs";
import type { PreparedLayer } from "./layers";

/** The Dockerfile of every smoke test. */
export const smokeDockerfile = "docker/smoke.Dockerfile";

/** A staged smoke test: what `stageContext` returns, and the scripts in the order in which they run. */
export interface StagedTests {
    readonly context: string;
    readonly dockerfile: string;
    readonly scripts: readonly string[];
}

/** The scripts that test `layer`: its ancestors' first, since it must still be all that they are, then its own. */
export function smokeScripts(layer: PreparedLayer, layers: readonly PreparedLayer[]): string[] {
    const scripts: string[] = [];
    const visit = (one: PreparedLayer): void => {
        for (const { by } of one.parents) {
            const parent = layers.find(({ key }) => key === by);
            if (parent) visit(parent);
        }
        const script = one.definition.smokeTest;
        if (script !== undefined && !scripts.includes(script)) scripts.push(script);
    };
    visit(layer);
    return scripts;
}

/**
 * Stages the smoke tests of a published image; undefined when neither it nor an ancestor has one.
 *
 * @throws InputError when a script is missing
 */
export function stageSmokeTests(args: {
    readonly root: string;
    readonly stageRoot: string;
    readonly layer: PreparedLayer;
    readonly layers: readonly PreparedLayer[];
}): StagedTests | undefined {
    const { root, stageRoot, layer } = args;
    const scripts = smokeScripts(layer, args.layers);
    if (layer.repository === undefined || scripts.length === 0) return undefined;
    const missing = scripts.find((script) => !existsSync(path.join(root, script)));
    if (missing !== undefined) {
        throw new InputError({
            problem: `a smoke test of image ${layer.key} is missing`,
            where: missing,
            next: "create it, or correct `smokeTest` in images.ts (paths are from the repository's root)",
        });
    }
    const sources = scripts.map((pattern, index) => ({ pattern, line: index + 1, instruction: "smokeTest" }));
    const files = collectInputs(root, sources, { dockerfile: smokeDockerfile });
    const dockerfile = readFileSync(path.join(root, smokeDockerfile), "utf8");
    const hash = inputHash({
        dockerfile,
        files,
        target: undefined,
        buildArgs: undefined,
        labels: undefined,
        secrets: undefined,
        exporter: "cacheonly",
        cache: false,
    });
    const staged = stageContext({
        base: root,
        root,
        stageRoot,
        image: `${layer.key}-test`,
        inputHash: hash,
        files,
        dockerfile,
    });
    return { ...staged, scripts };
}
