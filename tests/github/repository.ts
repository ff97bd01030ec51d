/** A commit: the version of each file by path. Versions count up over all branches, so no two changes are alike. */
export interface Commit {
    readonly branch: string;
    readonly files: Readonly<Record<string, number>>;
}

/** What people do: push changes to files, or start a workflow by its name. */
export type Event = { readonly branch: string } & (
    { readonly push: readonly string[] } | { readonly dispatch: string }
);

/** An image as the model knows it. */
export interface ModelImage {
    readonly dockerfile: string;
    /** Key of the image that it is built on. */
    readonly parent?: string;
    /** Its inputs, the Dockerfile apart. */
    readonly inputs: readonly string[];
}

/** What was built, as text: the image's own files and what it was built on. Equal texts are equal digests. */
export const buildOf = ({ dockerfile, inputs }: ModelImage, { files }: Commit, parent?: string): string =>
    `${dockerfile}[${[dockerfile, ...inputs].map((file) => files[file] ?? 0).join()}]${parent === undefined ? "" : ` on ${parent}`}`;

/** What every image is when it is built from `commit`, parents first. */
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

/** The images' `latest` tags, and how often something was built for them. */
export class Registry {
    readonly latest: Record<string, string>;
    built = 0;

    constructor(
        readonly images: Readonly<Record<string, ModelImage>>,
        commit: Commit,
    ) {
        this.latest = { ...convergedOn(commit, images) };
    }

    isConvergedOn(commit: Commit): boolean {
        return Object.entries(convergedOn(commit, this.images)).every(([key, build]) => this.latest[key] === build);
    }

    /** Brings every image to `commit`, building only what differs. */
    promote(commit: Commit): void {
        for (const [key, build] of Object.entries(convergedOn(commit, this.images))) {
            if (this.latest[key] !== build) this.built += 1;
            this.latest[key] = build;
        }
    }

    /** The `latest` that a build of `dockerfile` finds in its FROM. */
    parentOf(dockerfile: string | undefined): string | undefined {
        const image = Object.values(this.images).find((one) => one.dockerfile === dockerfile);
        return image?.parent === undefined ? undefined : this.latest[image.parent];
    }

    /** Builds one image from `commit` on what its FROM had found, and moves its `latest`. */
    build(dockerfile: string | undefined, commit: Commit, parent: string | undefined): void {
        for (const [key, image] of Object.entries(this.images)) {
            if (image.dockerfile !== dockerfile) continue;
            this.built += 1;
            this.latest[key] = buildOf(image, commit, parent);
        }
    }
}
