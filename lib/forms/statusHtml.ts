import type { ReportedFinding, StatusReport } from "../status/status";
import { cell, escapeHtml, htmlPage, htmlTable } from "./page";
import { buildRows, buildTitles, isWrong, kindTitles, repairsTogether, togetherTitle, verdictText } from "./statusText";

/** Renders a command for copying. */
const command = (text: string): string => `<pre>${escapeHtml(text)}</pre>`;

function section(report: StatusReport, kind: ReportedFinding["kind"]): string {
    const found = report.findings.filter((finding) => finding.kind === kind);
    if (found.length === 0) return "";
    const items = found.map(({ about, text, command: named }) => {
        const repair = named === undefined ? "" : command(named);
        return `<li><strong>${escapeHtml(about)}</strong>: ${escapeHtml(text)}${repair}</li>`;
    });
    return `<h2 class="${kind}">${escapeHtml(kindTitles[kind])}</h2>\n<ul>${items.join("\n")}</ul>`;
}

function together(report: StatusReport): string {
    const commands = repairsTogether(report);
    return commands.length === 0 ? "" : `<h2>${togetherTitle}</h2>\n${commands.map(command).join("\n")}`;
}

function buildTable(report: StatusReport): string {
    const rows = buildRows(report).map(([image = "", ...cells]) => ({
        cells: [cell(image, "name"), ...cells.map((text) => cell(text, isWrong(text) ? "action drift" : undefined))],
    }));
    return rows.length === 0 ? "" : `<h2>Images</h2>\n${htmlTable("Images", buildTitles, rows)}`;
}

/** Renders the report as one self-contained page without scripts. */
export function statusHtml(report: StatusReport): string {
    const title = verdictText(report);
    return htmlPage(title, [
        `<h1>${escapeHtml(title)}</h1>`,
        section(report, "drift"),
        together(report),
        section(report, "unknown"),
        buildTable(report),
        section(report, "note"),
    ]);
}
