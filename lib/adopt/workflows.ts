import path from "node:path";
import { LineCounter, type Document, isScalar, parseDocument } from "yaml";
import { type Build, type Note, type SourceFile, inRepository, listOf, pairsOf, secretsIn } from "./build";
import { type BakeCall, type ScriptReading, joined, readScript } from "./commands";
import { type Evaluation, type Value, type Values, UnknownValue, asText, isList, isObject } from "./expressions";

/** A step of an existing workflow, and what becomes of it. */
export interface StepUse {
    readonly where: string;
    /** What it is, in a few words: the action, or its name. */
    readonly what: string;
    /** "superfluous": the program does the same. "other": it does something that the program does not. */
    readonly role: "superfluous" | "other";
}

/** What is known about the repository on GitHub. */
export interface RepositoryOnGitHub {
    readonly owner: string;
    readonly name: string;
}

/** Everything that `readWorkflows` takes besides the workflows themselves. */
export interface WorkflowOptions {
    readonly evaluation: Evaluation;
    /** Absent if no remote names it. */
    readonly repository?: RepositoryOnGitHub;
    /** The default branch. */
    readonly branch: string;
    /** Values that the user gave, by expression: "secrets.USER". */
    readonly given: Readonly<Record<string, string>>;
    /** Returns the text of a file of the repository: reusable workflows, actions. */
    readonly textOf: (file: string) => string | undefined;
}

/** What the workflows say. */
export interface WorkflowsReading {
    readonly builds: readonly Build[];
    readonly notes: readonly Note[];
    readonly bakes: readonly BakeCall[];
    readonly steps: readonly StepUse[];
    /** Names of the workflows, by file. */
    readonly names: Readonly<Record<string, string>>;
}

/** A parsed file, with the line of each of its parts. */
interface Parsed {
    readonly file: string;
    readonly value: Values;
    /** Returns the place of a part of the file. */
    readonly place: (keys: readonly (string | number)[]) => string;
    /** Returns the place of a line of a script in the file; lines from 1. */
    readonly lineOf: (keys: readonly (string | number)[]) => (line: number) => string;
}

function parse({ file, text }: SourceFile): Parsed | undefined {
    const counter = new LineCounter();
    const document: Document = parseDocument(text, { lineCounter: counter, merge: true });
    if (document.errors.length > 0) return undefined;
    const value = document.toJS() as unknown;
    if (!isObject(value)) return undefined;
    const nodeAt = (keys: readonly (string | number)[]) =>
        document.getIn(keys, true) as { range?: number[] } | undefined;
    const lineNumber = (keys: readonly (string | number)[]): number => {
        const offset = nodeAt(keys)?.range?.[0];
        return offset === undefined ? 1 : counter.linePos(offset).line;
    };
    return {
        file,
        value,
        place: (keys) => `${file}:${lineNumber(keys)}`,
        lineOf: (keys) => {
            const node = nodeAt(keys);
            const isBlock = isScalar(node) && (node.type === "BLOCK_LITERAL" || node.type === "BLOCK_FOLDED");
            const first = lineNumber(keys) + (isBlock ? 1 : 0);
            return (line) => `${file}:${first + line - 1}`;
        },
    };
}

/** The run that is read: the one that a push to the default branch starts, or whichever starts the workflow if that does not. */
interface Event {
    readonly name: string;
    /** The branch; undefined if a tag starts it. */
    readonly branch: string | undefined;
    /** Whether tags also start it. */
    readonly tags: boolean;
}

