import fc from "fast-check";

/*
 * The reference for the fuzz: which images an update must build. An image is built again if what decides its build changed, apart from its
 * parent, or if the digest of its parent changed, or the pin of its root moved. Nothing else is built.
 */

/** What an image is built on: another image by its key, one of two pinned roots, or nothing. */
export type On = { readonly image: string } | "root" | "nothing";

export interface ModelImage {
    readonly on: On;
    /** Of the file that is in the image. */
    readonly text: number;
    /** Of the file that its build reads, and that is not in the image. */
    readonly note: number;
    /** Of the comment in its Dockerfile. */
    readonly comment: number;
}

/** A repository, as far as it decides what is built. */
export interface Model {
    readonly images: Readonly<Record<string, ModelImage>>;
    /** Which of the two digests the root is pinned to. */
    readonly pin: 0 | 1;
    /** Number of the next image and of the next text. */
    readonly next: number;
}

/** A change by the user; `pick` chooses an image. */
export type Change =
    | {
          readonly kind: "add" | "remove" | "move" | "text" | "note" | "comment";
          readonly pick: number;
          readonly other: number;
      }
    | { readonly kind: "pin" }
    | { readonly kind: "nothing" };

/** A fault during an update, at its nth push of a manifest. */
export interface Fault {
    readonly kind: "kill the engine" | "kill buildkitd" | "answer 500" | "cut the connection";
    readonly push: number;
}

/** A step of the fuzz: changes, and an update that a fault may meet. */
export interface Step {
    readonly changes: readonly Change[];
    readonly fault: Fault | undefined;
}

export const mostImages = 30;

const change = fc.oneof(
    {
        weight: 8,
        arbitrary: fc.record({
            kind: fc.constantFrom("add", "add", "remove", "move", "text", "text", "note", "comment"),
            pick: fc.nat(999),
            other: fc.nat(999),
        }),
    },
    { weight: 1, arbitrary: fc.constant<Change>({ kind: "pin" }) },
    { weight: 1, arbitrary: fc.constant<Change>({ kind: "nothing" }) },
);
const fault = fc.record({
    kind: fc.constantFrom("kill the engine", "kill buildkitd", "answer 500", "cut the connection"),
    push: fc.integer({ min: 1, max: 6 }),
});

/** Returns the steps of a seed. */
export const stepsOf = (seed: number, count: number): Step[] =>
    fc.sample(
        fc.record({
            changes: fc.array(change, { minLength: 1, maxLength: 4 }),
            fault: fc.option(fault, { freq: 3, nil: undefined }),
        }),
        { seed, numRuns: count },
    );

const parentOf = ({ on }: ModelImage): string | undefined => (typeof on === "object" ? on.image : undefined);

/** Whether an image stands on another, directly or not. */
function standsOn({ images }: Model, key: string, other: string): boolean {
    const image = images[key];
    const parent = image && parentOf(image);
    return parent !== undefined && (parent === other || standsOn({ images } as Model, parent, other));
}

/** Returns what a number lets an image stand on: another image as a rule. */
function choose(keys: readonly string[], pick: number): On {
    const key = keys[pick % (keys.length + 2)];
    if (key !== undefined) return { image: key };
    return pick % 2 === 0 ? "root" : "nothing";
}

/** Returns the model after a change; the same model if the change is not possible. */
export function apply(model: Model, one: Change): Model {
    const { images, next } = model;
    const keys = Object.keys(images);
    if (one.kind === "pin") return { ...model, pin: model.pin === 0 ? 1 : 0 };
    if (one.kind === "nothing") return model;
    if (one.kind === "add") {
        if (keys.length >= mostImages) return model;
        const added = { on: choose(keys, one.pick), text: next, note: next, comment: next };
        return { ...model, next: next + 1, images: { ...images, [`i${next.toString()}`]: added } };
    }
    const key = keys[one.pick % keys.length] ?? "";
    const image = images[key];
    if (!image) return model;
    const replace = (changed: Partial<ModelImage>): Model => ({
        ...model,
        next: next + 1,
        images: { ...images, [key]: { ...image, ...changed } },
    });
    switch (one.kind) {
        case "remove": {
            const isParent = Object.values(images).some((other) => parentOf(other) === key);
            if (isParent || keys.length === 1) return model;
            return {
                ...model,
                images: Object.fromEntries(
                    keys.filter((name) => name !== key).map((name) => [name, images[name]]),
                ) as Model["images"],
            };
        }
        case "move": {
            const others = keys.filter((other) => other !== key && !standsOn(model, other, key));
            return replace({ on: choose(others, one.other) });
        }
        default:
            return replace({ [one.kind]: next });
    }
}

/** What decides the digest of an image: two builds with the same content have the same digest. */
export function contentOf({ images, pin }: Pick<Model, "images" | "pin">, key: string): string {
    const image = images[key];
    if (!image) throw new Error(`there is no image ${key}`);
    const parent = parentOf(image);
    const below =
        parent === undefined
            ? image.on === "root"
                ? `root ${pin.toString()}`
                : "nothing"
            : contentOf({ images, pin }, parent);
    return `${below} / ${key} ${image.text.toString()}`;
}

/** What an image was last built from, by its key. */
export type Built = Readonly<Record<string, string>>;

/** Returns what every image is built from: whoever differs from it has to be built. */
export function builtFrom(model: Model): Built {
    const from = ([key, image]: readonly [string, ModelImage]) => {
        const parent = parentOf(image);
        const below =
            parent === undefined
                ? image.on === "root"
                    ? `root ${model.pin.toString()}`
                    : "nothing"
                : contentOf(model, parent);
        const own = `${image.text.toString()} ${image.note.toString()} ${parent ?? ""}`;
        return [key, `${own} on ${below}`] as const;
    };
    return Object.fromEntries(Object.entries(model.images).map(from));
}

/** Returns the images that an update must build, sorted. */
export function mustBuild(model: Model, before: Built): string[] {
    return Object.entries(builtFrom(model))
        .filter(([key, from]) => before[key] !== from)
        .map(([key]) => key)
        .sort();
}

/** Returns the files of a repository that the model describes, without its stack's configuration. */
export function filesOf({ images }: Model): Readonly<Record<string, string>> {
    const name = (key: string) => `ghcr.io/fuzz/${key}:latest`;
    const from = ({ on }: ModelImage) =>
        typeof on === "object" ? name(on.image) : on === "root" ? "tiny:1" : "scratch";
    const entries = Object.keys(images).map((key) => {
        const entry = {
            description: key,
            name: name(key),
            dockerfile: `${key}/Dockerfile`,
            platforms: ["linux/amd64"],
        };
        return [key, entry] as const;
    });
    const files = Object.entries(images).flatMap(([key, image]) => [
        [
            `${key}/Dockerfile`,
            `# ${image.comment.toString()}
FROM scratch AS read
COPY ${key}/read/ /
FROM ${from(image)}
COPY --from=read /text /${key}
`,
        ],
        [`${key}/read/text`, `${image.text.toString()}\n`],
        [`${key}/read/note`, `${image.note.toString()}\n`],
    ]);
    const definitions = `export const images = ${JSON.stringify(Object.fromEntries(entries), undefined, 4)};\n`;
    return { "images.ts": definitions, ...(Object.fromEntries(files) as Record<string, string>) };
}
