import { z } from "zod";
import { type Backend, backendFacts, backendNames, backendOf } from "../engine/backends";
import { ciStack } from "../engine/stacks";
import { InputError } from "../errors";
import { typed } from "../system/commandLine";
import type { Heading } from "../system/guide";
import { type GitHubTarget, UnreachableError, ask, list } from "./api";
import {
    type Environment,
    type EnvironmentName,
    environmentNames,
    notAdministered,
    readEnvironment,
    restrictionProblem,
} from "./environments";
import { tokenText } from "./permissions";
import { asking, inRepository, nameOf, parse, readRepository } from "./repository";

/* What the owner of a repository sets up once on GitHub, and how much of it is done. */

/** Variables and secrets with the credentials for writing to GitHub, and for the weekly comparison, which only reads. */
export const repositoryTokens = {
    appId: "REPOSITORY_APP_CLIENT_ID",
    appKey: "REPOSITORY_APP_KEY",
    token: "REPOSITORY_TOKEN",
    readToken: "REPOSITORY_READ_TOKEN",
} as const;

/** Variable with the team of Pulumi Cloud that may read the stack. */
export const reviewTeam = "PULUMI_REVIEW_TEAM";

/** The login for a registry: names of a variable and a secret. */
export interface RegistryLogin {
    readonly registry: string;
    readonly username: string;
    readonly password: string;
}

/** What a repository needs. */
export interface Needs {
    readonly branch: string;
    /** Where the state is; undefined if it is not known: then it follows from what is set. */
    readonly backend?: Backend | undefined;
    /** The backend's address, where the checkout or the environment says it. What is set on GitHub counts first: jobs take that. */
    readonly backendUrl?: string | undefined;
    /** Whether CI's stack has a configuration file. */
    readonly hasStack: boolean;
    /** Whether CI's stack sets secrets, variables and files on GitHub. */
    readonly writesToGitHub: boolean;
    /** Whether images are published on ghcr.io. */
    readonly usesGhcr: boolean;
    /** The environments in which its workflows' jobs run. */
    readonly environments: readonly EnvironmentName[];
    /** Logins for other registries. */
    readonly logins: readonly RegistryLogin[];
}

/** An answer of GitHub, or the reason why there is none. */
type Known<T> = { readonly found: T } | { readonly unknown: string };

const places = ["repository", "up", "review", "preview", "organization"] as const;
/** A place of variables and secrets: the repository, one of its environments, or what its owner shares with it. */
export type Place = (typeof places)[number];

/** What a repository has. */
export interface Found {
    readonly environments: Readonly<Record<EnvironmentName, Known<Environment | undefined>>>;
    /** Values by name. */
    readonly variables: Readonly<Record<Place, Known<ReadonlyMap<string, string>>>>;
    readonly secrets: Readonly<Record<Place, Known<ReadonlySet<string>>>>;
}

/** An entry of the checklist. */
export interface SetupItem {
    /** `unknown`: it can't be seen with this token, or by no program. */
    readonly state: "done" | "missing" | "unknown";
    /** "environment up", "secret PULUMI_ACCESS_TOKEN in environment up". */
    readonly what: string;
    readonly text: string;
    /** What to do if it is not done. */
    readonly next?: string;
    /** The section of docs/operations.md. */
    readonly heading: Heading;
    /** Whether nothing works without it; the others are advice. */
    readonly required: boolean;
}

const variablesSchema = z.array(z.object({ name: z.string(), value: z.string() }));
const secretsSchema = z.array(z.object({ name: z.string() }));

/** The path of a place's variables or secrets below the repository. */
export function pathOf(place: Place, kind: "variables" | "secrets"): string {
    if (place === "repository") return `/actions/${kind}`;
    if (place === "organization") return `/actions/organization-${kind}`;
    return `/environments/${environmentNames[place]}/${kind}`;
}

/** How messages name a place. */
const placeText = (target: GitHubTarget, place: Place): string =>
    place === "repository" ? nameOf(target) : place === "organization" ? target.owner : `environment ${place}`;

async function known<T>(question: () => Promise<T>): Promise<Known<T>> {
    try {
        return { found: await question() };
    } catch (error) {
        if (!(error instanceof InputError || error instanceof UnreachableError)) throw error;
        return { unknown: error.message };
    }
}

/**
 * Asks GitHub for everything that the checklist needs, in parallel; a question that GitHub refuses is answered with the reason.
 *
 * @throws InputError if the repository does not exist, or the token is not valid
 * @throws UnreachableError if GitHub does not answer
 */