function eventOf(on: Value | undefined, branch: string): Event {
    const events: Values =
        typeof on === "string"
            ? { [on]: null }
            : isList(on)
              ? Object.fromEntries(on.map((name) => [asText(name) ?? "", null]))
              : isObject(on)
                ? on
                : {};
    const push = isObject(events.push) ? events.push : {};
    const tags = "release" in events || push.tags !== undefined;
    if ("push" in events && (push.tags === undefined || push.branches !== undefined)) {
        const branches = isList(push.branches) ? push.branches.map(String) : [];
        const plain = branches.filter((name) => !/[*?![]/.test(name));
        const isDefault = branches.length === 0 || branches.includes(branch) || plain.length === 0;
        return { name: "push", branch: isDefault ? branch : plain[0], tags };
    }
    if ("push" in events) return { name: "push", branch: undefined, tags };
    const [first = "workflow_dispatch"] = [
        "release",
        "schedule",
        "workflow_run",
        "workflow_dispatch",
        "pull_request",
    ].filter((name) => name in events);
    return { name: first, branch: first === "release" ? undefined : branch, tags };
}

/** The contexts of expressions, and where steps stand. */
interface Scope {
    readonly contexts: Values;
    readonly event: Event;
    readonly parsed: Parsed;
    /** Platform of the machine that runs the job. */
    readonly platform: string;
    /** Files that call each other, against circles. */
    readonly callers: readonly string[];
}

/** Combines the lists of a matrix as GitHub does ("Workflow syntax", `strategy.matrix`). */
export function combinations(matrix: Values): Values[] {
    const { include, exclude, ...axes } = matrix;
    const lists = Object.entries(axes).filter((entry): entry is [string, readonly Value[]] => isList(entry[1]));
    const product = lists.reduce<Values[]>(
        (all, [name, values]) => all.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))),
        [{}],
    );
    const has = (one: Values, part: Values) =>
        Object.entries(part).every(([name, value]) => JSON.stringify(one[name]) === JSON.stringify(value));
    const excluded = isList(exclude) ? exclude.filter(isObject) : [];
    const original = (lists.length > 0 ? product : []).filter((one) => !excluded.some((part) => has(one, part)));
    const added: Values[] = [];
    const extended = original.map((one) => ({ ...one }));
    for (const entry of isList(include) ? include.filter(isObject) : []) {
        const own = Object.fromEntries(Object.entries(entry).filter(([name]) => lists.some(([axis]) => axis === name)));
        const matching = extended.filter((_one, index) => has(original[index] ?? {}, own));
        for (const one of matching) Object.assign(one, entry);
        if (matching.length === 0) added.push(entry);
    }
    return [...extended, ...added];
}

/** The tags that docker/metadata-action makes, and what it makes only sometimes. */
interface Metadata {
    readonly names: readonly string[];
    readonly notes: readonly string[];
}

/** Types of tags that name a version, a commit or a time: each run, or each release, makes another. */
const changing = ["sha", "schedule", "semver", "pep440", "match"];

/**
 * Returns the tags that docker/metadata-action makes (its README, "tags input" and "flavor input").
 *
 * @param input its inputs, expanded; an entry of `tags` that is unknown is left out
 */
export function metadataTags(
    input: { readonly images: readonly string[]; readonly tags: readonly string[]; readonly flavor: readonly string[] },
    event: Event,
): Metadata {
    const attributes = (text: string) => pairsOf(text.split(",").map((part) => part.trim())).pairs;
    const flavor = Object.assign({}, ...input.flavor.map(attributes)) as Record<string, string>;
    const notes: string[] = [];
    const tags: string[] = [];
    const template = (text: string) =>
        text
            .replace(/\{\{\s*(?:branch|base_ref)\s*\}\}/g, event.branch ?? "")
            .replace(/\{\{\s*is_default_branch\s*\}\}/g, "true");
    const add = (
        tag: string,
        { prefix = flavor.prefix ?? "", suffix = flavor.suffix ?? "" }: Readonly<Record<string, string>>,
    ) => {
        if (tag !== "") tags.push(`${prefix}${tag}${suffix}`.replace(/[^\w.-]+/g, "-"));
    };
    const written =
        input.tags.length > 0
            ? input.tags
            : ["type=schedule", "type=ref,event=branch", "type=ref,event=tag", "type=ref,event=pr"];
    let isRelease = false;
    for (const entry of written) {
        const { type = "raw", event: on, value = entry, enable = "true", branch, ...given } = attributes(entry);
        if (template(enable) === "false") continue;
        if (changing.includes(type) || (type === "ref" && on === "tag")) {
            isRelease ||= type !== "sha" && type !== "schedule";
            // Its defaults stand in every workflow, whether or not tags start it.
            if (input.tags.length > 0) notes.push(entry);
        } else if (event.branch !== undefined && type === "ref" && on === "branch") add(event.branch, given);
        else if (event.branch !== undefined && type === "edge" && (branch ?? event.branch) === event.branch) {
            add("edge", given);
        } else if (type === "raw") {
            const text = template(value);
            if (text.includes("{{")) notes.push(entry);
            else add(text, given);
        }
    }
    const latest = flavor.latest ?? "auto";
    if (latest === "true" || (latest === "auto" && isRelease && event.tags)) tags.push("latest");
    const images = input.images.flatMap((image) => {
        const { name = image, enable = "true" } = attributes(image);
        return template(enable) === "false" ? [] : [name.toLowerCase()];
    });
    return { names: images.flatMap((image) => [...new Set(tags)].map((tag) => `${image}:${tag}`)), notes };
}

