import { z } from "zod";
import { type Engine, engineError, runPulumi } from "../engine/pulumi";
import { readReleases } from "../engine/releases";
import { componentTypes } from "../engine/resources";
import { InputError } from "../errors";
import { type GitHubTarget, UnreachableError, list } from "../github/api";
import { inRepository, nameOf } from "../github/repository";
import { type Named, namesIn, together } from "../registry/retention";
import { capture } from "../system/process";

/* What names a digest or a tag outside of the registry. Whole texts are searched, so nothing depends on where in a state or file it stands. */

/** The state of a stack could not be read, so what it names is not known, and nothing may be removed. */
export class UnknownNamesError extends InputError {}

/** Returns the error for what could not be read. */
export const unknownNames = (problem: string, next: string): UnknownNamesError =>
    new UnknownNamesError({ problem: `${problem}. What it names is not known, so nothing is removed`, next });

const stacksSchema = z.array(z.object({ name: z.string() }));

/**
 * Returns the names of all stacks of the project that the backend lists.
 *
 * @throws UnknownNamesError if it lists none
 */
async function stackNames({ stack, env }: Engine): Promise<string[]> {
    const done = await runPulumi(["stack", "ls", "--json", "--non-interactive"], env);
    const next = `pulumi stack ls --json, in the environment of stack ${stack}`;
    if (done.failure !== undefined) {
        throw unknownNames(engineError("the project's stacks can't be listed", done).message, next);
    }
    let listed: unknown;
    try {
        listed = JSON.parse(done.stdout);
    } catch {
        listed = undefined;
    }
    const { data = [] } = stacksSchema.safeParse(listed);
    if (data.length === 0) throw unknownNames("the backend lists no stack of this project", next);
    return data.map(({ name }) => name);
}

/**
 * Returns the states of all stacks of the project, as `pulumi stack export` prints them: with everything in them that waits for its deletion
 * or was under way.
 *
 * @throws UnknownNamesError if one of them can't be read
 */
async function readStates(engine: Engine): Promise<ReadonlyMap<string, string>> {
    const states = new Map<string, string>();
    for (const name of await stackNames(engine)) {
        const done = await runPulumi(["stack", "export", "--stack", name, "--non-interactive"], engine.env);
        if (done.failure !== undefined) {
            throw unknownNames(
                engineError(`the state of stack ${name} can't be read`, done).message,
                `repair it, or if nothing of it is used any more: pulumi stack rm --stack ${name}`,
            );
        }
        states.set(name, done.stdout);
    }
    return states;
}

const exported = z.looseObject({
    deployment: z.looseObject({
        resources: z
            .array(z.looseObject({ type: z.string(), outputs: z.record(z.string(), z.unknown()).optional() }))
            .optional(),
    }),
});

/**
 * Returns the text of a state without the older releases that promotions record there: that a release was promoted once is no use of it, and how
 * many of them are kept is what the rules decide. The newest of each stack count, because the channels of other stacks put theirs into the same repositories.
 *
 * @param text the output of `pulumi stack export`
 * @param keepReleases how many of the newest releases of an image are kept
 * @throws UnknownNamesError if it is something else
 */
export function usesIn(text: string, keepReleases: number): string {
    let read: unknown;
    try {
        read = JSON.parse(text);
    } catch {
        read = undefined;
    }
    const { data: state } = exported.safeParse(read);
    if (!state) throw unknownNames("a state is not what pulumi stack export prints", "pulumi stack export");
    const resources = (state.deployment.resources ?? []).map((resource) => {
        if (resource.type !== componentTypes.promotion || !resource.outputs) return resource;
        const releases = readReleases(resource.outputs).slice(0, keepReleases);
        return { ...resource, outputs: { ...resource.outputs, releases } };
    });
    return JSON.stringify({ ...state, deployment: { ...state.deployment, resources } });
}

/**
 * Returns the lines with names of images in the files of the checkout that git does not ignore: configuration of all stacks, pins in
 * Dockerfiles, manifests of what runs the images.
 *
 * @param root the repository's root
 * @throws UnknownNamesError if git can't tell
 */
export async function readFiles(root: string): Promise<string> {
    const pattern = "sha256:[0-9a-f]{64}|(r|b)-[0-9a-f]{12}|cache-";
    const grep = ["grep", "--no-color", "--no-index", "--exclude-standard", "-I", "-h", "-E", pattern];
    const done = await capture("git", [...grep, "--", ".", ":!node_modules", ":!.stage", ":!.updates"], { cwd: root });
    // Exit code 1 without a message: no line has any.
    if (done.failure === undefined || (done.stdout === "" && done.stderr === "")) return done.stdout;
    throw unknownNames(
        `the files of ${root} can't be searched: git grep ended with ${done.failure}: ${done.stderr.trim()}`,
        "repair that, or install git",
    );
}

const variable = z.object({ name: z.string(), value: z.string() });

/**
 * Returns the values of the repository's variables on GitHub.
 *
 * @throws UnknownNamesError if GitHub does not answer, or the token may not read them
 */
async function readVariables(target: GitHubTarget): Promise<string> {
    const path = inRepository(target, "/actions/variables");
    const again =
        "set GITHUB_TOKEN to a token that may read variables, or unset it: what this program wrote, the state has as well";
    let found: readonly unknown[] | undefined;
    try {
        found = await list(target, path, `read the variables of ${nameOf(target)}`);
    } catch (error) {
        if (!(error instanceof InputError || error instanceof UnreachableError)) throw error;
        throw unknownNames(`the variables of ${nameOf(target)} can't be read: ${error.message}`, again);
    }
    const { data } = z.array(variable).safeParse(found);
    if (!data) throw unknownNames(`the variables of ${nameOf(target)} can't be read: GitHub lists none`, again);
    return data.map(({ value }) => value).join("\n");
}

/** Everything outside of the registry that names images. */
export interface Names {
    /** The states by stack. */
    readonly states: ReadonlyMap<string, string>;
    readonly named: Named;
}

/**
 * Collects what names images: the states of all stacks of the project, the files of the checkout, and the variables on GitHub if the target
 * has a token.
 *
 * @param engine of one of the project's stacks
 * @param root the repository's root
 * @param target the repository on GitHub; undefined if the stack configures none
 * @param keepReleases how many of the newest releases that a stack promoted of an image are named by its state
 * @throws UnknownNamesError if any of it can't be read
 */
export async function collectNames(
    engine: Engine,
    root: string,
    target: GitHubTarget | undefined,
    keepReleases: number,
): Promise<Names> {
    const states = await readStates(engine);
    const files = await readFiles(root);
    const variables = target?.token === undefined ? "" : await readVariables(target);
    const uses = [...states.values()].map((text) => usesIn(text, keepReleases));
    return { states, named: together([...uses, files, variables].map(namesIn)) };
}
