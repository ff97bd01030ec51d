/** A way in which pushing or building fails that the provider reports without saying what to do. */
interface Failure {
    readonly pattern: RegExp;
    /** What to do, for a registry ("ghcr.io", "registry.localhost:5443"). */
    readonly next: (registry: string) => string;
    /** Whether a registry that answers a question this way will refuse a push too: then nothing needs to be built. */
    readonly final: boolean;
}

const failures: readonly Failure[] = [
    {
        pattern: /x509: |tls: (failed to verify|handshake|unknown)/,
        next: (registry) =>
            `let this machine and the builder trust the certificate of ${registry}: SSL_CERT_FILE names a bundle with its CA ` +
            'for pulumi, and `ca` below `[registry."…"]` in buildkitd.toml does for the builder',
        final: true,
    },
    {
        pattern: /401 Unauthorized|no basic auth credentials/,
        next: (registry) => `docker login ${registry}`,
        final: true,
    },
    {
        // Registries answer this for a repository that is not there yet, too: only a push tells.
        pattern: /403 Forbidden|denied/,
        next: (registry) =>
            `docker login ${registry} as somebody who may push there (on ghcr.io: write:packages, and write access to the package)`,
        final: false,
    },
    {
        pattern:
            /dial tcp.*(connection refused|no such host|i\/o timeout|network is unreachable)|no answer in \d+ seconds/,
        next: (registry) =>
            `see that ${registry} runs and can be reached; another registry: pulumi config set registry <host>`,
        final: true,
    },
];

const builder = {
    pattern:
        /failed to initialize builder|failed to connect to the docker API|no builder .* found|failed to find driver/,
    next:
        "start the builder that `docker buildx ls` marks with *, or make one: " +
        "docker buildx create --driver docker-container --bootstrap --use",
} as const;

const contexts = {
    text: "unsupported frontend capability moby.buildkit.frontend.contexts",
    next:
        "what reads this Dockerfile (# syntax=) can't be given the digests of parents and pinned roots, which come as named build " +
        "contexts: take a release of it that can (its label moby.buildkit.frontend.caps says so), or leave the line away where " +
        "BuildKit's own frontend does",
} as const;

const disk = {
    // Go's words and those of a step's own programs (strerror(3)).
    pattern: /no space left on device/i,
    next: "make room where the builder keeps its store (docker buildx prune), or give it a larger disk",
} as const;

/**
 * Whether a registry's answer to a question means that it will refuse a push as well.
 *
 * @param reason why the registry could not be asked
 * @returns what to do about it; undefined when only a push can tell
 */
export function refusesPushes(reason: string, registry: string): string | undefined {
    return failures.find(({ final, pattern }) => final && pattern.test(reason))?.next(registry);
}

/**
 * What to do about a step of a build that failed. The provider tells its exit code only: what it printed BuildKit has.
 *
 * @returns undefined where the step says what it says
 */
export const nextAfterStep = (printed: readonly string[]): string | undefined =>
    printed.some((line) => disk.pattern.test(line)) ? disk.next : undefined;

/**
 * Whether a push failed for what the next one finds otherwise: a registry that is asked for a layer in the moment in which
 * another push of it is written (docs/decisions.md, "A push that met another one is done again").
 */
export const isPassing = (errors: readonly string[]): boolean =>
    errors.some(
        (error) =>
            error.includes("failed to push") &&
            /blob unknown to registry|provided digest did not match uploaded content/.test(error),
    );

/**
 * What to do about the failed build of an image.
 *
 * @param errors what the provider reported
 * @param registry where the image is pushed
 * @returns undefined where the report is about the image itself, and says what it says
 */
export function nextAfter(errors: readonly string[], registry: string | undefined): string | undefined {
    const text = errors.join("\n");
    if (builder.pattern.test(text)) return builder.next;
    if (disk.pattern.test(text)) return disk.next;
    if (text.includes(contexts.text)) return contexts.next;
    // A step of the image may fail by the same words, about somebody else's server.
    if (registry === undefined || !/failed to (push|authorize|fetch oauth token)/.test(text)) return undefined;
    return failures.find(({ pattern }) => pattern.test(text))?.next(registry);
}
