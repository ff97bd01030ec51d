import { chmodSync, existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { spawnSync } from "node:child_process";
import { describe } from "mocha";
import { reportStatus } from "../cli/actions";
import { packageRoot } from "../lib/system/paths";
import type { Values } from "../tests/github/expressions";
import { runStep } from "../tests/github/steps";
import { expect, test } from "../tests/mocha";
import { tree } from "../tests/tree";

type Programs = Readonly<Record<string, string>>;

/** Runs a command with stand-ins for the programs that it calls. Each stand-in logs its arguments, one per line. */
function runWith(command: string, args: readonly string[], env: Readonly<Record<string, string>>, programs: Programs) {
    const stubs = Object.entries(programs).map(([name, body]): [string, string] => [
        `bin/${name}`,
        `#!/usr/bin/env bash\nprintf '%s\\n' "${name} $*" >> "$CALLS"\n${body}\n`,
    ]);
    const root = tree({ "package-lock.json": "{}", ...Object.fromEntries(stubs) });
    for (const [name] of stubs) chmodSync(path.join(root, name), 0o755);
    const at = (name: string) => path.join(root, name);
    const { status, stderr, stdout } = spawnSync(command, args, {
        cwd: root,
        encoding: "utf8",
        env: {
            PATH: `${at("bin")}:${process.env.PATH ?? ""}`,
            TMPDIR: root,
            CALLS: at("calls"),
            GITHUB_ACTIONS: "true",
            GITHUB_STEP_SUMMARY: at("summary"),
            GITHUB_OUTPUT: at("output"),
            ...env,
        },
    });
    const read = (name: string) => (existsSync(at(name)) ? readFileSync(at(name), "utf8") : "");
    return {
        status,
        stderr,
        stdout,
        calls: read("calls").trimEnd().split("\n"),
        summary: read("summary"),
        output: read("output"),
    };
}

/** Runs a script in workflows/scripts. */
const runScript = (
    script: string,
    env: Readonly<Record<string, string>>,
    programs: Programs,
    args: readonly string[] = [],
) => runWith(path.join(packageRoot, "workflows/scripts", script), args, env, programs);

/** Runs a step of a workflow as GitHub does, with a stand-in for `npm`. */
async function runNpm([file, id]: readonly [file: string, id: string], npm: string, contexts: Values = {}) {
    const { command, args, env } = await runStep(file, id, contexts);
    return runWith(command, args, env, { npm });
}

/** A stand-in for the engine, with an empty stack and this preview of its update. */
const engineWith = (preview: object) => `case "$1 $2" in
    "version ") echo v3.259.0;;
    "stack ls") echo '[{"name":"ci"}]';;
    "stack export") echo '{"version":3,"deployment":{}}';;
    "config --json") echo '{}';;
    "preview --json") echo '${JSON.stringify({ steps: [], ...preview })}';;
    "whoami --json") echo '{"url":"https://api.pulumi.com"}';;
    *) exit 9;;
esac`;

/** Runs a step of a workflow as GitHub does, with the real command line and a stand-in for `pulumi`. */
async function runCommand([file, id]: readonly [file: string, id: string], pulumi: string) {
    const { command, args, env } = await runStep(file, id);
    const [options, run] = [args.slice(0, -1), args.at(-1) ?? ""];
    return runWith(command, [...options, `cd '${packageRoot}'; ${run}`], env, { pulumi });
}

describe("up.sh", () => {
    const renewable = { "app-token": { outputs: { token: "token" } } };
    test.each<[string, Values, string]>([
        ["the stack's name", {}, ""],
        ["the tick for a refresh", { inputs: { refresh: true } }, " --refresh"],
        ["no tick", { inputs: { refresh: false } }, ""],
        ["images to build again", { inputs: { rebuild: "base ci" } }, " --rebuild=base ci"],
        [
            "what is no image, as it was typed",
            { inputs: { rebuild: '"; exit 0 #$(exit)' } },
            ' --rebuild="; exit 0 #$(exit)',
        ],
        [
            "another token that can be had",
            { inputs: { refresh: true }, steps: renewable },
            " --refresh --renewable-token",
        ],
    ])("hands %s on to the one command for updates, and ends as it does", async (_what, contexts, options) => {
        const { status, calls } = await runNpm(["deploy.yml", "up"], "exit 7", contexts);
        expect(calls).toEqual([`npm run --silent up -- --stack ci${options}`]);
        expect(status).toBe(7);
    });
});

test("newer roots are proposed by the one command for that, which ends as it does", async () => {
    const { status, calls } = await runNpm(["review.yml", "bump"], "exit 1");
    expect([status, calls]).toEqual([1, ["npm run --silent bump -- --stack ci --propose"]]);
});

describe("logins.sh", () => {
    const REGISTRIES = "quay.io=QUAY_USER=QUAY_PASSWORD docker.io=HUB_USER=HUB_PASSWORD";

    test("names each missing variable and secret, and no value", () => {
        const env = { REGISTRIES, QUAY_USER: "me", QUAY_PASSWORD: "", HUB_USER: "", HUB_PASSWORD: "hunter2" };
        const { status, stdout } = runScript("logins.sh", env, {});
        expect(status).toBe(1);
        expect(stdout).toBe(
            "::error::The secret QUAY_PASSWORD is missing: the password or token for pushing images to quay.io.\n" +
                "::error::The repository's variable HUB_USER is missing: the user name for pushing images to docker.io.\n",
        );
    });

    test("says nothing where all exist", () => {
        const env = { REGISTRIES, QUAY_USER: "a", QUAY_PASSWORD: "b", HUB_USER: "c", HUB_PASSWORD: "d" };
        expect(runScript("logins.sh", env, {})).toMatchObject({ status: 0, stdout: "" });
    });
});

describe("history.sh", () => {
    const history = (gh: string) => runScript("history.sh", { GH_REPO: "o/r", BRANCH: "trunk" }, { gh, sleep: "" });
    const download = (body: string) => `case "$1" in api) echo 77;; *) ${body};; esac`;

    test("takes the artifact of the run that recorded last", () => {
        const { status, calls, stdout, output } = history(download('echo "[]" > "${@: -1}/ci.json"'));
        expect(calls[0]).toContain("gh api repos/o/r/actions/artifacts?name=updates");
        expect(calls.at(-1)).toMatch(/^gh run download 77 --name updates --dir \S+$/);
        expect([status, stdout, output]).toEqual([0, "took the updates that run 77 recorded\n", ""]);
    });

    test("says so and fails nothing where there is none: this run's are the first", () => {
        expect(history("")).toMatchObject({ status: 0, stdout: "no durations recorded yet\n", output: "" });
    });

    test("tries again where a download breaks off, and takes nothing of that", () => {
        const once =
            '[ -e once ] && echo "[]" > "${@: -1}/ci.json" || { touch once; echo "[" > "${@: -1}/ci.json"; exit 1; }';
        const { status, calls, stdout, output } = history(download(once));
        expect(calls.filter((call) => call.startsWith("gh run download"))).toHaveLength(2);
        expect([status, stdout, output]).toEqual([0, "took the updates that run 77 recorded\n", ""]);
    });

    test.each([
        ["it can't be downloaded", download("exit 1")],
        ["GitHub can't be asked", "exit 1"],
    ])("where %s after three times, fails nothing and lets nothing take its place", (_what, gh) => {
        const { status, calls, stdout, output } = history(gh);
        expect(calls.filter((call) => call.startsWith("gh api"))).toHaveLength(3);
        expect([status, output]).toEqual([0, "lost=true\n"]);
        expect(stdout).toMatch(/^::warning::The recorded updates could not be got/);
    });

    test("passes over artifacts that expired, of other branches, and of forks", () => {
        const text = readFileSync(path.join(packageRoot, "workflows/scripts/history.sh"), "utf8");
        const [, filter = ""] = /newest='([^']*)'/.exec(text) ?? [];
        const run = (id: number, more: object = {}) => ({
            expired: false,
            created_at: `2026-11-2${String(id)}T00:00:00Z`,
            workflow_run: { id, head_branch: "trunk", repository_id: 1, head_repository_id: 1, ...more },
        });
        const artifacts = [
            run(1),
            run(3),
            run(2),
            run(4, { head_branch: "main" }),
            run(5, { head_repository_id: 2 }),
            { ...run(6), expired: true },
        ];
        const jq = (all: readonly object[]) =>
            spawnSync("jq", ["-r", filter], {
                input: JSON.stringify({ artifacts: all }),
                encoding: "utf8",
                env: { ...process.env, BRANCH: "trunk" },
            });
        expect(jq(artifacts).stdout).toBe("3\n");
        expect(jq([])).toMatchObject({ status: 0, stdout: "" });
    });
});

