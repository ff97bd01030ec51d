import type { ImagePlan } from "../plan/images";

/** An image by its key, with the key of the image that it is built from, if that is one of the images too. */
type InTree = Pick<ImagePlan, "image"> & { readonly parent?: string | undefined };

/** An image and its position in the tree. */
export interface TreeLine<T extends InTree = ImagePlan> {
    readonly plan: T;
    /** Number of ancestors among the images; 0 if it is built from a root. */
    readonly depth: number;
    /** Text before the name that draws the lines of the tree: "", "├─ ", "│  └─ " … */
    readonly prefix: string;
}

/** Arranges images as a tree: each image below its parent, children sorted by name. */
export function treeLines<T extends InTree>(images: readonly T[]): TreeLine<T>[] {
    const known = new Set(images.map(({ image }) => image));
    const byName = (a: T, b: T) => (a.image < b.image ? -1 : 1);
    const children = new Map<string | undefined, T[]>();
    for (const plan of images) {
        const parent = plan.parent !== undefined && known.has(plan.parent) ? plan.parent : undefined;
        const siblings = children.get(parent);
        if (siblings) siblings.push(plan);
        else children.set(parent, [plan]);
    }
    const below = (parent: string | undefined) => (children.get(parent) ?? []).sort(byName);
    const lines = (plan: T, depth: number, indent: string, branch: string): TreeLine<T>[] => {
        const direct = below(plan.image);
        const next = branch === "" ? indent : indent + (branch === "├─ " ? "│  " : "   ");
        return [
            { plan, depth, prefix: indent + branch },
            ...direct.flatMap((child, index) =>
                lines(child, depth + 1, next, index === direct.length - 1 ? "└─ " : "├─ "),
            ),
        ];
    };
    return below(undefined).flatMap((plan) => lines(plan, 0, "", ""));
}
