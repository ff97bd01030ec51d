/**
 * A loader hook (https://nodejs.org/docs/latest-v20.x/api/module.html#customization-hooks): loads JSON that is imported without
 * `with { type: "json" }`, as @actions/languageservice does and Node refuses.
 */
export const load = (url, context, next) =>
    next(url, url.endsWith(".json") ? { ...context, importAttributes: { type: "json" } } : context);
