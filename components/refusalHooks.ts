import * as pulumi from "@pulumi/pulumi";
import { type Kind, existsAlready, nextAfterRefusal } from "../lib/github/failures";
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
