import type { Cause } from "./causes";

/**
 * What an update would do to an image. *rebuild*: certainly built. *maybe*: built only if its parent's digest changes.
 * *recreate*: the registry lost it, an update after a refresh builds it again. *retag*: only the promoted tag moves.
 * *retest*: only its smoke tests run. *remove*: it leaves the stack; what was published stays. *unchanged*: nothing is built,
 * tagged or tested; with a cause, the state forgets something of it.
 */
export type Action = "rebuild" | "maybe" | "recreate" | "retag" | "retest" | "remove" | "unchanged";

/** The actions, the most urgent first. */
export const actions: readonly Action[] = ["rebuild", "recreate", "maybe", "remove", "retag", "retest", "unchanged"];

/** One image for one platform. */
export interface PlatformPlan {
    readonly platform: string;
    readonly action: Action;
    /** Seconds that the longest of its last builds took; absent where none was recorded. */
    readonly seconds?: number;
    /** Compressed bytes of what is published; absent where the registry was not asked. */
    readonly bytes?: number;
}

/** What is pending for an image. */
export interface ImagePlan {
    /** Key in `images.ts`. */
    readonly image: string;
    /** Key of the image that it is built FROM; absent where that is a root. */
    readonly parent?: string;
    /** Keys of other images of ours that its Dockerfile takes files from; absent where there are none. */
    readonly copiesFrom?: readonly string[];
    /** Its root, as Dockerfiles write it; absent where it is built FROM an image of ours. */
    readonly root?: string;
    /** The most urgent of its platforms' actions. */
    readonly action: Action;
    readonly platforms: readonly PlatformPlan[];
    readonly causes: readonly Cause[];
    /** Of an image that is `maybe`: what is done although it may not be built. Absent where that is nothing. */
    readonly inAnyCase?: readonly ("test" | "promotion")[];
    /** Where a platform is `maybe`: keys of the images whose digests decide, of which one is enough. */
    readonly dependsOn?: readonly string[];
}

/** Something on GitHub that would change. Of secrets the names only. */
export interface RepositoryPlan {
    readonly kind: "secret" | "variable" | "file" | "branch" | "pull request";
    readonly name: string;
    /** `maybe`: only if an image's digest changes. */
    readonly action: "create" | "update" | "delete" | "maybe";
}

/** Time that an update would take, from recorded builds, tests and promotions, along the chains of parents and children. */
export interface Expected {
    /** Seconds if no digest of a pending parent changes (cutoff). */
    readonly least: number;
    /** Seconds if all of them change. */
    readonly most: number;
    /** Images that are pending and have no recorded build; the seconds are without them. */
    readonly unknown: readonly string[];
}

/** What an update would do, and why. */
export interface Plan {
    readonly stack: string;
    /** In build order, parents first; those that leave the stack last. */
    readonly images: readonly ImagePlan[];
    readonly repository: readonly RepositoryPlan[];
    readonly expected: Expected;
    /** What would be lost for good. */
    readonly dangers: readonly string[];
    readonly warnings: readonly string[];
    /** Whether an update would change anything at all. */
    readonly pending: boolean;
}