export const readSetup = (target: GitHubTarget): Promise<Found> =>
    asking(target, async () => {
        await readRepository(target);
        const listed = async (place: Place, kind: "variables" | "secrets") => {
            const what = `list the ${kind} of ${placeText(target, place)}`;
            // An environment that does not exist has none, and neither has an old GitHub server's organization.
            return { what, items: (await list(target, inRepository(target, pathOf(place, kind)), what)) ?? [] };
        };
        const variables = async (place: Place) => {
            const { what, items } = await listed(place, "variables");
            return new Map(parse(variablesSchema, items, what).map(({ name, value }) => [name, value]));
        };
        const secrets = async (place: Place) => {
            const { what, items } = await listed(place, "secrets");
            return new Set(parse(secretsSchema, items, what).map(({ name }) => name));
        };
        const each = async <T>(read: (place: Place) => Promise<T>) =>
            Object.fromEntries(
                await Promise.all(places.map(async (place) => [place, await known(() => read(place))] as const)),
            ) as Record<Place, Known<T>>;
        const environment = (name: EnvironmentName) => known(() => readEnvironment(target, environmentNames[name]));
        const [up, review, preview, allVariables, allSecrets] = await Promise.all([
            environment("up"),
            environment("review"),
            environment("preview"),
            each(variables),
            each(secrets),
        ]);
        return { environments: { up, review, preview }, variables: allVariables, secrets: allSecrets };
    });

const nothing: Known<never> = { unknown: "GITHUB_TOKEN is not set" };

/** What is known without a token: nothing. */
export const unknownSetup: Found = {
    environments: { up: nothing, review: nothing, preview: nothing },
    variables: { repository: nothing, up: nothing, review: nothing, preview: nothing, organization: nothing },
    secrets: { repository: nothing, up: nothing, review: nothing, preview: nothing, organization: nothing },
};

const apply = (...options: readonly string[]) => typed("github-setup", "--apply", ...options);

/** Returns the item of something that is missing, or that can't be seen for a reason; either way it says what to do. */
const openItem = (
    item: Pick<SetupItem, "what" | "heading" | "required" | "next">,
    text: string,
    reason: string | undefined,
): SetupItem =>
    reason === undefined ? { state: "missing", ...item, text } : { state: "unknown", ...item, text: reason };

const reasonOf = (...answers: readonly Known<unknown>[]): string | undefined =>
    answers.flatMap((answer) => ("unknown" in answer ? [answer.unknown] : []))[0];

/** What somebody who may push a branch can do by the jobs of an environment that every branch may use. */
const openTo = {
    review: "use the credentials of reviews; a person can have to approve each",
    preview: "write every image and every stack of the backend; a person can have to approve each run",
} as const;

/** Returns the items of an environment that every branch may use. */
function openEnvironmentItems(name: keyof typeof openTo, { environments: { [name]: there } }: Found): SetupItem[] {
    const what = `environment ${name}`;
    const heading = "environments";
    const next = `${apply()}, or Settings → Environments → ${name}`;
    const exists: SetupItem =
        "found" in there && there.found
            ? { state: "done", what, text: "it exists", heading, required: true }
            : openItem({ what, heading, required: true, next }, "it does not exist", reasonOf(there));
    if ("unknown" in there) return [exists];
    const reviewers = { what: `reviewers of environment ${name}`, heading, required: false } as const;
    const isApproved = (there.found?.rules.reviewers ?? []).length > 0;
    const advice = `if you want that: Settings → Environments → ${name} → Required reviewers`;
    return [
        exists,
        isApproved
            ? { state: "done", ...reviewers, text: `a person approves each ${name}` }
            : openItem({ ...reviewers, next: advice }, `whoever may push a branch can ${openTo[name]}`, undefined),
    ];
}

function environmentItems({ branch, environments }: Needs, found: Found): SetupItem[] {
    const { up } = found.environments;
    const what = "environment up";
    const item = { what, heading: "environments", required: true } as const;
    const next = `${apply()}, or Settings → Environments → up → Deployment branches: ${branch} alone`;
    const there = "found" in up ? up.found : undefined;
    const problem = restrictionProblem(there, branch);
    const restricted = `only ${there?.branches === "protected" ? "protected branches" : branch} may use it`;
    return [
        problem === undefined
            ? { state: "done", ...item, text: restricted }
            : openItem({ ...item, next }, problem, reasonOf(up)),
        ...openEnvironmentItems("review", found),
        ...(environments.includes("preview") ? openEnvironmentItems("preview", found) : []),
    ];
}

