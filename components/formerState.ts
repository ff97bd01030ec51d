import * as pulumi from "@pulumi/pulumi";
import { type Properties, dockerTypes, readUrn } from "../lib/engine/resources";

/** What the stack's state has before this run. */
export interface FormerState {
    /** Returns the outputs of a resource; undefined if the state does not have it. */
    readonly outputsOf: (type: string, name: string) => Properties | undefined;
    /** What the provider of images took for DOCKER_HOST, for each of its versions; "" for none. */
    readonly dockerHosts: readonly string[];
}

/** The state of a stack without resources. */
export const emptyState: FormerState = { outputsOf: () => undefined, dockerHosts: [] };

/** Outputs of resources, by URN, as the engine's own provider returns them. */
type Outputs = Readonly<Record<string, { readonly type: string; readonly outputs?: Properties }>>;

/** Returns the former state, from the outputs of its resources by URN. */
export function formerState(outputs: Outputs): FormerState {
    const byName = new Map(
        Object.entries(outputs).map(([urn, resource]) => [`${resource.type} ${readUrn(urn).name}`, resource]),
    );
    const providers = Object.values(outputs).filter(({ type }) => type === dockerTypes.provider);
    return {
        dockerHosts: providers.map(({ outputs: { host } = {} }) => (typeof host === "string" ? host : "")),
        outputsOf: (type, name) => {
            const found = byName.get(`${type} ${name}`);
            return found && (found.outputs ?? {});
        },
    };
}

/**
 * Reads the stack's own state as it was before this run, from the backend that the engine uses: a program sees nothing else of it. It
 * costs one reading of the state, and no network that the engine does not need anyway.
 */
export async function readFormerState(): Promise<FormerState> {
    const { outputs } = (await pulumi.runtime.invoke("pulumi:pulumi:readStackResourceOutputs", {
        stackName: pulumi.getStack(),
    })) as { readonly outputs?: Outputs };
    return formerState(outputs ?? {});
}
