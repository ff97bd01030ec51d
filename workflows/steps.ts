import { ciStack } from "../lib/engine/stacks";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import type { Step } from "./document";
import { pins, tools, uses } from "./pins";

/** Registry that the workflow's own token can push to. */
const registry = "ghcr.io";

const secret = (name: string) => `\${{ secrets.${name} }}`;
const variable = (name: string) => `\${{ vars.${name} }}`;
const fromSecrets = (...names: string[]) => Object.fromEntries(names.map((name) => [name, secret(name)]));
const fromVariables = (...names: string[]) => Object.fromEntries(names.map((name) => [name, variable(name)]));

/** Where the state lies and what opens it. What a repository has not set is empty, which counts as unset. */
const stateEnvironment = {
    PULUMI_STACK: `\${{ vars.PULUMI_ORGANIZATION && format('{0}/${ciStack}', vars.PULUMI_ORGANIZATION) || '${ciStack}' }}`,
    PULUMI_ACCESS_TOKEN: "${{ steps.pulumi-login.outputs.pulumi-access-token || secrets.PULUMI_ACCESS_TOKEN }}",
    ...fromVariables("PULUMI_BACKEND_URL", "AWS_REGION", "AZURE_STORAGE_ACCOUNT"),
    ...fromSecrets("PULUMI_CONFIG_PASSPHRASE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    ...fromSecrets("AZURE_STORAGE_KEY", "GOOGLE_CREDENTIALS"),
    PULUMI_NODEJS_TRANSPILE_ONLY: "true",
    PULUMI_SKIP_UPDATE_CHECK: "true",
};

/** Steps that get a token from the repository's GitHub App: before the stack is touched, and where that one expired. */
const appTokenStep = "app-token";
const laterAppTokenStep = "app-token-again";
const tokenOf = (step: string) => `steps.${step}.outputs.token`;

/** The GitHub environment of jobs that may see what can change GitHub: to be restricted to main. */
export const upEnvironment = { name: "up", deployment: false } as const;

/** Environment of a job's step that changes GitHub, or sees all of it: the workflow's own token can write neither workflows nor secrets. */
export const writingEnvironment = {
    ...stateEnvironment,
    GITHUB_TOKEN: `\${{ ${tokenOf(appTokenStep)} || secrets.REPOSITORY_TOKEN }}`,
};

/** Environment of a step that only looks. */
export const readingEnvironment = { ...stateEnvironment, GITHUB_TOKEN: "${{ github.token }}" };

/** Checks out the event's commit, or what `ref` names at the moment the step runs; no token is left in the checkout. */
export const checkout = (inputs: Readonly<Record<string, string>> = {}): Step => ({
    name: "Check out",
    uses: uses(pins.checkout),
    with: { ...inputs, "persist-credentials": false },
});

/** Node.js for the repository's commands. No cache: what another branch put there must not enter an image. */
export const setUpNode: Step = {
    name: "Set up Node.js",
    uses: uses(pins.setupNode),
    with: { "node-version": tools.node, "package-manager-cache": false },
};

/** Repository variable with the team in Pulumi Cloud that may read the stack and not change it. */
const reviewTeam = "vars.PULUMI_REVIEW_TEAM";

/**
 * What a job asks of Pulumi Cloud (inputs of pulumi/auth-actions). It is Pulumi Cloud that decides: by the job's GitHub
 * environment, in the rules of the organization (docs/operations.md).
 */
const tokenTypes = {
    write: { "requested-token-type": "urn:pulumi:token-type:access_token:organization" },
    // Not every edition of Pulumi Cloud has team tokens: without a team an organization's is asked for.
    read: {
        "requested-token-type": `urn:pulumi:token-type:access_token:\${{ ${reviewTeam} && 'team' || 'organization' }}`,
        scope: `\${{ ${reviewTeam} && format('team:{0}', ${reviewTeam}) || '' }}`,
    },
};

/**
 * Pulumi, and its login where the state is in Pulumi Cloud and this repository is trusted there by OpenID Connect.
 *
 * @param access what the job does to the stack
 * @param minutes the job's timeout, which the token should outlive
 */
export const setUpPulumi = (access: keyof typeof tokenTypes, minutes: number): readonly Step[] => [
    { name: "Set up Pulumi", uses: uses(pins.pulumi), with: { "pulumi-version": tools.pulumi } },
    {
        name: "Log in to Pulumi Cloud",
        id: "pulumi-login",
        if: "vars.PULUMI_ORGANIZATION != ''",
        uses: uses(pins.pulumiLogin),
        with: {
            organization: variable("PULUMI_ORGANIZATION"),
            ...tokenTypes[access],
            "token-expiration": minutes * 60,
            "export-environment-variables": false,
        },
    },
];

/** Lets the job read or push images, as its permissions for packages say. */
export const logInToRegistry: Step = {
    name: `Log in to ${registry}`,
    uses: uses(pins.login),
    with: { registry, username: "${{ github.actor }}", password: "${{ github.token }}" },
};

/** A token for files, secrets and variables from the repository's GitHub App, where it has one. */
export const getAppToken: Step = {
    name: "Get the token of the GitHub App",
    id: appTokenStep,
    if: "vars.REPOSITORY_APP_CLIENT_ID != ''",
    uses: uses(pins.appToken),
    with: { "client-id": variable("REPOSITORY_APP_CLIENT_ID"), "private-key": secret("REPOSITORY_APP_KEY") },
};

/** A step that runs one of the repository's commands. What differs from run to run reaches the shell through its environment. */
export const command = (name: string, args: string, env: Readonly<Record<string, string>>): Step => ({
    name,
    run: `npm run --silent ${args}`,
    env,
});

/** The stack, as commands take it from a step's environment. */
export const onStack = '--stack "$PULUMI_STACK"';

/** A variable of a step that is empty unless a condition holds: `${NAME:+--option}` is then an option or nothing. */
const onlyIf = (condition: string): string => `\${{ ${condition} && 'true' || '' }}`;

/**
 * Runs `up`, and once more with another token where the App's, which lives for an hour, may have expired during a long build:
 * what each image was promoted to is written to GitHub at the end. Everything that was built is then left alone.
 *
 * @param refresh when the registry and GitHub are looked at first, as an expression
 */
export function upSteps(refresh: string): Step[] {
    const again = "steps.up.outputs.again == 'true'";
    const up = `up -- ${onStack} \${REFRESH:+--refresh} \${RENEWABLE:+--renewable-token}`;
    const options = { REFRESH: onlyIf(refresh), RENEWABLE: onlyIf(`${tokenOf(appTokenStep)} != ''`) };
    const later = { ...writingEnvironment, GITHUB_TOKEN: `\${{ ${tokenOf(laterAppTokenStep)} }}` };
    return [
        getAppToken,
        { id: "up", ...command("Build, test and promote", up, { ...writingEnvironment, ...options }) },
        { ...getAppToken, name: "Get another token of the GitHub App", id: laterAppTokenStep, if: again },
        { ...command("Finish with that token", up, later), if: again },
    ];
}

/** BuildKit, and emulation for platforms that the runner is not. */
export function setUpBuilder(images: readonly PreparedImage[]): Step[] {
    const foreign = new Set(images.flatMap(({ definition: { platforms } }) => (platforms === "host" ? [] : platforms)));
    foreign.delete("linux/amd64");
    const emulation = {
        name: "Set up QEMU",
        uses: uses(pins.setupQemu),
        with: { platforms: [...foreign].sort().join() },
    };
    const builder = {
        name: "Set up BuildKit",
        uses: uses(pins.setupBuildx),
        with: { "driver-opts": `image=moby/buildkit:v${tools.buildkit}`, "cache-binary": false },
    };
    return foreign.size > 0 ? [emulation, builder] : [builder];
}

/** A step that runs one of the scripts in workflows/scripts. */
export const script = (name: string, file: string, env: Readonly<Record<string, string>> = {}): Step => ({
    name,
    run: `workflows/scripts/${file}`,
    ...(Object.keys(env).length > 0 && { env }),
});

const historyStep = "history";

/** The updates that the last `up` on the branch recorded: how long builds take. Needs the permission to read actions. */
export const restoreHistory = (branch: string): Step => ({
    id: historyStep,
    ...script("Get the recorded updates", "history.sh", {
        GH_TOKEN: "${{ github.token }}",
        GH_REPO: "${{ github.repository }}",
        BRANCH: branch,
    }),
});

/**
 * Keeps the recorded updates, also of one that failed, for the runs after this one; not where those before could not be got: the
 * newest artifact counts, and would have this one alone.
 */
export const keepHistory: Step = {
    name: "Keep the recorded updates",
    if: `\${{ !cancelled() && steps.${historyStep}.outputs.lost != 'true' }}`,
    uses: uses(pins.uploadArtifact),
    with: {
        name: "updates",
        path: ".updates/*.json",
        "include-hidden-files": true,
        "if-no-files-found": "ignore",
        // A job that is run again has the artifact of its first attempt.
        overwrite: true,
    },
};