/** Returns the item of a variable of the repository; its environments or its owner may have it instead. */
function variableItem(
    name: string,
    heading: Heading,
    { environments }: Pick<Needs, "environments">,
    { variables }: Found,
    required = true,
): SetupItem {
    const what = `variable ${name}`;
    const has = (place: Place) => {
        const there = variables[place];
        return "found" in there && there.found.has(name);
    };
    if (has("repository")) return { state: "done", what, text: "it is set", heading, required };
    if (has("organization")) {
        return { state: "done", what, text: "the organization shares it with the repository", heading, required };
    }
    if (environments.every(has)) {
        return { state: "done", what, text: `the environments ${environments.join(", ")} have it`, heading, required };
    }
    const next = apply("--variable", `${name}=<value>`);
    return openItem(
        { what, heading, required, next },
        "it is not set",
        reasonOf(variables.repository, variables.organization),
    );
}

/** Returns the item of a secret of an environment; the repository or its owner may have it instead. */
function secretItem(name: string, place: EnvironmentName, heading: Heading, found: Found, required = true): SetupItem {
    const what = `secret ${name} in environment ${place}`;
    const { [place]: there, repository, organization } = found.secrets;
    const has = (answer: Known<ReadonlySet<string>>) => "found" in answer && answer.found.has(name);
    if (has(there)) return { state: "done", what, text: "it is set", heading, required };
    const owner = has(repository) ? "repository" : has(organization) ? "organization" : undefined;
    if (owner !== undefined) {
        const text = `the ${owner} has it, so whoever may push a branch can read it; better in the environment alone`;
        return { state: "done", what, text, heading, required };
    }
    const next = `${apply("--secret", `${place}:${name}`)}, with the value in the variable ${name} of your shell`;
    return openItem({ what, heading, required, next }, "it is not set", reasonOf(there, repository, organization));
}

/** Returns the backend that is in use, from what is set; undefined if that does not tell. */
function backendIn({ backend, backendUrl }: Needs, { variables, secrets }: Found): Backend | undefined {
    if (backend) return backend;
    const names = new Set<string>();
    let url: string | undefined;
    for (const place of places) {
        const [some, hidden] = [variables[place], secrets[place]];
        if ("found" in some) {
            for (const name of some.found.keys()) names.add(name);
            url ??= some.found.get("PULUMI_BACKEND_URL");
        }
        if ("found" in hidden) for (const name of hidden.found) names.add(name);
    }
    return backendOf(names, url ?? backendUrl);
}

function stateItems(needs: Needs, found: Found): SetupItem[] {
    const heading = "state";
    const required = true;
    const stack: SetupItem = {
        state: needs.hasStack ? "done" : "missing",
        what: `stack ${ciStack}`,
        text: `Pulumi.${ciStack}.yaml is ${needs.hasStack ? "" : "not "}in this checkout`,
        ...(!needs.hasStack && {
            next: `pulumi login <backend>, pulumi stack init ${ciStack}, and commit Pulumi.${ciStack}.yaml`,
        }),
        heading,
        required,
    };
    const backend = backendIn(needs, found);
    if (!backend) {
        const choices = backendNames.map((name) => `${name} (${backendFacts(name).title})`).join(", ");
        const text = `nothing says where the state is. Choose: ${choices}`;
        const next = typed("github-setup", "--backend", "<name>");
        return [stack, { state: "missing", what: "backend", text, next, heading, required }];
    }
    const { title, variables, secrets } = backendFacts(backend);
    return [
        stack,
        { state: "done", what: "backend", text: title, heading, required },
        ...variables.map((name) => variableItem(name, heading, needs, found)),
        ...secrets.flatMap((name) => needs.environments.map((place) => secretItem(name, place, heading, found))),
    ];
}

