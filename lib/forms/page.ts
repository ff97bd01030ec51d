/** Style of the pages. It supports light and dark mode, phones and keyboard navigation, and loads nothing. */
export const style = `
:root { color-scheme: light dark; --page: #ffffff; --text: #1f2937; --soft: #6b7280; --line: #d1d5db; --card: #f9fafb;
  --rebuild: #b45309; --maybe: #1d4ed8; --retag: #047857; --remove: #b91c1c; --unchanged: #6b7280; --focus: #2563eb; }
@media (prefers-color-scheme: dark) { :root { --page: #111827; --text: #f3f4f6; --soft: #9ca3af; --line: #374151;
  --card: #1f2937; --rebuild: #f59e0b; --maybe: #60a5fa; --retag: #34d399; --remove: #f87171; --unchanged: #9ca3af;
  --focus: #93c5fd; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 75rem; padding: 1rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; } h2::first-letter { text-transform: uppercase; }
p { margin: .25rem 0; } .soft { color: var(--soft); }
.danger { border-left: .3rem solid var(--remove); padding: .5rem .75rem; background: var(--card); margin: .5rem 0; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .4rem; }
pre { margin: .25rem 0; padding: .4rem .6rem; white-space: pre-wrap; overflow-wrap: anywhere; background: var(--card); border: 1px solid var(--line); border-radius: .4rem; }
ul { margin: 0; padding-left: 1.2rem; } li { margin: .4rem 0; overflow-wrap: anywhere; }
.trees { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 0 2rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .4rem .6rem; vertical-align: top; }
th { color: var(--soft); font-weight: 600; } tr + tr td { border-top: 1px solid var(--line); }
.name, .platforms { white-space: nowrap; } .branch { color: var(--soft); }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
tr:target { background: var(--card); outline: 2px solid var(--focus); outline-offset: -2px; }
.action { font-weight: 600; white-space: nowrap; }
.rebuild, .recreate { color: var(--rebuild); } .unknown { color: var(--rebuild); } .maybe { color: var(--maybe); } .retag, .retest, .deploy, .succeeded { color: var(--retag); }
.remove, .failed, .delete, .drift { color: var(--remove); } .unchanged { color: var(--unchanged); }
a { color: inherit; } a:focus-visible, [tabindex]:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
svg { display: block; margin: .6rem; } svg text { font: 14px system-ui, sans-serif; fill: var(--text); } svg .word { font-size: 12px; }
svg rect { fill: var(--card); stroke: currentColor; stroke-width: 2; } svg path { fill: none; stroke: var(--soft); }
svg .word { fill: currentColor; } svg a { text-decoration: none; } svg a:focus-visible rect { stroke-width: 4; }
@media (max-width: 40rem) {
  .cards thead { position: absolute; clip-path: inset(50%); } .cards tr { display: block; padding: .4rem 0; }
  .cards td { display: block; overflow-wrap: anywhere; border: 0 !important; padding: .1rem .6rem; text-align: left !important; }
  .cards td:empty, .branch { display: none; } .cards .name { font-weight: 600; white-space: normal; } .cards .platforms { white-space: normal; } .cards .action::before { font-weight: 400; }
  .cards td[data-label]::before { content: attr(data-label) ": "; color: var(--soft); }
  .cards tr + tr { border-top: 1px solid var(--line); }
}
`;

/** Escapes text for HTML, between tags and in quoted attributes. */
export const escapeHtml = (text: string): string =>
    text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0).toString()};`);

/** A cell of a table: text, or escaped markup. */
export interface Cell {
    readonly html: string;
    readonly className?: string;
}

/** Creates a cell from text. */
export const cell = (text: string, className?: string): Cell => ({
    html: escapeHtml(text),
    ...(className !== undefined && { className }),
});

/** A row of a table; `id` is the target of links. */
export interface TableRow {
    readonly id?: string;
    readonly cells: readonly Cell[];
}

/** Renders a table that becomes a list of cards on a phone. */
export function htmlTable(caption: string, heads: readonly string[], rows: readonly TableRow[]): string {
    const line = ({ id, cells }: TableRow) => {
        const tags = cells.map(({ html, className }, index) => {
            const label = index === 0 ? "" : ` data-label="${escapeHtml(heads[index] ?? "")}"`;
            return `<td${className === undefined ? "" : ` class="${className}"`}${label}>${html}</td>`;
        });
        return `<tr${id === undefined ? "" : ` id="${escapeHtml(id)}"`}>${tags.join("")}</tr>`;
    };
    const [first] = rows;
    const head = heads
        .map((one, index) => {
            const isNumber = first?.cells[index]?.className === "number";
            return `<th scope="col"${isNumber ? ' class="number"' : ""}>${escapeHtml(one)}</th>`;
        })
        .join("");
    return (
        `<div class="scroll" role="region" aria-label="${escapeHtml(caption)}" tabindex="0"><table class="cards">` +
        `<thead><tr>${head}</tr></thead><tbody>${rows.map(line).join("\n")}</tbody></table></div>`
    );
}

/** Renders a complete page without scripts, external fonts or pictures. */
export function htmlPage(title: string, body: readonly string[]): string {
    const policy = "default-src 'none'; style-src 'unsafe-inline'";
    return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
${body.filter((part) => part !== "").join("\n")}
</body>
</html>
`;
}
