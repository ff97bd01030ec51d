import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type Platform, archOf, hostPlatform } from "../../lib/platform";
import { makeFolder } from "../../lib/system/files";
import { withLock } from "../../lib/system/lock";
import { run } from "../../lib/system/process";
import { announce, progress } from "../../lib/system/progress";
import { systemBundle } from "../servers/tls";
import { durationsFile, requireGo } from "../toolchain/build";
import { pythonVersion, unpackPython } from "./python";

/** Increase this if `makeRootfs` changes its result for the same settings. Labs then create a new root and rebuild all images. */
const recipeVersion = 1;

/** The external image that the stand-in replaces, as Dockerfiles write it. */
export const standInRoot = "python:3.12-slim";

const suite = "bookworm";

/** Debian packages that CPython's extension modules need, or that python:3.12-slim has in addition to a minimal Debian. */
const packages = ["ca-certificates", "netbase", "tzdata"];

/** Paths that are removed: documentation, caches and logs. */
const removedPaths = [
    "var/cache/apt/archives",
    "var/cache/apt/pkgcache.bin",
    "var/cache/apt/srcpkgcache.bin",
    "var/cache/debconf",
    "var/cache/ldconfig",
    "var/lib/apt/lists",
    "var/log",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
];

const dockerfile = `# Made by the lab: NOT the official image, which a machine without access to Docker Hub can't pull.
FROM scratch
ARG TARGETARCH
ADD rootfs-\${TARGETARCH}.tar /
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 PYTHON_VERSION=${pythonVersion}
LABEL org.opencontainers.image.title="stand-in for ${standInRoot}" \\
      org.opencontainers.image.description="Debian ${suite} by debootstrap with CPython ${pythonVersion}"
CMD ["python3"]
`;

async function makeRootfs(folder: string, arch: string, log: string): Promise<void> {
    const rootfs = path.join(folder, `rootfs-${arch}`);
    const at = (name: string) => path.join(rootfs, name);
    try {
        const bootstrap = ["--variant=minbase", `--arch=${arch}`, `--include=${packages.join(",")}`, suite, rootfs];
        // In separate namespaces, so that its mounts and processes always end with it.
        await run("unshare", ["--mount", "--pid", "--kill-child=TERM", "debootstrap", ...bootstrap], { log });
        for (const name of removedPaths) {
            rmSync(at(name), { recursive: true, force: true });
        }
        for (const name of [
            "var/log/apt",
            "var/cache/apt/archives/partial",
            "var/lib/apt/lists/partial",
            "var/cache/debconf",
        ]) {
            mkdirSync(at(name), { recursive: true });
        }
        rmSync(at("usr/local"), { recursive: true });
        await unpackPython(arch, at("usr/local"), log);
        // Build steps share the machine's network, so they must trust the same certificates. This Python looks for the bundle at a
        // path that Debian does not use, and pip has its built-in bundle.
        symlinkSync("certs/ca-certificates.crt", at("etc/ssl/cert.pem"));
        writeFileSync(at("etc/pip.conf"), "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n");
        cpSync(systemBundle(), at("etc/ssl/certs/ca-certificates.crt"), { dereference: true });
        const tar = ["--create", "--numeric-owner", "--sort=name", "--directory", rootfs, "--exclude=./dev/*"];
        await run("tar", [...tar, "--file", path.join(folder, `rootfs-${arch}.tar`), "."], { log });
    } finally {
        rmSync(rootfs, { recursive: true, force: true });
    }
}

/** Identifies the stand-in that this machine would make: a hash over everything that decides its content, for every platform. */
export function standInKey(): string {
    const settings = JSON.stringify([recipeVersion, suite, packages, removedPaths, pythonVersion, dockerfile]);
    const hash = createHash("sha256").update(settings).update(readFileSync(systemBundle()));
    return hash.digest("hex").slice(0, 12);
}

/** Returns the folder of the stand-in's build context for a platform. */
export const standInFolder = (cache: string, platform: Platform): string =>
    path.join(cache, "stand-in", `${standInKey()}-${archOf(platform)}`);

/**
 * Creates the build context of the stand-in for python:3.12-slim for a platform, once per machine: the root file system, Debian from
 * debootstrap with CPython from a Go module. Another platform than this machine's has to be emulated already.
 *
 * @returns the folder of the build context
 */
export async function ensureStandIn(cache: string, platform: Platform): Promise<string> {
    const folder = standInFolder(cache, platform);
    if (existsSync(folder)) return folder;
    const arch = archOf(platform);
    await withLock(path.join(cache, "stand-in", `lock-${arch}`), async () => {
        if (existsSync(folder)) return;
        await requireGo(`the stand-in for ${standInRoot}`);
        await makeFolder(folder, async (partial) => {
            const log = `${folder}.log`;
            const label = `making the stand-in for ${standInRoot} (${arch})`;
            announce(
                `stand-in ${arch}`,
                [{ name: label, seconds: platform === hostPlatform() ? 90 : 300 }],
                durationsFile(cache),
            );
            await progress(label, () => makeRootfs(partial, arch, log), { phase: label });
            rmSync(log, { force: true });
            writeFileSync(path.join(partial, "Dockerfile"), dockerfile);
        });
    });
    return folder;
}
