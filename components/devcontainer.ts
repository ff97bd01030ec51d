import type * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { PublishedMaking } from "../lib/devcontainer/making";
import { devcontainerName } from "../lib/engine/resources";
import { hostPlatform } from "../lib/platform";
import { digestOf } from "../lib/registry/references";
import { typedSilently } from "../lib/system/commandLine";
import { quote } from "../lib/system/shell";
import { forDependents } from "./failures";
import type { Image } from "./image";

/** Where its output is kept, instead of in the state. The folder is there, because the image's context was staged in it. */
const log = ".stage/devcontainer.log";

/** What the devcontainer is made from. */
export interface DevcontainerArgs {
    /** What was decided before any resource exists. */
    readonly making: PublishedMaking;
    /** The images of the stack, by key. */
    readonly images: Readonly<Record<string, Image>>;
    /** The builder that the stack sets for this machine's platform. */
    readonly builder: string | undefined;
}

/**
 * Makes the devcontainer on this machine, after its image was built as a check: `devcontainer --on …`, which anybody can also type. It runs
 * again when what it stands on has another digest, when its image has another input hash, and when a file of its folder changes. Removed
 * from the configuration, it is forgotten, and its image and container stay.
 */
export function devcontainerCommand({ making, images, builder }: DevcontainerArgs): pulumi.Resource {
    // Loaded here, because most stacks have no devcontainer, and loading it takes longer than a resource.
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- see above
    const { local } = require("@pulumi/command") as typeof command;
    const { file, image, below, triggers } = making;
    const on = below.flatMap(({ key, name }) => {
        const build = images[key]?.platformImages.get(hostPlatform());
        // Checked when it was decided: the stack builds it for this platform.
        return build ? [{ name, ref: forDependents(build.ref, `${name}@sha256:${"0".repeat(64)}`) }] : [];
    });
    const given = on.map(({ name, ref }) => ref.apply((text) => ["--on", quote(`${name}=${text}`)]));
    const create = pulumi.all(given).apply((words) => {
        const typed = typedSilently("devcontainer", "--config", quote(file), ...words.flat());
        return `${typed} > ${log} 2>&1 || { tail -n 40 ${log} >&2; exit 1; }`;
    });
    return new local.Command(
        devcontainerName,
        {
            create,
            ...(builder !== undefined && { environment: { BUILDX_BUILDER: builder } }),
            triggers: [...triggers, ...on.map(({ ref }) => ref.apply((text) => digestOf(text) ?? text))],
            addPreviousOutputInEnv: false,
        },
        { dependsOn: [...(images[image]?.resources ?? [])] },
    );
}
