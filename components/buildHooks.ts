import * as pulumi from "@pulumi/pulumi";
import { isPassing, nextAfter, refusesPushes } from "../lib/buildFailures";
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

/** How often a push that met another one is done again. */
const repetitions = 2;

/**
 * What happens around the build of an image, where there is one: before it, its registry is asked once; when it fails,
 * the next step is said, or a push that only met another one is done again. An image that is not built costs nothing.
 *
 * @param key the image's, in `images.ts`
 * @param repository where it is pushed; undefined for an image that is never pushed
 */
export function buildHooks(key: string, repository: string | undefined): pulumi.ResourceHookBinding {
    const registry = repository === undefined ? undefined : parseReference(repository).registry;
    const repeated = new Map<string, number>();
    const advise = new pulumi.ErrorHook(
        `say what to do when image ${key} can't be built`,
        async ({ errors, urn, name }) => {
            const times = repeated.get(urn) ?? 0;
            if (isPassing(errors) && times < repetitions) {
                repeated.set(urn, times + 1);
                // What was built is in the builder's store: this pushes, and builds nothing.
                await pulumi.log.info(`${name}: the push met another one of the same layer, and is done again`);
                return true;
            }
            const next = nextAfter(errors, registry);
            // Once the hook has answered the engine ends the update, and with it what is still on its way to the log.
            if (next !== undefined) await pulumi.log.error(`image ${key}: next: ${next}`);
            return false;
        },
    );
    if (repository === undefined) return { onError: [advise] };
    let asked: Promise<void> | undefined;
    const check = new pulumi.ResourceHook(`ask the registry of image ${key}`, () => {
        asked ??= checkRegistry(repository);
        return asked;
    });
    return { beforeCreate: [check], beforeUpdate: [check], onError: [advise] };
}
