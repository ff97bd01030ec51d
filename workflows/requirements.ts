import path from "node:path";
import { expand } from "../lib/dockerfile/expand";
import { isJsonArray, mountFields, type Statement, readStatements } from "../lib/dockerfile/parse";
import { readStages, type Stage } from "../lib/dockerfile/stages";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import type { Step } from "./document";

/** An image and everything that it stands on, parents first. */
function lineage(images: readonly PreparedImage[], image: PreparedImage): PreparedImage[] {
    const keys = new Set([image.key]);
    for (const { key, parents } of [...images].reverse()) {
        if (keys.has(key)) for (const parent of parents) keys.add(parent.key);
    }
    return images.filter(({ key }) => keys.has(key));
}

/** Platform of the runners. */
const runner = "linux/amd64";

/** What RUN mounts from the build context: source by target, expanded. */
function mounts({ flags, where }: Statement, { variables }: Stage, escape: string): [target: string, source: string][] {
    return flags.flatMap(({ name, value = "" }): [string, string][] => {
        const expanded = [...mountFields(value)].map(([key, one]) => [key, expand(one, variables, escape, where).text]);
        const fields = new Map(expanded as [string, string][]);
        const target = fields.get("target") ?? fields.get("dst") ?? fields.get("destination");
        const isContext = name === "mount" && (fields.get("type") ?? "bind") === "bind" && !fields.has("from");
        return isContext && target ? [[target, fields.get("source") ?? fields.get("src") ?? "."]] : [];
    });
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** The instructions of one Dockerfile that install requirements, for the checkout, and the arguments that they use. */
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
        // Continued lines keep their indentation.
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
 * Installs the requirements of an image and of all that it stands on, as the checkout has them: by the instructions of their
 * Dockerfiles that mount a `requirements….txt`, in their words. Those that copy it are not looked for. Installers leave alone
 * what is there already, so nothing happens where the checkout's are the image's own. What the checkout no longer requires
 * stays installed.
 *
 * @returns no step for an image that mounts none
 */
export function installRequirements(images: readonly PreparedImage[], image: PreparedImage): Step[] {
    const all = lineage(images, image).map(installations);
    const commands = all.flatMap((one) => one.commands);
    if (commands.length === 0) return [];
    const env = Object.assign({}, ...all.map((one) => one.env)) as Record<string, string>;
    return [
        {
            name: "Install the requirements",
            run: commands.join("\n"),
            ...(Object.keys(env).length > 0 && { env }),
        },
    ];
}
