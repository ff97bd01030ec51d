import { createHash } from "node:crypto";
import { createWriteStream, existsSync, mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { type Dispatcher, type Response, fetch } from "undici";
import { z } from "zod";
import { CommandError } from "../../lib/errors";
import { type Limits as ConnectionLimits, connections } from "../../lib/system/connections";
import { isInterrupted, onInterrupt } from "../../lib/system/process";
import { elapsed, say } from "../../lib/system/progress";

/** A ready-made tool, as its publisher releases it. */
export interface Release {
    /** Address of an archive (`.tar.gz`), or of the program itself. */
    readonly url: string;
    /** Address of the publisher's checksums of the same release: see `parseChecksums`. */
    readonly checksums: string;
    /** Paths of the programs in the archive, each in one folder. The whole archive is unpacked if absent. */
    readonly members?: readonly string[];
}

/**
 * Environment variable that says where releases are taken from: "none" for nowhere, so that everything is built from source, or the address
 * of a server that has them as `<address>/<host>/<path>`, as the tests do. By default, the publishers' own servers.
 */
export const releasesVariable = "LAYERED_IMAGES_RELEASES";

/** Whether anything ready-made may be taken from the network. */
export const takesReleases = (env: NodeJS.ProcessEnv = process.env): boolean => env[releasesVariable] !== "none";

/** Time limits in milliseconds. A machine without access to a host must not wait for it, and a slow download is no gain. */
export interface Limits extends ConnectionLimits {
    /** For a whole file. */
    readonly total: number;
}

const defaultLimits: Limits = { connect: 3000, silence: 10_000, total: 180_000 };

/** Hash algorithms of checksums, by their length in hexadecimal digits. */
const algorithms: Readonly<Record<number, string>> = { 40: "sha1", 64: "sha256", 128: "sha512" };

/** An in-toto statement, which names files with their hashes: BuildKit publishes one as provenance instead of checksums. */
const statement = z.object({
    subject: z.array(z.object({ name: z.string(), digest: z.object({ sha256: z.string() }) })),
});

/**
 * Finds a file's checksum: in lines of `sha256sum` or `shasum` ("<hex>  <name>", "<hex> *<name>"), or in an in-toto statement (JSON).
 *
 * @param file name of the file, without folders
 * @returns undefined if the text does not name the file, or names it with something that is no hash
 */
export function parseChecksums(text: string, file: string): string | undefined {
    const hexOf = (): string | undefined => {
        if (text.trimStart().startsWith("{")) {
            const { subject } = statement.parse(JSON.parse(text));
            return subject.find(({ name }) => path.basename(name) === file)?.digest.sha256;
        }
        const lines = text.split("\n").map((line) => /^([0-9a-f]+) [ *](.+)$/i.exec(line.trim()));
        return lines.find((line) => path.basename(line?.[2] ?? "") === file)?.[1];
    };
    const hex = hexOf()?.toLowerCase();
    return hex !== undefined && algorithms[hex.length] !== undefined ? hex : undefined;
}

/** Why a release can't be taken. `severe`: the publisher offers something that is not what its checksums say. */
class ReleaseError extends Error {
    constructor(
        message: string,
        readonly severe = false,
    ) {
        super(message);
    }
}

/** A host that can't be reached. */
class UnreachableError extends ReleaseError {}

/** Returns the innermost reason of an error of `fetch`, which hides it below "fetch failed". */
function reasonOf(error: unknown): string {
    if (!(error instanceof Error)) return String(error);
    return error.cause === undefined ? error.message || error.name : reasonOf(error.cause);
}

/** Returns the address to ask for what is at `url`. */
const addressOf = (url: string, { [releasesVariable]: server }: NodeJS.ProcessEnv): string =>
    server === undefined || server === "none" ? url : `${server}/${url.replace("https://", "")}`;

/** Whether a server on the network answers, whatever it says, within a few seconds. */
export async function answers(url: string, env: NodeJS.ProcessEnv = process.env): Promise<boolean> {
    const dispatcher = await connections(env, { ...defaultLimits, silence: defaultLimits.connect });
    try {
        const response = await fetch(addressOf(url, env), { method: "HEAD", dispatcher });
        await response.body?.cancel();
        return true;
    } catch {
        return false;
    } finally {
        await dispatcher.close();
    }
}

/** Downloads of one run. */
export interface Releases {
    /**
     * Downloads a release and compares it with its publisher's checksums. On failure it says why, once, and what is done instead.
     *
     * @param instead what is done without it, for messages: "buildx is built from source"
     * @returns the file, which exists until `close`; undefined if the release can't be had
     */
    readonly take: (release: Release, instead: string) => Promise<string | undefined>;
    /** Removes the downloaded files. */
    readonly close: () => Promise<void>;
}

/**
 * Opens the releases for one run. A host that can't be reached is asked once, and a file that several tools need is downloaded once.
 *
 * @param folder for the downloaded files; removed by `close`
 * @param env the environment, with the proxies
 */
export function openReleases(
    folder: string,
    { env = process.env, limits = defaultLimits }: { readonly env?: NodeJS.ProcessEnv; readonly limits?: Limits } = {},
): Releases {
    const unreachable = new Map<string, string>();
    const files = new Map<string, Promise<string>>();
    let agent: Promise<Dispatcher> | undefined;
    const dispatcher = () => (agent ??= connections(env, limits));

    async function open(address: string, signal: AbortSignal): Promise<Response> {
        const { host } = new URL(address);
        const known = unreachable.get(host);
        if (known !== undefined) throw new UnreachableError(known);
        const url = addressOf(address, env);
        const response = await fetch(url, { dispatcher: await dispatcher(), signal }).catch((error: unknown) => {
            const reason = `${host} can't be reached (${reasonOf(error)})`;
            unreachable.set(host, reason);
            throw new UnreachableError(reason);
        });
        const isDowngraded = url.startsWith("https:") && !response.url.startsWith("https:");
        if (response.ok && !isDowngraded) return response;
        await response.body?.cancel();
        const answer = isDowngraded ? `was redirected to ${response.url}, without TLS` : `answered ${response.status}`;
        throw new ReleaseError(`${address} ${answer}`);
    }

    async function download({ url, checksums }: Release): Promise<string> {
        // Not `AbortSignal.any` with a timeout: Node.js 20 collects the timeout as garbage, and then it never comes.
        const ending = new AbortController();
        const end = () => {
            ending.abort();
        };
        onInterrupt.addEventListener("abort", end, { once: true });
        const { signal } = ending;
        const timer = setTimeout(end, limits.total);
        const name = path.basename(new URL(url).pathname);
        const file = path.join(folder, name);
        try {
            const expected = parseChecksums(await (await open(checksums, signal)).text(), name);
            if (expected === undefined) throw new ReleaseError(`${checksums} has no checksum of ${name}`, true);
            const { body } = await open(url, signal);
            const hash = createHash(algorithms[expected.length] ?? "");
            mkdirSync(folder, { recursive: true });
            await pipeline(async function* () {
                for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
                    hash.update(chunk);
                    yield chunk;
                }
            }, createWriteStream(file));
            const found = hash.digest("hex");
            if (found === expected) return file;
            throw new ReleaseError(`${url} is not what its publisher's checksums say: ${found}, not ${expected}`, true);
        } catch (error) {
            rmSync(file, { force: true });
            if (isInterrupted()) throw new CommandError("interrupted");
            if (error instanceof ReleaseError) throw error;
            const reason = signal.aborted ? `after ${elapsed(limits.total)}` : reasonOf(error);
            throw new ReleaseError(`${url} broke off (${reason})`);
        } finally {
            clearTimeout(timer);
            onInterrupt.removeEventListener("abort", end);
        }
    }

    const said = new Set<string>();
    return {
        take: async (release, instead) => {
            if (!takesReleases(env)) return undefined;
            const file = files.get(release.url) ?? download(release);
            files.set(release.url, file);
            try {
                return await file;
            } catch (error) {
                if (!(error instanceof ReleaseError)) throw error;
                const { message, severe } = error;
                const text =
                    error instanceof UnreachableError
                        ? `${message}: what it has is built from source`
                        : `${message}: ${instead}`;
                if (!said.has(text)) say(`${severe ? "warning" : "note"}: ${text}`);
                said.add(text);
                return undefined;
            }
        },
        close: async () => {
            await (await agent)?.close();
            if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
        },
    };
}
