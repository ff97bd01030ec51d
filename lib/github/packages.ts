import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { RegistryClient } from "../registry/blobs";
import { type Removed, type Repository, each, manifestReader } from "../registry/inventory";
import { RegistryError } from "../registry/manifest";
import { parseReference } from "../registry/references";
import type { StoredManifest } from "../registry/retention";
import { InputError } from "../errors";
import { guide } from "../system/guide";
import { type Change, type GitHubTarget, UnreachableError, ask, list } from "./api";
import { RefusedError } from "./refusals";
import { parse } from "./repository";

/* GitHub's container registry can't be cleaned up by the registry's own interface: each manifest is a version of a package, and those are
   listed and removed by GitHub's API (docs.github.com/rest/packages/packages). */

/**
 * Returns the base URL of the GitHub whose packages a registry has, as for `GitHubTarget`; undefined for any other registry.
 *
 * @param registry its host
 * @param baseUrl that of github.com, or of a stand-in for it
 */
export function packagesOf(registry: string, baseUrl: string): string | undefined {
    if (registry === "ghcr.io") return baseUrl;
    // Of a GitHub server of one's own, and of ghe.com.
    const [, host] = /^containers\.(.+)$/.exec(registry) ?? [];
    return host === undefined ? undefined : `https://${host}/`;
}

const versionSchema = z.object({
    id: z.number(),
    /** Its digest. */
    name: z.string(),
    created_at: z.iso.datetime({ offset: true }),
    updated_at: z.iso.datetime({ offset: true }),
    metadata: z.object({ container: z.object({ tags: z.array(z.string()) }) }),
});

/** Whether a path is of an account that is a user. GitHub's description of that list has no size of a page. */
const isUsers = (path: string): boolean => path.startsWith("users/");

/** Returns the path of a package's versions: those of an organization have another than those of a user. */
async function pathOf(target: GitHubTarget, name: string): Promise<string> {
    const { body } = await ask(target, `orgs/${encodeURIComponent(target.owner)}`, `look up ${target.owner}`);
    const kind = body === undefined ? "users" : "orgs";
    return `${kind}/${encodeURIComponent(target.owner)}/packages/container/${encodeURIComponent(name)}/versions`;
}

/** Returns the error for a token that may not do this with a package. GitHub answers 404 for what a token may not know. */
const forbidden = (repository: string, what: string): InputError =>
    new InputError({
        problem: `${repository}: this token may not ${what}`,
        next:
            "in a workflow, the job needs packages: write, and the repository the role Admin in the package's settings (Manage Actions " +
            `access); elsewhere, set GITHUB_TOKEN to a classic token with read:packages and delete:packages (${guide("cleaningUp")})`,
    });

/** GitHub's answers for a version that it never removes, in its own words: as long as nobody changes something, they stay. */
const final = /more than 5,?000 downloads|last tagged version/i;

/** Time between two removals, in milliseconds: GitHub allows 180 changes a minute ("Rate limits for the REST API", secondary limits). */
const usualPause = 400;

/**
 * Returns a repository whose manifests are versions of a package on GitHub.
 *
 * @param repository "registry/owner/name"
 * @param target the account that has the package, and a token with read:packages and delete:packages; its other fields have no meaning here
 * @param pause time between two removals in milliseconds
 */
export function packageRepository(
    client: RegistryClient,
    repository: string,
    target: GitHubTarget,
    pause: number = usualPause,
): Repository {
    const [, ...rest] = parseReference(repository).repository.split("/");
    const name = rest.join("/");
    const { registry } = parseReference(repository);
    const { read } = manifestReader(client, repository);
    const versions = new Map<string, number>();
    let path: Promise<string> | undefined;
    const where = () => (path ??= pathOf(target, name));
    /** Whether a refusal is about the permission and not about a limit of requests. */
    const isForbidden = (error: unknown) => error instanceof RefusedError && error.input.problem.includes("may not");

    /** Asks about a version, and returns the status: 404 if there is none, or if the token may not know. */
    const askVersion = async (id: number, what: string, change?: Change): Promise<number> => {
        try {
            return (await ask(target, `${await where()}/${id}`, what, change)).status;
        } catch (error) {
            throw isForbidden(error) ? forbidden(repository, what) : error;
        }
    };

    const listVersions = async () => {
        const what = `list the versions of package ${name}`;
        const listed = async () => {
            try {
                const versionsPath = await where();
                return await list(target, versionsPath, what, isUsers(versionsPath) ? {} : { per_page: 100 });
            } catch (error) {
                throw isForbidden(error) ? forbidden(repository, what) : error;
            }
        };
        const found = await listed();
        if (found === undefined) throw forbidden(repository, `${what}, or there is none`);
        const listedVersions = parse(z.array(versionSchema), found, what);
        for (const version of listedVersions) versions.set(version.name, version.id);
        return listedVersions;
    };

    const listAll = async (): Promise<readonly StoredManifest[]> =>
        await each(await listVersions(), async (version) => {
            const content = await read(version.name);
            if (!content) {
                const problem = `it lists ${repository}@${version.name}, and has no manifest for it`;
                throw new RegistryError(registry, problem);
            }
            // A push of the same digest, or of another tag for it, updates the version.
            return { ...content, tags: version.metadata.container.tags, since: Date.parse(version.updated_at) };
        });

    const remove = async ({ digest }: StoredManifest): Promise<Removed> => {
        // What was pushed after the list, or without one, is looked for.
        if (!versions.has(digest)) await listVersions();
        const id = versions.get(digest);
        if (id === undefined) return "removed";
        await sleep(pause);
        const what = `remove ${repository}@${digest}`;
        try {
            const status = await askVersion(id, what, { method: "DELETE" });
            if (status === 404 && (await askVersion(id, what)) !== 404) throw forbidden(repository, what);
        } catch (error) {
            if (error instanceof UnreachableError && final.test(error.message)) return { refused: error.message };
            throw error;
        }
        return "removed";
    };

    return { name: repository, list: listAll, remove };
}
