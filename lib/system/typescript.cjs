// Lets Node.js load TypeScript by require(). It is plain JavaScript, because a checkout runs it before it can load anything else; types
// are in typescript.d.cts.
"use strict";
const { createHash } = require("node:crypto");
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require("node:fs");
const Module = require("node:module");
const path = require("node:path");

/** Where ts-node, which others may have registered before, puts itself. */
const tsNode = Symbol.for("ts-node.register.instance");

/** Options of swc: CommonJS for any supported Node.js. A swc configuration of the repository may be for its app. */
const options = {
    swcrc: false,
    configFile: false,
    sourceMaps: "inline",
    jsc: { target: "es2022", keepClassNames: true, parser: { syntax: "typescript" } },
    // The packages that import() loads may be ES modules.
    module: { type: "commonjs", ignoreDynamic: true },
};

/** The checkout of this package; where it is installed there are no sources below it. */
const root = path.dirname(path.dirname(__dirname));

/** Compiles a file. swc is loaded at the first use: with a cache that is complete, nothing uses it. */
const compile = (text, filename) => require("@swc/core").transformSync(text, { ...options, filename }).code;

const hash = (...texts) => createHash("sha256").update(texts.join("\0")).digest("hex");

/**
 * Returns `compile` with a cache of one file for each source. It begins with the hash of what it was compiled from, and of the code: a crash
 * of the machine can leave its end cut or full of zeros.
 */
function cached(folder) {
    const { version } = require("@swc/core/package.json");
    const settings = JSON.stringify([version, options]);
    return (text, filename) => {
        const file = path.join(folder, `${hash(filename).slice(0, 32)}.js`);
        // It shares the first line with the code, so that line numbers stay.
        const source = hash(settings, filename, text);
        const marked = (code) => `/*${source} ${hash(code)}*/${code}`;
        let known = "";
        try {
            known = readFileSync(file, "utf8");
        } catch {
            // Not compiled yet.
        }
        if (known.startsWith(`/*${source} `) && marked(known.slice(known.indexOf("*/") + 2)) === known) return known;
        const code = marked(compile(text, filename));
        try {
            mkdirSync(folder, { recursive: true });
            // Processes that compile the same file at the same time each write all of it.
            const partial = `${file}.${process.pid}`;
            writeFileSync(partial, code);
            renameSync(partial, file);
        } catch {
            // A cache that can't be written costs time only.
        }
        return code;
    };
}

let isRegistered = false;

exports.registerTypeScript = ({ replace = false } = {}) => {
    if (isRegistered || (tsNode in process && !replace)) return;
    isRegistered = true;
    const cachedCompile = cached(path.join(root, "node_modules", ".cache", "layered-images"));
    const extensions = Module._extensions;
    const former = extensions[".ts"] ?? extensions[".js"];
    extensions[".ts"] = (module, filename) => {
        // As everywhere, packages are compiled by their authors.
        if (filename.split(path.sep).includes("node_modules")) {
            former(module, filename);
            return;
        }
        const compiler = filename.startsWith(root + path.sep) ? cachedCompile : compile;
        module._compile(compiler(readFileSync(filename, "utf8"), filename), filename);
    };
};
