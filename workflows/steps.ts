import { ciStack } from "../lib/engine/stacks";
import { backendVariables } from "../lib/engine/backends";
import type { Level, Permission } from "../lib/github/permissions";
import { repositoryTokens } from "../lib/github/setup";
import type { Platform } from "../lib/platform";
import { typed, typedSilently } from "../lib/system/commandLine";
import { isCompiled } from "../lib/system/paths";
import { type Step, appTokenAction } from "./document";
import { tools } from "./pins";

const secret = (name: string) => `\${{ secrets.${name} }}`;
const variable = (name: string) => `\${{ vars.${name} }}`;
const fromSecrets = (...names: string[]) => Object.fromEntries(names.map((name) => [name, secret(name)]));
const fromVariables = (...names: string[]) => Object.fromEntries(names.map((name) => [name, variable(name)]));

/** Returns the expression for a stack's name: with the organization where the state is in Pulumi Cloud. */
const stackName = (stack: string): string =>
    `\${{ vars.PULUMI_ORGANIZATION && format('{0}/${stack}', vars.PULUMI_ORGANIZATION) || '${stack}' }}`;

/** Location of the state and its credentials. Secrets and variables that the repository does not have are empty, which counts as unset. */
const stateEnvironment = {
    PULUMI_STACK: stackName(ciStack),
    PULUMI_ACCESS_TOKEN: "${{ steps.pulumi-login.outputs.pulumi-access-token || secrets.PULUMI_ACCESS_TOKEN }}",
    ...fromVariables(...backendVariables.variables.filter((name) => name !== "PULUMI_ORGANIZATION")),
    ...fromSecrets(...backendVariables.secrets.filter((name) => name !== "PULUMI_ACCESS_TOKEN")),
    PULUMI_NODEJS_TRANSPILE_ONLY: "true",
    PULUMI_SKIP_UPDATE_CHECK: "true",
};

/** Ids of the steps that get a token of the repository's GitHub App: one before the update, and one after the first token expired. */
const appTokenStep = "app-token";
const laterAppTokenStep = "app-token-again";
const tokenOf = (step: string) => `steps.${step}.outputs.token`;

/** GitHub environment of jobs that may see the credentials for changing GitHub. It should be restricted to main. */
export const upEnvironment = { name: "up", deployment: false } as const;

/**
 * Returns the concurrency group of jobs that change what is published: one at a time. `queue: max` makes up to 100 of them wait; by default
 * GitHub would cancel all but the newest, and show a cancelled run for a normal push. The group of a job that does not run is unique to the
 * run, because GitHub assigns a job to its group before it evaluates `if`.
 *
 * @param condition the condition of the job
 */
export const updating = (condition: string) =>
    ({
        group: `\${{ ${condition} && 'pulumi-up' || github.run_id }}`,
        "cancel-in-progress": false,
        queue: "max",
    }) as const;

/** The workflow's own token, which reads the environments of the repository. */
const workflowToken = { WORKFLOW_TOKEN: "${{ github.token }}" };

/** Environment variables of a step that changes GitHub. The workflow's token can't write workflows or secrets. */
export const writingEnvironment = {
    ...stateEnvironment,
    GITHUB_TOKEN: `\${{ ${tokenOf(appTokenStep)} || secrets.${repositoryTokens.token} }}`,
    ...workflowToken,
};

/**
 * Environment variables of a step that reads everything that the stack manages on GitHub. Of a GitHub App it gets a token that only reads
 * (`getReadingAppToken`), and without an App the token that its owner made for this, if there is one.
 */
export const comparingEnvironment = {
    ...stateEnvironment,
    GITHUB_TOKEN: `\${{ ${[tokenOf(appTokenStep), `secrets.${repositoryTokens.readToken}`, `secrets.${repositoryTokens.token}`].join(" || ")} }}`,
    ...workflowToken,
};

/** The job's own token, which tells whether the run that left a lock has ended. */
const runsEnvironment = { WORKFLOW_TOKEN: "${{ github.token }}" };

/** Environment variables of a step that only reads. */
export const readingEnvironment = { ...stateEnvironment, GITHUB_TOKEN: "${{ github.token }}" };

const pullRequest = "github.event.pull_request.number";

/** Environment variables of a step that changes the stack of a pull request, and nothing on GitHub. */
export const previewEnvironment = {
    ...stateEnvironment,
    ...runsEnvironment,
    PULUMI_STACK:
        `\${{ vars.PULUMI_ORGANIZATION && format('{0}/pr-{1}', vars.PULUMI_ORGANIZATION, ${pullRequest}) || ` +
        `format('pr-{0}', ${pullRequest}) }}`,
};

/** Checks out the event's commit, or the commit that `ref` names when the step runs. The token is not stored in the checkout. */
export const checkout = (inputs: Readonly<Record<string, string | number>> = {}): Step => ({
    name: "Check out",
    uses: "actions/checkout",
    with: { ...inputs, "persist-credentials": false },
});

