import * as pulumi from "@pulumi/pulumi";

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

/**
 * Outputs for the state, of the stack or a component. Those in which something failed are left out: what is not known would enter
 * the state as a text that says so. Of a stack the engine then keeps what the last update said (deploy/step_executor.go,
 * executeRegisterResourceOutputs).
 */
export function knownOutputs(outputs: Readonly<Record<string, pulumi.Input<unknown>>>): pulumi.Output<unknown> {
    if (pulumi.runtime.isDryRun()) return pulumi.output(outputs);
    return applyAlways(pulumi.output(outputs), (all) =>
        Object.fromEntries(
            Object.entries(all as Record<string, unknown>).filter(([, value]) => !pulumi.containsUnknowns(value)),
        ),
    );
}
