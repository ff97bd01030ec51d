import { stackLocks, type StackLock } from "../engine/locks";
import { type Engine, backendUrl, exportStack } from "../engine/pulumi";
import { componentTypes, githubKind, githubTypes } from "../engine/resources";
import { deployedImages, type Resource, type Deployment } from "../engine/state";
import { InputError } from "../errors";
import { type GitHubTarget, UnreachableError } from "../github/api";
import { environmentNames, readEnvironment, restrictionProblem } from "../github/environments";
import { isPrivate } from "../github/repository";
import { defaultBaseUrl, firstSet } from "../github/target";
import { typed } from "../system/commandLine";
import { readInstance } from "../system/instance";
import { quote } from "../system/shell";
import { readHistory } from "../update/history";
import { askBlobs, askRegistries, askGitHub } from "./ask";
import { type Finding, exitCode } from "./findings";
import { compareGitHub, deployedRepository, githubQuestions } from "./github";
import { imageQuestions, imageStatus, type ImageStatus, uncommittedNotes } from "./imageStatus";
import { imageFindings, unansweredFindings, compareRoots, rootQuestions, rootsOf, type RootStatus } from "./images";
import { repairAll, repairCommand, type Commands } from "./repair";

function lockFinding(lock: StackLock, { stack, isLab }: Commands): Finding {
    const about = `stack ${stack}`;
    // In the lab the next `up` removes it.
    const command = `pulumi cancel --stack ${quote(stack)} --yes`;
    const repair = isLab ? ({ by: "up" } as const) : ({ by: "command", command } as const);
    if ("file" in lock) {
        const { file, reason, mayHold } = lock;
        const what = `pulumi refuses to update it because of a lock that can't be read: ${file} (${reason})`;
        if (mayHold.length === 0) return { kind: "note", about, text: what, repair };
        const who = `pid ${mayHold.join(", ")}`;
        return { kind: "note", about, text: `${what}. It stays while a pulumi runs that may hold it (${who})` };
    }
    const { pid, since, host, isDead } = lock;
    const who = `pid ${String(pid)} on ${host}, since ${since}`;
    if (!isDead) return { kind: "note", about, text: `it is locked (${who}): an update runs, or was killed elsewhere` };
    return { kind: "note", about, text: `a killed update left its lock (${who})`, repair };
}

/**
 * Returns the findings about interrupted updates: locks and pending operations. Neither is a difference: the next `up`
 * resolves them.
 *
 * @param locks undefined if they are not visible on this backend
 */
export function stackFindings(
    { pending }: Pick<Deployment, "pending">,
    locks: readonly StackLock[] | undefined,
    commands: Commands,
): Finding[] {
    const names = pending.map(({ name, operation }) => `${operation} ${name}`).join(", ");
    const cut: Finding = {
        kind: "note",
        about: `stack ${commands.stack}`,
        text: `an update was cut off while it was ${names}: that is done again`,
        repair: { by: "up" },
    };
    const unseen: Finding = {
        kind: "note",
        about: `stack ${commands.stack}`,
        text: "whether it is locked can't be seen on this backend",
    };
    return [
        ...(locks ? locks.map((lock) => lockFinding(lock, commands)) : [unseen]),
        ...(pending.length > 0 ? [cut] : []),
    ];
}

/**
 * Returns the repository of a deployment, with the address and token for its requests; undefined if the stack has none.
 *
 * @returns its `owner` is undefined if neither the state nor the environment names it
 */
function targetOf(resources: readonly Resource[], env: NodeJS.ProcessEnv) {
    const deployed = deployedRepository(resources);
    if (!deployed) return undefined;
    const { GITHUB_ORGANIZATION, GITHUB_OWNER, GITHUB_BASE_URL, GITHUB_TOKEN } = env;
    return {
        ...deployed,
        owner: firstSet(deployed.owner, GITHUB_ORGANIZATION, GITHUB_OWNER),
        baseUrl: deployed.baseUrl ?? GITHUB_BASE_URL ?? defaultBaseUrl,
        ...(GITHUB_TOKEN && { token: GITHUB_TOKEN }),
    };
}

/** Like `targetOf`; undefined also if nothing names the repository's owner. */
export function githubTarget(resources: readonly Resource[], env: NodeJS.ProcessEnv): GitHubTarget | undefined {
    const target = targetOf(resources, env);
    return target?.owner === undefined ? undefined : { ...target, owner: target.owner };
}

/** Queries GitHub for the stack's resources and compares them with the state. */
async function githubFindings(resources: readonly Resource[], env: NodeJS.ProcessEnv): Promise<Finding[]> {
    const target = targetOf(resources, env);
    if (!target) return [{ kind: "note", about: "GitHub", text: "the stack has no repository there" }];
    const { owner } = target;
    if (owner === undefined) {
        return [{ kind: "unknown", about: "GitHub", text: "neither the state nor GITHUB_OWNER names the owner" }];
    }
    return compareGitHub(resources, await askGitHub({ ...target, owner }, githubQuestions(resources)));
}

/**
 * Returns the findings about the environment in which CI updates the stack: its secrets are for the branch alone. Workflows ask with their
 * own token, because the token for secrets and variables need not be allowed to read environments.
 */
