import { causeText } from "../plan/causes";
import type { ImagePlan } from "../plan/images";
import type { Plan } from "../plan/plan";
import { roughly, size } from "../system/progress";
import type { UpdateRecord } from "../update/history";
import { cell, escapeHtml, htmlPage, htmlTable } from "./page";
import { treeLines, type TreeLine } from "./tree";
import { countsOf, expectedSentence, reasonOf, secondsOf } from "./words";

/** Sizes in pixels. */
const box = { height: 40, gap: 12, indent: 36, character: 8.2, padding: 14 } as const;

/** Returns the id of the row of an image, for links. */
const anchorOf = (image: string): string => `image-${image}`;

/**
 * Draws the hierarchy: one drawing for each image that is built from a root, side by side if the page is wide enough.
 */
function treeSvgs(images: readonly ImagePlan[]): string {
    const trees: TreeLine[][] = [];
    for (const line of treeLines(images)) {
        if (line.depth === 0) trees.push([line]);
        else trees.at(-1)?.push(line);
    }
    return trees.map(treeSvg).join("\n");
}

/** Draws one tree: a box per image, below and to the right of its parent, with a link to its row. */
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
        `<svg xmlns="http://www.w3.org/2000/svg" role="group" aria-label="${escapeHtml(lines[0]?.plan.image ?? "")} and its descendants" width="${right.toString()}" ` +
        `height="${bottom.toString()}">${edges.join("")}${boxes.join("\n")}</svg>`
    );
}

/** Number of updates on a page. */
const listed = 20;

function bytesOf({ platforms }: ImagePlan): string {
    const known = platforms.flatMap(({ bytes }) => bytes ?? []);
    return known.length > 0 ? size(Math.max(...known)) : "";
}

function imageTable(images: readonly ImagePlan[]): string {
    const rows = treeLines(images).map(({ plan, prefix }) => {
        const seconds = secondsOf(plan);
        const branch = escapeHtml(prefix.replaceAll(" ", "\u00a0"));
        return {
            id: anchorOf(plan.image),
            cells: [
                {
                    html: `<span class="branch" aria-hidden="true">${branch}</span>${escapeHtml(plan.image)}`,
                    className: "name",
                },
                cell(plan.action, `action ${plan.action}`),
                cell(reasonOf(plan)),
                cell(plan.platforms.map(({ platform }) => platform.replace(/^linux\//, "")).join(", "), "platforms"),
                cell(seconds === undefined ? "" : roughly(seconds), "number"),
                cell(bytesOf(plan), "number"),
            ],
        };
    });
    return htmlTable("Images", ["image", "action", "why", "platforms", "time", "size"], rows);
}

function historyTable(history: readonly UpdateRecord[]): string {
    const rows = history.slice(0, listed).map(({ start, seconds, result, commit, images }) => {
        const built = images
            .filter(({ kind, operation }) => kind === "build" && operation !== "delete")
            .map(({ image }) => image);
        return {
            cells: [
                cell(start.replace("T", " ").replace(/(:\d\d)(\.\d+)?Z$/, "$1 UTC")),
                cell(result, `action ${result}`),
                cell([...new Set(built)].join(", ") || "nothing"),
                cell((commit ?? "").slice(0, 12)),
                cell(roughly(seconds), "number"),
            ],
        };
    });
    return htmlTable("Updates", ["start", "result", "built", "commit", "time"], rows);
}

const section = (title: string, content: string): string => `<h2>${escapeHtml(title)}</h2>\n${content}`;

/** Renders the plan and the last updates as one self-contained page. */
export function htmlForm(plan: Plan, history: readonly UpdateRecord[]): string {
    const { images, deployments, repository, dangers, warnings } = plan;
    const changes = repository.map(({ kind, name, action }) => ({
        cells: [cell(name), cell(action, `action ${action}`), cell(kind)],
    }));
    const deploymentRows = deployments.map(({ deployment, action, image, host, causes }) => ({
        cells: [
            cell(deployment, "name"),
            cell(action, `action ${action}`),
            cell(causes.map(causeText).join("; ")),
            cell(image),
            cell(host),
        ],
    }));
    const paragraphs = (texts: readonly string[]) => texts.map((text) => `<p>${escapeHtml(text)}</p>`).join("\n");
    return htmlPage(`Review of stack ${plan.stack}`, [
        `<h1>Review of stack ${escapeHtml(plan.stack)}</h1>`,
        `<p>${escapeHtml(countsOf(plan))}</p>`,
        paragraphs([expectedSentence(plan), plan.pending ? "" : "Nothing to do."].filter((text) => text !== "")),
        ...dangers.map((danger) => `<p class="danger" role="alert"><strong>Danger:</strong> ${escapeHtml(danger)}</p>`),
        images.length > 0
            ? section(
                  "Hierarchy",
                  `<div class="scroll trees" role="region" aria-label="Hierarchy" tabindex="0">${treeSvgs(images)}</div>`,
              )
            : "",
        images.length > 0 ? section("Images", imageTable(images)) : "",
        deployments.length > 0
            ? section(
                  "Deployments",
                  htmlTable("Deployments", ["deployment", "action", "why", "image", "host"], deploymentRows),
              )
            : "",
        repository.length > 0 ? section("GitHub", htmlTable("GitHub", ["name", "action", "kind"], changes)) : "",
        warnings.length > 0 ? section("Warnings", paragraphs(warnings)) : "",
        history.length > 0 ? section("Updates", historyTable(history)) : "",
    ]);
}
