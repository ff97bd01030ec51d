import type { z } from "zod";

/** What the description of an issue needs to know of the configuration. */
export interface ConfigKeys {
    /** The project, in whose namespace the keys stand. */
    readonly project: string;
    /** The keys that are known below a place, by the place ("" for the top). */
    readonly known: Readonly<Record<string, readonly string[]>>;
    /** Keys whose values are secret. */
    readonly secret: readonly string[];
}

/** The arguments of `pulumi config` that name a value: its key, or with --path its place in a key's value. */
export function keyArguments([key, ...rest]: readonly PropertyKey[]): string {
    if (rest.length === 0) return String(key);
    const parts = rest.map((part) =>
        /^[A-Za-z_]\w*$/.test(String(part)) ? `.${String(part)}` : `["${String(part)}"]`,
    );
    return `--path '${String(key)}${parts.join("")}'`;
}

/** A key as messages name it, with the place in its value. */
function place([key, ...rest]: readonly PropertyKey[], project: string): string {
    const value = rest.length > 0 ? ` (at ${rest.map(String).join(".")})` : "";
    return `${project}:${String(key ?? "")}${value}`;
}

/**
 * What is wrong with the stack's configuration, with the command that mends just that. A secret's value is never put on a
 * command line. An issue whose own parameters say `remove` is about a key, not about its value.
 */
export function describeIssue(issue: z.core.$ZodIssue, { project, known, secret }: ConfigKeys): string {
    if (issue.code === "unrecognized_keys") {
        const paths = issue.keys.map((key) => [...issue.path, key]);
        const names = paths.map((path) => place(path, project)).join(", ");
        const allowed = known[issue.path.map(String).join(".")]?.join(", ") ?? "others";
        const commands = paths.map((path) => `pulumi config rm ${keyArguments(path)}`).join("; ");
        return `unknown key ${names}; known are ${allowed}. Remove it: ${commands}`;
    }
    if (issue.code === "custom" && issue.params?.remove === true) {
        return `${place(issue.path, project)}: ${issue.message}. Remove it: pulumi config rm ${keyArguments(issue.path)}`;
    }
    const isSecret = secret.includes(String(issue.path[0]));
    const set = `pulumi config set ${isSecret ? "--secret " : ""}${keyArguments(issue.path)}${isSecret ? "" : " <value>"}`;
    return `${place(issue.path, project)}: ${issue.message}. Set it: ${set}`;
}
