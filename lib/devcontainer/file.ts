import path from "node:path";
import { type Node, type ParseError, findNodeAtLocation, parse, parseTree, printParseErrorCode } from "jsonc-parser";
import type { z } from "zod";
import type { Checkout } from "../context/checkout";
import { hash12 } from "../context/hash";
import { InputError } from "../errors";
import { type DevcontainerContent, devcontainerSchema, dockerfileIn } from "./schema";

/** Where the Dev Containers CLI looks for the file, in its order. */
const devcontainerFiles = [".devcontainer/devcontainer.json", ".devcontainer.json"] as const;

/** A devcontainer.json that was read and checked. */
export interface Devcontainer {
    /** Path of the file from the repository's root. */
    readonly file: string;
    /** What it says. */
    readonly content: DevcontainerContent;
    /** Changes whenever the file, or another file in its folder, does, except the one that the Dev Containers CLI writes: 12 hex. */
    readonly hash: string;
}

const lineAt = (text: string, offset: number): string => String(text.slice(0, offset).split("\n").length);

/** Returns the first problem that the schema found, with its line. */
function problemOf(issue: z.core.$ZodIssue, file: string, text: string): InputError {
    const keys = issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0] ?? ""] : issue.path;
    // A property that is missing has no line of its own.
    const nodeOf = (tree: Node, place: readonly PropertyKey[]): Node =>
        findNodeAtLocation(
            tree,
            place.map((key) => (typeof key === "number" ? key : String(key))),
        ) ?? nodeOf(tree, place.slice(0, -1));
    const tree = parseTree(text, [], { allowTrailingComma: true });
    return new InputError({
        problem: [...(keys.length > 0 ? [keys.map(String).join(".")] : []), issue.message].join(": "),
        where: tree ? `${file}:${lineAt(text, nodeOf(tree, keys).offset)}` : file,
        next: "correct it: containers.dev/implementors/json_reference describes the properties",
    });
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
            chosen === undefined
                ? "write one (containers.dev/guide/dockerfile), name another with --config, or remove the setting: pulumi config rm devcontainer"
                : "correct --config: a path from the repository's root",
    });
}

/** Returns a path in the file as a path from the repository's root; undefined if it leads out of it. */
export function inRepository(file: string, written: string): string | undefined {
    const joined = path.posix.join(path.posix.dirname(file), written);
    return joined === ".." || joined.startsWith("../") || path.isAbsolute(written) ? undefined : joined;
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

/** Written by the Dev Containers CLI itself when it has resolved features: counted, each first build would have a second one. */
const lockFile = "devcontainer-lock.json";

/** Returns what identifies the content of a folder: each path with the hash of a file, or the target of a link. */
function contentOf({ root, tree, hash }: Checkout, folder: string): readonly (readonly [string, string])[] {
    const base = tree(path.join(root, folder));
    const below = (at: string): (readonly [string, string])[] =>
        base.names(at).flatMap((name) => {
            const one = path.posix.join(at, name);
            if (one === lockFile) return [];
            const kind = base.kind(one);
            if (kind === "folder") return below(one);
            if (kind === "link") return [[one, base.target(one)] as const];
            return kind === "file" ? [[one, hash(path.join(root, folder, one))] as const] : [];
        });
    return below("");
}

/** Refuses a file that names two things to make the container from: the Dev Containers CLI takes one without a word. */
function checkSource(file: string, content: DevcontainerContent): void {
    const { image, dockerComposeFile } = content;
    const named = { "build.dockerfile": dockerfileIn(content), image, dockerComposeFile };
    const given = Object.entries(named).flatMap(([name, value]) => (value === undefined ? [] : [name]));
    if (given.length < 2) return;
    throw new InputError({
        problem: `the container can't be made from both ${given.join(" and ")}`,
        where: file,
        allowed: Object.keys(named),
        next: "keep one of them",
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
    const text = checkout.text(file) ?? "";
    const errors: ParseError[] = [];
    const value: unknown = parse(text, errors, { allowTrailingComma: true });
    const [broken] = errors;
    if (broken) {
        throw new InputError({
            problem: `it is not JSON with comments (${printParseErrorCode(broken.error)})`,
            where: `${file}:${lineAt(text, broken.offset)}`,
            next: "correct it",
        });
    }
    const { data: content, error } = devcontainerSchema.safeParse(value);
    const [issue] = error?.issues ?? [];
    if (!content) throw issue ? problemOf(issue, file, text) : new Error("refused without an issue");
    checkSource(file, content);
    checkFeatures(checkout, file, content.features ?? {});
    const folder = path.posix.dirname(file);
    // A file in the root has no folder of its own.
    return { file, content, hash: hash12(folder === "." ? text : contentOf(checkout, folder)) };
}
