import type { Definitions } from "../lib/hierarchy/definition";

/**
 * A workflow that runs `up` on the head of the branch: after a push, or when somebody starts it by hand. Every one of them updates all
 * images, so the list decides only which pushes start an update, and under which name people find it on GitHub.
 */
export interface UpDefinition {
    /** File name in .github/workflows, such as "images.yml". */
    readonly file: string;
    /** Name that GitHub shows. */
    readonly name: string;
    /**
     * Keys of the images whose changed inputs start the workflow; the key of an entry with a matrix stands for all its
     * images. Without this field every push starts it.
     */
    readonly images?: readonly string[];
    /** File of a workflow earlier in the list. When it has ended, this workflow starts too. */
    readonly after?: string;
    /** Time limit in minutes: enough to build every image for every platform. Default: 180. */
    readonly minutes?: number;
}

/** A command that a check runs in its image, with the checkout as working directory. */
export interface StepDefinition {
    /** Name that GitHub shows. */
    readonly name: string;
    /** Commands for bash, one a line. The first one that fails ends the step. */
    readonly run: string;
    /** Environment variables. Checks run the code of anybody who opens a pull request, so they get no secrets. */
    readonly env?: Readonly<Record<string, string>>;
    /** Whether the step runs even after an earlier step failed, so that one run reports all problems. Default: false. */
    readonly always?: boolean;
}

/** A workflow that checks pull requests, in an image that the last `up` published. */
export interface CheckDefinition {
    /** File name in .github/workflows. Without its ending it is also the key of the workflow's job. */
    readonly file: string;
    /** Name that GitHub shows. */
    readonly name: string;
    /** Key of the image in which the steps run; of an entry with a matrix, that of one of its images. It must have a `name`. */
    readonly image: string;
    /** What runs, in this order. If the image contains requirements, the first step installs those of the pull request. */
    readonly steps: readonly StepDefinition[];
    /** Time limit in minutes. Default: 20. */
    readonly minutes?: number;
}

/** Settings of the workflow that reviews pull requests and, once in a while, compares the stack with reality. */
export interface ReviewDefinition {
    /** File name in .github/workflows. Default: "review.yml". */
    readonly file?: string;
    /** Name that GitHub shows. Default: "Review". */
    readonly name?: string;
    /** When it looks for drift, as a cron expression in UTC. Default: Mondays at 4:23. */
    readonly schedule?: string;
    /** Time limit in minutes of each job that builds images for a pull request. Default: 120. */
    readonly minutes?: number;
    /**
     * Whether pull requests of the repository itself build and test what they change, for the runner's platform, without publishing
     * anything. Default: false, because `up` builds it after the merge and promotes nothing that fails.
     */
    readonly build?: boolean;
    /** Whether it also looks for newer roots and due rebuilds, and proposes them by a pull request (`bump`). Default: true. */
    readonly bump?: boolean;
}

/**
 * Settings of the workflow that gives each pull request of the repository itself a stack with tags of its own, and removes both when it is closed.
 * The stacks have the settings of Pulumi.preview.yaml (docs/operations.md, "Channels").
 */
export interface PreviewDefinition {
    /** File name in .github/workflows. Default: "preview.yml". */
    readonly file?: string;
    /** Name that GitHub shows. Default: "Preview". */
    readonly name?: string;
    /** Time limit in minutes: enough to build every image for every platform. Default: 180. */
    readonly minutes?: number;
}

/** A kind of dependencies in a folder of the repository. */
export interface DependabotEcosystem {
    /** GitHub's name for it, such as "uv". */
    readonly ecosystem: string;
    /** From the repository's root, with a slash in front: "/tools". */
    readonly directory: string;
}

/** What Dependabot keeps up to date in addition to actions, npm packages and Dockerfiles. */
export interface DependabotDefinition {
    /** More ecosystems. Default: none. */
    readonly ecosystems?: readonly DependabotEcosystem[];
    /** Base images, as Dockerfiles name them without a tag ("python"), of which it proposes only patch releases. */
    readonly patchesOnly?: readonly string[];
}

/**
 * What the workflows say about each release that an `up` promoted, so that others can verify it. None of it changes a digest.
 * docs/operations.md, "Verifying a release", has the commands.
 */
export interface ReleasesDefinition {
    /** Whether GitHub signs which workflow and commit made a release (`actions/attest`). Default: false. */
    readonly provenance?: boolean;
    /** Whether the packages of each image are listed for each platform, and signed (Syft and `actions/attest`). Default: false. */
    readonly sbom?: boolean;
    /** Whether releases are signed in their registry (Cosign, with the workflow's identity instead of a key). Default: false. */
    readonly signature?: boolean;
}

/** What the workflows remove from registries: builds and releases that nothing uses any more (docs/operations.md, "Cleaning up"). */
export interface CleanupDefinition {
    /** Newest releases of each image that are kept. Default: 10. */
    readonly keepReleases?: number;
    /** Days for which every release is kept. Default: 30. */
    readonly keepDays?: number;
}

/** What GitHub does for a repository: the export `workflows` of its `workflows.ts`. */
export interface WorkflowDefinitions {
    /** Default: one workflow "Images" in images.yml, which every push to the branch starts. */
    readonly up?: readonly UpDefinition[];
    /** Default: none. */
    readonly checks?: readonly CheckDefinition[];
    /** Default: review.yml, with the defaults of each setting. */
    readonly review?: ReviewDefinition;
    /** Default: pull requests have no stacks, and nothing of them is published. */
    readonly preview?: PreviewDefinition;
    /** Default: nothing is said about releases. */
    readonly releases?: ReleasesDefinition;
    /** What is removed on the schedule of the review. Default: nothing is. */
    readonly cleanup?: CleanupDefinition;
    /**
     * How `up` writes to ghcr.io. "token": with the workflow's token, for which every workflow of the repository can ask, so whoever may
     * push a branch can write images and caches. "login": with a user and password of the environment `up`, as for other registries
     * (docs/operations.md, "Trust"). Default: "token".
     */
    readonly ghcr?: "token" | "login";
    /** `false` leaves .github/dependabot.yml to the repository. */
    readonly dependabot?: DependabotDefinition | false;
}

/** Everything that a repository defines: the exports of its images.ts and, if it has one, of its workflows.ts. */
export interface RepositoryDefinitions extends Definitions {
    /** The export of workflows.ts; absent if there is none. */
    readonly workflows?: WorkflowDefinitions;
}

/** File and name of the review's workflow if a repository does not define others. */
export const defaultReview = { file: "review.yml", name: "Review" } as const;

/** File and name of the workflow of pull requests' stacks if a repository does not define others. */
export const defaultPreview = { file: "preview.yml", name: "Preview" } as const;

/** The workflows that run `up` if a repository does not define any. */
export const defaultUp: readonly UpDefinition[] = [{ file: "images.yml", name: "Images" }];
