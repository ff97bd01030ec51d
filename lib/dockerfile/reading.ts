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
    /** Whether it is the target or in its chain of FROMs, for some platform: the image holds it as it is. */
    readonly base: boolean;
}

/** What a Dockerfile says of its place in the hierarchy: the images it stands on and the files it reads. */
export interface DockerfileReading {
    /** External images of the stages that the target needs, in order, each once. */
    readonly references: readonly {
        /** The reference as BuildKit sees it after expansion: the key of a named build context. */
        readonly expanded: string;
        readonly line: number;
        readonly instruction: Use["instruction"];
        /** Where the ONBUILD stands that names it, if one does. */
        readonly left?: string;
        /** Whether the target is built FROM it, rather than copying from it. */
        readonly base: boolean;
        readonly platforms: PlatformUses;
        /**
         * By platform that is built for, the platforms of it that needed stages are built FROM: its ONBUILD runs there, and not where
         * a stage only copies from it (dockerfile2llb, resolveBaseImage).
         */
        readonly from: FromUses;
    }[];
    /** The stages that the target needs, in order. */
    readonly stages: readonly ReadStage[];
    /** The build secrets that the needed stages mount. */
    readonly secrets: readonly (MountedSecret & Pick<Use, "line" | "left">)[];
    /** What the needed stages read from the build context. */
    readonly sources: readonly (Source & Pick<Use, "line" | "left"> & { readonly instruction: string })[];
    /** What reads the Dockerfile instead of the builder itself. One that is not BuildKit's own may do with it what it likes. */
    readonly frontend?: Frontend;
    /** By platform that is built for, the variables that the image brings to what is built FROM it. */
    readonly environment: Readonly<Partial<Record<Platform, Environment>>>;
    /** What all this means to BuildKit: what is built and hashed. */
    readonly meaning: Meaning;
    /** By reference as in `references`, what ONBUILD of an image left to the stages that are built FROM it; absent where nothing. */
    readonly triggers: Readonly<Record<string, readonly Trigger[]>>;
}

/** By platform that is built for, platforms of an image that stages are built FROM; absent where there is no such stage. */
export type FromUses = Readonly<Partial<Record<Platform, readonly Platform[]>>>;
