import path from "node:path";
import { LineCounter, parseDocument } from "yaml";
import { type Build, type Note, type Reading, type SourceFile, inRepository, pairsOf } from "./build";
import { type Value, type Values, isList, isObject } from "./expressions";

/** A variable in a compose file: `$X`, `${X}`, `${X:-default}`, `${X-default}`; `$$` is a plain dollar. */
const variable = /\$(?:\$|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?::?([-?+])([^}]*))?\})/g;

/** Replaces variables by their defaults. Returns the names of those that have none. */
function interpolated(text: string): { readonly text: string; readonly unset: readonly string[] } {
    const unset: string[] = [];
    const replaced = text.replace(
        variable,
        (all, plain?: string, braced?: string, kind?: string, fallback?: string) => {
            const name = plain ?? braced;
            if (name === undefined) return "$";
            if (kind === "-") return fallback ?? "";
            unset.push(name);
            return all;
        },
    );
    return { text: replaced, unset };
}

/** Reads the services of a compose file that are built from Dockerfiles (compose-spec, build.md). */
export function readCompose({ file, text }: SourceFile): Reading {
    const counter = new LineCounter();
    const document = parseDocument(text, { lineCounter: counter, merge: true });
    const notes: Note[] = [];
    const builds: Build[] = [];
    const root = document.errors.length > 0 ? undefined : (document.toJS() as unknown);
    if (!isObject(root)) return { builds, notes: [{ where: `${file}:1`, text: "the file is not valid YAML" }] };
    const place = (keys: readonly string[]) => {
        const node = document.getIn(keys, true) as { readonly range?: readonly number[] } | undefined;
        return `${file}:${node?.range ? counter.linePos(node.range[0] ?? 0).line : 1}`;
    };
    const folder = path.posix.dirname(file);
    for (const [name, service] of Object.entries(isObject(root.services) ? root.services : {})) {
        if (!isObject(service) || service.build === undefined || service.build === null) continue;
        const where = place(["services", name, "build"]);
        const known = (what: string, value: Value | undefined): string | undefined => {
            if (value === undefined || value === null || typeof value === "object") return undefined;
            const { text: replaced, unset } = interpolated(String(value));
            if (unset.length === 0) return replaced;
            notes.push({ where, text: `${what} of service ${name}: ${unset.join(" and ")} has no default` });
            return undefined;
        };
        const list = (what: string, value: Value | undefined): string[] =>
            isList(value) ? value.flatMap((entry) => known(what, entry) ?? []) : [];
        /** Returns a mapping that may be written as a list of "NAME=value". */
        const mapping = (what: string, value: Value | undefined): Readonly<Record<string, string>> => {
            if (isList(value)) return pairsOf(list(what, value)).pairs;
            const entries = Object.entries(isObject(value) ? value : {});
            return Object.fromEntries(
                entries.flatMap(([key, inner]) => {
                    const text = known(`${what} ${key}`, inner);
                    return text === undefined ? [] : [[key, text]];
                }),
            );
        };
        const build: Values = isObject(service.build) ? service.build : { context: service.build };
        if (build.dockerfile_inline !== undefined) {
            notes.push({
                where,
                text: `the Dockerfile of service ${name} stands in this file: move it to a file of its own`,
            });
            continue;
        }
        const written = build.context === undefined ? "." : known("the context", build.context);
        const context = written === undefined ? undefined : inRepository(folder, written);
        const fileName = build.dockerfile === undefined ? "Dockerfile" : known("the Dockerfile", build.dockerfile);
        const dockerfile =
            context === undefined || fileName === undefined ? undefined : inRepository(context, fileName);
        if (context === undefined || dockerfile === undefined) {
            if (written !== undefined && fileName !== undefined) {
                notes.push({
                    where,
                    text: `the context ${written} of service ${name} is not a folder of this repository`,
                });
            }
            continue;
        }
        const image = known("the image", service.image);
        const target = known("the target", build.target);
        const platforms = list("the platforms", build.platforms);
        const platform = known("the platform", service.platform);
        builds.push({
            ...{ where, kind: "compose", context, dockerfile, pushed: false, id: `service:${name}` },
            ...(target !== undefined && { target }),
            names: [...(image === undefined ? [] : [image]), ...list("the tags", build.tags)],
            buildArgs: mapping("the build argument", build.args),
            platforms: platforms.length > 0 ? platforms : platform === undefined ? [] : [platform],
            secrets: isList(build.secrets)
                ? build.secrets.flatMap((secret) =>
                      isObject(secret)
                          ? (known("the secret", secret.source) ?? [])
                          : (known("the secret", secret) ?? []),
                  )
                : [],
            contexts: mapping("the build context", build.additional_contexts),
        });
    }
    return { builds, notes };
}
