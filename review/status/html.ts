import type { ReportedFinding, StatusReport } from "../../lib/status/report";
import { buildRows, buildTitles, kindTitles, verdictText } from "./text";

const escape = (text: string): string =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 70rem; padding: 1rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent); padding: .3rem .8rem .3rem 0; text-align: left; white-space: nowrap; }
code { display: block; overflow-wrap: anywhere; font-size: .85rem; padding: .4rem .6rem; background: color-mix(in srgb, currentColor 8%, transparent); }
.drift, .MISSING { color: light-dark(#a40000, #ff8a80); } .unknown { color: light-dark(#7a4f00, #ffcc66); }
`;

const row = (tag: "th" | "td", cells: readonly string[]): string =>
    `<tr${cells.includes("MISSING") ? ' class="MISSING"' : ""}>${cells.map((cell) => `<${tag}>${escape(cell)}</${tag}>`).join("")}</tr>`;

function section(report: StatusReport, kind: ReportedFinding["kind"]): string {
    const found = report.findings.filter((finding) => finding.kind === kind);
    if (found.length === 0) return "";
    const items = found.map(
        ({ about, text, command }) =>
            `<li><strong>${escape(about)}</strong>: ${escape(text)}${command === undefined ? "" : `<code>${escape(command)}</code>`}</li>`,
    );
    return `<h2 class="${kind}">${kindTitles[kind]}</h2>\n<ul>${items.join("\n")}</ul>`;
}

/** The report as one page that needs nothing else: no script, no network. */
export function statusHtml(report: StatusReport): string {
    const title = verdictText(report);
    return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escape(title)}</title>
<style>${style}</style>
<h1>${escape(title)}</h1>
${section(report, "drift")}
${section(report, "unknown")}
<h2>images</h2>
<div class="table" tabindex="0"><table>
<thead>${row("th", buildTitles)}</thead>
<tbody>${buildRows(report)
        .map((cells) => row("td", cells))
        .join("\n")}</tbody>
</table></div>
${section(report, "note")}
</html>
`;
}
