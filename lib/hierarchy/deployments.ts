import { z } from "zod";
import { InputError } from "../errors";
import { quote } from "../system/shell";
import type { PreparedImage } from "./prepare";

/** Names become names of resources, and of files on the host. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

const healthSchema = z.strictObject({
    command: z.string().min(1),
    attempts: z.int().min(1).default(10),
    interval: z.int().min(0).default(3),
});

/** Messages never quote a value: one of them is a private key. */
const deploymentSchema = z.strictObject({
    /** Key of the image in images.ts. */
    image: z.string().min(1),
    /** Name or address of the machine. */
    host: z.string().regex(/^[A-Za-z0-9:][A-Za-z0-9.:_%-]*$/, "not the name or address of a machine"),
    port: z.int().min(1).max(65535).default(22),
    user: z.string().regex(/^[^\s@:/]+$/, "not the name of a user"),
    /** The private key that `user` logs in with, set with --secret. */
    key: z
        .string()
        .regex(
            /^\s*-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+-----END [A-Z ]*PRIVATE KEY-----\s*$/,
            "not a private key: the whole file is needed, with its first and last line",
        ),
    /** The machine's public key: one of its /etc/ssh/ssh_host_*_key.pub. */
    hostKey: z
        .string()
        .regex(
            /^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp\d+|sk-[\w@.-]+) [A-Za-z0-9+/]{40,}=*( .*)?$/,
            'not a public key such as "ssh-ed25519 AAAA…": the content of the machine\'s /etc/ssh/ssh_host_ed25519_key.pub',
        ),
    /** What a shell on the host runs to start a release. */
    command: z.string().min(1),
    /** What a shell on the host runs to find out whether the release works: a command, or an object with how often and how far apart. */
    health: z
        .union([
            z
                .string()
                .min(1)
                .transform((command) => healthSchema.parse({ command })),
            healthSchema,
        ])
        .optional(),
    /** Seconds that each of these commands may take. */
    timeout: z.int().min(1).max(86_400).default(600),
});

/** `layered-images:deployments`, by name. */
export const deploymentsSchema = z.record(z.string(), deploymentSchema).superRefine((deployments, context) => {
    for (const name of Object.keys(deployments).filter((text) => !namePattern.test(text))) {
        const message = "not a name of up to 63 letters, digits, dots, dashes and underscores";
        context.addIssue({ code: "custom", path: [name], message, params: { remove: true } });
    }
});

/** The keys of a deployment's settings, for messages. */
export const deploymentKeys: readonly string[] = Object.keys(deploymentSchema.shape);

/** How the success of a deployment is decided. */
export interface Health {
    /** Exit code 0 means that the release works. */
    readonly command: string;
    /** How often it may fail. */
    readonly attempts: number;
    /** Seconds between two attempts. */
    readonly interval: number;
}

/** A machine that runs the releases of an image, without the key that opens it. */
export interface Deployment {
    /** Key of the image. */
    readonly image: string;
    /** Name or address of the machine. */
    readonly host: string;
    /** Port of its SSH server. */
    readonly port: number;
    /** The user that logs in there and runs the commands. */
    readonly user: string;
    /** Public key of the host: a host with another one is refused. */
    readonly hostKey: string;
    /** Starts a release. */
    readonly command: string;
    /** Absent if the command alone decides. */
    readonly health?: Health;
    /** Seconds that each command may take. */
    readonly timeout: number;
}

/**
 * Refuses deployments of images that the stack does not publish.
 *
 * @throws InputError with the deployment, its image and the images that can be deployed
 */
export function checkDeployments(
    deployments: Readonly<Record<string, Pick<Deployment, "image">>>,
    images: readonly Pick<PreparedImage, "key" | "repository">[],
): void {
    const published = images.filter(({ repository }) => repository !== undefined).map(({ key }) => key);
    const wrong = Object.entries(deployments).find(([, { image }]) => !published.includes(image));
    if (!wrong) return;
    const [name, { image }] = wrong;
    const isKnown = images.some(({ key }) => key === image);
    throw new InputError({
        problem: `deployment ${name} is of image ${image}, which the stack ${isKnown ? "does not push" : "does not build"}`,
        where: "the stack's setting `deployments`",
        allowed: published,
        next: `pulumi config set --path ${quote(`deployments.${name}.image`)} <key of an image>`,
    });
}

/** What the shell on the host needs to know. */
export interface DeploymentRun extends Pick<Deployment, "image" | "command" | "health" | "timeout"> {
    readonly name: string;
    /** Where the host remembers the release that it runs: unique among all stacks that deploy to it. */
    readonly place: string;
    /** `<repository>@<digest>` of the release. */
    readonly ref: string;
    /** The release's own tag: "r-<12 hex>". */
    readonly tag: string;
}

/** How a deployment's last line begins, whether it succeeded or failed: summaries look for it. */
export const deploymentLine = (name: string): string => `deployment ${name}: `;

/** Seconds that a command which took too long gets to end by itself, before it is killed. */
const grace = (timeout: number): number => Math.min(timeout, 10);

/**
 * Seconds that one run of the script takes at most, after it has begun: the command and each health check, for the release and for its
 * predecessor.
 */
