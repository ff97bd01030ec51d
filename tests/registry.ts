import { readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import path from "node:path";
import type { Lab } from "../lab/lab";
import { registryHost } from "../lab/servers/tls";

interface Descriptor {
    readonly digest: string;
    readonly size: number;
    readonly platform?: { readonly os: string; readonly architecture: string };
}

/** An OCI index or manifest, as far as tests read it. */
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

/** What the registry holds under a tag or digest; undefined when nothing. */
export async function manifest(lab: Lab, repository: string, reference: string): Promise<Manifest | undefined> {
    const { status, digest, text } = await ask(lab, `/v2/${repository}/manifests/${reference}`);
    if (status === 404) return undefined;
    if (status !== 200)
        throw new Error(`the registry answered ${String(status)} for ${repository}:${reference}: ${text}`);
    return { ...(JSON.parse(text) as Omit<Manifest, "digest">), digest };
}

/** Deletes a manifest, as somebody who tidies up a registry does. */
export async function deleteManifest(lab: Lab, repository: string, digest: string): Promise<void> {
    const { status, text } = await ask(lab, `/v2/${repository}/manifests/${digest}`, "DELETE");
    if (status !== 202) throw new Error(`the registry answered ${String(status)} for ${repository}@${digest}: ${text}`);
}

/** Removes a blob's data, as a disk that fails does. */
export function removeBlob(lab: Lab, digest: string): void {
    const hex = digest.slice(digest.indexOf(":") + 1);
    const blobs = path.join(lab.paths.state, "registry", "data", "docker", "registry", "v2", "blobs", "sha256");
    rmSync(path.join(blobs, hex.slice(0, 2), hex, "data"));
}

/** Tags of a repository; none when it does not exist. */
export async function tags(lab: Lab, repository: string): Promise<string[]> {
    const { status, text } = await ask(lab, `/v2/${repository}/tags/list`);
    if (status === 404) return [];
    return [...((JSON.parse(text) as { tags: string[] | null }).tags ?? [])].sort();
}

/** Repositories of the registry. */
export async function repositories(lab: Lab): Promise<string[]> {
    return (JSON.parse((await ask(lab, "/v2/_catalog")).text) as { repositories: string[] }).repositories;
}
