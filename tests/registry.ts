import { readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import path from "node:path";
import type { Lab } from "../lab/lab";
import { registryHost } from "../lab/servers/tls";

interface Descriptor {
    readonly mediaType: string;
    readonly digest: string;
    readonly size: number;
    readonly platform?: { readonly os: string; readonly architecture: string };
}

/** The fields of an OCI index or manifest that tests read. */
export interface Manifest {
    readonly digest: string;
    readonly mediaType: string;
    readonly manifests?: readonly Descriptor[];
    readonly config?: Descriptor;
    readonly layers?: readonly Descriptor[];
}

const types = ["index", "manifest"].map((one) => `application/vnd.oci.image.${one}.v1+json`).join(", ");

async function ask(lab: Lab, where: string, method = "GET"): Promise<{ status: number; digest: string; text: string }> {
    const ca = readFileSync(path.join(lab.paths.state, "tls", "ca.pem"));
    return await new Promise((resolve, reject) => {
        const options = {
            method,
            host: "127.0.0.1",
            port: lab.instance.port,
            path: where,
            ca,
            servername: registryHost,
        };
        const asked = request({ ...options, headers: { accept: types }, agent: false }, (response) => {
            let text = "";
            response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
            response.on("end", () => {
                const digest = String(response.headers["docker-content-digest"] ?? "");
                resolve({ status: response.statusCode ?? 0, digest, text });
            });
        });
        asked.on("error", reject).end();
    });
}

/** Returns the manifest or index of a tag or digest; undefined if the registry has no such manifest. */
export async function manifest(lab: Lab, repository: string, reference: string): Promise<Manifest | undefined> {
    const { status, digest, text } = await ask(lab, `/v2/${repository}/manifests/${reference}`);
    if (status === 404) return undefined;
    if (status !== 200)
        throw new Error(`the registry answered ${String(status)} for ${repository}:${reference}: ${text}`);
    return { ...(JSON.parse(text) as Omit<Manifest, "digest">), digest };
}

/** Deletes a manifest, as a registry cleanup does. */
export async function deleteManifest(lab: Lab, repository: string, digest: string): Promise<void> {
    const { status, text } = await ask(lab, `/v2/${repository}/manifests/${digest}`, "DELETE");
    if (status !== 202) throw new Error(`the registry answered ${String(status)} for ${repository}@${digest}: ${text}`);
}

/** Removes a blob's data, to simulate a disk failure. */
export function removeBlob(lab: Lab, digest: string): void {
    const hex = digest.slice(digest.indexOf(":") + 1);
    const blobs = path.join(lab.paths.state, "registry", "data", "docker", "registry", "v2", "blobs", "sha256");
    rmSync(path.join(blobs, hex.slice(0, 2), hex, "data"));
}

/** Returns the sorted tags of a repository; empty if the repository does not exist. */
export async function tags(lab: Lab, repository: string): Promise<string[]> {
    const { status, text } = await ask(lab, `/v2/${repository}/tags/list`);
    if (status === 404) return [];
    return [...((JSON.parse(text) as { tags: string[] | null }).tags ?? [])].sort();
}

/** Returns the repositories of the registry. */
export async function repositories(lab: Lab): Promise<string[]> {
    return (JSON.parse((await ask(lab, "/v2/_catalog")).text) as { repositories: string[] }).repositories;
}
