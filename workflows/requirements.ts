import path from "node:path";
import { expand } from "../lib/dockerfile/expand";
import { isJsonArray, mountFields, type Statement, readStatements } from "../lib/dockerfile/parse";
import { readStages, type Stage } from "../lib/dockerfile/stages";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import type { Step } from "./document";

/** Returns an image and its ancestors, parents first. */
function lineage(images: readonly PreparedImage[], image: PreparedImage): PreparedImage[] {
    const keys = new Set([image.key]);
    for (const { key, parents } of [...images].reverse()) {
        if (keys.has(key)) for (const parent of parents) keys.add(parent.key);
    }
    return images.filter(({ key }) => keys.has(key));
}

/** Platform of the runners. */
const runner = "linux/amd64";

/** Returns the bind mounts of a RUN instruction from the build context, with expanded targets and sources. */
function mounts({ flags, where }: Statement, { variables }: Stage, escape: string): [target: string, source: string][] {
    return flags.flatMap(({ name, value = "" }): [string, string][] => {
        const expanded = [...mountFields(value)].map(([key, text]) => [
            key,
            expand(text, variables, escape, where).text,
        ]);
        const fields = new Map(expanded as [string, string][]);
        const target = fields.get("target") ?? fields.get("dst") ?? fields.get("destination");
        const isContext = name === "mount" && (fields.get("type") ?? "bind") === "bind" && !fields.has("from");
        return isContext && target ? [[target, fields.get("source") ?? fields.get("src") ?? "."]] : [];
    });
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Returns the commands of one Dockerfile that install requirements, with paths of the checkout, and the build arguments that they use. */
function installations({ definition, dockerfile, buildArgs, inputs, triggers }: PreparedImage): {
    readonly commands: readonly string[];
    readonly env: Readonly<Record<string, string>>;
} {
    const context = definition.context ?? ".";
    const files = inputs
        .map((input) => path.posix.join(context, input.path))
        .filter((file) => /requirements.*\.txt$/.test(file));
    const { escape, statements } = readStatements(dockerfile, definition.dockerfile);
    const commands: string[] = [];
    const env: Record<string, string> = {};
    const install = (statement: Statement, stage: Stage) => {
        const { keyword, rest } = statement;
        if (keyword !== "RUN" || isJsonArray(rest)) return;
        const command = mounts(statement, stage, escape).reduce(
            (text, [target, source]) =>
                text.replace(
                    new RegExp(`(?<![\\w./-])${escaped(target)}(?![\\w.-])`, "g"),
                    path.posix.join(context, source),
                ),
            rest,
        );
        if (!files.some((file) => command.includes(file))) return;
        // Continuation lines keep their indentation: collapse it.
        commands.push(command.replace(/ {2,}/g, " "));
        for (const [name, value] of stage.variables) {
            if (value !== undefined && new RegExp(`\\$\\{?${name}\\b`).test(rest)) env[name] = value;
        }
    };
    const options = {
        path: definition.dockerfile,
        buildArgs,
        platforms: [runner],
        triggersOf: (reference: string) => triggers[reference] ?? [],
        ...(definition.target !== undefined && { target: definition.target }),
    } as const;
    readStages(statements, escape, options, { target: runner, build: runner }, install);
    return { commands, env };
}

/**
 * Returns a step that installs the checkout's requirements for an image and its ancestors. It runs the RUN instructions of their
 * Dockerfiles that mount a `requirements….txt`; instructions that use a copied file are not considered. Installers skip packages that are
 * already installed, so the step does nothing if the checkout has the same requirements as the image. Packages that the checkout no longer
 * requires stay installed.
 *
 * @returns no step if no Dockerfile mounts such a file
 */
export function installRequirements(images: readonly PreparedImage[], image: PreparedImage): Step[] {
    const installs = lineage(images, image).map(installations);
    const commands = installs.flatMap((install) => install.commands);
    if (commands.length === 0) return [];
    const env = Object.assign({}, ...installs.map((install) => install.env)) as Record<string, string>;
    return [
        {
            name: "Install the requirements",
            run: commands.join("\n"),
            ...(Object.keys(env).length > 0 && { env }),
        },
    ];
}