export async function environmentFindings(
    resources: readonly Resource[],
    { isCi, env }: Pick<Engine, "isCi" | "env">,
): Promise<Finding[]> {
    const target = isCi ? githubTarget(resources, env) : undefined;
    const token = firstSet(env.WORKFLOW_TOKEN, target?.token);
    if (!target || token === undefined) return [];
    const about = `environment ${environmentNames.up}`;
    const asked = { ...target, token };
    try {
        const problem = restrictionProblem(await readEnvironment(asked, environmentNames.up), target.branch);
        if (problem === undefined) return [];
        const repair = { by: "command", command: typed("github-setup", "--apply") } as const;
        // Not every plan of GitHub has branch rules for the environments of a private repository: a difference could stay for ever.
        const kind = (await isPrivate(asked)) ? "note" : "drift";
        return [{ kind, about, text: problem, repair }];
    } catch (error) {
        if (!(error instanceof InputError || error instanceof UnreachableError)) throw error;
        return [{ kind: "note", about, text: `which branches may use it can't be seen: ${error.message}` }];
    }
}

/** Whether a resource is a secret or variable. */
const isValue = ({ type }: Resource): boolean => ["secret", "variable"].includes(githubKind(type)?.kind ?? "");

/** Returns the component without the files in pull requests: the state has no resources for them. */
const withoutDelivered = (resource: Resource): Resource =>
    resource.type === componentTypes.workflowFiles
        ? { ...resource, inputs: { ...resource.inputs, files: {} } }
        : resource;

/**
 * Whether workflow files on GitHub differ, or may differ, from the state: an `up` may then fail without a refresh. A
 * stack without workflow files causes no query. If the query fails the result is false: the `up` reports the reason.
 */
export async function filesDiffer(resources: readonly Resource[], env: NodeJS.ProcessEnv): Promise<boolean> {
    const files = resources.filter(({ type }) => type === githubTypes.file);
    if (files.length === 0) return false;
    // A refused file is written again in any case, unless a refresh finds that it exists.
    if (files.some(({ initErrors }) => initErrors && initErrors.length > 0)) return true;
    const findings = await githubFindings(
        resources.filter((resource) => !isValue(resource)).map(withoutDelivered),
        env,
    );
    return findings.some(({ repair }) => repair !== undefined);
}

/** A finding with the command that repairs it. */
export interface ReportedFinding extends Omit<Finding, "repair"> {
    /** Shell command, to be run in the repository's root. */
    readonly command?: string;
}

/**
 * The output of `npm run status -- --json`. Absent properties are unknown; sizes are in bytes, times in ISO 8601, UTC.
 */
export interface StatusReport {
    readonly stack: string;
    /** `unknown`: no differences were found, but some queries failed. */
    readonly verdict: "in step" | "drift" | "unknown";
    readonly images: readonly ImageStatus[];
    readonly roots: readonly RootStatus[];
    readonly findings: readonly ReportedFinding[];
    /** The smallest list of commands that repairs all drift, in order. */
    readonly repairs: readonly string[];
}

/** Returns the roots that the lab provides for its stack, by name. */
function labRoots({ isLab, env }: Engine): Readonly<Record<string, string>> {
    const file = env.LAYERED_IMAGES_INSTANCE;
    return isLab && file !== undefined ? (readInstance(file)?.roots ?? {}) : {};
}

/**
 * Compares a stack with its registries and GitHub, without changing anything, not even the state. Throws the errors of
 * `exportStack`.
 */
export async function readStatus(engine: Engine): Promise<StatusReport> {
    const { stack, env } = engine;
    const [deployment, history, backend] = await Promise.all([
        exportStack(engine),
        readHistory(stack, env),
        backendUrl(env),
    ]);
    const locks = stackLocks(backend, stack);
    const images = deployedImages(deployment);
    const roots = rootsOf(images);
    const [answers, onGitHub, environment] = await Promise.all([
        askRegistries([...imageQuestions(images), ...rootQuestions(roots)], env).then((found) => askBlobs(found, env)),
        githubFindings(deployment.resources, env),
        environmentFindings(deployment.resources, engine),
    ]);
    const compared = compareRoots(roots, answers, engine, labRoots(engine));
    const nothing: Finding = {
        kind: "note",
        about: `stack ${stack}`,
        text: "nothing was published yet",
        repair: { by: "up" },
    };
    const statuses = images.map((image) => imageStatus(image, images, answers, history));
    const findings = [
        ...stackFindings(deployment, locks, engine),
        ...(images.length === 0 ? [nothing] : []),
        ...images.flatMap((image) => imageFindings(image, images, answers, engine)),
        ...uncommittedNotes(statuses),
        ...compared.findings,
        ...onGitHub,
        ...environment,
        ...unansweredFindings(answers),
    ];
    const verdict = ({ 0: "in step", 1: "unknown", 2: "drift" } as const)[exitCode(findings)];
    return {
        stack,
        verdict,
        images: statuses,
        roots: compared.roots,
        findings: findings.map(({ repair, ...finding }) => ({
            ...finding,
            ...(repair && { command: repairCommand(engine, repair) }),
        })),
        repairs: repairAll(engine, findings),
    };
}
