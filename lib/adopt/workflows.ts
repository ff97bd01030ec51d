import path from "node:path";
import { LineCounter, type Document, isScalar, parseDocument } from "yaml";
import { type Build, type Note, type SourceFile, inRepository, listOf, pairsOf, secretsIn } from "./build";
import { type BakeCall, type ScriptReading, joined, readScript } from "./commands";
import {
    type Evaluation,
    type Value,
    type Values,
    Unknown,
    UnknownValue,
    asText,
    isList,
    isObject,
    unknownNote,
} from "./expressions";

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

/** Returns what `get` returns, or, if that needs an unknown value, what `otherwise` returns for it. */
function ifKnown<T, U>(get: () => T, otherwise: (what: string) => U): T | U {
    try {
        return get();
    } catch (error) {
        if (error instanceof UnknownValue) return otherwise(error.what);
        throw error;
    }
}

/** Inputs that say only what an image contains. */
const contents = ["build-args", "set"];

/** Inputs of an action, each expanded line by line, so that one unknown line does not hide the others. */
class Inputs {
    readonly notes: Omit<Note, "where">[] = [];

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
        return lines.flatMap((line) =>
            ifKnown(
                () => this.expand(line).split("\n"),
                (what) => {
                    if (!quiet) this.notes.push(unknownNote(`${name}: ${line.trim()}`, what, contents.includes(name)));
                    return [];
                },
            ),
        );
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

/** Path of a part of a file: keys of objects and indexes of lists. */
type Keys = readonly (string | number)[];

/** What is read, and what is known where it stands. */
interface Scope {
    readonly options: WorkflowOptions;
    /** The contexts of its expressions. */
    readonly contexts: Values;
    readonly event: Event;
    readonly parsed: Parsed;
    /** Platform of the machine that runs the job. */
    readonly platform: string;
    /** Files that call each other, against circles. */
    readonly callers: readonly string[];
}

/** What a part of a workflow says. */
type Found = Omit<WorkflowsReading, "names">;

const nothing: Found = { builds: [], notes: [], bakes: [], steps: [] };

const together = (parts: readonly Found[]): Found => ({
    builds: parts.flatMap(({ builds }) => builds),
    notes: parts.flatMap(({ notes }) => notes),
    bakes: parts.flatMap(({ bakes }) => bakes),
    steps: parts.flatMap(({ steps }) => steps),
});

const objectOr = (value: Value | undefined): Values => (isObject(value) ? value : {});

/** Returns the entries of an object, with their expressions replaced, as texts. */
const expanded = (values: Value | undefined, { options, contexts }: Pick<Scope, "options" | "contexts">): Values =>
    Object.fromEntries(
        Object.entries(objectOr(values)).map(([name, value]) => [
            name,
            ifKnown<string, Unknown>(
                () => options.evaluation.expand(asText(value) ?? "", contexts),
                (what) => new Unknown(what),
            ),
        ]),
    );

/** Returns a scope whose environment has more variables. */
const withEnv = (scope: Scope, env: Value | undefined): Scope => ({
    ...scope,
    contexts: { ...scope.contexts, env: { ...objectOr(scope.contexts.env), ...expanded(env, scope) } },
});

/** Whether a step or job may run: its condition holds, or is unknown. */
const mayRun = (condition: Value | undefined, { options, contexts }: Scope): boolean =>
    condition === undefined || options.evaluation.holds(asText(condition) ?? "", contexts) !== false;

/** Returns the contexts with which a workflow starts. */
function contextsFor({ repository, branch, given }: WorkflowOptions, event: Event, workflow: string): Values {
    const givenIn = (context: string): Values =>
        Object.fromEntries(
            Object.entries(given).flatMap(([name, value]) =>
                name.startsWith(`${context}.`) ? [[name.slice(context.length + 1), value]] : [],
            ),
        );
    return {
        github: {
            ...(repository && {
                repository: `${repository.owner}/${repository.name}`,
                repository_owner: repository.owner,
            }),
            event: { repository: { ...(repository && { name: repository.name }), default_branch: branch } },
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
    };
}

/** Returns the inputs of something that is called: what it was given, or its default. */
function inputsFor(declared: Value | undefined, call: Value | undefined, { options, contexts }: Scope): Values {
    const values = objectOr(call);
    return Object.fromEntries(
        Object.entries(objectOr(declared)).map(([name, input]): [string, Value] => {
            const value = values[name] ?? objectOr(input).default ?? "";
            if (typeof value !== "string") return [name, value];
            return ifKnown<[string, Value], [string, Value]>(
                () => [name, options.evaluation.expand(value, contexts)],
                (what) => [name, new Unknown(what)],
            );
        }),
    );
}

/** Returns the folder or file that an input of an action names; undefined if it is not in the repository. */
const pathIn = (written: string): string | undefined =>
    inRepository(".", written.replace(/^\/github\/workspace\/?/, "").replace(/^\{\{defaultContext\}\}:?/, "") || ".");

/** What a step says, and its outputs, of which later steps may make use. */
interface StepReading {
    readonly found: Found;
    readonly outputs: Values;
}

/** Reads docker/build-push-action. Throws UnknownValue. */
function readBuildPush(inputs: Inputs, where: string, { platform }: Scope): Found {
    const context = inputs.text("context") ?? ".";
    const contextPath = pathIn(context);
    const file = inputs.text("file");
    const dockerfile = file === undefined || file === "" ? undefined : pathIn(file);
    if (contextPath === undefined) {
        const text = `the context ${context} is not a folder of this repository`;
        return { ...nothing, notes: [{ where, text }] };
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
    const build: Build = {
        ...{ where, kind: "workflow", context: contextPath, pushed },
        dockerfile: dockerfile ?? path.posix.join(contextPath, "Dockerfile"),
        ...(target !== undefined && target !== "" && { target }),
        names: [...inputs.list("tags"), ...byDigest],
        buildArgs: pairs,
        platforms: platforms.length > 0 ? platforms : pushed ? [platform] : [],
        secrets: secretsIn(
            ["secrets", "secret-files", "secret-envs"]
                .flatMap((name) => inputs.lines(name, true))
                .filter((line) => line.trim() !== ""),
        ),
        contexts: pairsOf(inputs.lines("build-contexts").map((line) => line.trim())).pairs,
    };
    return { ...nothing, builds: [build] };
}

/** Reads docker/metadata-action, whose output is the tags. */
function readMetadata(inputs: Inputs, where: string, { event }: Scope): StepReading {
    const input = {
        images: inputs.trimmed("images"),
        tags: inputs.trimmed("tags"),
        flavor: inputs.trimmed("flavor"),
    };
    const { names: tags, notes } = metadataTags(input, event);
    const textFor = (entry: string) =>
        `${entry}: each release or run would get a tag of its own; \`tags\` in images.ts has {date} and {commit}`;
    return {
        found: { ...nothing, notes: notes.map((entry) => ({ where, text: textFor(entry) })) },
        outputs: {
            tags: tags.join("\n"),
            ...(tags[0] !== undefined && { version: tags[0].slice(tags[0].lastIndexOf(":") + 1) }),
            labels: "",
            annotations: "",
        },
    };
}

/** Returns the known entries of an object, as texts. */
const textsOf = (values: Value | undefined): Readonly<Record<string, string>> =>
    Object.fromEntries(
        Object.entries(objectOr(values)).flatMap(([name, value]) =>
            value instanceof Unknown ? [] : [[name, asText(value) ?? ""]],
        ),
    );

/** Returns what is unknown in the entries of an object, by their names. */
const unknownIn = (values: Value | undefined): Readonly<Record<string, string>> =>
    Object.fromEntries(
        Object.entries(objectOr(values)).flatMap(([name, value]) =>
            value instanceof Unknown ? [[name, value.unknown]] : [],
        ),
    );

/** Reads docker/bake-action. Throws UnknownValue. */
function readBakeAction(inputs: Inputs, where: string, { contexts }: Scope): Found {
    const folder = pathIn(inputs.text("workdir") ?? ".") ?? ".";
    const call: BakeCall = {
        ...{ where, folder, files: inputs.list("files"), targets: inputs.list("targets") },
        sets: inputs.trimmed("set"),
        env: textsOf(contexts.env),
        unknown: unknownIn(contexts.env),
        pushed: inputs.lines("push", true).includes("true"),
    };
    return { ...nothing, bakes: [call] };
}

/** Actions that build images, by what people call theirs. */
const unreadBuilder = /(?:buildah|kaniko|docker-build|build-docker|docker-publish|build-and-push)/i;

/** Reads what an action does. Throws UnknownValue. */
function readKnownAction(action: string, inputs: Inputs, where: string, step: Values, scope: Scope): StepReading {
    if (action === "docker/build-push-action") return { found: readBuildPush(inputs, where, scope), outputs: {} };
    if (action === "docker/metadata-action") return readMetadata(inputs, where, scope);
    if (action === "docker/bake-action") return { found: readBakeAction(inputs, where, scope), outputs: {} };
    if (action.startsWith("./")) return readLocalAction(action, step, scope);
    if (!unreadBuilder.test(action)) return { found: nothing, outputs: {} };
    const text = `the action ${action}, which builds images, is not one that adopt reads`;
    return { found: { ...nothing, notes: [{ where, text }] }, outputs: {} };
}

/** Reads a step that uses an action. */
function readAction(uses: string, keys: Keys, step: Values, scope: Scope): StepReading {
    const { options, contexts, parsed } = scope;
    const where = parsed.place(keys);
    const [action = uses] = uses.split("@");
    const inputs = new Inputs(objectOr(step.with), (text) => options.evaluation.expand(text, contexts));
    const { found, outputs } = ifKnown(
        () => readKnownAction(action, inputs, where, step, scope),
        (what) => ({
            found: { ...nothing, notes: [{ where, ...unknownNote(`the build of ${action}`, what) }] },
            outputs: {},
        }),
    );
    return {
        found: { ...found, notes: [...found.notes, ...inputs.notes.map((note) => ({ where, ...note }))] },
        outputs,
    };
}

/** Reads a composite action of the repository. */
function readLocalAction(action: string, step: Values, scope: Scope): StepReading {
    const { options, callers } = scope;
    const none = { found: nothing, outputs: {} };
    const files = ["action.yml", "action.yaml"].map((name) => path.posix.join(".", action, name));
    const file = files.find((one) => options.textOf(one) !== undefined);
    const text = file === undefined ? undefined : options.textOf(file);
    if (file === undefined || text === undefined || callers.includes(file)) return none;
    const parsed = parse({ file, text });
    const runs = parsed?.value.runs;
    if (!parsed || !isObject(runs) || !isList(runs.steps)) return none;
    const inputs = inputsFor(parsed.value.inputs, step.with, scope);
    const { found, scope: after } = readSteps(runs.steps, ["runs", "steps"], {
        ...{ ...scope, parsed, callers: [...callers, file] },
        contexts: { ...scope.contexts, inputs, steps: {} },
    });
    const declared = Object.entries(objectOr(parsed.value.outputs));
    const outputs = Object.fromEntries(declared.map(([name, output]) => [name, objectOr(output).value ?? ""]));
    return { found, outputs: expanded(outputs, after) };
}

/** Contexts of `github` that a script has as environment variables: GITHUB_REPOSITORY and so on. */
const automatic = ["repository", "repository_owner", "ref", "ref_name", "workspace", "server_url", "event_name"];

/** Returns the environment variables of a step that are known. */
function scriptVariables(contexts: Values): ReadonlyMap<string, string> {
    const github = objectOr(contexts.github);
    return new Map([
        ...automatic.flatMap((name) => {
            const value = asText(github[name]);
            return value === undefined ? [] : [[`GITHUB_${name.toUpperCase()}`, value] as const];
        }),
        ...Object.entries(textsOf(contexts.env)),
        ...["GITHUB_ENV", "GITHUB_OUTPUT"].map((name) => [name, name] as const),
    ]);
}

/** Returns a script with its expressions replaced, and unknown ones by variables that nobody sets, with what is unknown by variable. */
function expandScript(script: string, { options, contexts }: Scope) {
    const reasons = new Map([
        ...automatic.map((name) => [`GITHUB_${name.toUpperCase()}`, `github.${name}`] as const),
        ...Object.entries(unknownIn(contexts.env)),
    ]);
    const text = script.replace(/\$\{\{.*?\}\}/gs, (expression) =>
        ifKnown(
            () => options.evaluation.expand(expression, contexts),
            (what) => {
                const name = `UNKNOWN_${what.replace(/\W/g, "_")}`;
                reasons.set(name, what);
                return `\${${name}}`;
            },
        ),
    );
    return { text, reasons };
}

/** Reads a step that runs a script. */
function readRun(script: string, keys: Keys, step: Values, scope: Scope): ScriptReading {
    const { options, contexts, parsed, platform } = scope;
    const { text, reasons } = expandScript(script, scope);
    const folder = ifKnown(
        () => pathIn(options.evaluation.expand(asText(step["working-directory"]) ?? ".", contexts)),
        () => undefined,
    );
    const read = readScript(text, {
        folder: folder ?? ".",
        variables: scriptVariables(contexts),
        where: parsed.lineOf([...keys, "run"]),
        reasons,
    });
    const builds = read.builds.map((build) => ({
        ...build,
        kind: "workflow" as const,
        platforms: build.platforms.length > 0 ? build.platforms : build.pushed ? [platform] : [],
    }));
    return { ...read, builds };
}

/** Returns what a script hands on to the environment of later steps, or as its step's outputs. */
const handedOn = (read: ScriptReading | undefined, to: "GITHUB_ENV" | "GITHUB_OUTPUT"): Values =>
    Object.fromEntries(read?.handedOn.filter((one) => one.to === to).map(({ name, value }) => [name, value]) ?? []);

/** Reads steps in their order. Also returns the scope after them, which knows their outputs. */
function readSteps(
    list: readonly Value[],
    keys: Keys,
    before: Scope,
): { readonly found: Found; readonly scope: Scope } {
    let scope = before;
    const parts: Found[] = [];
    const scripts: ScriptReading[] = [];
    list.forEach((step, index) => {
        if (!isObject(step)) return;
        const own = withEnv(scope, step.env);
        if (!mayRun(step.if, own)) return;
        const at = [...keys, index];
        const [uses, script, id] = [asText(step.uses), asText(step.run), asText(step.id)];
        const action = uses === undefined ? undefined : readAction(uses, at, step, own);
        const read = script === undefined ? undefined : readRun(script, at, step, own);
        if (action) parts.push(action.found);
        if (read) {
            parts.push({ ...nothing, builds: read.builds, bakes: read.bakes, notes: read.notes });
            scripts.push(read);
        }
        const outputs = action?.outputs ?? handedOn(read, "GITHUB_OUTPUT");
        const { env, steps } = scope.contexts;
        const contexts = {
            ...scope.contexts,
            env: { ...objectOr(env), ...handedOn(read, "GITHUB_ENV") },
            steps: { ...objectOr(steps), ...(id !== undefined && { [id]: { outputs } }) },
        };
        scope = { ...scope, contexts };
    });
    const found = together(parts);
    // A step may tag or push what an earlier one built.
    const joins = scripts.flatMap((read) => read.joins);
    const pushes = scripts.flatMap((read) => read.pushes);
    const builds = found.builds.map((build) => ({
        ...build,
        pushed: build.pushed || build.names.some((name) => pushes.includes(name)),
    }));
    return { found: { ...found, builds: joined(builds, joins, pushes) }, scope };
}

/** Commands of a script that builds, names or pushes images. */
const imageCommand = /\b(?:docker|podman|buildah)\s+(?:buildx?|image|push|tag|login|manifest|bud)\b/;

/** Says of each step of a job that builds images whether the program makes it superfluous. */
function judgeSteps(list: readonly Value[], keys: Keys, { place }: Parsed): StepUse[] {
    return list.flatMap((step, index): StepUse[] => {
        if (!isObject(step)) return [];
        const [action = ""] = asText(step.uses)?.split("@") ?? [];
        if (preparing.includes(action)) return [];
        const script = asText(step.run) ?? "";
        const buildsHere = superfluous.includes(action) || imageCommand.test(script);
        const name = asText(step.name) ?? (action || (script.trim().split("\n")[0] ?? ""));
        const purpose = purposes.find(([part]) => part.test(action || script))?.[1];
        const what = purpose === undefined ? name : `${name} (${purpose})`;
        return [{ where: place([...keys, index]), what, role: buildsHere ? "superfluous" : "other" }];
    });
}

/** Returns a matrix with the values of its expressions. Throws UnknownValue. */
function knownMatrix(matrix: Value, { options: { evaluation }, contexts }: Scope): Values {
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
    return objectOr(resolved(matrix));
}

/** Returns the platform of the machines that a `runs-on` names. */
function runnerPlatform(runner: Value | undefined, { options, contexts }: Scope): string {
    const written = JSON.stringify(runner ?? "");
    const label = ifKnown(
        () => options.evaluation.expand(written, contexts),
        () => written,
    );
    return /arm/i.test(label) ? "linux/arm64" : "linux/amd64";
}

/** Reads a reusable workflow of the repository with what a job gives it. */
function callWorkflow(uses: string, job: Values, scope: Scope): Found {
    const { options, event, callers, contexts } = scope;
    const file = path.posix.join(".", uses);
    const text = options.textOf(file);
    const parsed = text === undefined || callers.includes(file) ? undefined : parse({ file, text });
    const on = parsed?.value.on;
    if (!parsed || !isObject(on)) return nothing;
    const inputs = inputsFor(objectOr(on.workflow_call).inputs, job.with, scope);
    const secrets = job.secrets === "inherit" ? (contexts.secrets ?? {}) : expanded(job.secrets, scope);
    const own = contextsFor(options, event, asText(parsed.value.name) ?? file);
    return readJobs({ ...scope, contexts: { ...own, inputs, secrets }, parsed, callers: [...callers, file] });
}

/** Reads a job, once for each combination of its matrix. Also returns its outputs, which other jobs may need. */
function readJob(key: string, job: Values, scope: Scope): StepReading {
    const { parsed } = scope;
    const { matrix } = objectOr(job.strategy);
    const keys = ["jobs", key];
    const all = ifKnown(
        () => (matrix === undefined ? [] : combinations(knownMatrix(matrix, scope))),
        (what): Note => ({
            where: parsed.place([...keys, "strategy", "matrix"]),
            ...unknownNote(`the matrix of job ${key}, without which none of its images are in the plan`, what),
        }),
    );
    if (!Array.isArray(all)) return { found: { ...nothing, notes: [all] }, outputs: {} };
    const parts: Found[] = [];
    let outputs: Values = {};
    for (const combination of all.length > 0 ? all : [{}]) {
        const own = withEnv({ ...scope, contexts: { ...scope.contexts, matrix: combination } }, job.env);
        if (!mayRun(job.if, own)) continue;
        const running = { ...own, platform: runnerPlatform(job["runs-on"], own) };
        const uses = asText(job.uses);
        if (uses?.startsWith("./") === true) parts.push(callWorkflow(uses, job, running));
        if (!isList(job.steps)) continue;
        const { found, scope: after } = readSteps(job.steps, [...keys, "steps"], running);
        parts.push(found);
        // Combinations differ in their outputs, and GitHub keeps those of the last one to end.
        outputs = all.length > 1 ? {} : expanded(job.outputs, after);
    }
    const found = together(parts);
    const isBuilding = found.builds.length > 0 || found.bakes.length > 0;
    const judged = isBuilding && isList(job.steps) ? judgeSteps(job.steps, [...keys, "steps"], parsed) : [];
    return { found: { ...found, steps: [...found.steps, ...judged] }, outputs };
}

/** Reads the jobs of a workflow in their order. */
function readJobs(scope: Scope): Found {
    const { value } = scope.parsed;
    const outer = withEnv(scope, value.env);
    const parts: Found[] = [];
    let needs: Values = {};
    for (const [key, job] of Object.entries(objectOr(value.jobs))) {
        if (!isObject(job)) continue;
        const { found, outputs } = readJob(key, job, { ...outer, contexts: { ...outer.contexts, needs } });
        parts.push(found);
        needs = { ...needs, [key]: { outputs } };
    }
    return together(parts);
}

/** Reads a workflow that an event starts; nothing from one that only other workflows call, which is read with what they give it. */
function readWorkflow(parsed: Parsed, name: string, options: WorkflowOptions): Found {
    const { on } = parsed.value;
    const isCalledOnly = isObject(on) && Object.keys(on).every((event) => event === "workflow_call");
    if (on === "workflow_call" || isCalledOnly) return nothing;
    const event = eventOf(on, options.branch);
    const contexts = contextsFor(options, event, name);
    const scope = { options, contexts, event, parsed, platform: "linux/amd64", callers: [parsed.file] };
    const declared = objectOr(objectOr(objectOr(on).workflow_dispatch).inputs);
    // Only somebody who starts the workflow by hand is asked for inputs.
    const inputs =
        event.name === "workflow_dispatch"
            ? inputsFor(declared, {}, scope)
            : Object.fromEntries(Object.keys(declared).map((input) => [input, ""]));
    return readJobs({ ...scope, contexts: { ...contexts, inputs } });
}

/** Reads the workflows of a repository. */
export function readWorkflows(files: readonly SourceFile[], options: WorkflowOptions): WorkflowsReading {
    const names: Record<string, string> = {};
    const parts = files.map((source): Found => {
        const parsed = parse(source);
        if (!parsed) return { ...nothing, notes: [{ where: `${source.file}:1`, text: "the file is not valid YAML" }] };
        const name = asText(parsed.value.name) ?? source.file;
        names[source.file] = name;
        return readWorkflow(parsed, name, options);
    });
    const { builds, notes, bakes, steps } = together(parts);
    return { builds, notes: withoutRepeated(notes), bakes, steps: withoutRepeated(steps), names };
}

/** Returns entries without those that are equal to an earlier one: every combination of a matrix finds the same. */
export const withoutRepeated = <T>(entries: readonly T[]): T[] => [
    ...new Map(entries.map((entry) => [JSON.stringify(entry), entry] as const)).values(),
];
