import type { ReportedFinding, StatusReport } from "../../lib/status/report";
import { cell, escapeHtml, htmlPage, htmlTable } from "../forms/page";
import { buildRows, buildTitles, kindTitles, missing, verdictText } from "./text";

function section(report: StatusReport, kind: ReportedFinding["kind"]): string {
    const found = report.findings.filter((finding) => finding.kind === kind);
    if (found.length === 0) return "";
    const items = found.map(({ about, text, command }) => {
        const repair = command === undefined ? "" : `<pre tabindex="0">${escapeHtml(command)}</pre>`;
        return `<li><strong>${escapeHtml(about)}</strong>: ${escapeHtml(text)}${repair}</li>`;
    });
    return `<h2 class="${kind}">${escapeHtml(kindTitles[kind])}</h2>\n<ul>${items.join("\n")}</ul>`;
}

function buildTable(report: StatusReport): string {
    const rows = buildRows(report).map(([image = "", ...cells]) => ({
        cells: [cell(image, "name"), ...cells.map((text) => cell(text, text === missing ? "action drift" : undefined))],
    }));
    return rows.length === 0 ? "" : `<h2>Images</h2>\n${htmlTable("Images", buildTitles, rows)}`;
}

/** The report as one page that needs nothing else: no script, no network. */
export function statusHtml(report: StatusReport): string {
    const title = verdictText(report);
    return htmlPage(title, [
        `<h1>${escapeHtml(title)}</h1>`,
        section(report, "drift"),
        section(report, "unknown"),
        buildTable(report),
        section(report, "note"),
    ]);
}
