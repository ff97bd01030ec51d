import * as pulumi from "@pulumi/pulumi";
import { nextAfter, refusesPushes } from "../lib/buildFailures";
import { InputError } from "../lib/errors";
import { parseReference } from "../lib/references";
import { RegistryError, readManifest } from "../lib/registry";

/** Asks the registry for the image: without its trust and login, the minutes of a build would be lost. */
async function checkRegistry(name: string): Promise<void> {
    try {
        await readManifest(name, process.env);
    } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        const next = refusesPushes(error.reason, error.registry);
        if (next !== undefined) throw new InputError({ problem: error.message, next });
    }
}

/**
 * What happens around the build of an image, where there is one: before it, its registry is asked once; when it fails,
 * the next step is said. An image that is not built costs nothing.
 *
 * @param key the image's, in `images.ts`
 * @param repository where it is pushed; undefined for an image that is never pushed
 */
export function buildHooks(key: string, repository: string | undefined): pulumi.ResourceHookBinding {
    const registry = repository === undefined ? undefined : parseReference(repository).registry;
    const advise = new pulumi.ErrorHook(`say what to do when image ${key} can't be built`, async ({ errors }) => {
        const next = nextAfter(errors, registry);
        // Once the hook has answered the engine ends the update, and with it what is still on its way to the log.
        if (next !== undefined) await pulumi.log.error(`image ${key}: next: ${next}`);
        return false;
    });
    if (repository === undefined) return { onError: [advise] };
    let asked: Promise<void> | undefined;
    const check = new pulumi.ResourceHook(`ask the registry of image ${key}`, () => {
        asked ??= checkRegistry(repository);
        return asked;
    });
    return { beforeCreate: [check], beforeUpdate: [check], onError: [advise] };
}
