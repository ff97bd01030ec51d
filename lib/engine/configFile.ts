import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { type Document, type Pair, Scalar, YAMLMap, isMap, isScalar, parse, parseDocument } from "yaml";
import { InputError } from "../errors";
import { type ReleasePin, pinsSchema } from "../hierarchy/pins";
import { withBuildSettings } from "../hierarchy/settings";
import { typed } from "../system/commandLine";
import { replaceFile } from "../system/files";
import { keyArguments } from "../system/shell";

/** Returns the name of a stack's configuration file; the organization in front of the stack's name is not part of it. */
export const configFileOf = (stack: string): string => `Pulumi.${stack.split("/").at(-1) ?? stack}.yaml`;

/** A stack's configuration file, as a document that keeps its comments, its order and its encrypted values. */
export interface ConfigFile {
    /** Path of the file. */
    readonly file: string;
    /** Project, which is the namespace of new keys. */
    readonly project: string;
    readonly document: Document;
    /** Whether its lists are indented below their keys. */
    readonly indentSeq: boolean;
}

/**
 * Opens a stack's configuration file.
 *
 * @param root the repository's root
 * @throws InputError if there is no such file, or if it is not YAML
 */
export function openConfigFile(root: string, stack: string, project: string): ConfigFile {
    const file = path.join(root, configFileOf(stack));
    if (!existsSync(file)) {
        throw new InputError({
            problem: `stack ${stack} has no configuration file`,
            where: file,
            next: `pulumi stack init ${stack}, or name another stack with --stack`,
        });
    }
    const text = readFileSync(file, "utf8");
    const document = parseDocument(text);
    const [error] = document.errors;
    if (error) throw new InputError({ problem: error.message, where: file, next: "correct it" });
    return { file, project, document, indentSeq: !/^( *)[^\s#-][^\n]*:\n\1- /m.test(text) };
}

/**
 * Opens a stack's configuration file, if the stack has one: without it, it has no settings.
 *
 * @throws InputError if it is not YAML
 */
export const findConfigFile = (root: string, stack: string, project: string): ConfigFile | undefined =>
    existsSync(path.join(root, configFileOf(stack))) ? openConfigFile(root, stack, project) : undefined;

/** Writes the document into its file: all of it, or nothing. */
export const writeConfigFile = (config: ConfigFile): void => {
    replaceFile(config.file, textOf(config));
};

/** Returns the text of the file. Long lines are not folded, so that only changed values differ. */
export const textOf = ({ document, indentSeq }: ConfigFile): string => document.toString({ lineWidth: 0, indentSeq });

/** A key without its namespace: Pulumi accepts the project of any checkout. */
const keyOf = (full: string): string => full.slice(full.indexOf(":") + 1);

/** Returns the settings of the file: the pairs of `config`, without those of providers ("github:owner"). */
function entryOf({ document, project }: ConfigFile, key: string): Pair<Scalar> | undefined {
    const config = document.get("config");
    if (!isMap(config)) return undefined;
    const names = [`${project}:${key}`, `${project}:config:${key}`];
    const pairs = config.items as Pair<Scalar>[];
    return (
        pairs.find((pair) => names.includes(String(pair.key.value))) ??
        pairs.find((pair) => keyOf(String(pair.key.value)) === key && !String(pair.key.value).startsWith("github:"))
    );
}

/**
 * Returns a setting of the project; undefined if the file does not have it. An object may be written as a text that contains JSON.
 *
 * @param key without its namespace, such as "roots"
 */
export function settingIn(config: ConfigFile, key: string): unknown {
    const entry = entryOf(config, key);
    const value: unknown = isScalar(entry?.value) ? entry.value.value : (entry?.value as YAMLMap | undefined)?.toJSON();
    return typeof value === "string" && /^\s*[{[]/.test(value) ? parse(value) : value;
}

/** Returns the file of the stack from which a stack has settings that decide a build (`buildSettingsOf`), and that stack; undefined if it has them itself. */
export function buildSettingsFile(
    config: ConfigFile,
): { readonly stack: string; readonly file: ConfigFile } | undefined {
    const stack = settingIn(config, "buildSettingsOf");
    const file =
        typeof stack === "string" ? findConfigFile(path.dirname(config.file), stack, config.project) : undefined;
    return file && typeof stack === "string" ? { stack, file } : undefined;
}

/** Returns a setting as the program reads it: see `withBuildSettings`. */
export function effectiveSetting(config: ConfigFile, key: string): unknown {
    const source = buildSettingsFile(config);
    const own = settingIn(config, key);
    return source ? withBuildSettings({ [key]: own }, { [key]: settingIn(source.file, key) })[key] : own;
}

/** A pin, with the stack in whose file it is. */
export type KnownPin = ReleasePin & { readonly stack: string };

/**
 * Returns a setting of the project that is a text, which may begin with a brace: "{stack}" is no object. A number is one as it is written.
 *
 * @param key without its namespace
 * @returns undefined if the file does not have it, or has an object or list
 */
export function textSettingIn(config: ConfigFile, key: string): string | undefined {
    const value = entryOf(config, key)?.value;
    return isScalar(value) && value.value !== null ? value.source : undefined;
}

/**
 * Returns the pins of images that a stack has, in its own file or from another stack's.
 *
 * @throws InputError for pins that the program would refuse too
 */
export function effectivePins(config: ConfigFile, stack: string): Readonly<Record<string, KnownPin>> {
    const source = buildSettingsFile(config);
    const of = (from: ConfigFile, name: string) =>
        Object.fromEntries(Object.entries(pinsIn(from)).map(([image, pin]) => [image, { ...pin, stack: name }]));
    return { ...(source && of(source.file, source.stack)), ...of(config, stack) };
}

/**
 * Returns the pins of images that a stack's own file has.
 *
 * @throws InputError for pins that the program would refuse too
 */
export function pinsIn(config: ConfigFile): Readonly<Record<string, ReleasePin>> {
    const { data, error } = pinsSchema.safeParse(settingIn(config, "pins") ?? {});
    if (!error) return data;
    const problem = error.issues.map((issue) => `pins (at ${issue.path.join(".")}): ${issue.message}`).join("; ");
    throw new InputError({ problem, where: config.file, next: `correct it: ${typed("preview")} checks it` });
}

/** Returns the setting of a provider as text, such as "github:owner"; undefined if the file does not have it. */
export function providerSettingIn({ document }: ConfigFile, key: string): string | undefined {
    const value = document.getIn(["config", key]);
    return typeof value === "string" ? value : undefined;
}

/** An entry that is an object itself, such as a pin in "pins". */
export type Entry = Readonly<Record<string, string | Readonly<Record<string, string>>>>;

/**
 * Sets one entry of a setting that is an object, such as a pin in "roots", and leaves everything else in the file as it is. A new entry
 * comes last, and a setting that the file does not have is added to its end.
 *
 * @param key of the setting, without its namespace
 */
export function setEntry(config: ConfigFile, key: string, name: string, value: string | Entry): void {
    const { document, project } = config;
    const node = document.createNode(value);
    // Quoted, because other YAML parsers take 2026-11-27 for a time.
    if (isScalar(node) && typeof value === "string" && /^[\d-]+$/.test(value)) node.type = Scalar.QUOTE_DOUBLE;
    if (!isMap(document.get("config"))) document.set("config", document.createNode({}));
    const entries = document.get("config") as YAMLMap;
    let pair = entryOf(config, key);
    if (!pair) {
        pair = document.createPair(`${project}:${key}`, {});
        entries.items.push(pair);
    }
    if (isMap(pair.value) && pair.value.has("secure")) {
        throw new InputError({
            problem: `${key} is encrypted, so ${name} can't be set in it`,
            where: config.file,
            next: `set it without --secret: pulumi config set ${keyArguments([key, name])} ${typeof value === "string" ? value : "<value>"}`,
        });
    }
    if (!isMap(pair.value)) pair.value = document.createNode(settingIn(config, key) ?? {});
    const map = pair.value as YAMLMap;
    const existing = map.get(name, true);
    if (isScalar(existing) && typeof value === "string") existing.value = value;
    else map.set(name, node);
}

/**
 * Removes entries of a setting that is an object, and the setting with its last entry; everything else in the file stays as it is.
 *
 * @param key of the setting, without its namespace
 */
export function removeEntries(config: ConfigFile, key: string, names: readonly string[]): void {
    const pair = entryOf(config, key);
    if (!pair) return;
    if (!isMap(pair.value)) pair.value = config.document.createNode(settingIn(config, key) ?? {});
    const map = pair.value as YAMLMap;
    for (const name of names) map.delete(name);
    const entries = config.document.get("config") as YAMLMap;
    if (map.items.length === 0) entries.items.splice(entries.items.indexOf(pair), 1);
}
