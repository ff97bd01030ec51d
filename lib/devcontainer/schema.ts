import { z } from "zod";

/*
 * The properties of devcontainer.json, as containers.dev/implementors/json_reference describes them, and those of older files that VS Code
 * still reads. Checked here, because the Dev Containers CLI takes any property and ignores what it does not know.
 */

const shown = (value: unknown): string => (value === undefined ? "missing" : JSON.stringify(value).slice(0, 80));

/** Makes the message for a value of the wrong kind. */
const refused =
    (allowed: string) =>
    ({ input }: { readonly input?: unknown }): string =>
        `${shown(input)}: allowed: ${allowed}`;

/** Number of letters to change, add or remove to get from one word to another (Levenshtein's distance). */
function distance(from: string, to: string): number {
    let row = Array.from({ length: to.length + 1 }, (_, column) => column);
    for (let line = 0; line < from.length; line++) {
        const above = row;
        const at = (column: number) => above[column] ?? 0;
        row = [line + 1];
        for (let column = 0; column < to.length; column++) {
            const changed = at(column) + (from[line] === to[column] ? 0 : 1);
            row.push(Math.min(changed, at(column + 1) + 1, (row[column] ?? 0) + 1));
        }
    }
    return row[to.length] ?? 0;
}

/** Says what is wrong with a name: the name that was meant if one is near, or else all of them. */
function unknownName(name: string, known: readonly string[]): string {
    const near = known
        .map((one) => ({ one, steps: distance(name.toLowerCase(), one.toLowerCase()) }))
        .filter(({ steps }) => steps <= 2)
        .sort((a, b) => a.steps - b.steps);
    const [meant] = near;
    return `no such property, so it would be ignored: ${meant ? `did you mean ${meant.one}?` : `allowed: ${[...known].sort().join(", ")}`}`;
}

/** An object that has these properties and no others. */
const only = <Shape extends z.ZodRawShape>(shape: Shape, allowed: string) =>
    z.strictObject(shape, {
        error: (issue) =>
            issue.code === "unrecognized_keys"
                ? unknownName(String(issue.keys[0]), Object.keys(shape))
                : refused(allowed)(issue),
    });

const text = z.string({ error: refused("a text") });
const yesOrNo = z.boolean({ error: refused("true, false") });
const texts = z.array(text, { error: refused("a list of texts") });
const textOrTexts = z.union([text, texts], { error: refused("a text or a list of texts") });
const textByName = z.record(z.string(), text, { error: refused("an object whose values are texts") });
const oneOf = <const T extends readonly string[]>(values: T) => z.enum(values, { error: refused(values.join(", ")) });
const wholeNumber = z.int({ error: refused("a whole number") });
const byName = <T extends z.ZodType>(value: T, allowed: string) =>
    z.record(z.string(), value, { error: refused(allowed) });
const command = z.union([text, texts, z.record(z.string(), z.union([text, texts]))], {
    error: refused("a command as a text or a list of texts, or an object with several"),
});

/** The commands that run one after another while a container is made and started. */
const lifecycle = [
    "initializeCommand",
    "onCreateCommand",
    "updateContentCommand",
    "postCreateCommand",
    "postStartCommand",
] as const;

const port = only(
    {
        onAutoForward: oneOf(["notify", "openBrowser", "openBrowserOnce", "openPreview", "silent", "ignore"]),
        elevateIfNeeded: yesOrNo,
        label: text,
        requireLocalPort: yesOrNo,
        protocol: oneOf(["http", "https"]),
    },
    "an object with attributes of a port",
).partial();

const size = z
    .string({ error: refused("a size such as 8gb") })
    .regex(/^\d+([tgmk]b)?$/, { error: refused("a size such as 8gb, with tb, gb, mb or kb") });

