import { chmodSync, existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { repositoryRoot } from "../lib/system/paths";
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
    test.each<[string, Record<string, string>, string]>([
        ["the stack's name", {}, ""],
        ["the tick for a refresh", { REFRESH: "true" }, " --refresh"],
        ["no tick", { REFRESH: "false" }, ""],
        ["another token that can be had", { REFRESH: "true", RENEWABLE: "true" }, " --refresh --renewable-token"],
    ])("hands %s on to the one command for updates, and ends as it does", (_what, env, options) => {
        const { status, calls } = runScript("up.sh", env, { npm: "exit 7" });
        expect(calls).toEqual([`npm run --silent up -- --stack ci${options}`]);
        expect(status).toBe(7);
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
