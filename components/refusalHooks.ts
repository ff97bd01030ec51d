import * as pulumi from "@pulumi/pulumi";
import { type Kind, nextAfterRefusal } from "../lib/githubFailures";

/**
 * What happens when GitHub refuses a change: the provider's report names no next step, so it is said once. A token that may
 * read is not known to lack more before it is used.
 *
 * @param name of the component, in whose program each kind's hook is registered once
 */
export function refusalHook(name: string, kind: Kind): pulumi.ResourceHookBinding {
    let isSaid = false;
    const advise = new pulumi.ErrorHook(`say what to do when GitHub refuses ${kind} of ${name}`, async ({ errors }) => {
        const next = nextAfterRefusal(errors, kind);
        if (next === undefined || isSaid) return false;
        isSaid = true;
        // Once the hook has answered the engine ends the update, and with it what is still on its way to the log.
        await pulumi.log.error(`GitHub refused ${kind}: next: ${next}`);
        return false;
    });
    return { onError: [advise] };
}
