import type * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { type Devcontainer, imageOf } from "../lib/devcontainer/file";
import { devcontainerName } from "../lib/engine/resources";
import { InputError } from "../lib/errors";
import { hostPlatform } from "../lib/platform";
import { digestOf, withDigest } from "../lib/registry/references";
import { quote } from "../lib/system/shell";
import { typedSilently } from "../lib/system/commandLine";
import { forDependents } from "./failures";
import type { Image } from "./image";

/** Where its output is kept, instead of in the state. The folder is there, because the image's context was staged in it. */
const log = ".stage/devcontainer.log";

/** What the devcontainer is made from. */
export interface DevcontainerArgs {
    /** The checked devcontainer.json. */
    readonly devcontainer: Devcontainer;
    /** The images of the stack, by key. */
    readonly images: Readonly<Record<string, Image>>;
    /** The builder that the stack sets for this machine's platform. */
    readonly builder: string | undefined;
}

/** Returns the name and `<repository>@<digest>` of an image for this machine's platform. */
function published({ prepared, platformImages }: Image, { file }: Devcontainer): readonly [string, pulumi.Output<string>] {
    const platform = hostPlatform();
    const build = platformImages.get(platform);
    const { repository, key } = prepared;
    const { name } = prepared.definition;
    if (!build || repository === undefined || name === undefined) {
        throw new InputError({
            problem: `image ${key}, on which the devcontainer stands, is not published for ${platform}`,
            where: file,
            allowed: ["an image that the stack pushes for the platform of this machine"],
            next: "add the platform to the image's platforms, or turn the devcontainer off: pulumi config rm devcontainer",
        });
    }
    return [name, forDependents(build.ref, withDigest(repository, `sha256:${"0".repeat(64)}`))];
}

/**
 * Makes the devcontainer on this machine, after its image was built as a check: `devcontainer --on …`, which anybody can also type. It runs again when what
 * it stands on has another digest, when its image has another input hash, and when a file of its folder changes. Removed from the configuration, it
 * is forgotten, and its image and container stay.
 *
 * @throws InputError if it is made from no image of the stack, or stands on one that is not published for this machine's platform
 */
export function devcontainerCommand({ devcontainer, images, builder }: DevcontainerArgs): pulumi.Resource {
    // Loaded here, because most stacks have no devcontainer, and loading it takes longer than a resource.
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- see above
    const { local } = require("@pulumi/command") as typeof command;
    const candidates = Object.values(images).map(({ prepared: { key, definition } }) => ({
        ...{ key, name: definition.name, dockerfile: definition.dockerfile },
    }));
    const { key, by } = imageOf(devcontainer, candidates);
    const own = images[key];
    if (!own) throw new Error(`image ${key} is not in the stack`);
    const below = by === "image" ? [own] : own.prepared.parents.flatMap((parent) => images[parent.key] ?? []);
    const on = below.map((image) => published(image, devcontainer));
    const refs = on.map(([name, ref]) => ref.apply((text) => ["--on", quote(`${name}=${text}`)]));
    const create = pulumi.all(refs).apply((words) => {
        const typed = typedSilently("devcontainer", "--config", quote(devcontainer.file), ...words.flat());
        return `${typed} > ${log} 2>&1 || { tail -n 40 ${log} >&2; exit 1; }`;
    });
    return new local.Command(
        devcontainerName,
        {
            create,
            ...(builder !== undefined && { environment: { BUILDX_BUILDER: builder } }),
            triggers: [
                own.prepared.inputHash,
                devcontainer.hash,
                ...on.map(([, ref]) => ref.apply((text) => digestOf(text) ?? text)),
            ],
            addPreviousOutputInEnv: false,
        },
        { dependsOn: [...own.resources] },
    );
}
