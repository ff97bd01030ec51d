/** A commit: the version of each file, by path. Versions increase across all branches, so every change is unique. */
export interface Commit {
    readonly branch: string;
    readonly files: Readonly<Record<string, number>>;
}

/** An action of a user: a push of changed files, or a dispatch of a workflow by its name. */
export type Event = { readonly branch: string } & (
    { readonly push: readonly string[] } | { readonly dispatch: string }
);

/** An image in the model. */
export interface ModelImage {
    readonly dockerfile: string;
    /** Key of the parent image. */
    readonly parent?: string;
    /** Paths of the image's inputs, without the Dockerfile. */
    readonly inputs: readonly string[];
}

/** Returns a build as text: the versions of the image's files and the parent's build. Equal texts are equal digests. */
export const buildOf = ({ dockerfile, inputs }: ModelImage, { files }: Commit, parent?: string): string =>
    `${dockerfile}[${[dockerfile, ...inputs].map((file) => files[file] ?? 0).join()}]${parent === undefined ? "" : ` on ${parent}`}`;

/** Returns the build of every image from `commit`, by key, parents first. */
export function convergedOn(
    commit: Commit,
    images: Readonly<Record<string, ModelImage>>,
): Readonly<Record<string, string>> {
    const builds: Record<string, string> = {};
    for (const [key, image] of Object.entries(images)) {
        builds[key] = buildOf(image, commit, image.parent === undefined ? undefined : builds[image.parent]);
    }
    return builds;
}

/** The images' `latest` tags, and the number of builds. */
export class Registry {
    readonly latest: Record<string, string>;
    built = 0;
    /** What stacks built for their platforms last. */
    private readonly platforms: Record<string, string> = {};

    constructor(
        readonly images: Readonly<Record<string, ModelImage>>,
        commit: Commit,
    ) {
        this.latest = { ...convergedOn(commit, images) };
    }

    isConvergedOn(commit: Commit): boolean {
        return Object.entries(convergedOn(commit, this.images)).every(([key, build]) => this.latest[key] === build);
    }

    /** Updates every image to `commit` and builds only the images that differ. */
    promote(commit: Commit): void {
        for (const [key, build] of Object.entries(convergedOn(commit, this.images))) {
            if (this.latest[key] !== build) this.built += 1;
            this.latest[key] = build;
        }
    }

    /** Records that a stack built its platform from `commit`. */
    buildPlatform(stack: string, commit: Commit): void {
        this.platforms[stack] = JSON.stringify(convergedOn(commit, this.images));
    }

    /** Whether stacks built their platforms from what `commit` has. */
    haveBuilt(stacks: readonly string[], commit: Commit): boolean {
        const wanted = JSON.stringify(convergedOn(commit, this.images));
        return stacks.every((stack) => this.platforms[stack] === wanted);
    }

    /** Returns the `latest` that the FROM of `dockerfile` resolves to. */
    parentOf(dockerfile: string | undefined): string | undefined {
        const image = Object.values(this.images).find((one) => one.dockerfile === dockerfile);
        return image?.parent === undefined ? undefined : this.latest[image.parent];
    }

    /** Builds an image from `commit` and the parent that its FROM resolved to, and moves its `latest`. */
    build(dockerfile: string | undefined, commit: Commit, parent: string | undefined): void {
        for (const [key, image] of Object.entries(this.images)) {
            if (image.dockerfile !== dockerfile) continue;
            this.built += 1;
            this.latest[key] = buildOf(image, commit, parent);
        }
    }
}
