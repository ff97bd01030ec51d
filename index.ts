import * as pulumi from "@pulumi/pulumi";
import { ImageHierarchy } from "./components/imageHierarchy";
import { readConfig } from "./config";
import { images as definitions } from "./images";
import { InputError } from "./lib/errors";
import { prepareLayers } from "./lib/layers";
import { unpinnedRoots } from "./lib/roots";

function compose(): ImageHierarchy {
    // The engine starts the program in the repository's root; everything that enters the state is relative to it.
    const root = process.cwd();
    const config = readConfig();
    const layers = prepareLayers(root, definitions, config);
    for (const { root: name, images: affected } of unpinnedRoots(layers)) {
        void pulumi.log.warn(
            `root ${name} of ${affected.join(", ")} is not pinned: when it moves, nothing is rebuilt. Pin it: ` +
                `pulumi config set --path 'roots["${name}"]' <repository>@sha256:<digest>`,
        );
    }
    return new ImageHierarchy("images", { layers, root, stageRoot: ".stage", secrets: config.secrets });
}

/** Bad input is told as a message; only a fault of the program itself shows a stack. */
function composeOrExplain(): ImageHierarchy {
    try {
        return compose();
    } catch (error) {
        throw error instanceof InputError ? new pulumi.RunError(error.message) : error;
    }
}

/** Per image: the promoted ref and digest, the digest of each platform, and the parent. */
export const images = composeOrExplain().outputs();
