import { register } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

register(pathToFileURL(path.join(__dirname, "jsonImports.mjs")));

/**
 * Returns GitHub's own language service for workflows. A dynamic import loads it because the package supports only `import` and Node
 * treats this file as CommonJS.
 */
export const languageService = () => import("@actions/languageservice");