function tokenItems(needs: Needs, found: Found): SetupItem[] {
    if (!needs.writesToGitHub) return [];
    const heading = "token";
    const { appId, appKey, token, readToken } = repositoryTokens;
    const [id, key, own] = [
        variableItem(appId, heading, needs, found),
        secretItem(appKey, "up", heading, found),
        secretItem(token, "up", heading, found),
    ];
    const permissions: SetupItem = {
        state: "unknown",
        what: "permissions of that token",
        text: `GitHub shows them only in the settings of the App or token. It needs ${tokenText()}`,
        heading,
        required: false,
    };
    const what = "token that writes to GitHub";
    if (id.state === "done") {
        const app: SetupItem = { state: "done", what, text: "a GitHub App", heading, required: true };
        return key.state === "done" ? [app, permissions] : [key, permissions];
    }
    if (own.state === "done") {
        const text = "a token of a person";
        return [
            { state: "done", what, text, heading, required: true },
            permissions,
            secretItem(readToken, "up", heading, found, false),
        ];
    }
    const reason = [id, own].find(({ state }) => state === "unknown")?.text;
    const next =
        `a GitHub App: ${apply("--variable", `${appId}=<client id>`, "--stdin", appKey)} < key.pem; ` +
        `or a fine-grained token: ${apply("--stdin", token)}`;
    const text = "neither an App nor a token is set: images are published, files, secrets and variables are not";
    return [openItem({ what, next, heading, required: true }, text, reason), permissions];
}

function registryItems(needs: Needs, found: Found): SetupItem[] {
    const { usesGhcr, logins, environments } = needs;
    const packages: SetupItem = {
        state: "unknown",
        what: "packages on ghcr.io",
        text: "packages that were pushed by hand must let this repository write; new ones are private until you change that",
        heading: "ghcr",
        required: false,
    };
    return [
        ...(usesGhcr ? [packages] : []),
        ...logins.flatMap(({ username, password }) => [
            variableItem(username, "registries", needs, found),
            // A review only reads, and not every registry asks for a login for that.
            ...environments.map((place) => secretItem(password, place, "registries", found, place !== "review")),
        ]),
    ];
}

/** Returns the checklist: what is to be set up, with its state, in the order in which a new owner does it. */
export const checklist = (needs: Needs, found: Found): SetupItem[] => [
    ...environmentItems(needs, found),
    ...stateItems(needs, found),
    ...tokenItems(needs, found),
    ...registryItems(needs, found),
];

/** Variables and secrets that the workflows read, secrets with the environments whose jobs read them. */
export function settable({ logins, environments }: Pick<Needs, "logins" | "environments">) {
    const { appId, appKey, token, readToken } = repositoryTokens;
    const state = backendNames.map(backendFacts);
    return {
        variables: [
            ...new Set([
                ...state.flatMap(({ variables }) => variables),
                reviewTeam,
                appId,
                ...logins.map(({ username }) => username),
            ]),
        ],
        secrets: new Map<string, readonly EnvironmentName[]>([
            ...state.flatMap(({ secrets }) => secrets.map((name) => [name, environments] as const)),
            ...[appKey, token, readToken].map((name) => [name, ["up"] as const] as const),
            ...logins.map(({ password }) => [password, environments] as const),
        ]),
    };
}

async function changed(target: GitHubTarget, path: string, what: string, change: Parameters<typeof ask>[3]) {
    const { status } = await ask(target, inRepository(target, path), what, change);
    if (status === 404) throw notAdministered(what);
}

/** Creates a variable of the repository, or changes its value. Throws the errors of `ask`. */
export async function setVariable(target: GitHubTarget, name: string, value: string): Promise<void> {
    const [path, what] = [pathOf("repository", "variables"), `set the variable ${name}`];
    const { body } = await ask(target, inRepository(target, `${path}/${encodeURIComponent(name)}`), what);
    if (body === undefined) await changed(target, path, what, { method: "POST", body: { name, value } });
    else await changed(target, `${path}/${encodeURIComponent(name)}`, what, { method: "PATCH", body: { name, value } });
}

const keySchema = z.object({ key: z.string(), key_id: z.string() });

/** Creates a secret of an environment, or changes its value, which leaves this machine only sealed. Throws the errors of `ask`. */
export async function setSecret(target: GitHubTarget, place: EnvironmentName, name: string, value: string) {
    const [path, what] = [pathOf(place, "secrets"), `set the secret ${name} of environment ${place}`];
    const { body } = await ask(target, inRepository(target, `${path}/public-key`), what);
    if (body === undefined) throw notAdministered(what);
    const { key, key_id } = parse(keySchema, body, what);
    const { default: sodium } = await import("libsodium-wrappers");
    await sodium.ready;
    const sealed = sodium.crypto_box_seal(value, new Uint8Array(Buffer.from(key, "base64")));
    const encrypted_value = Buffer.from(sealed).toString("base64");
    const change = { method: "PUT", body: { encrypted_value, key_id } } as const;
    await changed(target, `${path}/${encodeURIComponent(name)}`, what, change);
}
