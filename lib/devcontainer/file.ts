import path from "node:path";
import { type Node, type ParseError, findNodeAtLocation, parse, parseTree, printParseErrorCode } from "jsonc-parser";
import { z } from "zod";
import type { Checkout } from "../context/checkout";
import { hash12 } from "../context/hash";
import { InputError } from "../errors";
import { sameImage } from "../registry/references";

/* devcontainer.json as containers.dev/implementors/json_reference describes it. The Dev Containers CLI takes any property and ignores what it does
   not know, so a misspelt one is found only here. */

/** Where the Dev Containers CLI looks for the file, in its order. */
export const devcontainerFiles = [".devcontainer/devcontainer.json", ".devcontainer.json"] as const;

const shown = (value: unknown): string => (value === undefined ? "missing" : JSON.stringify(value).slice(0, 80));

const refused =
    (allowed: string) =>
    ({ input }: { readonly input?: unknown }): string =>
        `${shown(input)}: allowed: ${allowed}`;

const text = z.string({ error: refused("a text") }).min(1, { error: refused("a text that is not empty") });
const yesOrNo = z.boolean({ error: refused("true, false") });
const texts = z.array(text, { error: refused("a list of texts") });
const textByName = z.record(z.string(), z.string({ error: refused("a text") }), {
    error: refused("an object whose values are texts"),
});
const oneOf = <const T extends readonly string[]>(values: T) => z.enum(values, { error: refused(values.join(", ")) });
const commands = z.union([text, texts, z.record(z.string(), z.union([text, texts]))], {
    error: refused("a command as a text or a list of texts, or an object with several"),
});
const anything = z.unknown().optional();

/** The commands that run one after another while a container is made and started. */
const lifecycle = [
    "initializeCommand",
    "onCreateCommand",
    "updateContentCommand",
    "postCreateCommand",
    "postStartCommand",
] as const;

const build = z.strictObject(
    {
        dockerfile: text,
        context: text.optional(),
        target: text.optional(),
        args: textByName.optional(),
        cacheFrom: z.union([text, texts], { error: refused("a reference or a list of them") }).optional(),
        options: texts.optional(),
    },
    { error: refused("an object with dockerfile") },
);

const schema = z.strictObject(
    {
        ...{ $schema: text.optional(), name: text.optional() },
        // What the container is made from.
        ...{ image: text.optional(), build: build.optional(), dockerFile: text.optional(), context: text.optional() },
        ...{
            dockerComposeFile: z.union([text, texts]).optional(),
            service: text.optional(),
            runServices: texts.optional(),
        },
        features: z
            .record(
                z.string(),
                z.union([z.string(), z.boolean(), z.record(z.string(), z.union([z.string(), z.boolean()]))], {
                    error: refused("a version, true, or an object of options whose values are texts, true or false"),
                }),
                { error: refused("an object with the options of each feature") },
            )
            .optional(),
        overrideFeatureInstallOrder: texts.optional(),
        customizations: z
            .looseObject(
                {
                    vscode: z
                        .looseObject(
                            {
                                extensions: texts.optional(),
                                settings: z
                                    .record(z.string(), anything, { error: refused("an object of settings") })
                                    .optional(),
                            },
                            { error: refused("an object with extensions and settings") },
                        )
                        .optional(),
                },
                { error: refused("an object with a part for each tool") },
            )
            .optional(),
        // How it runs.
        ...{ remoteUser: text.optional(), containerUser: text.optional(), updateRemoteUserUID: yesOrNo.optional() },
        containerEnv: textByName.optional(),
        remoteEnv: z
            .record(z.string(), z.union([z.string(), z.null()]), {
                error: refused("an object whose values are texts or null"),
            })
            .optional(),
        mounts: z
            .array(z.union([text, z.object({ type: oneOf(["bind", "volume"]), target: text })]), {
                error: refused("a list of mounts"),
            })
            .optional(),
        ...{ workspaceFolder: text.optional(), workspaceMount: z.string().optional() },
        ...{ runArgs: texts.optional(), capAdd: texts.optional(), securityOpt: texts.optional() },
        ...{ init: yesOrNo.optional(), privileged: yesOrNo.optional(), overrideCommand: yesOrNo.optional() },
        shutdownAction: oneOf(["none", "stopContainer", "stopCompose"]).optional(),
        userEnvProbe: oneOf(["none", "loginShell", "loginInteractiveShell", "interactiveShell"]).optional(),
        waitFor: oneOf(lifecycle).optional(),
        ...Object.fromEntries([...lifecycle, "postAttachCommand"].map((name) => [name, commands.optional()])),
        // What nothing here depends on.
        ...{ forwardPorts: anything, portsAttributes: anything, otherPortsAttributes: anything, appPort: anything },
        ...{ hostRequirements: anything, secrets: anything },
        // Of older files, which VS Code still reads.
        ...{ extensions: anything, settings: anything, devPort: anything, codespaces: anything },
    },
    { error: refused("an object") },
);