export function longestRun({ timeout, health }: Pick<Deployment, "timeout" | "health">): number {
    const { attempts, interval } = health ?? { attempts: 0, interval: 0 };
    const one = timeout + grace(timeout);
    return 2 * (one + attempts * (one + interval));
}

/**
 * Returns the script that a POSIX shell on the host reads from its standard input: it starts the release, waits until it is healthy, and
 * otherwise starts the release that ran before.
 *
 * - The values are in its text, because sshd refuses variables that its configuration does not name.
 * - The host knows best what it runs, so the former release stands in a file there, written after each success: a state that was lost or
 *   restored from a copy can't lead to a wrong one, and no plan differs by it.
 * - The shell has to read all of it before it runs a command, hence the braces; commands get an empty standard input instead of its rest.
 * - The work is done by a process of its own that writes into files, and the shell shows these: a connection that breaks off halfway ends
 *   the show and not the work, which would leave the host without any release; and a command may leave a process behind, for whose end a
 *   connection would wait. As such work may still go on when the next deployment begins, that one waits for its end.
 */
export function deploymentScript({ name, place, image, ref, tag, command, health, timeout }: DeploymentRun): string {
    return `{
name=${quote(name)} limit=${timeout} grace=${grace(timeout)} patience=${longestRun({ timeout, ...(health && { health }) })}
command=${quote(command)}
health=${quote(health?.command ?? "")} attempts=${health?.attempts ?? 1} interval=${health?.interval ?? 0}
new_ref=${quote(ref)} new_tag=${quote(tag)}
export RELEASE_IMAGE=${quote(image)}
export RELEASE_REF RELEASE_TAG
record=\${XDG_STATE_HOME:-$HOME/.local/state}/layered-images/${quote(place)}

say() { echo "${deploymentLine("$name")}$1" >&2; }
if timeout -k "$grace" "$limit" true 2> /dev/null; then
    execute() { timeout -k "$grace" "$limit" sh -c "$1" < /dev/null 2>&1 9>&-; }
elif command -v timeout > /dev/null; then
    execute() { timeout "$limit" sh -c "$1" < /dev/null 2>&1 9>&-; }
else
    execute() { sh -c "$1" < /dev/null 2>&1 9>&-; }
fi
ended() {
    case $1 in
        124) echo "took longer than $limit s" ;;
        137) echo "was killed (exit code 137), because it took longer than $limit s and did not end by itself, or because memory ran out" ;;
        *) echo "ended with exit code $1" ;;
    esac
}
start() {
    RELEASE_REF=$1 RELEASE_TAG=$2
    execute "$command" || { why="its command $(ended $?)"; return 1; }
    [ -n "$health" ] || return 0
    tries=1
    until execute "$health" > "$log.check"; do
        why="its health command $(ended $?), $tries times"
        [ "$tries" -lt "$attempts" ] || { cat "$log.check"; return 1; }
        tries=$((tries + 1))
        sleep "$interval"
    done
}
wait_for_others() {
    command -v flock > /dev/null || return 0
    waited=0
    until flock -n 9; do
        [ "$waited" -gt 0 ] || echo "waiting for an earlier deployment that has not ended on this host"
        [ "$waited" -lt "$patience" ] || return 1
        waited=$((waited + 1))
        sleep 1
    done
}
deploy() {
    wait_for_others || { say "an earlier deployment has not ended on this host after $patience s: nothing was started"; return 1; }
    former_ref= former_tag=
    if [ -r "$record" ]; then { read -r former_ref; read -r former_tag; } < "$record"; fi
    if start "$new_ref" "$new_tag"; then
        printf '%s\\n%s\\n' "$new_ref" "$new_tag" > "$record.new" && mv "$record.new" "$record" ||
            say "warning: $record can't be written, so a failure would not find the way back to this release"
        say "$new_ref runs"
        return 0
    fi
    failed="$new_ref failed: $why."
    if [ -z "$former_ref" ]; then
        say "$failed No release was deployed here before, so there is none to go back to"
    elif [ "$former_ref" = "$new_ref" ]; then
        say "$failed The same release was deployed before, so there is no other one to go back to"
    else
        echo "$failed Starting the former release again: $former_ref"
        if start "$former_ref" "$former_tag"; then
            say "$failed The former release was started again and runs: $former_ref"
        else
            say "$failed The former release does not run either: $former_ref: $why"
        fi
    fi
    return 1
}

log=$record.$$
if ! (mkdir -p "\${record%/*}" && : > "$log" && : > "$log.said" && : >> "$record.lock"); then
    say "nothing was started, because $log can't be written: the host remembers there which release it runs"
    exit 1
fi
exec 3< "$log" 4< "$log.said" 9>> "$record.lock"
(
    exec 3<&- 4<&-
    deploy
    code=$?
    rm -f "$log" "$log.said" "$log.check"
    exit "$code"
) < /dev/null > "$log" 2> "$log.said" &
work=$!
exec 9>&-
while cat <&3; do sleep 1 > /dev/null 2>&1; done &
show=$!
wait "$work"
code=$?
kill "$show" 2> /dev/null
wait "$show" 2> /dev/null
cat <&3
cat <&4 >&2
exit "$code"
}
`;
}
