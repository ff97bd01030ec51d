import { InputError } from "./errors";

/** An image reference, in the parts of the distribution project's grammar (github.com/distribution/reference). */
export interface Reference {
    /** Registry host with its port; "docker.io" for short names. */
    readonly registry: string;
    /** Path below the registry: "cs24-1/cs24-1-bot-base", "library/python". */
    readonly repository: string;
    readonly tag?: string;
    readonly digest?: string;
}

const dockerHub = "docker.io";
const domainPart = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const domain = new RegExp(`^(?:${domainPart}(?:\\.${domainPart})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const pathPart = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;

function invalid(text: string, reason: string): never {
    throw new InputError({
        problem: `"${text}" is not an image reference: ${reason}`,
        next: "write [registry/]repository[:tag][@digest] in lower case, for example ghcr.io/owner/image:latest",
    });
}

/** The first component is a registry when it looks like a host: a dot, a port, or localhost. */
function splitRegistry(name: string): [string, string] {
    const slash = name.indexOf("/");
    const first = slash < 0 ? "" : name.slice(0, slash);
    if (slash >= 0 && (/[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase())) {
        return [first === "index.docker.io" ? dockerHub : first, name.slice(slash + 1)];
    }
    return [dockerHub, name];
}

/**
 * Reads a reference and completes it: short names are Docker Hub's, one without tag and digest means `latest`.
 *
 * @throws InputError when the text is not a reference
 */
export function parseReference(text: string): Reference {
    const at = text.indexOf("@");
    const digest = at < 0 ? undefined : text.slice(at + 1);
    const tagged = at < 0 ? text : text.slice(0, at);
    const colon = tagged.lastIndexOf(":");
    const hasTag = colon > tagged.lastIndexOf("/");
    const tag = hasTag ? tagged.slice(colon + 1) : undefined;
    const [registry, path] = splitRegistry(hasTag ? tagged.slice(0, colon) : tagged);
    if (!domain.test(registry)) invalid(text, `"${registry}" is not a registry host`);
    if (!path.split("/").every((part) => pathPart.test(part))) invalid(text, `"${path}" is not a repository`);
    if (tag !== undefined && !tagPattern.test(tag)) invalid(text, `"${tag}" is not a tag`);
    if (digest !== undefined && !digestPattern.test(digest)) invalid(text, `"${digest}" is not a digest`);
    const repository = registry === dockerHub && !path.includes("/") ? `library/${path}` : path;
    const effectiveTag = tag ?? (digest === undefined ? "latest" : undefined);
    return {
        registry,
        repository,
        ...(effectiveTag !== undefined && { tag: effectiveTag }),
        ...(digest !== undefined && { digest }),
    };
}

/** The full reference as text. */
export function formatReference({ registry, repository, tag, digest }: Reference): string {
    return `${registry}/${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

/** Whether two references name the same image: `python`, `docker.io/library/python:latest` do. */
export const sameImage = (a: string, b: string): boolean =>
    formatReference(parseReference(a)) === formatReference(parseReference(b));

/** "registry/repository", without tag and digest. */
export function repositoryOf(text: string): string {
    const { registry, repository } = parseReference(text);
    return `${registry}/${repository}`;
}

/**
 * Where an image is pushed.
 *
 * @param name the image's name
 * @param registry host, with port and path prefix where wanted, instead of the name's own registry
 */
export function pushedRepository(name: string, registry?: string): string {
    if (registry === undefined) return repositoryOf(name);
    return repositoryOf(`${registry.replace(/\/+$/, "")}/${parseReference(name).repository}`);
}

/** Registry and owner: "ghcr.io/cs24-1". */
export function namespaceOf(text: string): string {
    const repository = repositoryOf(text);
    return repository.slice(0, repository.lastIndexOf("/"));
}
