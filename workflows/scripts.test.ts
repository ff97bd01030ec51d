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
    const { status, stderr } = spawnSync(path.join(repositoryRoot, "workflows/scripts", script), {
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
        calls: read("calls").trimEnd().split("\n"),
        summary: read("summary"),
        output: read("output"),
    };
}

describe("up.sh", () => {
    const programs = { npm: "", pulumi: 'echo "did $1"; [ "$1" != "${FAILING:-}" ]' };
    const flags = "--yes --skip-preview --non-interactive --color never";
    const files = `pulumi refresh ${flags} --target **github:index/repositoryFile:RepositoryFile::**`;

    test("refreshes the workflow files and nothing else, then brings everything up to date", () => {
        const { status, calls, summary } = runScript("up.sh", {}, programs);
        expect(calls).toEqual(["npm ci --ignore-scripts --no-audit --no-fund", files, `pulumi up ${flags}`]);
        expect(status).toBe(0);
        expect(summary).toBe("```\ndid up\n```\n");
    });

    test("asked to, looks into the registry first, but never at the indexes", () => {
        const { calls } = runScript("up.sh", { REFRESH: "true" }, programs);
        expect(calls.slice(1)).toEqual([
            files,
            `pulumi refresh ${flags} --exclude **docker-build:index:Index::**`,
            `pulumi up ${flags}`,
        ]);
    });

    test("fails with what failed, and summarises it", () => {
        const { status, summary } = runScript("up.sh", { FAILING: "up" }, programs);
        expect([status, summary]).toEqual([1, "```\ndid up\n```\n"]);
        expect(runScript("up.sh", { FAILING: "refresh" }, programs).calls.at(-1)).toBe(files);
    });
});

describe("review.sh", () => {
    const npm = 'while [ "$1" != --output ]; do shift; done; printf "a\\nb" > "$2"; exit "${CODE:-0}"';

    test.each([0, 1, 3])("hands on the review and its exit code %i", (code) => {
        const { status, summary, output, calls } = runScript("review.sh", { CODE: String(code) }, { npm });
        expect(calls[0]).toContain("review -- --stack ci --format markdown --output");
        expect(status).toBe(code);
        expect(summary).toBe("a\nb");
        expect(output).toMatch(/^markdown<<(\S+)\na\nb\n\1\n$/);
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
        expect(summary).toContain("moved");
    });

    test("fails and says nothing of drift when it could not tell", () => {
        const { status, output } = runScript("status.sh", {}, { npm: "echo unreachable; exit 1" });
        expect([status, output]).toEqual([1, ""]);
    });
});

describe("comment.sh", () => {
    const env = { GH_REPO: "o/r", NUMBER: "7", MARKDOWN: '`$(false)` "quoted"' };
    const comment = (ids: string) =>
        runScript("comment.sh", env, { gh: `case "$*" in *--paginate*) printf '${ids}';; esac` });

    test("writes a comment where there is none", () => {
        const { calls } = comment("");
        expect(calls.slice(1)).toEqual([
            "gh api --silent --method POST repos/o/r/issues/7/comments --raw-field body=<!-- layered-images: review -->",
            env.MARKDOWN,
        ]);
    });

    test("writes over the one that is there", () => {
        expect(comment("12\\n34\\n").calls[1]).toContain("--method PATCH repos/o/r/issues/comments/12 ");
    });
});

describe("drift.sh", () => {
    const drift = (value: string, numbers: string) =>
        runScript(
            "drift.sh",
            { GH_REPO: "o/r", DRIFT: value, REPORT: "latest moved", RUN: "https://run" },
            { gh: `case "$*" in *" list "*) printf '${numbers}';; esac` },
        ).calls.slice(1);

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
