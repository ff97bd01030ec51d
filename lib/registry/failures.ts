import { typed } from "../system/commandLine";

/** A failure of a push or build that the provider reports without a next step. */
interface Failure {
    readonly pattern: RegExp;
    /** Returns the next step for a registry ("ghcr.io", "registry.localhost:5443"). */
    readonly next: (registry: string) => string;
    /** Whether a registry that answers a query this way will also refuse a push, so that a build would be in vain. */
    readonly final: boolean;
    /** Whether the same request may succeed a moment later. */
    readonly passing?: true;
}

/**
 * Returns how to get a registry with TLS in place of one without.
 *
 * @param registry its host, with the port
 */
export function withTls(registry: string): string {
    const port = /:(\d+)$/.exec(registry)?.[1] ?? "5000";
    return (
        `use the lab's registry, which has TLS and needs no setting \`registry\`: ${typed("up")}\n` +
        "  or start yours with a certificate, under a name that is not a loopback address:\n" +
        "    openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=registry.localhost " +
        "-addext subjectAltName=DNS:registry.localhost -keyout key.pem -out cert.pem\n" +
        `    docker run -d -p ${port}:5000 -v "$PWD:/tls" -e REGISTRY_HTTP_TLS_CERTIFICATE=/tls/cert.pem ` +
        "-e REGISTRY_HTTP_TLS_KEY=/tls/key.pem registry:2\n" +
        `  and then: pulumi config set registry registry.localhost:${port} (what must trust cert.pem: docs/operations.md, "A registry ` +
        'of your own")'
    );
}

// BuildKit says of a refused push the code of the registry's answer alone, in words: ": unauthorized" (Distribution Specification, "Error Codes").
const failures: readonly Failure[] = [
    {
        pattern: /server gave HTTP response to HTTPS client/,
        next: (registry) => `${registry} has no TLS, which pushing and promoting an image need: ${withTls(registry)}`,
        final: true,
    },
    {
        // The words of Go's crypto/x509. Before the other certificates: trust would not help.
        pattern: /certificate has expired or is not yet valid/,
        next: (registry) =>
            `renew the certificate of ${registry}; if it is valid today, set the clock of the machine that said so, this one or the builder's`,
        final: true,
    },
    {
        pattern: /x509: |tls: (failed to verify|handshake|unknown)/,
        next: (registry) =>
            `make this machine and the builder trust the certificate of ${registry}: add its CA to the bundle in SSL_CERT_FILE ` +
            'for pulumi, and to `ca` below `[registry."…"]` in buildkitd.toml for the builder',
        final: true,
    },
    {
        pattern: /no space left on device|507 Insufficient Storage/i,
        next: (registry) => `free disk space in ${registry}, or give it a larger disk, then run the same command again`,
        final: false,
    },
    {
        pattern: /401 Unauthorized|: unauthorized\b|no basic auth credentials|\[http 401\]/,
        next: (registry) => `docker login ${registry}`,
        final: true,
    },
    {
        // Registries answer this for a missing repository too, so only a push can tell.
        pattern: /403 Forbidden|denied|\[http 403\]/,
        next: (registry) =>
            `docker login ${registry} as a user with permission to push (on ghcr.io: write:packages, and write access to the package)`,
        final: false,
    },
    {
        pattern:
            /dial tcp.*(connection refused|no such host|i\/o timeout|network is unreachable)|no answer in \d+ seconds/,
        next: (registry) =>
            `check that ${registry} runs and can be reached; another registry: pulumi config set registry <host>`,
        final: true,
    },
    {
        pattern: /405 Method Not Allowed|: unsupported\b|\[http 405\]/,
        next: (registry) =>
            `${registry} accepts no pushes here: it is read-only, or a cache of another registry; end that, or choose another ` +
            "registry: pulumi config set registry <host>",
        final: false,
    },
    {
        pattern: /429 Too Many Requests|toomanyrequests|\[http 429\]/i,
        next: (registry) =>
            `${registry} limits how often it is asked: wait until the limit is over, or log in as a user with a higher one ` +
            `(docker login ${registry}), then run the same command again`,
        final: false,
        passing: true,
    },
    {
        // The words of containerd and of regclient, which reads a tag after it was moved. Those that a registry, or a proxy before it, answers while it is restarted or overloaded, or while another push writes the
        // same manifest; not 501 and 505, which stay.
        pattern: /\b5(00|02|03|04|2\d) [A-Z]|failed to push \S+: unknown\b|\[http 5(00|02|03|04|2\d)\]/,
        next: (registry) =>
            `${registry} failed: the reason is in its log (or on its provider's status page); when it is well again, run the same command again`,
        final: false,
        passing: true,
    },
    {
        pattern: /connection reset by peer|broken pipe|unexpected EOF|: EOF\b|TLS handshake timeout|server sent GOAWAY/,
        next: (registry) =>
            `the connection to ${registry} broke: check it and the network (proxy, firewall) between, then run the same command again`,
        final: false,
        passing: true,
    },
];

/** The words for a registry that is asked for a blob while another push writes it (docs/decisions.md, "A push that met another one …"). */
const conflict = /blob unknown to registry|provided digest did not match uploaded content/;

