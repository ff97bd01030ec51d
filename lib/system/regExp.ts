/** Escapes a text, so that a regular expression in which it stands matches it literally. `RegExp.escape` needs Node.js 24. */
export const escapeRegExp = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
