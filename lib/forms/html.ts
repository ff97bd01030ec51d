import type { UpdateRecord } from "../update/history";
import type { ImagePlan, Plan } from "../plan/plan";
import { treeLines } from "./tree";
import { countsOf, expectedSentence, reasonOf, roughly, secondsOf, size } from "./words";
import { cell, escapeHtml, htmlPage, htmlTable } from "./page";
import { anchorOf, treeSvgs } from "./treeSvg";

/** Updates that a page lists. */
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

/** The plan as one self-contained page, with the last updates. */
export function htmlForm(plan: Plan, history: readonly UpdateRecord[]): string {
    const { images, repository, dangers, warnings } = plan;
    const changes = repository.map(({ kind, name, action }) => ({
        cells: [cell(name), cell(action, `action ${action}`), cell(kind)],
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
        repository.length > 0 ? section("GitHub", htmlTable("GitHub", ["name", "action", "kind"], changes)) : "",
        warnings.length > 0 ? section("Warnings", paragraphs(warnings)) : "",
        history.length > 0 ? section("Updates", historyTable(history)) : "",
    ]);
}
