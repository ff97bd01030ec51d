/* Commands that messages name, exactly as they are copied into a shell. */

/** A word for a POSIX shell, whatever is in it. */
export const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/**
 * The arguments of `pulumi config` that name a value: its key, or with --path its place in the key's value.
 *
 * @param path the key, then the names of properties, and numbers for places in a list
 */
export function keyArguments([key, ...rest]: readonly PropertyKey[]): string {
    if (rest.length === 0) return String(key);
    const parts = rest.map((part) => {
        if (typeof part === "number") return `[${part.toString()}]`;
        return /^[A-Za-z_]\w*$/.test(String(part)) ? `.${String(part)}` : `["${String(part)}"]`;
    });
    return `--path ${quote(`${String(key)}${parts.join("")}`)}`;
}

/** The command that pins a root; `<repository>@sha256:<digest>` is for people to fill in. */
export const pinCommand = (root: string): string =>
    `pulumi config set ${keyArguments(["roots", root])} <repository>@sha256:<digest>`;
