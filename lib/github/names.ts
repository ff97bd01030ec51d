import { InputError } from "../errors";

/** Prefix of the branches that this program makes for its pull requests. */
export const ownBranches = "layered-images/";

/** Splits "<owner>/<name>", also with the ".git" or "/" at the end of an address; undefined for anything else. */
export function splitRepository(text: string): { readonly owner: string; readonly name: string } | undefined {
    const [, owner, name] = /^([\w.-]+)\/([\w.-]+?)(?:\.git)?\/?$/.exec(text) ?? [];
    return owner === undefined || name === undefined ? undefined : { owner, name };
}

/**
 * Reads the address of a git remote, as git accepts them: "git@host:owner/name.git", "https://host/owner/name", "ssh://git@host:22/…".
 *
 * @returns undefined for a path on this machine, and for an address that names no repository of an owner
 */
export function readRemote(
    address: string,
): { readonly host: string; readonly owner: string; readonly name: string } | undefined {
    const [, host = "", path = ""] =
        /^\w[\w+.-]*:\/\/(?:[^/@]*@)?([^/:@]+)(?::\d+)?\/(.+)$/.exec(address) ??
        /^(?:[^/@:]+@)?([^/:@]+):(?!\/)(.+)$/.exec(address) ??
        [];
    const repository = splitRepository(path);
    if (!repository) return undefined;
    // The address for networks that let only HTTPS out.
    return { host: host.toLowerCase().replace(/^ssh\.github\.com$/, "github.com"), ...repository };
}

/** Maximum size in bytes of the value of a secret or variable on GitHub. */
export const maximumValue = 48 * 1024;

/** Maximum length of names of secrets and variables. GitHub stores names in upper case. */
const maximumName = 255;

/**
 * Returns the reason why GitHub refuses a name of a secret or variable; undefined if it accepts the name.
 * docs.github.com, "Naming your secrets" and "Naming conventions for configuration variables".
 */
export function nameProblem(name: string): string | undefined {
    if (!/^\w+$/.test(name)) return "only letters, digits and underscores are allowed";
    if (/^\d/.test(name)) return "it must not begin with a digit";
    if (/^GITHUB_/i.test(name)) return "names that begin with GITHUB_ are reserved by GitHub";
    if (name.length > maximumName) return `it is longer than ${maximumName} characters`;
    return undefined;
}

/**
 * Returns the reason why GitHub refuses the value of a secret or variable, without the value; undefined if it accepts
 * it.
 */
export function valueProblem(value: string): string | undefined {
    const size = Buffer.byteLength(value);
    if (size === 0) return "it is empty";
    return size > maximumValue ? `it has ${size} bytes, and GitHub takes ${maximumValue}` : undefined;
}

/** Variables are named by the keys of images.ts, and hold their references. */
const renaming = "give the image another key or name in images.ts";

/**
 * Returns the value of a variable if GitHub accepts its name and value.
 *
 * @throws InputError that names the variable
 */
export function checkVariable(name: string, value: string): string {
    const [inName, inValue] = [nameProblem(name), valueProblem(value)];
    if (inName !== undefined)
        throw new InputError({ problem: `GitHub refuses the variable name ${name}: ${inName}`, next: renaming });
    if (inValue !== undefined)
        throw new InputError({ problem: `GitHub refuses the variable ${name}: ${inValue}`, next: renaming });
    return value;
}

/** Returns the name of the variable with an image's promoted digest: CI_IMAGE for `ci`. */
export const imageVariable = (image: string): string => `${image.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}_IMAGE`;

/**
 * Returns the names of the variable and the secret with the login for a registry: REGISTRY_QUAY_IO_USERNAME and
 * REGISTRY_QUAY_IO_PASSWORD for quay.io. The prefix allows hosts that begin with a digit.
 *
 * @param registry host with its port
 */
export function registryLogin(registry: string): { readonly username: string; readonly password: string } {
    const host = registry.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_");
    return { username: `REGISTRY_${host}_USERNAME`, password: `REGISTRY_${host}_PASSWORD` };
}

/**
 * Renames the keys of a record from images to the variables with their promoted digests.
 *
 * @throws InputError if two images would share a variable, or GitHub refuses its name
 */
export function publishedVariables<T>(byImage: Readonly<Record<string, T>>): Record<string, T> {
    const variables: Record<string, T> = {};
    for (const [image, value] of Object.entries(byImage)) {
        const name = imageVariable(image);
        const problem = name in variables ? "another image has it" : nameProblem(name);
        if (problem !== undefined) {
            throw new InputError({
                where: "images.ts",
                problem: `image ${image} would get the variable ${name} on GitHub: ${problem}`,
                next: "give the image another key",
            });
        }
        variables[name] = value;
    }
    return variables;
}