/** Actions whose work the program does itself. */
const superfluous = [
    ...["docker/build-push-action", "docker/bake-action", "docker/metadata-action", "docker/setup-buildx-action"],
    ...[
        "docker/setup-qemu-action",
        "docker/login-action",
        "docker/setup-docker-action",
        "redhat-actions/buildah-build",
    ],
    ...["redhat-actions/push-to-registry", "redhat-actions/podman-login", "aws-actions/amazon-ecr-login"],
];

/** Actions that only prepare a job. */
const preparing = ["actions/checkout", "actions/cache", "actions/upload-artifact", "actions/download-artifact"];

/** What well-known actions do, by a part of their names. */
const purposes: readonly (readonly [part: RegExp, purpose: string])[] = [
    [/trivy|grype|anchore\/scan|snyk|scout|clair|dockle/, "scans the image"],
    [/hadolint/, "checks the Dockerfile's style"],
    [/cosign|notation|attest/, "signs or attests the image"],
    [/sbom|syft/, "describes what is in the image"],
    [/upload-sarif/, "reports findings to GitHub"],
    [/gh-release|create-release|release-please|semantic-release/, "makes a release"],
    [/slack|discord|telegram|teams|notify|mail/, "notifies people"],
    [/dockerhub-description|readme/, "publishes the README"],
    [/ssh|deploy|helm|kubectl|k8s|fly|ecs/, "deploys"],
    [/delete-package|container-retention|ghcr-prune|clean/, "removes old images"],
];

/** Inputs of an action, each expanded line by line, so that one unknown line does not hide the others. */
class Inputs {
    readonly notes: string[] = [];

    constructor(
        private readonly given: Values,
        private readonly expand: (text: string) => string,
    ) {}

    /** Returns the known lines of an input. Unknown ones become notes, unless `quiet`. */
    lines(name: string, quiet = false): string[] {
        const text = asText(this.given[name]);
        if (text === undefined) return [];
        // An expression may contain line ends.
        const lines = text.match(/(?:\$\{\{.*?\}\}|[^\n])+/gs) ?? [];
        return lines.flatMap((line) => {
            try {
                return this.expand(line).split("\n");
            } catch (error) {
                if (!(error instanceof UnknownValue)) throw error;
                if (!quiet) this.notes.push(`${name}: ${line.trim()}: ${why(error.what)}`);
                return [];
            }
        });
    }

    /** Returns the known lines of an input without space around them and without empty ones. */
    trimmed(name: string): string[] {
        return this.lines(name)
            .map((line) => line.trim())
            .filter((line) => line !== "");
    }

    /** Returns the entries of an input that is a list. */
    list(name: string): string[] {
        return this.lines(name).flatMap((line) => listOf(line));
    }

    /** Returns an input; undefined if it is not given. Throws UnknownValue. */
    text(name: string): string | undefined {
        const text = asText(this.given[name]);
        return text === undefined ? undefined : this.expand(text).trim();
    }
}

