import type { ImagePlan } from "../plan/images";

/** An image with its place in the tree, as lines are drawn. */
export interface TreeLine {
    readonly plan: ImagePlan;
    /** Generations above it; 0 for an image on a root. */
    readonly depth: number;
    /** What stands before the name: "", "├─ ", "│  └─ " … */
    readonly prefix: string;
}

/** The images as a tree, each below the one that it is built FROM; children by name. */
export function treeLines(images: readonly ImagePlan[]): TreeLine[] {
    const known = new Set(images.map(({ image }) => image));
    const byName = (a: ImagePlan, b: ImagePlan) => (a.image < b.image ? -1 : 1);
    const below = (parent: string | undefined) =>
        images
            .filter(
                (plan) => (plan.parent !== undefined && known.has(plan.parent) ? plan.parent : undefined) === parent,
            )
            .sort(byName);
    const lines = (plan: ImagePlan, depth: number, indent: string, branch: string): TreeLine[] => {
        const children = below(plan.image);
        const next = branch === "" ? indent : indent + (branch === "├─ " ? "│  " : "   ");
        return [
            { plan, depth, prefix: indent + branch },
            ...children.flatMap((child, index) =>
                lines(child, depth + 1, next, index === children.length - 1 ? "└─ " : "├─ "),
            ),
        ];
    };
    return below(undefined).flatMap((plan) => lines(plan, 0, "", ""));
}
