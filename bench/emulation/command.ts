import path from "node:path";
import { type Platform, hostPlatform } from "../../lib/platform";
import { registryExport } from "../../lib/hierarchy/compression";
import { serversFolder } from "../../lib/system/paths";
import { runningProcess } from "../../lib/system/pidFiles";
import { CommandError } from "../../lib/errors";
import { run } from "../../lib/system/process";
import { type TestLab, startTestLab } from "../../tests/lab";
import { writeTree } from "../../tests/writeTree";
import { median } from "../measure";
import { serverSeconds } from "../processes";

/** Options of `npm run bench -- emulation`. */
export interface EmulationOptions {
    /** Builds of each kind for each platform; the medians are reported. */
    readonly runs: number;
    readonly json?: boolean;
}

/** What a kind of build costs for one platform: medians, in seconds. */
export interface BuildCost {
    /** From the start of buildx until the image is pushed. */
    readonly wall: number;
    /** CPU of BuildKit and of the build steps. */
    readonly cpu: number;
}

/** A kind of build for this machine's platform, and for the other one. */
export interface Comparison {
    readonly kind: string;
    readonly native: BuildCost;
    readonly emulated: BuildCost;
}

/** A program that makes a wheel of a package out of modules of the standard library, whose bytecode pip compiles when it installs it. */
const makeWheel = `import pathlib, sysconfig, zipfile
info = "made_up-1.dist-info"
with zipfile.ZipFile("/made_up-1-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
    for file in sorted(pathlib.Path(sysconfig.get_path("stdlib")).glob("*.py")):
        wheel.writestr(f"made_up/{file.name}", file.read_bytes())
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: made-up\\nVersion: 1\\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(f"{info}/RECORD", "")
`;

/** Name of the stage that is built in each run; what it needs is built before. */
const stage = "measured";

/** The kinds of builds, by name. */
const kinds: Readonly<Record<string, string>> = {
    "a step that computes": `FROM python:3.12-slim AS ${stage}\nRUN python -c "print(sum(i * i % 7 for i in range(5_000_000)))"\n`,
    "pip install of a package": `FROM --platform=$BUILDPLATFORM python:3.12-slim AS wheel
COPY wheel.py /
RUN python /wheel.py
FROM python:3.12-slim AS ${stage}
COPY --from=wheel /made_up-1-py3-none-any.whl /
RUN pip install --no-index --no-cache-dir /made_up-1-py3-none-any.whl
`,
    "files that are copied": `FROM python:3.12-slim AS ${stage}\nCOPY . /files\n`,
};

/** Files to copy: 200 of 50 kB that don't compress to nothing. */
const copied = Object.fromEntries(
    Array.from({ length: 200 }, (_one, file) => {
        const lines = Array.from({ length: 2500 }, (_line, line) => Math.sin(file * 2500 + line).toFixed(17));
        return [`data/${file.toString()}.txt`, lines.join("\n")] as const;
    }),
);

/** Builds and pushes a stage without its cached steps, and measures that. */
async function build(
    { env, paths, instance }: TestLab,
    { folder, kind, platform }: { readonly folder: string; readonly kind: string; readonly platform: Platform },
): Promise<BuildCost> {
    const buildkit = runningProcess(serversFolder(paths), "buildkitd");
    if (!buildkit) throw new CommandError("the lab's BuildKit does not run any more");
    const file = `${kind.replaceAll(" ", "-")}.Dockerfile`;
    const root = "python:3.12-slim";
    const name = `${instance.registry}/emulation/${platform.replace("linux/", "")}`;
    const args = [
        ...["build", "--quiet", "--provenance=false", "--platform", platform, "--file", path.join(folder, file)],
        ...["--build-context", `${root}=docker-image://${instance.roots[root] ?? ""}`, "--no-cache-filter", stage],
        ...["--target", stage, "--output", `${registryExport()},name=${name}`],
        folder,
    ];
    const [start, before] = [performance.now(), serverSeconds(buildkit.pid)];
    await run("buildx", args, { env, cwd: folder });
    return { wall: (performance.now() - start) / 1000, cpu: serverSeconds(buildkit.pid) - before };
}

/** Formats comparisons as a Markdown table. */
export function table(comparisons: readonly Comparison[], runs: number): string {
    const head = ["what is built", "native: wall, CPU", "emulated: wall, CPU", "ratio: wall", "ratio: CPU"];
    const cost = ({ wall, cpu }: BuildCost) => `${wall.toFixed(1)} s, ${cpu.toFixed(1)} s`;
    const rows = comparisons.map(({ kind, native, emulated }) => [
        ...[kind, cost(native), cost(emulated)],
        ...[(emulated.wall / native.wall).toFixed(1), (emulated.cpu / native.cpu).toFixed(1)],
    ]);
    const lines = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
    return `medians of ${runs.toString()} runs\n\n${lines.join("\n")}`;
}

/**
 * Measures what emulation costs: builds for this machine's platform and for the other one, in turns, on one BuildKit, in a separate lab.
 * Prints a table or JSON (`Comparison[]`).
 *
 * @throws CommandError if a build fails
 */
export async function runEmulation({ runs, json }: EmulationOptions): Promise<void> {
    const native = hostPlatform();
    const emulated: Platform = native === "linux/amd64" ? "linux/arm64" : "linux/amd64";
    const lab = await startTestLab();
    try {
        const folder = path.join(lab.paths.state, "emulation");
        const files = Object.entries(kinds).map(([kind, text]) => [`${kind.replaceAll(" ", "-")}.Dockerfile`, text]);
        writeTree(folder, {
            ...(Object.fromEntries(files) as Record<string, string>),
            ...copied,
            "wheel.py": makeWheel,
        });
        const comparisons: Comparison[] = [];
        for (const kind of Object.keys(kinds)) {
            const costs = new Map<Platform, BuildCost[]>([native, emulated].map((platform) => [platform, []]));
            // The first one of each platform also unpacks the root, and does not count.
            for (let times = 0; times <= runs; times++) {
                for (const [platform, list] of costs) {
                    const cost = await build(lab, { folder, kind, platform });
                    console.error(`${kind}, ${platform}: ${cost.wall.toFixed(1)} s, ${cost.cpu.toFixed(1)} s of CPU`);
                    if (times > 0) list.push(cost);
                }
            }
            const middle = (platform: Platform): BuildCost => ({
                wall: median((costs.get(platform) ?? []).map(({ wall }) => wall)),
                cpu: median((costs.get(platform) ?? []).map(({ cpu }) => cpu)),
            });
            comparisons.push({ kind, native: middle(native), emulated: middle(emulated) });
        }
        console.log(json ? JSON.stringify(comparisons, undefined, 2) : table(comparisons, runs));
    } finally {
        await lab.close();
    }
}