/**
 * Installs Node.js for the repository's commands, and this package where it is a dependency: in its own checkout, the first command installs
 * what it needs. No cache is used, because its content may come from another branch and must not enter an image.
 */
export const setUpNode: readonly Step[] = [
    {
        name: "Set up Node.js",
        uses: "actions/setup-node",
        with: { "node-version": tools.node, "package-manager-cache": false },
    },
    ...(isCompiled ? [{ name: "Install the packages", run: "npm ci --ignore-scripts --no-audit --no-fund" }] : []),
];

/** Returns the path of a file of this package on a runner, relative to the repository's root. */
export const inPackage = (file: string): string => (isCompiled ? `node_modules/layered-images/dist/${file}` : file);

const scripts = inPackage("workflows/scripts");

/** Checks out the scripts of a branch, for jobs that must not run the code under review. */
export const checkoutScripts = (branch: string): [Step, ...Step[]] =>
    isCompiled ? [checkout({ ref: branch }), ...setUpNode] : [checkout({ ref: branch, "sparse-checkout": scripts })];

/** Repository variable with the Pulumi Cloud team that has read-only access to the stack. */
const reviewTeam = "vars.PULUMI_REVIEW_TEAM";

/**
 * The token that a job requests from Pulumi Cloud (inputs of pulumi/auth-actions). Pulumi Cloud decides by the rules of the organization
 * and the job's GitHub environment (docs/operations.md).
 */
const tokenTypes = {
    write: { "requested-token-type": "urn:pulumi:token-type:access_token:organization" },
    // Not every edition of Pulumi Cloud has team tokens. Without a team, an organization token is requested.
    read: {
        "requested-token-type": `urn:pulumi:token-type:access_token:\${{ ${reviewTeam} && 'team' || 'organization' }}`,
        scope: `\${{ ${reviewTeam} && format('team:{0}', ${reviewTeam}) || '' }}`,
    },
};

/**
 * Installs Pulumi, and logs in if the state is in Pulumi Cloud and Pulumi Cloud trusts this repository by OpenID Connect.
 *
 * @param access how the job uses the stack
 * @param minutes the job's timeout: the token stays valid that long
 */
export const setUpPulumi = (access: keyof typeof tokenTypes, minutes: number): readonly Step[] => [
    { name: "Set up Pulumi", uses: "pulumi/actions", with: { "pulumi-version": tools.pulumi } },
    {
        name: "Log in to Pulumi Cloud",
        id: "pulumi-login",
        if: "vars.PULUMI_ORGANIZATION != ''",
        uses: "pulumi/auth-actions",
        with: {
            organization: variable("PULUMI_ORGANIZATION"),
            ...tokenTypes[access],
            "token-expiration": minutes * 60,
            "export-environment-variables": false,
        },
    },
];

const appCredentials = {
    "client-id": variable(repositoryTokens.appId),
    "private-key": secret(repositoryTokens.appKey),
};

/** Gets a token of the repository's GitHub App, if any, for files, secrets and variables. */
export const getAppToken: Step = {
    name: "Get the token of the GitHub App",
    id: appTokenStep,
    if: "vars.REPOSITORY_APP_CLIENT_ID != ''",
    uses: appTokenAction,
    with: appCredentials,
};

/** Permissions that actions/create-github-app-token takes, but does not declare as inputs: runners hand undeclared inputs over with a warning. */
const undeclared: ReadonlySet<Permission> = new Set(["actions_variables", "codespaces_secrets"]);

/**
 * Returns the step that gets a token of the GitHub App with these permissions alone. GitHub refuses to give some that the App lacks, so it
 * asks for no others than the stack needs.
 */
export function getReadingAppToken(permissions: ReadonlyMap<Permission, Level>): Step {
    const inputs = [...permissions].map(
        ([name, level]) => ({ name, input: `permission-${name.replaceAll("_", "-")}`, level }) as const,
    );
    const declared = inputs
        .filter(({ name }) => !undeclared.has(name))
        .map(({ input, level }) => [input, level] as const);
    const others = inputs
        .filter(({ name }) => undeclared.has(name))
        .map(({ input, level }) => [`INPUT_${input.toUpperCase()}`, level] as const);
    return {
        ...getAppToken,
        with: { ...appCredentials, ...Object.fromEntries(declared) },
        ...(others.length > 0 && { env: Object.fromEntries(others) }),
    };
}

/**
 * Returns a step that runs a command of this package. Values that differ between runs are passed as environment variables.
 *
 * @param args the command and its arguments, for bash
 */
export const command = (
    name: string,
    args: readonly [command: string, ...args: string[]],
    env: Readonly<Record<string, string>>,
): Step => ({ name, run: typedSilently(...args), env });

/** Option that passes the stack from the step's environment to a command. */
export const onStack = '--stack "$PULUMI_STACK"';

/** Returns an expression that is empty unless a condition holds: `${NAME:+--option}` then expands to the option or to nothing. */
const onlyIf = (condition: string): string => `\${{ ${condition} && 'true' || '' }}`;