const properties = {
    $schema: text,
    name: text,
    // What the container is made from.
    image: text,
    build: only(
        { dockerfile: text, context: text, target: text, args: textByName, cacheFrom: textOrTexts, options: texts },
        "an object with dockerfile",
    ).partial(),
    dockerFile: text,
    context: text,
    dockerComposeFile: textOrTexts,
    service: text,
    runServices: texts,
    features: byName(
        z.union([z.string(), z.boolean(), z.record(z.string(), z.unknown())], {
            error: refused("a version, true, or an object of options"),
        }),
        "an object with the options of each feature",
    ),
    overrideFeatureInstallOrder: texts,
    customizations: z.looseObject(
        {
            vscode: z
                .looseObject(
                    {
                        extensions: texts.optional(),
                        settings: byName(z.unknown(), "an object of settings").optional(),
                    },
                    { error: refused("an object with extensions and settings") },
                )
                .optional(),
        },
        { error: refused("an object with a part for each tool") },
    ),
    // How it runs.
    remoteUser: text,
    containerUser: text,
    updateRemoteUserUID: yesOrNo,
    containerEnv: textByName,
    remoteEnv: byName(
        z.union([z.string(), z.null()], { error: refused("a text or null") }),
        "an object whose values are texts or null",
    ),
    mounts: z.array(
        z.union(
            [
                z.string(),
                z.strictObject({
                    type: z.enum(["bind", "volume"]),
                    source: z.string().optional(),
                    target: z.string(),
                    external: z.boolean().optional(),
                }),
            ],
            {
                error: refused(
                    "a text as docker run --mount takes it, or an object with type (bind, volume), source and target",
                ),
            },
        ),
        { error: refused("a list of mounts") },
    ),
    workspaceFolder: text,
    workspaceMount: text,
    runArgs: texts,
    capAdd: texts,
    securityOpt: texts,
    init: yesOrNo,
    privileged: yesOrNo,
    overrideCommand: yesOrNo,
    shutdownAction: oneOf(["none", "stopContainer", "stopCompose"]),
    userEnvProbe: oneOf(["none", "loginShell", "loginInteractiveShell", "interactiveShell"]),
    waitFor: oneOf(lifecycle),
    initializeCommand: command,
    onCreateCommand: command,
    updateContentCommand: command,
    postCreateCommand: command,
    postStartCommand: command,
    postAttachCommand: command,
    forwardPorts: z.array(z.union([wholeNumber, text], { error: refused("a port, or host:port as a text") }), {
        error: refused("a list of ports"),
    }),
    // The official schema refuses no attribute here, and does for the other ports.
    portsAttributes: byName(z.looseObject(port.shape), "an object with the attributes of each port"),
    otherPortsAttributes: port,
    appPort: z.union([wholeNumber, text, z.array(z.union([wholeNumber, text]))], {
        error: refused("a port as a number or a text, or a list of them"),
    }),
    hostRequirements: only(
        {
            cpus: wholeNumber,
            memory: size,
            storage: size,
            gpu: z.union(
                [yesOrNo, z.literal("optional"), only({ cores: wholeNumber, memory: size }, "an object").partial()],
                { error: refused("true, false, optional, or an object with cores and memory") },
            ),
        },
        "an object with cpus, memory, storage and gpu",
    ).partial(),
    secrets: byName(
        only(
            { description: text, documentationUrl: text },
            "an object with description and documentationUrl",
        ).partial(),
        "an object with a part for each secret",
    ),
    // Of older files.
    extensions: texts,
    settings: byName(z.unknown(), "an object of settings"),
    devPort: wholeNumber,
    codespaces: byName(z.unknown(), "an object"),
};

/** A devcontainer.json, of which each property may be absent. */
export const devcontainerSchema = only(properties, "an object").partial();

/** What a devcontainer.json says. */
export type DevcontainerContent = z.infer<typeof devcontainerSchema>;

/** The path of the Dockerfile as it is written: under `dockerFile` in older files. */
export const dockerfileIn = ({ build, dockerFile }: DevcontainerContent): string | undefined =>
    build?.dockerfile ?? dockerFile;
