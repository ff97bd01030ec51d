import path from "node:path";
import { type ParseError, findNodeAtLocation, parse, parseTree } from "jsonc-parser";
import { type Reading, type SourceFile, inRepository, lineAt } from "./build";
import { asText, isObject, type Value, type Values } from "./expressions";

/** Reads the image that a devcontainer.json builds (containers.dev, "Image or Dockerfile specific properties"). */
export function readDevcontainer({ file, text }: SourceFile): Reading {
    const errors: ParseError[] = [];
    const root = parse(text, errors, { allowTrailingComma: true }) as Value;
    if (errors.length > 0 || !isObject(root)) {
        return { builds: [], notes: [{ where: `${file}:1`, text: "the file is not valid JSON with comments" }] };
    }
    // The fields stood on the top level once, and still may.
    const build: Values = isObject(root.build)
        ? root.build
        : { dockerfile: root.dockerFile ?? null, context: root.context ?? null };
    const written = build.dockerfile ?? build.dockerFile;
    if (typeof written !== "string") return { builds: [], notes: [] };
    const tree = parseTree(text);
    const node = tree && (findNodeAtLocation(tree, ["build"]) ?? findNodeAtLocation(tree, ["dockerFile"]));
    const where = `${file}:${lineAt(text, node?.offset ?? 0)}`;
    const folder = path.posix.dirname(file);
    const dockerfile = inRepository(folder, written);
    const context = inRepository(folder, typeof build.context === "string" ? build.context : ".");
    if (dockerfile === undefined || context === undefined) {
        return { builds: [], notes: [{ where, text: "its Dockerfile or context is not in this repository" }] };
    }
    const args = Object.entries(isObject(build.args) ? build.args : {});
    const isKnown = (value: Value) => !(asText(value) ?? "").includes("${");
    return {
        builds: [
            {
                ...{ where, kind: "devcontainer", context, dockerfile, names: [], pushed: false, platforms: ["host"] },
                ...(typeof build.target === "string" && { target: build.target }),
                buildArgs: Object.fromEntries(
                    args.flatMap(([name, value]) => (isKnown(value) ? [[name, asText(value) ?? ""]] : [])),
                ),
                ...{ secrets: [], contexts: {} },
            },
        ],
        notes: args.flatMap(([name, value]) =>
            isKnown(value)
                ? []
                : [
                      {
                          where,
                          text: `the build argument ${name} is ${asText(value) ?? ""}, which each machine replaces`,
                      },
                  ],
        ),
    };
}
