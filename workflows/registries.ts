import type { PreparedImage } from "../lib/hierarchy/prepare";
import { placesOf } from "../lib/hierarchy/publication";
import { registryLogin } from "../lib/github/names";
import { parseReference } from "../lib/registry/references";
import type { WorkflowDefinitions } from "./definition";
import type { Step } from "./document";
import { script } from "./steps";

/** The registry that accepts the workflow's token. The job's permissions for packages decide whether it can read or push images. */
const github = "ghcr.io";

/** A registry that jobs log in to. */
export type RegistryHost = string;

/**
 * Returns the registries that the images are published in, sorted; the workflows' own first.
 *
 * @param pushedTo "host[:port][/prefix]" that CI's stack pushes to instead; undefined if it uses the images' names
 */
export function registriesOf(
    images: readonly Pick<PreparedImage, "publication">[],
    pushedTo: string | undefined,
): readonly RegistryHost[] {
    const named = images.flatMap(({ publication }) => (publication ? placesOf(publication) : []));
    const hosts = pushedTo === undefined ? named.map(({ repository }) => parseReference(repository).registry) : [];
    const replaced = pushedTo === undefined ? [] : [pushedTo.split("/")[0] ?? ""];
    return [...new Set([...hosts, ...replaced])].sort(
        (a, b) => Number(b === github) - Number(a === github) || (a < b ? -1 : 1),
    );
}

/** The login of a job's container. */
type Credentials = Readonly<Record<"username" | "password", string>>;

const variable = (name: string) => `\${{ vars.${name} }}`;
const secret = (name: string) => `\${{ secrets.${name} }}`;

/**
 * Returns the credentials of a job's container in an image of this registry. For other registries than GitHub's they are those of the login
 * steps, if the repository has them and the run gets them; otherwise the image is pulled without a login, since it may be public. The
 * expression gives an object for that reason: GitHub refuses credentials that are there and empty.
 */
export function containerCredentials(registry: RegistryHost): Credentials {
    if (registry === github) return { username: "${{ github.actor }}", password: "${{ github.token }}" };
    const { username, password } = registryLogin(registry);
    const [user, word] = [`vars.${username}`, `secrets.${password}`];
    // Braces are arguments, because two of them end an expression for readers that know no strings.
    const login = `fromJSON(format('{0}"username":{1},"password":{2}{3}', '{', toJSON(${user}), toJSON(${word}), '}'))`;
    // The types of workflows know only written-out credentials, but GitHub accepts an expression wherever one has a context.
    return `\${{ ${user} && ${word} && ${login} || fromJSON('{}') }}` as unknown as Credentials;
}

/** How `up` writes to GitHub's registry: with the workflow's token, or with a login as for other registries. */
export type GitHubLogin = NonNullable<WorkflowDefinitions["ghcr"]>;

function logIn(registry: RegistryHost, isOptional: boolean, isGitHubs: boolean): Step {
    const { username, password } = registryLogin(registry);
    return {
        name: `Log in to ${registry}`,
        ...(isOptional && !isGitHubs && { if: `vars.${username} != ''` }),
        uses: "docker/login-action",
        with: {
            // Without a registry the action logs in to Docker Hub, under the key that Docker's tools look for.
            ...(registry !== "docker.io" && { registry }),
            ...(isGitHubs
                ? { username: "${{ github.actor }}", password: "${{ github.token }}" }
                : { username: variable(username), password: secret(password) }),
        },
    };
}

/**
 * Returns the steps that log in to registries. Jobs that push require a login for each, and fail with the names of missing variables and
 * secrets before they build anything; jobs that only read use those that exist, and the workflow's token for GitHub's registry.
 *
 * @param ghcr how a job that pushes writes to GitHub's registry
 */
export function logIns(
    registries: readonly RegistryHost[],
    access: "push" | "read",
    ghcr: GitHubLogin = "token",
): readonly Step[] {
    const hasToken = (registry: RegistryHost) => registry === github && (access === "read" || ghcr === "token");
    const others = registries.filter((registry) => !hasToken(registry));
    const check = script("Check the logins for registries", "logins.sh", {
        REGISTRIES: others.map((registry) => [registry, ...Object.values(registryLogin(registry))].join("=")).join(" "),
        ...Object.fromEntries(
            others.flatMap((registry) => {
                const { username, password } = registryLogin(registry);
                return [
                    [username, variable(username)],
                    [password, secret(password)],
                ];
            }),
        ),
    });
    return [
        ...(access === "push" && others.length > 0 ? [check] : []),
        ...registries.map((registry) => logIn(registry, access === "read", hasToken(registry))),
    ];
}
