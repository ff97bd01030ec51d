import { style } from "./style";

/** Text as it may stand in HTML, between tags and in quoted attributes. */
export const escapeHtml = (text: string): string =>
    text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0).toString()};`);

/** A cell of a table: text, or markup that was escaped before. */
export interface Cell {
    readonly html: string;
    readonly className?: string;
}

/** A cell with this text. */
export const cell = (text: string, className?: string): Cell => ({
    html: escapeHtml(text),
    ...(className !== undefined && { className }),
});

/** A row of a table; `id` is where links lead to. */
export interface TableRow {
    readonly id?: string;
    readonly cells: readonly Cell[];
}

/** A table that becomes a list of cards on a phone. */
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

/** A whole page that needs no network: no script, no font, no picture from elsewhere. */
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
