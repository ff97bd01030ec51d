/** Text that is already HTML. */
export interface Html {
    readonly html: string;
}

type Piece = string | number | Html | readonly Html[];

/** Escapes a text for HTML, including quoted attributes. */
const escape = (text: string): string =>
    text.replaceAll(/[&<>"']/g, (character) => `&#${(character.codePointAt(0) ?? 0).toString()};`);

function render(piece: Piece): string {
    if (typeof piece === "string") return escape(piece);
    if (typeof piece === "number") return piece.toString();
    return "html" in piece ? piece.html : piece.map(({ html }) => html).join("");
}

/** Renders a template whose values are escaped, except HTML from another such template. */
export const html = (texts: TemplateStringsArray, ...values: readonly Piece[]): Html => ({
    html: texts.map((text, index) => text + (index < values.length ? render(values[index] ?? "") : "")).join(""),
});
