import { InputError } from "../errors";

/**
 * An image reference, split according to the distribution project's grammar (github.com/distribution/reference v0.6).
 */
export interface Reference {
    /** Registry host with its port; "docker.io" for short names. */
    readonly registry: string;
    /** Path below the registry: "owner/image", "library/python". */
    readonly repository: string;
    readonly tag?: string;
    readonly digest?: string;
}

const dockerHub = "docker.io";
const hostPart = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const host = new RegExp(`^(?:${hostPart}(?:\\.${hostPart})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const pathPart = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const path = new RegExp(`^${pathPart}(?:/${pathPart})*$`);
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** The number of hexadecimal digits of each digest algorithm that OCI registers (image-spec, descriptor.md). */
const digestLengths: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

function invalid(text: string, reason: string): never {
    throw new InputError({
        problem: `"${text}" is not an image reference: ${reason}`,
        next: "write [registry/]repository[:tag][@digest] in lower case, for example ghcr.io/owner/image:latest",
    });
}

/** Implements `splitDockerDomain`: the first part is a registry if it can't be the first part of a repository. */
function splitRegistry(name: string): [registry: string, rest: string] {
    const slash = name.indexOf("/");
    const first = name.slice(0, Math.max(slash, 0));
    const isHost = first === "localhost" || /[.:]/.test(first) || first !== first.toLowerCase();
    const registry = !isHost || first === "index.docker.io" ? dockerHub : first;
    const rest = isHost ? name.slice(slash + 1) : name;
    return [registry, registry === dockerHub && !rest.includes("/") ? `library/${rest}` : rest];
}

function splitLast(text: string, separator: string): [string, string | undefined] {
    const index = text.lastIndexOf(separator);
    return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)];
}

function checkDigest(text: string, digest: string): void {
    const [algorithm = "", hex = ""] = digest.split(":");
    const length = digestLengths[algorithm];
    const isRight = length !== undefined && digest === `${algorithm}:${hex}` && hex.length === length;
    if (!isRight || !/^[0-9a-f]+$/.test(hex)) invalid(text, `"${digest}" is not a digest`);
}

/**
 * Returns a reference with its repository in lower case; host, tag and digest stay. `repository` is in completed form.
 */
function inLowerCase(text: string, repository: string): string {
    const written = text.includes(repository) ? repository : repository.slice("library/".length);
    const start = text.lastIndexOf(written, text.indexOf("/") + 1);
    return text.slice(0, start) + written.toLowerCase() + text.slice(start + written.length);
}

/**
 * Parses and completes a reference: short names are on Docker Hub, a reference without tag and digest means `latest`.
 *
 * @throws InputError for a text that is not a reference
 */
export function parseReference(text: string): Reference {
    if (/^[a-f0-9]{64}$/.test(text)) invalid(text, "64 hexadecimal digits are an image's id, which no registry knows");
    const digest = digestOf(text);
    const [registry, remote] = splitRegistry(text.split("@", 1)[0] ?? "");
    const [repository, tag] = splitLast(remote, ":");
    if (!host.test(registry)) invalid(text, `"${registry}" is not a registry host`);
    if (path.test(repository.toLowerCase()) && repository !== repository.toLowerCase())
        invalid(text, `a repository must be in lower case: write ${inLowerCase(text, repository)}`);
    if (!path.test(repository)) invalid(text, `"${repository}" is not a repository`);
    if (repository.length > 255) invalid(text, "the repository is longer than 255 characters");
    if (tag !== undefined && !tagPattern.test(tag)) invalid(text, `"${tag}" is not a tag`);
    if (digest !== undefined) checkDigest(text, digest);
    const effectiveTag = tag ?? (digest === undefined ? "latest" : undefined);
    return {
        registry,
        repository,
        ...(effectiveTag !== undefined && { tag: effectiveTag }),
        ...(digest !== undefined && { digest }),
    };
}

/** Returns the digest of a reference, without checking the rest of the text; undefined if the reference has no digest. */
export function digestOf(reference: string): string | undefined {
    const at = reference.indexOf("@");
    return at < 0 ? undefined : reference.slice(at + 1);
}

/** Whether a text is a digest as registries and builders write it: "sha256:" and 64 hexadecimal digits. */
export const isDigest = (text: string): boolean => /^sha256:[0-9a-f]{64}$/.test(text);

/** Returns "repository@digest", which always names the same content. */
export const withDigest = (repository: string, digest: string): string => `${repository}@${digest}`;

/** Whether a text is `<repository>@<digest>`. */
export function isPinned(text: string): boolean {
    const [repository = "", digest = "", ...rest] = text.split("@");
    return /^\S+$/.test(repository) && isDigest(digest) && rest.length === 0;
}

/** Returns the first twelve hexadecimal digits of a reference's digest, for messages; the text itself if it has no digest. */
export const shortDigest = (reference: string): string =>
    /^sha256:([0-9a-f]{12})/.exec(digestOf(reference) ?? "")?.[1] ?? reference;

/** Returns the reason why a text is not a reference; undefined for a valid reference. */
export function referenceProblem(text: string): string | undefined {
    try {
        parseReference(text);
        return undefined;
    } catch (error) {
        if (error instanceof InputError) return error.input.problem;
        throw error;
    }
}

/** Returns the full reference as text, without abbreviations. */
export function formatReference({ registry, repository, tag, digest }: Reference): string {
    return `${registry}/${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

/** Returns the reference with its host in lower case: host names ignore case (RFC 4343). */
const withPlainHost = (reference: Reference): Reference => ({
    ...reference,
    registry: reference.registry.toLowerCase(),
});

/**
 * Checks whether two references name the same image, such as `python` and `docker.io/library/python:latest`, or
 * `GHCR.IO/owner/image` and `ghcr.io/owner/image`. If only one of them has a digest, they differ.
 *
 * @throws InputError if one of them is not a reference
 */
export const sameImage = (a: string, b: string): boolean => imageIdentity(a) === imageIdentity(b);

/** Returns the text that all references to the same image have in common. */
export const imageIdentity = (text: string): string => formatReference(withPlainHost(parseReference(text)));

/**
 * Returns a function that looks up values by a reference in any spelling. It finds the first entry that names the same image, as
 * comparing with `sameImage` would, but takes the same time for any number of entries.
 *
 * @param entries references and their values; they are parsed when the function is first called
 * @returns a function that returns undefined if no entry names the image. It throws InputError for a text that is not a reference, also in
 *     an entry
 */
export function byImage<T>(
    entries: readonly (readonly [reference: string, value: T])[],
): (reference: string) => T | undefined {
    let index: Map<string, T> | undefined;
    return (reference) => {
        // Of several entries, the first is the last to be set.
        index ??= new Map([...entries].reverse().map(([name, value]) => [imageIdentity(name), value]));
        return index.size === 0 ? undefined : index.get(imageIdentity(reference));
    };
}

/**
 * Checks whether two references have the same repository, regardless of tags and digests.
 *
 * @throws InputError if one of them is not a reference
 */
export const sameRepository = (a: string, b: string): boolean => sameImage(repositoryOf(a), repositoryOf(b));

/**
 * Whether a registry is on a loopback address. Docker's tools talk plain HTTP to these, whatever the registry offers (containerd,
 * docker.MatchLocalhost).
 *
 * @param registry host with its port
 */
export const isLoopback = (registry: string): boolean =>
    /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i.test(registry);

/**
 * Returns the reference with its host in lower case; undefined if the host has no capital letters. `Owner/image` has
 * such a host: its first part can't be an owner's name, so BuildKit takes it for a host.
 *
 * @throws InputError for a text that is not a reference
 */
export function withoutCapitals(text: string): string | undefined {
    const { registry } = parseReference(text);
    const lower = registry.toLowerCase();
    return lower === registry ? undefined : lower + text.slice(registry.length);
}

/**
 * Returns "registry/repository", without tag and digest.
 *
 * @throws InputError for a text that is not a reference
 */
export function repositoryOf(text: string): string {
    const { registry, repository } = parseReference(text);
    return `${registry}/${repository}`;
}

/**
 * Returns the repository to which an image is pushed, as "registry/repository".
 *
 * @param name the image's name
 * @param registry "host[:port][/prefix]" that replaces the registry host of the name; the repository's path stays
 * @throws InputError for a name that is not a reference, or a registry that is not a host with an optional path
 */
export function pushedRepository(name: string, registry?: string): string {
    if (registry === undefined) return repositoryOf(name);
    const [registryHost = "", ...prefix] = registry.replace(/\/+$/, "").split("/");
    const repository = [...prefix, parseReference(name).repository].join("/");
    if (!host.test(registryHost) || !path.test(repository)) {
        throw new InputError({
            problem: `registry "${registry}" is not a host`,
            next: "write host[:port][/prefix] without a scheme, for example registry.example:5000/team",
        });
    }
    return `${registryHost}/${repository}`;
}

/**
 * Returns registry, in lower case, and owner: "ghcr.io/owner"; only the registry if the repository has no owner.
 *
 * @throws InputError for a text that is not a reference
 */
export function namespaceOf(text: string): string {
    const { registry, repository } = withPlainHost(parseReference(text));
    return splitLast(`${registry}/${repository}`, "/")[0];
}
