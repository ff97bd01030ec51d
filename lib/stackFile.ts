import { parse } from "yaml";

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a value is as Pulumi writes what was set with --secret. */
const isSecure = (value: unknown): boolean => isObject(value) && typeof value.secure === "string";

/**
 * Where the values of a key of secrets by name stand in the stack's file for everybody to read. Pulumi tells a program of a key
 * only that some part of it was encrypted.
 *
 * @param text the file `Pulumi.<stack>.yaml`
 * @param key with its project: "layered-images:repositorySecrets"
 * @returns paths below the key: "A", or "B.value" where an entry is an object; none where the file does not have the key
 * @throws YAMLParseError when it is no YAML
 */
export function readableSecrets(text: string, key: string): string[] {
    const file = parse(text) as unknown;
    const values = isObject(file) && isObject(file.config) ? file.config[key] : undefined;
    if (!isObject(values) || isSecure(values)) return [];
    return Object.entries(values).flatMap(([name, value]) => {
        if (isSecure(value)) return [];
        if (!isObject(value)) return [name];
        return "value" in value && !isSecure(value.value) ? [`${name}.value`] : [];
    });
}
