import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { images as torchImages } from "../images";
import type { ImageDefinition } from "../lib/hierarchy/definition";
import { packageRoot } from "../lib/system/paths";
import type { Change } from "./scenarios";

/** An image of a measured hierarchy, for the tools that do not read it from the Dockerfiles. */
export interface BenchImage {
    /** Its name as Dockerfiles write it; absent for an image that is never pushed. */
    readonly name?: string;
    readonly dockerfile: string;
    readonly buildArgs: Readonly<Record<string, string>>;
    readonly labels: Readonly<Record<string, string>>;
    /** Whether this program keeps its build steps in the registry. */
    readonly registryCache: boolean;
    /** The files and folders (ending in "/") that a path filter in its workflow has. */
    readonly paths: readonly string[];
}

/** Identifies one change, so that no tool finds another tool's steps, or those of an earlier run, in a cache. */
export interface Mark {
    /** Name of a competitor, without spaces. */
    readonly competitor: string;
    /** Number of the run, which differs from all others of the competitor. */
    readonly run: number;
}

/** A hierarchy to measure. */
export interface BenchHierarchy {
    readonly name: "light" | "torch";
    /** The base first; every other image is built FROM the base. */
    readonly images: Readonly<Record<string, BenchImage>>;
    /** The external image that the base is built FROM, as its Dockerfile writes it. */
    readonly root: string;
    /** The repository's files, by path, without the settings of any tool. */
    readonly files: Readonly<Record<string, string>>;
    /** For each change of a file, the file and its new text. */
    readonly edits: Readonly<Record<Change, Edit>>;
}

/** A change of a file. */
export interface Edit {
    readonly file: string;
    readonly edit: (text: string, mark: Mark) => string;
}

/** Key of the image that all others are built FROM. */
export const baseKey = "base";

const markText = ({ competitor, run }: Mark) => `${competitor}-${run.toString()}`;
const withComment: Edit["edit"] = (text, mark) => `${text}# ${markText(mark)}\n`;
const app = "app/bot/__main__.py";
const requirements = (suffix: string) => `requirements/requirements${suffix}.txt`;

/** The files of both hierarchies lie in the same places. */
const places = {
    base: { dockerfile: "docker/Dockerfile.base", paths: ["docker/Dockerfile.base", requirements("-torch")] },
    ci: { dockerfile: "docker/Dockerfile.ci", paths: ["docker/Dockerfile.ci", requirements(""), requirements("-dev")] },
    bot: { dockerfile: "docker/Dockerfile", paths: ["docker/Dockerfile", requirements(""), "app/bot/"] },
    devcontainer: {
        dockerfile: ".devcontainer/Dockerfile",
        paths: [".devcontainer/", requirements(""), requirements("-dev")],
    },
};

/**
 * Stands for pip: makes packages up from the lines of a requirements file, `<name>==<version> # <kilobytes>`, so that a measurement does
 * not depend on a package index. Files of 100 kB; half of a file compresses as little as binaries do, the other half well.
 */
const install = `import pathlib, random, re, sys

for name, version, size in re.findall(r"^(\\S+)==(\\S+) # (\\d+)$", pathlib.Path(sys.argv[1]).read_text(), re.M):
    folder = pathlib.Path("/opt/packages", name)
    folder.mkdir(parents=True)
    for number in range(int(size) // 100):
        noise = random.Random(f"{name} {version} {number}").randbytes(50_000)
        (folder / f"{number}.bin").write_bytes(noise + noise[:500] * 100)
`;

const installed = (file: string) =>
    `RUN --mount=type=bind,source=${file},target=/requirements.txt python /opt/install.py /requirements.txt\n`;
const onBase = `FROM ghcr.io/bench/base:latest\n${installed(requirements(""))}`;

/** Gives the first package of a requirements file a version that it never had. */
const newVersion: Edit["edit"] = (text, mark) => text.replace(/==\S+/, `==${markText(mark)}`);

const lightImages: Record<keyof typeof places, ImageDefinition> = {
    base: {
        description: "a heavy package",
        name: "ghcr.io/bench/base:latest",
        dockerfile: places.base.dockerfile,
        platforms: "host",
        registryCache: false,
    },
    ci: {
        description: "requirements and development requirements",
        name: "ghcr.io/bench/ci:latest",
        dockerfile: places.ci.dockerfile,
        platforms: "host",
    },
    bot: {
        description: "requirements and app",
        name: "ghcr.io/bench/bot:latest",
        dockerfile: places.bot.dockerfile,
        platforms: "host",
    },
    devcontainer: {
        description: "never pushed",
        dockerfile: places.devcontainer.dockerfile,
        platforms: "host",
    },
};