/** Contexts whose values differ with every run. */
const perRun = /^github\.(?:sha|run_id|run_number|run_attempt|event\b|actor|triggering_actor)|^steps\.|^needs\./;

/** Says why a value is unknown, and what to do about it. */
function why(what: string): string {
    if (/^(?:secrets|vars)\./.test(what)) return `${what} is known only to GitHub; give it: --set ${what}=<value>`;
    if (what.startsWith("github.repository"))
        return `${what} is not known: no remote of git names a repository on GitHub; give it: --set ${what}=<value>`;
    if (perRun.test(what)) return `${what} is known only when it runs`;
    return `${what} is not known`;
}

/** Reads the workflows of a repository. */
export function readWorkflows(files: readonly SourceFile[], options: WorkflowOptions): WorkflowsReading {
    const { evaluation, repository, given } = options;
    const builds: Build[] = [];
    const notes: Note[] = [];
    const bakes: BakeCall[] = [];
    const steps: StepUse[] = [];
    const names: Record<string, string> = {};

    const expandIn = (contexts: Values) => (text: string) => evaluation.expand(text, contexts);

    /** Returns the entries of an object whose values are known. */
    const known = (values: Value | undefined, contexts: Values): Values =>
        Object.fromEntries(
            Object.entries(isObject(values) ? values : {}).flatMap(([name, value]) => {
                try {
                    return [[name, evaluation.expand(asText(value) ?? "", contexts)]];
                } catch (error) {
                    if (error instanceof UnknownValue) return [];
                    throw error;
                }
            }),
        );

    /** Returns contexts whose environment has more variables. One that is unknown now hides an outer one. */
    const withEnv = (contexts: Values, env: Value | undefined): Values => {
        const outer = isObject(contexts.env) ? contexts.env : {};
        const hidden = Object.keys(isObject(env) ? env : {});
        const rest = Object.fromEntries(Object.entries(outer).filter(([name]) => !hidden.includes(name)));
        return { ...contexts, env: { ...rest, ...known(env, contexts) } };
    };

    const givenIn = (context: string): Values =>
        Object.fromEntries(
            Object.entries(given).flatMap(([name, value]) =>
                name.startsWith(`${context}.`) ? [[name.slice(context.length + 1), value]] : [],
            ),
        );

    const contextsFor = (event: Event, workflow: string): Values => ({
        github: {
            ...(repository && {
                repository: `${repository.owner}/${repository.name}`,
                repository_owner: repository.owner,
            }),
            event: {
                repository: { ...(repository && { name: repository.name }), default_branch: options.branch },
            },
            event_name: event.name,
            ...(event.branch !== undefined && {
                ...{ ref: `refs/heads/${event.branch}`, ref_name: event.branch, ref_type: "branch" },
                ...{ base_ref: "", head_ref: "" },
            }),
            ...{ workspace: "/github/workspace", server_url: "https://github.com", workflow },
            ...givenIn("github"),
        },
        env: givenIn("env"),
        ...{ vars: givenIn("vars"), secrets: givenIn("secrets"), inputs: {}, matrix: {}, needs: {}, steps: {} },
        ...{ runner: { os: "Linux", temp: "/tmp" }, strategy: {}, job: {} },
    });

    /** Returns the folder or file that an input of an action names. */
    const pathIn = (written: string, folder = "."): string | undefined =>
        inRepository(
            folder,
            written.replace(/^\/github\/workspace\/?/, "").replace(/^\{\{defaultContext\}\}:?/, "") || ".",
        );

    const readBuildPush = (inputs: Inputs, where: string, scope: Scope): Build | undefined => {
        const context = inputs.text("context") ?? ".";
        const contextPath = pathIn(context);
        const file = inputs.text("file");
        const dockerfile = file === undefined || file === "" ? undefined : pathIn(file);
        if (contextPath === undefined) {
            notes.push({ where, text: `the context ${context} is not a folder of this repository` });
            return undefined;
        }
        const { pairs } = pairsOf(inputs.lines("build-args").map((line) => line.trim()));
        const outputs = inputs.lines("outputs");
        const push = inputs.lines("push", true);
        const target = inputs.text("target");
        const platforms = inputs.list("platforms");
        const pushed = push.includes("true") || outputs.some((output) => /type=registry|push=true/.test(output));
        const byDigest = outputs.flatMap((output) =>
            output.includes("push-by-digest=true") ? (/(?:^|,)"?name=([^,"]+)/.exec(output)?.[1] ?? []) : [],
        );
        return {
            ...{ where, kind: "workflow", context: contextPath, pushed },
            dockerfile: dockerfile ?? path.posix.join(contextPath, "Dockerfile"),
            ...(target !== undefined && target !== "" && { target }),
            names: [...inputs.list("tags"), ...byDigest],
            buildArgs: pairs,
            platforms: platforms.length > 0 ? platforms : pushed ? [scope.platform] : [],
            secrets: secretsIn(
                [
                    ...inputs.lines("secrets", true),
                    ...inputs.lines("secret-files", true),
                    ...inputs.lines("secret-envs", true),
                ].filter((line) => line.trim() !== ""),
            ),
            contexts: pairsOf(inputs.lines("build-contexts").map((line) => line.trim())).pairs,
        };
    };

    /** Reads a step that uses an action. Returns its outputs. */
    const readAction = (uses: string, keys: readonly (string | number)[], step: Values, scope: Scope): Values => {
        const where = scope.parsed.place(keys);
        const [action = uses] = uses.split("@");
        const inputs = new Inputs(isObject(step.with) ? step.with : {}, expandIn(scope.contexts));
        let outputs: Values = {};
        try {
            if (action === "docker/build-push-action") {
                const build = readBuildPush(inputs, where, scope);
                if (build) builds.push(build);
            } else if (action === "docker/metadata-action") {
                const input = {
                    images: inputs.trimmed("images"),
                    tags: inputs.trimmed("tags"),
                    flavor: inputs.trimmed("flavor"),
                };
                const { names: tags, notes: others } = metadataTags(input, scope.event);
                for (const entry of others) {
                    notes.push({
                        where,
                        text: `${entry}: each release or run would get a tag of its own; \`tags\` in images.ts has {date} and {commit}`,
                    });
                }
                outputs = {
                    tags: tags.join("\n"),
                    ...(tags[0] !== undefined && { version: tags[0].slice(tags[0].lastIndexOf(":") + 1) }),
                    labels: "",
                    annotations: "",
                };
            } else if (action === "docker/bake-action") {
                const folder = pathIn(inputs.text("workdir") ?? ".") ?? ".";
                bakes.push({
                    ...{ where, folder, files: inputs.list("files"), targets: inputs.list("targets") },
                    sets: inputs.trimmed("set"),
                    env: Object.fromEntries(
                        Object.entries(isObject(scope.contexts.env) ? scope.contexts.env : {}).map(([name, value]) => [
                            name,
                            asText(value) ?? "",
                        ]),
                    ),
                    pushed: inputs.lines("push", true).includes("true"),
                });
            } else if (action.startsWith("./")) outputs = readLocalAction(action, step, scope);
            else if (/(?:buildah|kaniko|docker-build|build-docker|docker-publish|build-and-push)/i.test(action)) {
                notes.push({ where, text: `the action ${action}, which builds images, is not one that adopt reads` });
            }
        } catch (error) {
            if (!(error instanceof UnknownValue)) throw error;
            notes.push({ where, text: `the build of ${action}: ${why(error.what)}` });
        }
        for (const text of inputs.notes) notes.push({ where, text });
        return outputs;
    };

    /** Reads a composite action of the repository. Returns its outputs. */
    const readLocalAction = (action: string, step: Values, scope: Scope): Values => {
        const folder = path.posix.join(".", action);
        const [file, text] =
            ["action.yml", "action.yaml"]
                .map((name) => [path.posix.join(folder, name), options.textOf(path.posix.join(folder, name))] as const)
                .find((found) => found[1] !== undefined) ?? [];
        if (file === undefined || text === undefined || scope.callers.includes(file)) return {};
        const parsed = parse({ file, text });
        const runs = parsed?.value.runs;
        if (!parsed || !isObject(runs) || !isList(runs.steps)) return {};
        const contexts = {
            ...scope.contexts,
            inputs: inputsFor(parsed.value.inputs, step.with, scope.contexts),
            steps: {},
        };
        const after = readSteps(runs.steps, ["runs", "steps"], {
            ...scope,
            contexts,
            parsed,
            callers: [...scope.callers, file],
        });
        const declared = isObject(parsed.value.outputs) ? parsed.value.outputs : {};
        return known(
            Object.fromEntries(
                Object.entries(declared).map(([name, output]) => [name, isObject(output) ? (output.value ?? "") : ""]),
            ),
            after,
        );
    };

    /** Returns the inputs of something that is called: what it was given, or its default. Those with an unknown value are missing. */
    const inputsFor = (declared: Value | undefined, call: Value | undefined, contexts: Values): Values => {
        const values = isObject(call) ? call : {};
        return Object.fromEntries(
            Object.entries(isObject(declared) ? declared : {}).flatMap(([name, input]): [string, Value][] => {
                const fallback = isObject(input) ? (input.default ?? "") : "";
                const value = values[name] ?? fallback;
                if (typeof value !== "string") return [[name, value]];
                try {
                    return [[name, evaluation.expand(value, contexts)]];
                } catch (error) {
                    if (error instanceof UnknownValue) return [];
                    throw error;
                }
            }),
        );
    };

    const scriptVariables = (contexts: Values): Map<string, string> => {
        const github = isObject(contexts.github) ? contexts.github : {};
        const env = isObject(contexts.env) ? contexts.env : {};
        const automatic = [
            "repository",
            "repository_owner",
            "ref",
            "ref_name",
            "workspace",
            "server_url",
            "event_name",
        ];
        return new Map([
            ...automatic.flatMap((name) => {
                const value = asText(github[name]);
                return value === undefined ? [] : [[`GITHUB_${name.toUpperCase()}`, value] as const];
            }),
            ...Object.entries(env).map(([name, value]) => [name, asText(value) ?? ""] as const),
            ...["GITHUB_ENV", "GITHUB_OUTPUT"].map((name) => [name, name] as const),
        ]);
    };

    /** Returns a script with its expressions replaced, and unknown ones by variables that nobody sets. */
    const scriptText = (script: string, contexts: Values, reasons: Map<string, string>): string =>
        script.replace(/\$\{\{.*?\}\}/gs, (expression) => {
            try {
                return evaluation.expand(expression, contexts);
            } catch (error) {
                if (!(error instanceof UnknownValue)) throw error;
                const name = `UNKNOWN_${error.what.replace(/\W/g, "_")}`;
                reasons.set(name, error.what);
                return `\${${name}}`;
            }
        });

    const runScript = (
        script: string,
        keys: readonly (string | number)[],
        step: Values,
        scope: Scope,
    ): ScriptReading => {
        const reasons = new Map<string, string>();
        const text = scriptText(script, scope.contexts, reasons);
        let folder = ".";
        try {
            folder = pathIn(evaluation.expand(asText(step["working-directory"]) ?? ".", scope.contexts)) ?? ".";
        } catch (error) {
            if (!(error instanceof UnknownValue)) throw error;
        }
        return readScript(text, {
            folder,
            variables: scriptVariables(scope.contexts),
            where: scope.parsed.lineOf([...keys, "run"]),
            reasons,
        });
    };

    /** Reads steps in their order. Returns the contexts after them. */
    const readSteps = (list: readonly Value[], keys: readonly (string | number)[], scope: Scope): Values => {
        let { contexts } = scope;
        const before = builds.length;
        const joins: ScriptReading["joins"][number][] = [];
        const pushes: string[] = [];
        list.forEach((step, index) => {
            if (!isObject(step)) return;
            const at = [...keys, index];
            const own = { ...scope, contexts: withEnv(contexts, step.env) };
            if (step.if !== undefined && evaluation.holds(asText(step.if) ?? "", own.contexts) === false) return;
            let outputs: Values = {};
            const uses = asText(step.uses);
            const script = asText(step.run);
            if (uses !== undefined) outputs = readAction(uses, at, step, own);
            if (script !== undefined) {
                const read = runScript(script, at, step, own);
                builds.push(
                    ...read.builds.map((build) => ({
                        ...build,
                        kind: "workflow" as const,
                        platforms: build.platforms.length > 0 ? build.platforms : build.pushed ? [scope.platform] : [],
                    })),
                );
                bakes.push(...read.bakes);
                notes.push(...read.notes);
                joins.push(...read.joins);
                pushes.push(...read.pushes);
                outputs = Object.fromEntries(
                    read.handedOn.filter(({ to }) => to === "GITHUB_OUTPUT").map(({ name, value }) => [name, value]),
                );
                const env = Object.fromEntries(
                    read.handedOn.filter(({ to }) => to === "GITHUB_ENV").map(({ name, value }) => [name, value]),
                );
                contexts = { ...contexts, env: { ...(isObject(contexts.env) ? contexts.env : {}), ...env } };
            }
            const id = asText(step.id);
            if (id !== undefined)
                contexts = {
                    ...contexts,
                    steps: { ...(isObject(contexts.steps) ? contexts.steps : {}), [id]: { outputs } },
                };
        });
        const mine = builds.splice(before);
        // A step may tag or push what an earlier one built.
        const pushed = mine.map((build) => ({
            ...build,
            pushed: build.pushed || build.names.some((name) => pushes.includes(name)),
        }));
        builds.push(...joined(pushed, joins, pushes));
        return contexts;
    };

    /** Says of each step of a job that builds images whether the program makes it superfluous. */
    const judgeSteps = (list: readonly Value[], keys: readonly (string | number)[], { place }: Parsed): void => {
        list.forEach((step, index) => {
            if (!isObject(step)) return;
            const [action = ""] = asText(step.uses)?.split("@") ?? [];
            const script = asText(step.run) ?? "";
            const buildsHere =
                superfluous.includes(action) ||
                /\b(?:docker|podman|buildah)\s+(?:buildx?|image|push|tag|login|manifest|bud)\b/.test(script);
            if (preparing.includes(action)) return;
            const name = asText(step.name) ?? (action || (script.trim().split("\n")[0] ?? ""));
            const purpose = purposes.find(([part]) => part.test(action || script))?.[1];
            const what = purpose === undefined ? name : `${name} (${purpose})`;
            steps.push({ where: place([...keys, index]), what, role: buildsHere ? "superfluous" : "other" });
        });
    };

    const readJobs = (scope: Scope): void => {
        const { parsed } = scope;
        const jobs = isObject(parsed.value.jobs) ? parsed.value.jobs : {};
        const contexts = withEnv(scope.contexts, parsed.value.env);
        const needs: Record<string, Value> = {};
        for (const [key, job] of Object.entries(jobs)) {
            if (!isObject(job)) continue;
            const keys = ["jobs", key];
            const strategy = isObject(job.strategy) ? job.strategy : {};
            let matrices: Values[] = [{}];
            try {
                if (strategy.matrix !== undefined)
                    matrices = combinations(knownMatrix(strategy.matrix, { ...contexts, needs }));
            } catch (error) {
                if (!(error instanceof UnknownValue)) throw error;
                notes.push({
                    where: parsed.place([...keys, "strategy", "matrix"]),
                    text: `the matrix of job ${key}: ${why(error.what)}`,
                });
                continue;
            }
            const before = [builds.length, bakes.length];
            for (const matrix of matrices.length > 0 ? matrices : [{}]) {
                const jobContexts = withEnv({ ...contexts, needs, matrix }, job.env);
                if (job.if !== undefined && evaluation.holds(asText(job.if) ?? "", jobContexts) === false) continue;
                const jobScope = {
                    ...scope,
                    contexts: jobContexts,
                    platform: runnerPlatform(job["runs-on"], jobContexts),
                };
                const uses = asText(job.uses);
                if (uses?.startsWith("./") === true) callWorkflow(uses, job, jobScope);
                if (!isList(job.steps)) continue;
                const after = readSteps(job.steps, [...keys, "steps"], jobScope);
                needs[key] = { outputs: matrices.length > 1 ? {} : known(job.outputs, after) };
            }
            const isBuilding = builds.length > (before[0] ?? 0) || bakes.length > (before[1] ?? 0);
            if (isBuilding && isList(job.steps)) judgeSteps(job.steps, [...keys, "steps"], parsed);
        }
    };

    /** Returns a matrix with the values of its expressions. */
    const knownMatrix = (matrix: Value, contexts: Values): Values => {
        const resolved = (value: Value): Value => {
            if (typeof value === "string" && value.includes("${{")) {
                return /^\s*\$\{\{(?:(?!\}\}).)*\}\}\s*$/s.test(value)
                    ? evaluation.valueOf(value, contexts)
                    : evaluation.expand(value, contexts);
            }
            if (isList(value)) return value.map(resolved);
            return isObject(value)
                ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, resolved(inner)]))
                : value;
        };
        const value = resolved(matrix);
        return isObject(value) ? value : {};
    };

    const runnerPlatform = (runner: Value | undefined, contexts: Values): string => {
        let label = JSON.stringify(runner ?? "");
        try {
            label = evaluation.expand(label, contexts);
        } catch (error) {
            if (!(error instanceof UnknownValue)) throw error;
        }
        return /arm/i.test(label) ? "linux/arm64" : "linux/amd64";
    };

    const callWorkflow = (uses: string, job: Values, scope: Scope): void => {
        const file = path.posix.join(".", uses);
        const text = options.textOf(file);
        const parsed = text === undefined || scope.callers.includes(file) ? undefined : parse({ file, text });
        const on = parsed?.value.on;
        if (!parsed || !isObject(on)) return;
        const declared = isObject(on.workflow_call) ? on.workflow_call.inputs : undefined;
        const inputs = inputsFor(declared, job.with, scope.contexts);
        const secrets = job.secrets === "inherit" ? scope.contexts.secrets : known(job.secrets, scope.contexts);
        readJobs({
            ...scope,
            contexts: {
                ...contextsFor(scope.event, asText(parsed.value.name) ?? file),
                inputs,
                secrets: secrets ?? {},
            },
            parsed,
            callers: [...scope.callers, file],
        });
    };

    for (const source of files) {
        const parsed = parse(source);
        if (!parsed) {
            notes.push({ where: `${source.file}:1`, text: "the file is not valid YAML" });
            continue;
        }
        const name = asText(parsed.value.name) ?? source.file;
        names[source.file] = name;
        const on = parsed.value.on;
        // A workflow that others call is read with what they give it.
        const isCalledOnly = isObject(on) && Object.keys(on).every((event) => event === "workflow_call");
        if (on === "workflow_call" || isCalledOnly) continue;
        const event = eventOf(on, options.branch);
        const dispatch = isObject(on) && isObject(on.workflow_dispatch) ? on.workflow_dispatch.inputs : undefined;
        const contexts = contextsFor(event, name);
        // Only somebody who starts the workflow by hand is asked for inputs.
        const defaults =
            event.name === "workflow_dispatch"
                ? inputsFor(dispatch, {}, contexts)
                : Object.fromEntries(Object.keys(isObject(dispatch) ? dispatch : {}).map((input) => [input, ""]));
        readJobs({
            contexts: { ...contexts, inputs: defaults },
            event,
            parsed,
            platform: "linux/amd64",
            callers: [source.file],
        });
    }
    return { builds, notes: withoutRepeated(notes), bakes, steps: withoutRepeated(steps), names };
}

/** Returns entries without those that are equal to an earlier one: every combination of a matrix finds the same. */
export const withoutRepeated = <T>(entries: readonly T[]): T[] => [
    ...new Map(entries.map((entry) => [JSON.stringify(entry), entry] as const)).values(),
];
