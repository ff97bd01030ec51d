import type { PlatformUses, Platform } from "../platform";
import type { Frontend } from "./frontends";
import type { Meaning } from "./meaning";
import type { Trigger } from "./parse";
import type { MountedSecret, Source } from "./reads";
import type { Use } from "./stages";
import type { Environment } from "./variables";

/** A stage that the target needs. */
export interface ReadStage {
    readonly name: string | undefined;
    /** From 0, as BuildKit counts. */
    readonly number: number;
    readonly line: number;
    /** Whether it is the target or in its chain of FROMs, for any platform, so that the image contains its files. */
    readonly base: boolean;
}

/** The inputs of a Dockerfile: the images and files that its target needs. */
export interface DockerfileReading {
    /** External images of the stages that the target needs, in order, without duplicates. */
    readonly references: readonly {
        /** The reference after expansion, as BuildKit sees it: the key of a named build context. */
        readonly expanded: string;
        readonly line: number;
        readonly instruction: Use["instruction"];
        /** The location of the ONBUILD that names it, if any. */
        readonly triggeredBy?: string;
        /** Whether the target is built FROM it, rather than copying files from it. */
        readonly base: boolean;
        readonly platforms: PlatformUses;
        /**
         * By target platform, the platforms of this image that needed stages are built FROM. Its ONBUILD triggers run
         * there, and not in stages that only copy from it (dockerfile2llb, resolveBaseImage).
         */
        readonly from: FromUses;
    }[];
    /** The stages that the target needs, in order. */
    readonly stages: readonly ReadStage[];
    /** The build secrets that the needed stages mount. */
    readonly secrets: readonly (MountedSecret & Pick<Use, "line" | "triggeredBy">)[];
    /** What the needed stages read from the build context. */
    readonly sources: readonly (Source & Pick<Use, "line" | "triggeredBy"> & { readonly instruction: string })[];
    /**
     * The image that reads the Dockerfile in place of the builder. A frontend that is not BuildKit's own may do
     * anything with it.
     */
    readonly frontend?: Frontend;
    /** By target platform, the variables that stages built FROM this image inherit. */
    readonly environment: Readonly<Partial<Record<Platform, Environment>>>;
    /** What BuildKit builds, and what is hashed. */
    readonly meaning: Meaning;
    /**
     * By reference as in `references`, the ONBUILD triggers of an image that stages are built FROM; absent if it has no
     * trigger.
     */
    readonly triggers: Readonly<Record<string, readonly Trigger[]>>;
}

/** By target platform, the platforms of an image that stages are built FROM; absent if there is no such stage. */
export type FromUses = Readonly<Partial<Record<Platform, readonly Platform[]>>>;
