import { chmodSync, existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { repositoryRoot } from "../lab/paths";
import { tree } from "../tests/tree";

/** Runs a script with stand-ins for the programs that it calls; each notes its arguments, one a line. */
function runScript(script: string, env: Readonly<Record<string, string>>, programs: Readonly<Record<string, string>>) {
    const stubs = Object.entries(programs).map(([name, body]): [string, string] => [
        `bin/${name}`,
        `#!/usr/bin/env bash\nprintf '%s\\n' "${name} $*" >> "$CALLS"\n${body}\n`,
    ]);
    const root = tree({ "package-lock.json": "{}", ...Object.fromEntries(stubs) });
    for (const [name] of stubs) chmodSync(path.join(root, name), 0o755);
    const at = (name: string) => path.join(root, name);
    const { status, stderr, stdout } = spawnSync(path.join(repositoryRoot, "workflows/scripts", script), {
        cwd: root,
        encoding: "utf8",
        env: {
            PATH: `${at("bin")}:${process.env.PATH ?? ""}`,
            TMPDIR: root,
            CALLS: at("calls"),
            GITHUB_STEP_SUMMARY: at("summary"),
            GITHUB_OUTPUT: at("output"),
            PULUMI_STACK: "ci",
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

describe("up.sh", () => {
    const programs = {
        node: "",
        // Says what it did, logs what EVENTS names as failed, and fails where FAILING names its command.
        pulumi: `echo "did $1"
            [ "$1" = up ] && for type in \${EVENTS:-}; do
                printf '{"resOpFailedEvent":{"metadata":{"op":"update","urn":"u","type":"%s"}}}\\n' "$type" >> "\${@: -1}"
            done
            [ "$1" != "\${FAILING:-}" ]`,
        // Says which secrets changed, and what records: the paths of the log and of the summary are its last but two and last
        // arguments.
        npm:
            'if [ "$3" = changed-secrets ]; then cat > "$CALLS.state"; printf "%b" "${CHANGED:-}"; exit; fi; ' +
            '[ -n "${NOT_RECORDED:-}" ] && exit 1; { cat "${@: -3:1}"; echo "$PULUMI_STACK was recorded"; } > "${@: -1}"',
    };
    const flags = "--yes --skip-preview --non-interactive --color never";
    const files = `pulumi refresh ${flags} --target **github:index/repositoryFile:RepositoryFile::**`;
    const up = new RegExp(`^pulumi up ${flags.replaceAll(".", "\\.")} --event-log (\\S+)$`);

    test("refreshes the workflow files and nothing else, brings everything up to date, and records that", () => {
        const { status, calls, summary } = runScript("up.sh", {}, programs);
        expect(calls.slice(0, 2)).toEqual(["node lab/bootstrap.mjs --install-only", files]);
        const [, events = ""] = up.exec(calls[2] ?? "") ?? [];
        expect(calls[3]).toMatch(/^npm run --silent record -- --event-log \S+ --log \S+ --summary \S+\/summary$/);
        expect(calls[3]).toContain(`--event-log ${events} `);
        expect(calls).toHaveLength(4);
        expect([status, existsSync(path.dirname(events))]).toEqual([0, false]);
        expect(summary).toBe("did refresh\ndid up\nci was recorded\n");
    });

    test("asked to, looks into the registry first, but never at the indexes", () => {
        const { calls } = runScript("up.sh", { REFRESH: "true" }, programs);
        expect(calls.slice(1, 3)).toEqual([files, `pulumi refresh ${flags} --exclude **docker-build:index:Index::**`]);
        expect(calls.at(-2)).toMatch(up);
    });

    test("then sets again the secrets that others changed", () => {
        const { calls, status } = runScript("up.sh", { REFRESH: "true", CHANGED: "urn:a\\nurn:b\\n" }, programs);
        expect(calls.at(-2)).toContain(`pulumi up ${flags} --replace urn:a --replace urn:b --event-log `);
        expect(status).toBe(0);
    });

    test.each([
        ["refresh", "did refresh"],
        ["up", "did refresh\ndid up"],
    ])(
        "fails with a failed %s, and hands what was printed to what records: nothing unmasked is in the summary",
        (command, log) => {
            const failed = (env = {}) => runScript("up.sh", { FAILING: command, ...env }, programs);
            expect(failed()).toMatchObject({ status: 1, output: "", summary: `${log}\nci was recorded\n` });
            const { status, summary } = failed({ NOT_RECORDED: "1" });
            expect(status).toBe(1);
            expect(summary).toMatch(/^### The update failed\n\n.*see the log of this step\.\n$/);
        },
    );

    test.each([
        [0, {}],
        [1, { FAILING: "up" }],
    ])("ends with %i as the update did, though it could not be recorded", (code, env) => {
        expect(runScript("up.sh", { ...env, NOT_RECORDED: "1" }, programs).status).toBe(code);
    });

    describe("of an update that failed", () => {
        const github = "github:index/actionsVariable:ActionsVariable";
        const long = { FAILING: "up", RENEWABLE: "true", SECONDS: "3600", EVENTS: github };

        test("asks for another run with another token where only GitHub failed, after the token's time", () => {
            const { status, output, summary } = runScript("up.sh", long, programs);
            expect([status, output]).toEqual([0, "again=true\n"]);
            expect(summary).toMatch(/ci was recorded\n\n.*once more/);
        });

        test.each([
            ["a build failed as well", { EVENTS: `${github} docker-build:index:Image` }],
            ["nothing of GitHub failed", { EVENTS: "" }],
            ["the token was still valid", { SECONDS: "60" }],
            ["there is no other token", { RENEWABLE: "false" }],
        ])("fails where %s", (_what, env) => {
            const { status, output } = runScript("up.sh", { ...long, ...env }, programs);
            expect([status, output]).toEqual([1, ""]);
        });
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
        const text = readFileSync(path.join(repositoryRoot, "workflows/scripts/history.sh"), "utf8");
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
    const npm = 'while [ "$1" != --output ]; do shift; done; printf "a\\nb" > "$2"; exit "${CODE:-0}"';

    test.each([0, 1, 3])("hands on the review and its exit code %i", (code) => {
        const { status, summary, output, stdout, calls } = runScript("review.sh", { CODE: String(code) }, { npm });
        expect(calls[0]).toContain("review -- --stack ci --format markdown --output");
        expect(status).toBe(code);
        expect(summary).toBe("a\nb");
        expect(output).toMatch(/^markdown<<(\S+)\na\nb\n\1\n$/);
        expect(stdout.startsWith("::error::")).toBe(code === 3);
    });

    test("gives no output where there is no review", () => {
        const { status, output } = runScript("review.sh", {}, { npm: "exit 1" });
        expect([status, output]).toEqual([1, ""]);
    });
});

describe("status.sh", () => {
    test.each([
        ["true", 2],
        ["false", 0],
    ])("says that drift is %s for exit code %i, and succeeds", (drift, code) => {
        const { status, output, summary } = runScript("status.sh", {}, { npm: `echo moved; exit ${String(code)}` });
        expect(status).toBe(0);
        expect(output).toMatch(new RegExp(`^drift=${drift}\\nreport<<(\\S+)\\nmoved\\n\\n\\1\\n$`));
        expect(summary).toBe("```\nmoved\n```\n");
    });

    test("fails and says nothing of drift when it could not tell", () => {
        const { status, output } = runScript("status.sh", {}, { npm: "echo unreachable; exit 1" });
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

test("lab.sh runs the lab as root with the runner's own programs, and hands on its failure", () => {
    const lab = (code: number) =>
        runScript("lab.sh", { CODE: String(code), HOME: "/home/runner" }, { sudo: '[ "$1" = rm ] || exit "$CODE"' });
    expect(lab(0).calls[1]).toMatch(/^sudo env PATH=\S+\/bin:\S+ HOME=\/home\/runner npm run up -- --platforms host$/);
    expect([lab(0).status, lab(1).status]).toEqual([0, 1]);
});