const benchImages = (
    definitions: Readonly<Record<string, ImageDefinition>>,
    buildArgs: Readonly<Record<string, Readonly<Record<string, string>>>> = {},
): BenchHierarchy["images"] =>
    Object.fromEntries(
        Object.entries(places).map(([key, { dockerfile, paths }]): [string, BenchImage] => {
            const { name, labels = {}, registryCache = true } = definitions[key] ?? {};
            const image = { dockerfile, paths, labels, registryCache, buildArgs: buildArgs[key] ?? {} };
            return [key, name === undefined ? image : { ...image, name }];
        }),
    );

/**
 * Returns the hierarchy of the same shape as this repository's, whose images build in seconds and without a network. It has no smoke
 * tests, because the other tools have none.
 */
export const lightHierarchy = (): BenchHierarchy => ({
    name: "light",
    images: benchImages(lightImages),
    root: "python:3.12-slim",
    files: {
        "images.ts": `export const images = ${JSON.stringify(lightImages, undefined, 4)};\n`,
        "docker/install.py": install,
        "docker/Dockerfile.base": `FROM python:3.12-slim
ENV PYTHONDONTWRITEBYTECODE=1
COPY docker/install.py /opt/install.py
${installed(requirements("-torch"))}`,
        "docker/Dockerfile.ci": `${onBase}${installed(requirements("-dev"))}`,
        "docker/Dockerfile": `${onBase}WORKDIR /app\nCOPY app/bot/ bot/\nCMD ["python", "-m", "bot"]\n`,
        ".devcontainer/Dockerfile": `${onBase}${installed(requirements("-dev"))}RUN useradd --create-home developer\n`,
        [requirements("-torch")]: "heavy==1.0 # 40000\n",
        [requirements("")]: "client==1.0 # 3000\nparser==1.0 # 3000\n",
        [requirements("-dev")]: "checker==1.0 # 6000\nlinter==1.0 # 6000\n",
        [app]: 'print("hello from the bot")\n',
    },
    edits: {
        app: { file: app, edit: withComment },
        requirements: { file: requirements(""), edit: newVersion },
        "requirements-dev": { file: requirements("-dev"), edit: newVersion },
        torch: { file: requirements("-torch"), edit: newVersion },
        comment: { file: places.base.dockerfile, edit: withComment },
    },
});

/** Releases of a package of one small file, which no requirement of this repository has, and the hashes of their wheels. */
const releases = [
    ["1.16.0", "8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254"],
    ["1.17.0", "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274"],
] as const;

/** Takes turns between two releases of a package. The mark makes the installation run again although both were installed before. */
const otherRelease =
    (hashed: boolean): Edit["edit"] =>
    (text, mark) => {
        const [version, hash] = text.includes(`six==${releases[0][0]}`) ? releases[1] : releases[0];
        const line = `six==${version}${hashed ? ` --hash=sha256:${hash}` : ""}`;
        return `${text.replace(/^six==.*\n# .*\n/m, "")}${line}\n# ${markText(mark)}\n`;
    };

/** Texts of all files below a folder of this repository, by path. */
function filesBelow(folder: string): [string, string][] {
    const entries = readdirSync(path.join(packageRoot, folder), { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => path.join(parentPath, name));
    const sources = files.filter((file) => !file.includes("__pycache__"));
    return sources.map((file) => [path.relative(packageRoot, file), readFileSync(file, "utf8")]);
}

/**
 * Returns this repository's hierarchy, with PyTorch, for `--real`. Without the smoke tests, because the other tools have none, and with
 * packages from the default index, whose amd64 wheels bring CUDA: the PyTorch index is not reachable everywhere.
 */
export const torchHierarchy = (): BenchHierarchy => ({
    name: "torch",
    images: benchImages(torchImages, { base: { TORCH_INDEX_URL: "" } }),
    root: "python:3.12-slim",
    files: {
        ...Object.fromEntries(["docker", "requirements", "app", ".devcontainer"].flatMap(filesBelow)),
        ".dockerignore": readFileSync(path.join(packageRoot, ".dockerignore"), "utf8"),
        "images.ts": readFileSync(path.join(packageRoot, "images.ts"), "utf8").replace(/^ *smokeTest: .*\n/gm, ""),
    },
    edits: {
        app: { file: app, edit: withComment },
        requirements: { file: requirements(""), edit: otherRelease(true) },
        "requirements-dev": { file: requirements("-dev"), edit: otherRelease(true) },
        torch: { file: requirements("-torch"), edit: otherRelease(false) },
        comment: { file: places.base.dockerfile, edit: withComment },
    },
});
