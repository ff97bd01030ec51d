/** What clients got from a registry and gave it, in bytes. */
export interface Traffic {
    readonly pulled: number;
    readonly pushed: number;
}

/** A request in the combined log format: method, path, status and the bytes of the answer. */
const request = /"(GET|PUT) (\S+) HTTP\/[\d.]+" (\d{3}) (\d+)/;
const uploaded = /\/blobs\/uploads\/\S*[?&]digest=(sha256(?::|%3A)[0-9a-f]{64})/i;

/**
 * Counts the bytes in a registry's access log. Pulled are the bodies of its answers to GET. The log does not tell the bytes of a request,
 * so pushed are the sizes of the blobs whose upload was completed; a manifest (2 kB) is not counted.
 *
 * @param sizeOf returns the size of a blob by its digest, in bytes
 */
export function trafficIn(log: string, sizeOf: (digest: string) => number): Traffic {
    let [pulled, pushed] = [0, 0];
    for (const line of log.split("\n")) {
        const [, method, path = "", code, bytes] = request.exec(line) ?? [];
        if (method === "GET" && code?.startsWith("2")) pulled += Number(bytes);
        const digest = method === "PUT" && code === "201" ? uploaded.exec(path)?.[1] : undefined;
        if (digest !== undefined) pushed += sizeOf(digest.replace(/%3A/i, ":"));
    }
    return { pulled, pushed };
}
