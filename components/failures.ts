import * as pulumi from "@pulumi/pulumi";
import { continuesOnError } from "../lib/engine/continuing";

/**
 * `apply` as the SDK uses it internally: it also calls the function for (partly) unknown values, which the public types
 * do not offer.
 */
type ApplyAlways<U> = (func: (value: unknown) => unknown, runWithUnknowns: true) => pulumi.Output<U>;

const applyAlways = <U>(output: pulumi.Output<unknown>, func: (value: unknown) => unknown): pulumi.Output<U> =>
    (output.apply as unknown as ApplyAlways<U>).call(output, func, true);

/**
 * Returns an output to use as an input of other resources, so that the failure of its resource does not stop unrelated
 * resources.
 *
 * With `pulumi up --continue-on-error`, the outputs of a failed or skipped resource are unknown. The engine skips
 * dependent resources, but it validates their inputs first, and providers refuse unknown inputs, which would end the
 * whole update (pulumi 3.259, deploy/step_generator.go and deployment_executor.go). An update therefore passes
 * `placeholder`, from which no resource is ever created. In a preview, unknown values stay unknown.
 */
export function forDependents(output: pulumi.Output<string>, placeholder: string): pulumi.Output<string> {
    if (pulumi.runtime.isDryRun()) return output;
    return applyAlways(output, (value) => (pulumi.isUnknown(value) ? placeholder : value));
}

/** Returns an output's value, or `otherwise` if it is unknown because its resource failed. */
export const ifKnown = <T>(output: pulumi.Output<T>, otherwise: T): pulumi.Output<T> =>
    applyAlways(output, (value) => (pulumi.containsUnknowns(value) ? otherwise : value));

/** Whether this is an update that ends at its first failure: plain `pulumi up`. */
export const endsAtFailure = (): boolean => !pulumi.runtime.isDryRun() && !continuesOnError(process.env);

/**
 * Waits until outputs are resolved, known or unknown: what is registered afterwards can then stop nothing that was registered before.
 * Without `--continue-on-error` every failure ends an update, and with it still a provider that can't begin or refuses an input. Returns
 * at once in a preview.
 */
export async function inTurn(outputs: pulumi.Input<unknown>): Promise<void> {
    if (pulumi.runtime.isDryRun()) return;
    await new Promise<void>((resolve) => {
        applyAlways(pulumi.output(outputs), () => {
            resolve();
        });
    });
}

/**
 * Fails the program after all its resources are done, by a rejection that is not handled. The engine then deletes
 * nothing.
 */
export function failAtEnd(message: string): void {
    void Promise.reject(new pulumi.RunError(message));
}

/**
 * URNs of the resources that failed in this run. The outputs of a refused update look as before, so only its error hook
 * knows.
 */
const failed = new Set<string>();

/** Records the failure of a resource; called by its error hook. */
export function noteFailure(urn: string): void {
    failed.add(urn);
}

/** Returns whether all of the resources exist, after all of them are finished; always true in a preview. */
export const allMade = (resources: readonly pulumi.CustomResource[]): pulumi.Output<boolean> =>
    pulumi.runtime.isDryRun()
        ? pulumi.output(true)
        : pulumi.all(resources.map(({ urn }) => urn)).apply((urns) => urns.every((urn) => !failed.has(urn)));

/**
 * Fails the program after all its resources are done, if one of them failed. If only resources fail, the engine
 * continues and deletes what the program no longer contains, such as the variable of an image that was renamed and
 * can't be built under its new name. If the program fails, the engine deletes nothing.
 *
 * @param outputs outputs that are resolved, known or unknown, when everything is done
 */
export function deleteNothingAfterFailures(outputs: pulumi.Input<unknown>): void {
    if (!continuesOnError(process.env)) return;
    applyAlways(pulumi.output(outputs), (all) => {
        if (failed.size === 0 && !pulumi.containsUnknowns(all)) return;
        failAtEnd("something failed: resources that are no longer in the program stay until an update succeeds");
    });
}

/**
 * Returns outputs for the state of the stack or a component, without the outputs of failed resources: the state would
 * hold an unknown value as a text that says so. For the stack, the engine then keeps the outputs of the previous update
 * (deploy/step_executor.go, executeRegisterResourceOutputs). A preview receives the outputs one by one: a single output
 * would be unknown while any of them is, and the engine would print its text for that one letter per line.
 */
export function knownOutputs(
    outputs: Readonly<Record<string, pulumi.Input<unknown>>>,
): pulumi.Inputs | pulumi.Output<pulumi.Inputs> {
    if (pulumi.runtime.isDryRun()) return outputs;
    return applyAlways(pulumi.output(outputs), (all) =>
        Object.fromEntries(
            Object.entries(all as Record<string, unknown>).filter(([, value]) => !pulumi.containsUnknowns(value)),
        ),
    );
}