describe("review.sh", () => {
    const step = ["review.yml", "review"] as const;
    const deleted = "urn:pulumi:ci::p::docker-build:index:Index::ci";
    const oldState = { type: "docker-build:index:Index", inputs: {}, outputs: {} };
    const previews = {
        0: engineWith({}),
        3: engineWith({ steps: [{ op: "delete", urn: deleted, oldState: { urn: deleted, ...oldState } }] }),
    };

    test.each([0, 1, 3] as const)("hands on the review and its exit code %i", async (code) => {
        const { status, calls } = await runNpm(step, `exit ${code.toString()}`);
        expect(calls).toEqual(["npm run --silent review -- --stack ci"]);
        expect(status).toBe(code);
        // This command exits with 1 only if the comparison could not be made, which the next test covers.
        if (code === 1) return;
        const reviewed = await runCommand(step, previews[code]);
        expect(reviewed.status, reviewed.stderr).toBe(code);
        expect(reviewed.stderr.includes("::error::")).toBe(code === 3);
        expect(reviewed.summary).toMatch(/^### /);
        expect(reviewed.output).toMatch(/^markdown<<(\S+)\n[^]*\n\1\n$/);
        expect(reviewed.output.split("\n").slice(1, -2).join("\n")).toBe(reviewed.summary);
    });

    test("gives no output where there is no review", async () => {
        const { status, output } = await runCommand(step, "exit 1");
        expect([status, output]).toEqual([1, ""]);
    });
});

describe("status.sh", () => {
    const step = ["review.yml", "status"] as const;
    test.each([
        ["true", 2],
        ["false", 0],
    ])("says that drift is %s for exit code %i, and succeeds", async (drift, code) => {
        const { status, calls } = await runNpm(step, `exit ${String(code)}`);
        expect(calls).toEqual(["npm run --silent status -- --stack ci"]);
        expect(status).toBe(0);
        const files = tree({ summary: "", output: "" });
        const [GITHUB_STEP_SUMMARY, GITHUB_OUTPUT] = ["summary", "output"].map((name) => path.join(files, name));
        reportStatus("moved\n", code === 2 ? "drift" : "in step", { GITHUB_STEP_SUMMARY, GITHUB_OUTPUT });
        const [summary, output] = ["summary", "output"].map((name) => readFileSync(path.join(files, name), "utf8"));
        expect(output).toMatch(new RegExp(`^drift=${drift}\\nreport<<(\\S+)\\nmoved\\n\\n\\1\\n$`));
        expect(summary).toBe("```\nmoved\n```\n");
    });

    test("shows the report that it prints", async () => {
        const { status, stdout, stderr, summary, output } = await runCommand(step, engineWith({}));
        expect(status, stderr).toBe(0);
        expect(stdout).toContain("nothing was published yet");
        expect(summary).toBe(`\`\`\`\n${stdout.trimEnd()}\n\`\`\`\n`);
        expect(output.startsWith("drift=false\nreport<<")).toBe(true);
        expect(output).toContain(`\n${stdout}\n`);
    });

    test("fails and says nothing of drift when it could not tell", async () => {
        expect((await runNpm(step, "exit 1")).status).toBe(1);
        const { status, output } = await runCommand(step, "exit 1");
        expect([status, output]).toEqual([1, ""]);
    });
});

describe("comment.sh", () => {
    const env = { GH_REPO: "o/r", NUMBER: "7", MARKDOWN: '`$(false)` "quoted" %s', SHA: "0a1b", RUN: "https://run" };
    const comment = (ids: string, more: Partial<typeof env> = {}) =>
        runScript("comment.sh", { ...env, ...more }, { gh: `case "$*" in *--paginate*) printf '${ids}';; esac` });
    const post = "gh api --silent --method POST repos/o/r/issues/7/comments --raw-field body=";

    test("writes a comment where there is none, with the commit that it is about", () => {
        const { calls } = comment("");
        expect(calls.slice(1)).toEqual([
            `${post}<!-- layered-images: review -->`,
            "Of commit 0a1b, as it would be merged ([run](https://run)):",
            "",
            env.MARKDOWN,
        ]);
    });

    test("writes over the one that is there", () => {
        expect(comment("12\\n34\\n").calls[1]).toContain("--method PATCH repos/o/r/issues/comments/12 ");
    });

    test("says that there is no review where it failed, and leaves none of an earlier commit", () => {
        const { calls } = comment("12\\n", { MARKDOWN: "" });
        expect(calls[1]).toContain("--method PATCH repos/o/r/issues/comments/12 ");
        expect(calls.slice(2)).toEqual([
            "### There is no review of commit 0a1b",
            "",
            "[The run](https://run) says more.",
        ]);
    });
});

describe("drift.sh", () => {
    const drift = (value: string, numbers: string, report = "latest moved") =>
        runScript(
            "drift.sh",
            { GH_REPO: "o/r", DRIFT: value, REPORT: report, RUN: "https://run" },
            { gh: `case "$*" in *" list "*) printf '${numbers}';; esac` },
        ).calls.slice(1);

    test("shows the report as it is, whatever it quotes", () => {
        expect(drift("true", "", "a ``` b").join("\n")).toContain("--body ````\na ``` b\n````\n\nhttps://run");
    });

    test("opens one issue, and keeps it up to date", () => {
        expect(drift("true", "").join("\n")).toMatch(
            /^gh issue create --title The stack[\s\S]*latest moved[\s\S]*https:\/\/run$/,
        );
        expect(drift("true", "5\\n6\\n")[0]).toMatch(/^gh issue edit 5 --body /);
    });

    test("closes it when there is no drift, and else does nothing", () => {
        expect(drift("false", "5\\n")).toEqual(["gh issue close 5 --comment They agree again: https://run"]);
        expect(drift("false", "")).toEqual([]);
    });
});

describe("lab.sh", () => {
    /** Runs it with these free bytes on the root's disk and on a larger one, if there is one. */
    const lab = (code: number, { root = 14, larger }: { readonly root?: number; readonly larger?: number } = {}) => {
        const env = { CODE: String(code), HOME: "/home/runner", LARGER_DISK: larger === undefined ? "/none" : "/tmp" };
        const df = `echo Avail; [ "\${@: -1}" = / ] && echo ${root} || echo ${larger ?? 0}`;
        const { status, calls } = runScript("lab.sh", env, { df, sudo: '[ "$1" = rm ] || exit "$CODE"' }, [
            "npm",
            "run",
            "up",
            "--",
            "-x",
        ]);
        return { status, sudo: calls.filter((call) => call.startsWith("sudo ")) };
    };

    test("runs its command as root with the runner's own programs, and hands on its failure", () => {
        expect(lab(0).sudo[1]).toMatch(/^sudo env PATH=\S+\/bin:\S+ HOME=\/home\/runner npm run up -- -x$/);
        expect([lab(0).status, lab(1).status]).toEqual([0, 1]);
    });

    test("keeps everything on the larger disk, and makes room only where there is none", () => {
        const [with65, with3, without] = [lab(0, { larger: 65 }), lab(0, { larger: 3 }), lab(0)];
        expect(with65.sudo).toEqual([expect.stringContaining(" LAYERED_IMAGES_HOME=/tmp/layered-images npm run up")]);
        for (const { sudo } of [with3, without]) {
            expect(sudo).toHaveLength(2);
            expect(sudo[0]).toMatch(/^sudo rm -rf /);
            expect(sudo[1]).not.toContain("LAYERED_IMAGES_HOME");
        }
    });
});

describe("releases are handed to the tools that sign them:", () => {
    const [one, other] = ["a", "b"].map((digit) => digit.repeat(64)) as [string, string];
    const releases = [
        { image: "base", repository: "registry.test/base", digest: `sha256:${one}` },
        { image: "ci", repository: "registry.test:5000/a/ci", digest: `sha256:${other}` },
    ];

    test("subjects.sh writes them as checksums", () => {
        const file = path.join(tree({}), "subjects.txt");
        const { status } = runScript("subjects.sh", { RELEASES: JSON.stringify(releases), FILE: file }, {});
        expect(status).toBe(0);
        expect(readFileSync(file, "utf8")).toBe(`${one}  registry.test/base\n${other}  registry.test:5000/a/ci\n`);
    });

    test("sign.sh signs each by its digest, and fails at the end if one could not be signed", () => {
        const FILE = path.join(
            tree({ subjects: `${one}  registry.test/base\n${other}  registry.test/ci\n` }),
            "subjects",
        );
        const sign = (cosign: string) => runScript("sign.sh", { FILE }, { cosign });
        const calls = [`registry.test/base@sha256:${one}`, `registry.test/ci@sha256:${other}`].map(
            (ref) => `cosign sign --yes ${ref}`,
        );
        expect(sign("true")).toMatchObject({ status: 0, calls });
        expect(sign('[[ "$*" != *base* ]]')).toMatchObject({ status: 1, calls });
    });
});