/**
 * Returns the step that runs `up` on a stack that builds platforms for CI's. It changes nothing on GitHub, so it gets no token that could.
 *
 * @param refresh as of `upSteps`
 * @param rebuild as of `upSteps`
 */
export const platformUpStep = (stack: string, refresh: string, rebuild: string): Step =>
    command("Build, test and push", ["up", onStack, "${REFRESH:+--refresh}", '${REBUILD:+"--rebuild=$REBUILD"}'], {
        ...stateEnvironment,
        ...runsEnvironment,
        PULUMI_STACK: stackName(stack),
        REFRESH: onlyIf(refresh),
        REBUILD: `\${{ ${rebuild} }}`,
    });

/**
 * Returns the steps that run `up`. They run it a second time with a new token if the GitHub App's token, which is valid for an hour, may
 * have expired during a long build, because the promoted digests are written to GitHub at the end. The second run builds nothing again.
 *
 * @param refresh expression that decides whether to refresh from the registry and GitHub first
 * @param rebuild expression with the images to build again without cache, which anybody may have typed; empty for none
 */
export function upSteps(refresh: string, rebuild: string): Step[] {
    const mustRepeat = "steps.up.outputs.again == 'true'";
    const options = [
        "${REFRESH:+--refresh}",
        '${REBUILD:+"--rebuild=$REBUILD"}',
        "${RENEWABLE:+--renewable-token}",
    ] as const;
    const up = ["up", onStack, ...options] as const;
    const values = {
        REFRESH: onlyIf(refresh),
        REBUILD: `\${{ ${rebuild} }}`,
        RENEWABLE: onlyIf(`${tokenOf(appTokenStep)} != ''`),
    };
    const laterEnvironment = {
        ...writingEnvironment,
        ...runsEnvironment,
        GITHUB_TOKEN: `\${{ ${tokenOf(laterAppTokenStep)} }}`,
    };
    return [
        getAppToken,
        {
            id: "up",
            ...command("Build, test and promote", up, { ...writingEnvironment, ...runsEnvironment, ...values }),
        },
        { ...getAppToken, name: "Get another token of the GitHub App", id: laterAppTokenStep, if: mustRepeat },
        { ...command("Finish with that token", up, laterEnvironment), if: mustRepeat },
    ];
}

/**
 * Returns the steps that set up BuildKit and, if necessary, emulation for platforms other than the runner's.
 *
 * @param wanted the platforms that the job builds
 * @param runner the runner's own platform
 */
export function setUpBuilder(wanted: readonly Platform[], runner: Platform = "linux/amd64"): Step[] {
    const foreign = new Set(wanted);
    foreign.delete(runner);
    const emulation = {
        name: "Set up QEMU",
        uses: "docker/setup-qemu-action",
        // Not from the cache of Actions: the image is pinned, and nothing that another run stored gets root on the runner.
        with: { image: "docker.io/tonistiigi/binfmt", platforms: [...foreign].sort().join(), "cache-image": false },
    };
    const builder = {
        name: "Set up BuildKit",
        uses: "docker/setup-buildx-action",
        with: { "driver-opts": "image=docker.io/moby/buildkit", "cache-binary": false },
    };
    return foreign.size > 0 ? [emulation, builder] : [builder];
}

/** Returns a step that runs a script in workflows/scripts. */
export const script = (name: string, file: string, env: Readonly<Record<string, string>>): Step => ({
    name,
    run: `${scripts}/${file}`,
    env,
});

/**
 * Builds all images in the lab. Only for the runner's platform: emulating another one takes hours, and `up` on the branch builds and tests all
 * platforms before it promotes.
 */
export const buildInLab: Step = {
    name: "Build the hierarchy into a registry on the runner",
    run: `${scripts}/lab.sh ${typed("up", "--platforms", "host")}`,
};

const historyStep = "history";

/**
 * Returns a step that restores the updates that the last `up` on the branch recorded. They contain the durations of builds. The step needs
 * the permission `actions: read`.
 */
export const restoreHistory = (branch: string): Step => ({
    id: historyStep,
    ...script("Get the recorded updates", "history.sh", {
        GH_TOKEN: "${{ github.token }}",
        GH_REPO: "${{ github.repository }}",
        BRANCH: branch,
    }),
});

/**
 * Saves the recorded updates for later runs, even if the update failed or was cancelled: with them is what GitHub was not told yet. It does
 * not if the earlier updates could not be restored: later runs read only the newest artifact, which would then lack them.
 */
export const keepHistory: Step = {
    name: "Keep the recorded updates",
    if: `\${{ always() && steps.${historyStep}.outcome == 'success' && steps.${historyStep}.outputs.lost != 'true' }}`,
    uses: "actions/upload-artifact",
    with: {
        name: "updates",
        path: ".updates/*.json",
        "include-hidden-files": true,
        "if-no-files-found": "ignore",
        // If the job is run again, the artifact of its first attempt exists already.
        overwrite: true,
    },
};
