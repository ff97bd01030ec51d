import * as pulumi from "@pulumi/pulumi";
import { goesOn } from "../lib/engine/continuing";

/** `apply` as the SDK itself uses it: also for a value that is not known, or not in all its parts, which its types leave out. */
type ApplyAlways<U> = (func: (value: unknown) => unknown, runWithUnknowns: true) => pulumi.Output<U>;

const applyAlways = <U>(output: pulumi.Output<unknown>, func: (value: unknown) => unknown): pulumi.Output<U> =>
    (output.apply as unknown as ApplyAlways<U>).call(output, func, true);

/**
 * An output for the inputs of other resources, so that the failure of its resource ends nothing that has nothing to do with it.
 *
 * With `pulumi up --continue-on-error` the outputs of a resource that failed, or was skipped, are not known. The engine skips
 * everything that depends on them, but it has the inputs of that checked before, and providers refuse inputs that are not known:
 * that would end the whole update (pulumi 3.259, deploy/step_generator.go and deployment_executor.go). So in an update they are told
 * `placeholder`, which nothing is ever made from. In a preview what is not known stays so.
 */
export function forDependents(output: pulumi.Output<string>, placeholder: string): pulumi.Output<string> {
    if (pulumi.runtime.isDryRun()) return output;
    return applyAlways(output, (value) => (pulumi.isUnknown(value) ? placeholder : value));
}

/** Fails the program, once all its resources are done: nobody handles the rejection. The engine then deletes nothing. */
export function failAtEnd(message: string): void {
    void Promise.reject(new pulumi.RunError(message));
}

/** URNs of what failed in this run. An update that was refused leaves outputs that look as before: only its error hook knows. */
const failed = new Set<string>();

/** Said by the error hook of a resource that is given up. */
export function noteFailure(urn: string): void {
    failed.add(urn);
}

/** Whether all of these are there, once none of them is under way any more; in a preview always. */
export const allMade = (resources: readonly pulumi.CustomResource[]): pulumi.Output<boolean> =>
    pulumi.runtime.isDryRun()
        ? pulumi.output(true)
        : pulumi.all(resources.map(({ urn }) => urn)).apply((urns) => urns.every((urn) => !failed.has(urn)));

/**
 * Fails the program, once all its resources are done, where something failed. After failures alone the engine goes on to delete what
 * left the program, such as the variable of an image that got another name and can't be built under it; after a program that failed it
 * deletes nothing.
 *
 * @param outputs known, or known not to be, when everything is done
 */
export function deleteNothingAfterFailures(outputs: pulumi.Input<unknown>): void {
    if (!goesOn(process.env)) return;
    applyAlways(pulumi.output(outputs), (all) => {
        if (failed.size === 0 && !pulumi.containsUnknowns(all)) return;
        failAtEnd("something failed: what left the program stays until an update comes to its end");
    });
}

/**
 * Outputs for the state, of the stack or a component. Those in which something failed are left out: what is not known would enter
 * the state as a text that says so. Of a stack the engine then keeps what the last update said (deploy/step_executor.go,
 * executeRegisterResourceOutputs). A preview gets them one by one: as one output, nothing would be known of it as long as one of them
 * is not, and the engine would show its text for that, a letter a line.
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
