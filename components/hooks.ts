import * as pulumi from "@pulumi/pulumi";
import { InputError } from "../lib/errors";
import type { Kind } from "../lib/github/permissions";
import { existsAlready, nextAfterRefusal } from "../lib/github/refusals";
import type { PreparedImage, Root } from "../lib/hierarchy/prepare";
import { isPassing, nextAfter, refusesPushes } from "../lib/registry/failures";
import { RegistryError, onBuildTriggers, readManifest } from "../lib/registry/manifest";
import { parseReference } from "../lib/registry/references";
import { pinCommand } from "../lib/system/shell";
import { noteFailure } from "./failures";

/** Removes what is on GitHub under the name of a resource that is to be made, from the resource's inputs. */
export type MakeWay = (inputs: Readonly<Record<string, unknown>>) => Promise<void>;

/**
 * What happens when GitHub refuses a change: the provider's report names no next step, so it is said once. A token that may
 * read is not known to lack more before it is used.
 *
 * @param name of the component, in whose program each kind's hook is registered once
 * @param makeWay for what GitHub makes only once: what is there without being in the state (made by hand, by an `up` that was
 *     killed, or by a request that was repeated) is removed, and the resource made again
 */
export function refusalHook(name: string, kind: Kind, makeWay?: MakeWay): pulumi.ResourceHookBinding {
    const cleared = new Set<string>();
    let isSaid = false;
    const advise = new pulumi.ErrorHook(`say what to do when GitHub refuses ${kind} of ${name}`, async (failure) => {
        if (makeWay && failure.newInputs && existsAlready(failure.errors) && !cleared.has(failure.urn)) {
            cleared.add(failure.urn);
            try {
                await makeWay(failure.newInputs);
                await pulumi.log.info(`replaced ${kind} that was on GitHub and not in the state: ${failure.name}`);
                return true;
            } catch (error) {
                const reason = error instanceof Error ? error.message : String(error);
                await pulumi.log.error(`${failure.name} is on GitHub and not in the state, and stays there: ${reason}`);
                noteFailure(failure.urn);
                return false;
            }
        }
        noteFailure(failure.urn);
        const next = nextAfterRefusal(failure.errors, kind);
        if (next === undefined || isSaid) return false;
        isSaid = true;
        // Once the hook has answered the engine may end the update, and with it what is still on its way to the log.
        await pulumi.log.error(`GitHub refused ${kind}: next: ${next}`);
        return false;
    });
    return { onError: [advise] };
}

/** How registries are asked. */
export interface Registries {
    readonly readManifest: typeof readManifest;
    readonly onBuildTriggers: typeof onBuildTriggers;
}

/** What is asked of an image's roots. */
type Asked = Pick<PreparedImage, "key" | "roots" | "triggers">;

/** Asks the registry for the image: without its trust and login, the minutes of a build would be lost. */
async function checkRegistry(name: string, registries: Registries): Promise<void> {
    try {
        await registries.readManifest(name, process.env);
    } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        const next = refusesPushes(error.reason, error.registry);
        if (next !== undefined) throw new InputError({ problem: error.message, next });
    }
}

/** What this run knows of roots: a root and platform is asked for once, whatever stands on it. */
const knownTriggers = new Map<string, Promise<readonly string[]>>();

function triggersOf({ expanded, by }: Root, platform: string, registries: Registries): Promise<readonly string[]> {
    const ref = by ?? expanded;
    const question = `${ref} ${platform}`;
    const answer = knownTriggers.get(question) ?? askTriggers(expanded, ref, platform, registries);
    knownTriggers.set(question, answer);
    return answer;
}

