// Writes github-api.json again: `npx ts-node --transpile-only lab/github/prune.ts`, after a change of `operations.ts`
// or of the version here. The package (29 MB, 400 MB unpacked) is downloaded for this and not kept: as a dependency it
// would be most of every user's node_modules.
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { run } from "../../lib/system/process";
import { operations } from "./operations";
import { descriptionFile, methods, source } from "./source";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = Record<string, Json>;

/** Keys without effect on validity. Names of properties and schemas are never checked: see `strip`. */
const prose = /^(description|summary|tags|externalDocs|example|examples|title|x-.*)$/;
/** Keys whose values are maps from names to schemas or similar, so that a property called `title` remains. */
const maps = new Set(["properties", "patternProperties", "schemas", "parameters", "responses", "headers", "content"]);

/**
 * Rewrites `nullable` of OpenAPI 3.0 where the validator does not read it as meant: next to `anyOf` and similar keys
 * instead of a `type`, and next to an `enum` that does not list null.
 */
function withNull({ nullable, ...schema }: JsonObject): JsonObject {
    if (nullable !== true) return schema;
    if (!("type" in schema)) return { anyOf: [schema, { enum: [null] }] };
    const values = schema.enum as Json[] | undefined;
    return { ...schema, nullable, ...(values && !values.includes(null) && { enum: [...values, null] }) };
}

function strip(value: Json, isMap = false): Json {
    if (Array.isArray(value)) return value.map((item) => strip(item));
    if (value === null || typeof value !== "object") return value;
    const entries = Object.entries(value).filter(([key]) => isMap || !prose.test(key));
    // Alternatives overlap, for instance those of errors: the description means that one of them matches, not that
    // exactly one does.
    const name = (key: string) => (key === "oneOf" && !isMap ? "anyOf" : key);
    const stripped = Object.fromEntries(
        entries.map(([key, inner]) => [name(key), strip(inner, !isMap && maps.has(key))]),
    );
    return isMap ? stripped : withNull(stripped);
}

function references(value: Json, found = new Set<string>()): Set<string> {
    if (value === null || typeof value !== "object") return found;
    for (const [key, inner] of Object.entries(value)) {
        if (key === "$ref" && typeof inner === "string") found.add(inner);
        else references(inner, found);
    }
    return found;
}

/** Keeps the operations, and every component that they reference. */
function prune(description: JsonObject): JsonObject {
    const wanted = new Set(Object.keys(operations));
    const paths: JsonObject = {};
    for (const [route, item] of Object.entries(description.paths as Record<string, JsonObject>)) {
        const kept = Object.entries(item).filter(
            ([method, operation]) =>
                methods.has(method) && wanted.delete((operation as JsonObject).operationId as string),
        );
        if (kept.length > 0) paths[route] = strip(Object.fromEntries(kept), true);
    }
    if (wanted.size > 0) throw new Error(`not in ${source.package} ${source.version}: ${[...wanted].join(", ")}`);
    const components: Record<string, JsonObject> = {};
    const open = [...references(paths)];
    for (const reference of open) {
        const [, , kind = "", name = ""] = reference.split("/");
        if (components[kind]?.[name] !== undefined) continue;
        const found = (description.components as Record<string, JsonObject>)[kind]?.[name];
        if (found === undefined) throw new Error(`${reference} is referred to and not there`);
        const stripped = strip(found);
        (components[kind] ??= {})[name] = stripped;
        open.push(...references(stripped));
    }
    return {
        openapi: description.openapi ?? "",
        info: { title: source.package, version: source.version, "x-integrity": source.integrity },
        paths,
        components,
    };
}

async function main(): Promise<void> {
    const folder = mkdtempSync(path.join(tmpdir(), "github-description-"));
    try {
        await run("npm", ["pack", "--silent", "--pack-destination", folder, `${source.package}@${source.version}`]);
        const archive = path.join(folder, `octokit-openapi-${source.version}.tgz`);
        const integrity = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
        if (integrity !== source.integrity) throw new Error(`${source.package} has integrity ${integrity}`);
        await run("tar", ["--extract", "--gzip", `--file=${archive}`, `--directory=${folder}`, source.file]);
        const full = JSON.parse(readFileSync(path.join(folder, source.file), "utf8")) as JsonObject;
        writeFileSync(descriptionFile, `${JSON.stringify(prune(full), null, 1)}\n`);
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
}

void main();
