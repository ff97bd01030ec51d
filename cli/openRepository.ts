import { pushedTimes } from "../lab/servers/registryData";
import type { Engine } from "../lib/engine/pulumi";
import { InputError } from "../lib/errors";
import { packageRepository, packagesOf } from "../lib/github/packages";
import { defaultBaseUrl, firstSet } from "../lib/github/target";
import type { RegistryClient } from "../lib/registry/blobs";
import { type Repository, plainRepository } from "../lib/registry/inventory";
import { parseReference } from "../lib/registry/references";
import { guide } from "../lib/system/guide";
import { readInstance } from "../lib/system/instance";
import { instancePath, labPaths } from "../lib/system/paths";

/** Opens a repository by the interface that its registry has for removals. */
export function openRepository(client: RegistryClient, name: string, { env, isLab }: Engine): Repository {
    const { registry, repository } = parseReference(name);
    const baseUrl = packagesOf(registry, defaultBaseUrl);
    if (baseUrl !== undefined) {
        const [owner = ""] = repository.split("/");
        // In a workflow GITHUB_TOKEN is that of an App, which need not have access to packages.
        const token = firstSet(env.PACKAGES_TOKEN, env.GITHUB_TOKEN);
        if (token === undefined) {
            throw new InputError({
                where: "environment variable GITHUB_TOKEN",
                problem: `it is not set, and GitHub lists the versions of ${name} to a token only`,
                next: `set it to a token with read:packages and delete:packages (${guide("cleaningUp")})`,
            });
        }
        return packageRepository(client, name, { owner, repository: "", branch: "", baseUrl, token });
    }
    const isLabs = isLab && readInstance(instancePath(labPaths()))?.registry === registry;
    return plainRepository(client, name, isLabs ? { pushed: () => pushedTimes(labPaths(), repository) } : {});
}