async function askTriggers(
    root: string,
    ref: string,
    platform: string,
    registries: Registries,
): Promise<readonly string[]> {
    const named = root === ref ? `root ${root}` : `root ${root} (${ref})`;
    const unknown = (why: string, next: string) =>
        new InputError({
            problem: `${named} may have ONBUILD instructions, which would run on files that nobody sees: ${why}`,
            next: `${next}, or pin a copy of it that this machine can ask for: ${pinCommand(root)}`,
        });
    let found: readonly string[] | undefined;
    try {
        found = await registries.onBuildTriggers(ref, platform, process.env);
    } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        throw unknown(
            error.message,
            `let this machine ask it (a network that reaches ${error.registry}, docker login, its certificate in SSL_CERT_FILE)`,
        );
    }
    const { registry } = parseReference(ref);
    if (!found) throw unknown(`registry ${registry} does not have it, or not all of it`, "correct the reference");
    return found;
}

const indented = (lines: readonly string[], indent: string): string => lines.map((one) => `\n${indent}${one}`).join("");

/** What `images.ts` is to say of a root. */
const declaration = (root: string, triggers: readonly string[]): string =>
    indented(
        [
            "export const roots: RootDefinitions = {",
            `    ${JSON.stringify(root)}: { onBuild: [${triggers.map((one) => JSON.stringify(one)).join(", ")}] },`,
            "};",
        ],
        "    ",
    );

/**
 * Refuses roots whose ONBUILD is not what `images.ts` says of it: what it copies would be no input, so the build would go without
 * it and never notice its changes.
 *
 * @throws InputError that names the root, its triggers and the declared ones, or says why they can't be known
 */
async function checkRoots({ key, roots, triggers }: Asked, registries: Registries): Promise<void> {
    for (const root of roots) {
        const { expanded, by } = root;
        const declared = (triggers[expanded] ?? []).map(({ text }) => text);
        for (const platform of root.from) {
            const real = await triggersOf(root, platform, registries);
            if (JSON.stringify(real) === JSON.stringify(declared)) continue;
            const has = real.length === 0 ? " none" : indented(real, "    ");
            const problem =
                declared.length === 0
                    ? `on files that nobody sees:${has}`
                    : `and images.ts says something else of it. It has:${has}\n  images.ts says:${indented(declared, "    ")}`;
            throw new InputError({
                problem:
                    `image ${key} stands on root ${expanded}${by === undefined ? "" : ` (${by})`}, whose ONBUILD would run in its ` +
                    `build for ${platform}, ${problem}`,
                next:
                    (real.length === 0
                        ? `remove root ${expanded} from "roots" in images.ts`
                        : `say it in images.ts, and it is read as a part of every Dockerfile that stands on it:` +
                          declaration(expanded, real)) +
                    "\n  or build it FROM another image: another tag of the root, or one that you build FROM the root yourself, where " +
                    "these instructions run and end, and push",
            });
        }
    }
}

/** How often a push that met another one is done again. */
const repetitions = 2;

/**
 * What happens around the build of an image, where there is one: before it, its registry is asked once, and so are the roots'; when
 * it fails, the next step is said, or a push that only met another one is done again. An image that is not built costs nothing.
 */
export function buildHooks(
    image: Asked & Pick<PreparedImage, "repository" | "unreadable">,
    registries: Registries = { readManifest, onBuildTriggers },
): pulumi.ResourceHookBinding {
    const { key, repository, roots, unreadable } = image;
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
            noteFailure(urn);
            const next = nextAfter(errors, registry);
            // Once the hook has answered the engine may end the update, and with it what is still on its way to the log.
            if (next !== undefined) await pulumi.log.error(`image ${key}: next: ${next}`);
            return false;
        },
    );
    const asks = repository !== undefined || unreadable !== undefined || roots.some(({ from }) => from.length > 0);
    if (!asks) return { onError: [advise] };
    const ask = async () => {
        if (unreadable !== undefined) throw new InputError({ problem: unreadable });
        if (repository !== undefined) await checkRegistry(repository, registries);
        await checkRoots(image, registries);
    };
    let asked: Promise<void> | undefined;
    const check = new pulumi.ResourceHook(`ask the registries of image ${key}`, () => (asked ??= ask()));
    return { beforeCreate: [check], beforeUpdate: [check], onError: [advise] };
}
