import type { ImagePlan } from "../plan/plan";
import { type TreeLine, treeLines } from "./tree";
import { escapeHtml } from "./page";

/** Sizes in pixels. */
const box = { height: 40, gap: 12, indent: 36, character: 8.2, padding: 14 } as const;

/** Where a link to an image leads. */
export const anchorOf = (image: string): string => `image-${image}`;

/**
 * The hierarchy as drawings, one for each image on a root, which stand beside each other where there is room.
 */
export function treeSvgs(images: readonly ImagePlan[]): string {
    const trees: TreeLine[][] = [];
    for (const line of treeLines(images)) {
        if (line.depth === 0) trees.push([line]);
        else trees.at(-1)?.push(line);
    }
    return trees.map(treeSvg).join("\n");
}

/** One tree: a box an image, below and to the right of the one that it is built FROM, linked to its row. */
function treeSvg(lines: readonly TreeLine[]): string {
    const width = (plan: ImagePlan) =>
        Math.round(Math.max(plan.image.length, plan.action.length) * box.character) + 2 * box.padding;
    const place = lines.map(({ depth }, index) => ({
        x: 2 + depth * box.indent,
        y: 2 + index * (box.height + box.gap),
    }));
    const at = (image: string | undefined) => place[lines.findIndex(({ plan }) => plan.image === image)];
    const edges = lines.flatMap(({ plan }) => {
        const [from, to] = [at(plan.parent), at(plan.image)];
        if (!from || !to) return [];
        const middle = to.y + box.height / 2;
        return [
            `<path d="M${(from.x + box.padding).toString()} ${(from.y + box.height).toString()}V${middle.toString()}H${to.x.toString()}"/>`,
        ];
    });
    const boxes = lines.map(({ plan }, index) => {
        const { x = 0, y = 0 } = place[index] ?? {};
        const [name, action] = [escapeHtml(plan.image), escapeHtml(plan.action)];
        const left = (x + box.padding).toString();
        return (
            `<a href="#${escapeHtml(anchorOf(plan.image))}" class="${action}" aria-label="${name}: ${action}">` +
            `<rect x="${x.toString()}" y="${y.toString()}" width="${width(plan).toString()}" height="${box.height.toString()}" rx="6"/>` +
            `<text x="${left}" y="${(y + 17).toString()}">${name}</text>` +
            `<text class="word" x="${left}" y="${(y + 33).toString()}">${action}</text></a>`
        );
    });
    const right = Math.max(0, ...lines.map(({ plan }, index) => (place[index]?.x ?? 0) + width(plan))) + 4;
    const bottom = lines.length * (box.height + box.gap);
    return (
        `<svg xmlns="http://www.w3.org/2000/svg" role="group" aria-label="${escapeHtml(lines[0]?.plan.image ?? "")} and what stands on it" width="${right.toString()}" ` +
        `height="${bottom.toString()}">${edges.join("")}${boxes.join("\n")}</svg>`
    );
}
