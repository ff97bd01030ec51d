/**
 * Lets Node.js load TypeScript, except in node_modules, by `require`: as CommonJS, without checking types. What is compiled from this package's own
 * sources, in a checkout, is kept in its node_modules/.cache. Does nothing if ts-node does it already, unless `replace` is true: where the runner has registered ts-node with its
 * type checks, which take seconds.
 */
export function registerTypeScript(options?: { readonly replace?: boolean }): void;