/** Returns the first row of the table whose words a report contains. */
const failureIn = (text: string): Failure | undefined => failures.find(({ pattern }) => pattern.test(text));

const builder = {
    // An engine that ended, or that nobody reaches, is gRPC's code Unavailable, whatever words follow: as the status itself, or as BuildKit prints it. "503 Service Unavailable: …" is an answer of a server.
    pattern:
        /failed to initialize builder|failed to connect to the docker API|no builder .* found|failed to find driver|failed to list workers|rpc error: code = Unavailable desc = |(?<!Service )\bUnavailable: /,
    next: () =>
        `if the lab's builder ended: ${typed("lab", "start")}; otherwise start the builder that "docker buildx ls" marks with *, or create ` +
        "one: docker buildx create --driver docker-container --bootstrap --use; if the stack sets `builder`: start the engine of the node " +
        "that ended. Then run the same command again",
} as const;

const program = {
    // buildx that was killed; a provider that ended is told by the engine alone, in these words.
    pattern:
        /signal: (killed|terminated)|^(rpc error: code = (Unavailable|Canceled)|error reading from server: |connection error: desc = )/m,
    next:
        "a program of this update (buildx, or a provider of pulumi) was ended from outside, perhaps because the machine ran out of memory " +
        "(dmesg tells): run the same command again, with fewer builds at a time if it happens again: --parallel 2",
} as const;

const contexts = {
    text: "unsupported frontend capability moby.buildkit.frontend.contexts",
    next:
        "the frontend of this Dockerfile (# syntax=) does not support named build contexts, which pass the digests of parents and " +
        "pinned roots: use a release that does (its label moby.buildkit.frontend.caps lists them), or remove the line if " +
        "BuildKit's own frontend is sufficient",
} as const;

const disk = {
    // The words of Go, and of programs in a step (strerror(3)).
    pattern: /no space left on device/i,
    next: "free disk space in the builder's store (docker buildx prune), or use a larger disk",
} as const;

const emulation = {
    // The words of the kernel (strerror(3)) for a program of another architecture.
    pattern: /exec format error/i,
    next:
        "the builder's machine can't run programs of this platform (any more): enable its emulation (docker run --privileged --rm " +
        `tonistiigi/binfmt --install all; the lab's: ${typed("lab", "start")}), then run the same command again`,
} as const;

/**
 * Decides whether the result of a query means that a registry will refuse a push as well.
 *
 * @param reason why the query failed
 * @returns the next step; undefined if only a push can tell
 */
export function refusesPushes(reason: string, registry: string): string | undefined {
    return failures.find(({ final, pattern }) => final && pattern.test(reason))?.next(registry);
}

/**
 * Returns the next step after a failed step of a build. The provider reports only its exit code; its output is in
 * BuildKit's log.
 *
 * @returns undefined if the output speaks for itself
 */
export const nextAfterStep = (printed: readonly string[]): string | undefined =>
    [disk, emulation].find(({ pattern }) => printed.some((line) => pattern.test(line)))?.next;

/**
 * Checks whether a push failed for a transient reason: a registry that is asked for a layer while another push writes
 * that layer (docs/decisions.md, "A push that met another one is done again").
 */
export const isTransient = (errors: readonly string[]): boolean =>
    errors.some((error) => error.includes("failed to push") && conflict.test(error));

/**
 * Checks whether tags could not be moved for a reason that may be over in a moment. Moving them again changes nothing that was done.
 *
 * @param errors the provider's report
 */
export function isPassing(errors: readonly string[]): boolean {
    const text = errors.join("\n");
    return !program.pattern.test(text) && (failureIn(text)?.passing ?? conflict.test(text));
}

/**
 * Returns the next step after the failed build of an image.
 *
 * @param errors the provider's report
 * @param registry the registry of the image
 * @returns undefined if the report concerns the image itself and is sufficient
 */
export function nextAfter(errors: readonly string[], registry: string | undefined): string | undefined {
    const text = errors.join("\n");
    if (program.pattern.test(text)) return program.next;
    // What a registry answers may name a full disk or a lost connection of its own: not the builder's.
    const isAnswer = text.includes("failed to push") && /unexpected status|507 /.test(text);
    if (registry !== undefined && isAnswer) return failureIn(text)?.next(registry);
    if (builder.pattern.test(text)) return builder.next();
    if (disk.pattern.test(text)) return disk.next;
    if (text.includes(contexts.text)) return contexts.next;
    // A step of the image may fail with the same words because of an unrelated server.
    if (registry === undefined || !/failed to (push|authorize|fetch oauth token)/.test(text)) return undefined;
    return failureIn(text)?.next(registry);
}

/**
 * Returns the next step after an image could not be copied to a repository, or one of its tags not be moved.
 *
 * @param errors the provider's report
 * @param registry the registry of the repository
 * @returns undefined if the report is sufficient
 */
export const nextAfterTagging = (errors: readonly string[], registry: string): string | undefined =>
    program.pattern.test(errors.join("\n")) ? program.next : failureIn(errors.join("\n"))?.next(registry);
