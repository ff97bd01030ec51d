import { escapeRegExp } from "../system/regExp";
import { type Build, type Note, type Reading, type SourceFile, inRepository, lineAt, secretsIn } from "./build";
import { type Value, type Values, asText, isList, isObject } from "./expressions";

/** What `buildx bake --print` prints, as far as it is read. */
export interface BakePlan {
    readonly group: Readonly<Record<string, { readonly targets: readonly string[] }>>;
    readonly target: Readonly<Record<string, Values>>;
}

/** Parses the output of `buildx bake --print`, or a bake file that is JSON. Throws SyntaxError for anything else. */
export function parseBake(text: string): BakePlan {
    const plan = JSON.parse(text) as unknown;
    if (!isObject(plan)) throw new SyntaxError("not an object");
    const group = isObject(plan.group) ? plan.group : {};
    const target = isObject(plan.target) ? plan.target : {};
    return {
        group: Object.fromEntries(
            Object.entries(group).map(([name, value]) => [
                name,
                { targets: isObject(value) ? textsOf(value.targets) : [] },
            ]),
        ),
        target: Object.fromEntries(
            Object.entries(target).filter((entry): entry is [string, Values] => isObject(entry[1])),
        ),
    };
}

const textsOf = (value: Value | undefined): string[] =>
    isList(value) ? value.filter((entry) => typeof entry === "string") : typeof value === "string" ? [value] : [];

const text = (value: Value | undefined): string | undefined => (typeof value === "string" ? value : undefined);

/** Properties of a target that say only what its image contains. */
const contents = ["args", "labels", "annotations", "secret"];

/** Returns a plan without what only the contents of its images depend on. */
export const withoutContents = ({ group, target }: BakePlan): BakePlan => ({
    group,
    target: Object.fromEntries(
        Object.entries(target).map(([name, values]) => [
            name,
            Object.fromEntries(Object.entries(values).filter(([property]) => !contents.includes(property))),
        ]),
    ),
});

/** Returns the line that begins the block of a target or group, or of the matrix that it comes from; 1 if there is none. */
function lineOfTarget(name: string, { group }: BakePlan, source: SourceFile | undefined): number {
    if (!source) return 1;
    const matrix = Object.entries(group).find(([key, { targets }]) => key !== "default" && targets.includes(name))?.[0];
    const lineOf = (key: string): number | undefined => {
        const escaped = escapeRegExp(key);
        const block = new RegExp(`^\\s*target\\s+"${escaped}"|"${escaped}"\\s*:\\s*\\{`, "m").exec(source.text);
        return block ? lineAt(source.text, block.index + (/^\s*/.exec(block[0])?.[0].length ?? 0)) : undefined;
    };
    return lineOf(name) ?? (matrix === undefined ? undefined : lineOf(matrix)) ?? 1;
}

/** How a plan came to be. */
export interface BakeSource {
    /** The file that defines the targets. */
    readonly file: string;
    readonly source: SourceFile | undefined;
    /** Folder from the repository's root, to which contexts are relative. */
    readonly folder: string;
    readonly pushed: boolean;
}

/** Reads the targets of a resolved bake file. */
export function readBakePlan(plan: BakePlan, { file, source, folder, pushed }: BakeSource): Reading {
    const builds: Build[] = [];
    const notes: Note[] = [];
    for (const [name, target] of Object.entries(plan.target)) {
        const where = `${file}:${lineOfTarget(name, plan, source)}`;
        if (target["dockerfile-inline"] !== undefined) {
            notes.push({
                where,
                text: `the Dockerfile of target ${name} stands in this file: move it to a file of its own`,
            });
            continue;
        }
        const written = text(target.context) ?? ".";
        const context = inRepository(folder, written);
        const dockerfile =
            context === undefined ? undefined : inRepository(context, text(target.dockerfile) ?? "Dockerfile");
        if (context === undefined || dockerfile === undefined) {
            notes.push({ where, text: `the context ${written} of target ${name} is not a folder of this repository` });
            continue;
        }
        const args = Object.entries(isObject(target.args) ? target.args : {});
        const contexts = Object.entries(isObject(target.contexts) ? target.contexts : {});
        const outputs = isList(target.output) ? target.output : [];
        const isPush = (output: Value) =>
            isObject(output)
                ? output.type === "registry" || output.push === "true"
                : /type=registry|push=true/.test(asText(output) ?? "");
        const secrets = isList(target.secret) ? target.secret : [];
        const stage = text(target.target);
        builds.push({
            ...{ where, kind: "bake", context, dockerfile, id: `target:${name}` },
            ...(stage !== undefined && { target: stage }),
            names: textsOf(target.tags),
            pushed: pushed || outputs.some(isPush),
            buildArgs: Object.fromEntries(
                args.flatMap(([key, value]) => (value === null ? [] : [[key, asText(value) ?? ""]])),
            ),
            platforms: textsOf(target.platforms),
            secrets: secrets.flatMap((secret) =>
                isObject(secret) ? (text(secret.id) ?? []) : secretsIn([asText(secret) ?? ""]),
            ),
            contexts: Object.fromEntries(contexts.map(([key, value]) => [key, asText(value) ?? ""])),
        });
    }
    return { builds, notes };
}