/** A devcontainer.json that was read and checked. */
export interface Devcontainer {
    /** Path of the file from the repository's root. */
    readonly file: string;
    /** The Dockerfile that it builds, as a path from the repository's root. */
    readonly dockerfile?: string;
    /** The image that it uses instead. */
    readonly image?: string;
    /** Changes whenever the file, or another file in its folder, does: 12 hex. */
    readonly hash: string;
}

const lineOf = (text: string, node: Node | undefined): number => text.slice(0, node?.offset ?? 0).split("\n").length;

const dotted = (keys: readonly PropertyKey[]): string => keys.map(String).join(".");

/** The names that are allowed where a property is unknown. */
const knownAt = (at: readonly PropertyKey[]): readonly string[] =>
    Object.keys(at[0] === "build" ? build.shape : schema.shape);

/** Returns the problem of the file as its reader sees it, from the first issue of the schema. */
function problemOf(issue: z.core.$ZodIssue, file: string, content: string): InputError {
    const keys = issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0] ?? ""] : issue.path;
    const tree = parseTree(content);
    const node =
        tree &&
        findNodeAtLocation(
            tree,
            keys.map((key) => (typeof key === "number" ? key : String(key))),
        );
    const where = `${file}:${String(lineOf(content, node))}`;
    const next = "correct it; containers.dev/implementors/json_reference describes the properties";
    if (issue.code !== "unrecognized_keys")
        return new InputError({ problem: `${dotted(keys)}: ${issue.message}`, where, next });
    return new InputError({
        problem: `${dotted(keys)} is no property of devcontainer.json, and would be ignored`,
        ...{ where, allowed: knownAt(issue.path), next },
    });
}

/** Returns a path in the file as a path from the repository's root; undefined if it leads out of it. */
function inRepository(file: string, written: string): string | undefined {
    const joined = path.posix.join(path.posix.dirname(file), written);
    return joined === ".." || joined.startsWith("../") || path.isAbsolute(written) ? undefined : joined;
}

/** Finds the file that the Dev Containers CLI would take. */
function findFile(checkout: Checkout, chosen?: string): string {
    const candidates = chosen === undefined ? devcontainerFiles : [path.posix.normalize(chosen)];
    const found = candidates.find((file) => checkout.text(file) !== undefined);
    if (found !== undefined) return found;
    throw new InputError({
        problem: `there is no ${candidates.join(" and no ")}`,
        where: checkout.root,
        next:
            "write one (README.md of this package shows how), name another with --config, or remove the setting: " +
            "pulumi config rm devcontainer",
    });
}

/** Returns what identifies the content of a folder: each path with the hash of a file, or the target of a link. */
function contentOf({ root, tree, hash }: Checkout, folder: string): readonly (readonly [string, string])[] {
    const base = tree(path.join(root, folder));
    const below = (at: string): (readonly [string, string])[] =>
        base.names(at).flatMap((name) => {
            const one = path.posix.join(at, name);
            const kind = base.kind(one);
            if (kind === "folder") return below(one);
            if (kind === "link") return [[one, base.target(one)] as const];
            return kind === "file" ? [[one, hash(path.join(root, folder, one))] as const] : [];
        });
    return below("");
}

