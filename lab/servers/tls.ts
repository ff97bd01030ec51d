import { X509Certificate, createPrivateKey } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { CommandError } from "../../lib/errors";
import { makeFolder, readKept, replaceFile } from "../../lib/system/files";
import { isForeign, valueOf } from "../../lib/system/kept";
import { run } from "../../lib/system/process";

/** Host name of the registry. Not `localhost`, because registry clients use plain HTTP for it. */
export const registryHost = "registry.localhost";

export interface Certificates {
    readonly ca: string;
    readonly certificate: string;
    readonly key: string;
    /** File with the machine's trusted certificate authorities and the lab's. */
    readonly bundle: string;
}

const debianBundle = "/etc/ssl/certs/ca-certificates.crt";

/**
 * Returns the path of the machine's CA bundle: `SSL_CERT_FILE` (or its value outside the lab, in a process that runs in the lab's
 * environment), by default Debian's bundle.
 *
 * @throws CommandError if there is no bundle
 */
export function systemBundle(env: NodeJS.ProcessEnv = process.env): string {
    const named = env.LAYERED_IMAGES_SYSTEM_CA ?? env.SSL_CERT_FILE;
    const file = named && existsSync(named) ? named : debianBundle;
    if (!existsSync(file)) {
        throw new CommandError(
            `no CA bundle at ${file}. Install the Debian package ca-certificates, or set SSL_CERT_FILE.`,
        );
    }
    return file;
}

const month = 30 * 24 * 3600 * 1000;

/**
 * Returns why the certificates in a folder can't be used: one is damaged, does not belong to its key or authority, or ends within a month.
 *
 * @throws the error of the operating system for a file that belongs to another user
 */
function unusable(file: (name: string) => string): string | undefined {
    try {
        const read = (name: string) => readFileSync(file(name));
        const authority = new X509Certificate(read("ca.pem"));
        const certificate = new X509Certificate(read("registry.pem"));
        if (!certificate.verify(authority.publicKey)) return "registry.pem is not signed by ca.pem";
        if (!certificate.checkPrivateKey(createPrivateKey(read("registry.key"))))
            return "registry.key is not the key of registry.pem";
        return Date.parse(certificate.validTo) - Date.now() < month ? "registry.pem ends soon" : undefined;
    } catch (error) {
        if (isForeign(error)) throw error;
        return error instanceof Error ? error.message : String(error);
    }
}

/**
 * Creates the lab's certificate authority and the registry's certificate, unless they exist, are whole and are valid for at least a month.
 * Nothing that the lab keeps depends on them: with new ones the servers are started again.
 */
export async function ensureCertificates(state: string): Promise<Certificates> {
    const folder = path.join(state, "tls");
    const file = (name: string) => path.join(folder, name);
    const reason = existsSync(folder) ? unusable(file) : undefined;
    if (reason !== undefined) {
        console.error(`note: the lab's certificates are made again: ${reason}`);
        rmSync(folder, { recursive: true });
    }
    if (!existsSync(folder)) {
        await makeFolder(folder, async (beside) => {
            const at = (name: string) => path.join(beside, name);
            const days = ["-days", "820"];
            const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
            const authority = [
                "-x509",
                "-subj",
                "/CN=layered-images lab",
                "-addext",
                "keyUsage=critical,keyCertSign,cRLSign",
            ];
            await run("openssl", [
                "req",
                ...newKey,
                ...authority,
                ...days,
                "-keyout",
                at("ca.key"),
                "-out",
                at("ca.pem"),
            ]);
            const names = `subjectAltName=DNS:${registryHost},DNS:localhost,IP:127.0.0.1`;
            writeFileSync(at("extensions"), `${names}\nextendedKeyUsage=serverAuth\n`);
            const subject = ["-subj", `/CN=${registryHost}`];
            await run("openssl", [
                "req",
                ...newKey,
                ...subject,
                "-keyout",
                at("registry.key"),
                "-out",
                at("registry.csr"),
            ]);
            const issuer = [
                "-CA",
                at("ca.pem"),
                "-CAkey",
                at("ca.key"),
                "-CAcreateserial",
                "-extfile",
                at("extensions"),
            ];
            await run("openssl", [
                "x509",
                "-req",
                "-in",
                at("registry.csr"),
                ...issuer,
                ...days,
                "-out",
                at("registry.pem"),
            ]);
        });
    }
    const bundle = `${readFileSync(systemBundle(), "utf8").trimEnd()}\n${readFileSync(file("ca.pem"), "utf8")}`;
    if (valueOf(readKept(file("bundle.pem"), (text) => text)) !== bundle) replaceFile(file("bundle.pem"), bundle);
    return {
        ca: file("ca.pem"),
        certificate: file("registry.pem"),
        key: file("registry.key"),
        bundle: file("bundle.pem"),
    };
}
