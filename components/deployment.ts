import type * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { type DeploymentInputs, componentTypes } from "../lib/engine/resources";
import { type Deployment as Settings, deploymentScript, longestRun } from "../lib/hierarchy/deployments";
import type { Promotion } from "./promotion";

/** The arguments of a deployment. */
export interface DeploymentArgs extends Settings {
    /** The private key that opens the host. */
    readonly key: pulumi.Output<string>;
    /** The promotion of its image. */
    readonly promotion: Pick<Promotion, "passedRef" | "release">;
}

/** Connecting ends after half a minute: a host that does not answer must not hold up the rest of the update. */
const patience = { dialErrorLimit: 2, perDialTimeout: 10 } as const;

/**
 * Seconds after which the engine ends a deployment whose connection hangs. The host ends commands that take too long, so this is more than
 * an earlier deployment, for whose end it may have to wait, and this one may take.
 */
const longest = (settings: Settings): number => 60 + 2 * longestRun(settings);

/**
 * Runs the release of an image on a host, over SSH: after its promotion, and again whenever the release or a setting changes. A failure leaves
 * everything promoted, and the next update tries again, because the state keeps the inputs of the last success. Removed from the
 * configuration, it is forgotten, and what runs on the host stays.
 */
export class Deployment extends pulumi.ComponentResource {
    public constructor(name: string, args: DeploymentArgs, opts?: pulumi.ComponentResourceOptions) {
        const { key, promotion, ...settings } = args;
        const inputs: DeploymentInputs = settings;
        super(componentTypes.deployment, name, inputs, opts);
        // Loaded here, because most stacks deploy nothing, and loading it takes longer than a resource.
        // eslint-disable-next-line @typescript-eslint/no-require-imports -- see above
        const { remote } = require("@pulumi/command") as typeof command;
        const { host, port, user, hostKey } = settings;
        const place = `${pulumi.getProject()}/${pulumi.getStack()}/${name}`;
        const timeout = `${longest(settings)}s`;
        new remote.Command(
            name,
            {
                // Words that every login shell understands. The script is no argument: errors quote those.
                create: "sh -s",
                stdin: pulumi
                    .all([promotion.passedRef, promotion.release])
                    .apply(([ref, tag]) => deploymentScript({ ...settings, name, place, ref, tag })),
                connection: { host, port, user, hostKey, privateKey: key, ...patience },
                addPreviousOutputInEnv: false,
            },
            { parent: this, customTimeouts: { create: timeout, update: timeout } },
        );
        this.registerOutputs({});
    }
}