/** Refuses a feature of this repository that the Dev Containers CLI would not find. */
function checkFeatures(checkout: Checkout, file: string, features: Readonly<Record<string, unknown>>): void {
    for (const feature of Object.keys(features).filter((name) => name.startsWith("."))) {
        const folder = inRepository(file, feature);
        const description = `${folder ?? feature}/devcontainer-feature.json`;
        if (folder !== undefined && checkout.text(description) !== undefined) continue;
        throw new InputError({
            problem: `features.${feature}: there is no ${description}`,
            where: file,
            allowed: ["a folder below the one of devcontainer.json", "a reference such as ghcr.io/<owner>/<feature>:1"],
            next: "correct the path, or write the feature (containers.dev/implementors/features)",
        });
    }
}

/** Returns the one thing that the container is made from. */
function sourceOf(file: string, value: z.infer<typeof schema>): Pick<Devcontainer, "dockerfile" | "image"> {
    const written = value.build?.dockerfile ?? value.dockerFile;
    const named = { "build.dockerfile": written, image: value.image, dockerComposeFile: value.dockerComposeFile };
    const given = Object.entries(named).filter(([, one]) => one !== undefined);
    if (given.length !== 1 || value.dockerComposeFile !== undefined) {
        throw new InputError({
            problem: `the container is made from ${given.map(([name]) => name).join(" and ") || "nothing"}`,
            where: file,
            allowed: ["build.dockerfile or image, and one of them: services of Compose are not built here"],
            next: "set build.dockerfile to the Dockerfile of an image of images.ts",
        });
    }
    if (value.image !== undefined) return { image: value.image };
    const dockerfile = inRepository(file, written ?? "");
    if (dockerfile !== undefined) return { dockerfile };
    throw new InputError({
        problem: `build.dockerfile: ${shown(written)} is not in this repository`,
        where: file,
        next: "write its path from the folder of devcontainer.json",
    });
}

/**
 * Reads and checks the devcontainer.json of a repository, before Docker or the Dev Containers CLI see it.
 *
 * @param chosen path of the file from the repository's root; by default where the Dev Containers CLI looks
 * @throws InputError for the first thing that is wrong, with its line
 */
export function readDevcontainer(checkout: Checkout, chosen?: string): Devcontainer {
    const file = findFile(checkout, chosen);
    const content = checkout.text(file) ?? "";
    const errors: ParseError[] = [];
    const value: unknown = parse(content, errors, { allowTrailingComma: true });
    const [broken] = errors;
    if (broken) {
        throw new InputError({
            problem: `it is not JSON with comments (${printParseErrorCode(broken.error)})`,
            where: `${file}:${String(content.slice(0, broken.offset).split("\n").length)}`,
            next: "correct it",
        });
    }
    const { data, error } = schema.safeParse(value);
    const [issue] = error?.issues ?? [];
    if (!data) throw issue ? problemOf(issue, file, content) : new Error("refused without an issue");
    checkFeatures(checkout, file, data.features ?? {});
    const folder = path.posix.dirname(file);
    const hash = hash12(folder === "." ? content : contentOf(checkout, folder));
    return { file, ...sourceOf(file, data), hash };
}

/** What decides which image a devcontainer is. */
export interface Candidate {
    readonly key: string;
    readonly name?: string | undefined;
    readonly dockerfile: string;
}

/**
 * Finds the image of the hierarchy that a devcontainer is made from.
 *
 * @returns its key, and whether the container is made on that image (`image`), or built from the same Dockerfile (`build`)
 * @throws InputError if it is none of them
 */
export function imageOf(
    { file, dockerfile, image }: Devcontainer,
    candidates: readonly Candidate[],
): { readonly key: string; readonly by: "image" | "build" } {
    const found = candidates.find((one) =>
        image === undefined ? one.dockerfile === dockerfile : one.name !== undefined && sameImage(one.name, image),
    );
    if (found) return { key: found.key, by: image === undefined ? "build" : "image" };
    throw new InputError({
        problem: `${image ?? dockerfile ?? ""} is no image of images.ts`,
        where: file,
        allowed: candidates
            .map((one) => (image === undefined ? one.dockerfile : one.name))
            .filter((one) => one !== undefined),
        next: "name one of these, or add the image to images.ts",
    });
}
