import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe } from "mocha";
import { packageRoot } from "../lib/system/paths";
import { readFiles } from "../tests/github/reading";
import { type World, ours, plain, theirs } from "../tests/github/world";
import { expect, test } from "../tests/mocha";

/* What OpenSSF Scorecard checks in a repository's files (github.com/ossf/scorecard, docs/checks.md), of the generated ones. */

const worlds: readonly (readonly [string, World])[] = [
    ["this repository", ours],
    ["another repository", theirs],
    ["a repository without a workflows.ts", plain],
];

/** Texts of `${{ }}` that somebody outside can choose, as Scorecard's "Dangerous-Workflow" lists them. */
const untrusted =
    /\$\{\{[^}]*(?:github\.head_ref|github\.event\.(?:issue|pull_request|comment|review|pages|commits|head_commit|discussion|workflow_run)\b)/;

for (const [which, world] of worlds) {
    describe(`of ${which}, Scorecard finds`, () => {
        const { workflows, jobs, steps, texts } = readFiles(world);

        test("every action by its commit, and every image of a tool by its digest (Pinned-Dependencies)", () => {
            const uses = steps.flatMap(({ step }) => step.uses ?? []);
            expect(uses.length).toBeGreaterThan(0);
            expect(uses.filter((one) => !/@[0-9a-f]{40}$/.test(one))).toEqual([]);
            const images = texts.flatMap(([, text]) => text.match(/docker\.io\/\S+/g) ?? []);
            expect(images.length).toBeGreaterThan(0);
            expect(images.filter((one) => !/@sha256:[0-9a-f]{64}$/.test(one))).toEqual([]);
        });

        test("no download that is run, and no package without a lock or hashes (Pinned-Dependencies)", () => {
            const commands = steps.flatMap(({ step }) => (step.run ?? "").split("\n"));
            expect(
                commands.filter((line) => /(?:curl|wget)\b.*\|\s*(?:ba)?sh\b|\bnpm (?:i|install)\b/.test(line)),
            ).toEqual([]);
            const pip = commands.filter((line) => /(?<!uv )\bpip install\b/.test(line));
            expect(pip.filter((line) => !line.includes("--require-hashes"))).toEqual([]);
        });

        test("no permission for a whole workflow, and none of a job to write code (Token-Permissions)", () => {
            expect([...workflows.values()].map(({ permissions }) => permissions)).toEqual(
                [...workflows].map(() => ({})),
            );
            const writing = jobs.filter(({ job: { permissions } }) =>
                Object.entries(typeof permissions === "object" ? permissions : { all: "write" }).some(
                    ([scope, level]) =>
                        level === "write" &&
                        /^(?:all|contents|actions|checks|statuses|deployments|security-events)$/.test(scope),
                ),
            );
            expect(writing.map(({ where }) => where)).toEqual([]);
        });

        test("no code of a pull request with rights, and no text of an event in a command (Dangerous-Workflow)", () => {
            expect([...workflows.values()].filter(({ on }) => "pull_request_target" in on)).toEqual([]);
            expect(steps.filter(({ step }) => untrusted.test(step.run ?? "")).map(({ where }) => where)).toEqual([]);
            const refs = jobs
                .filter(({ file }) => "workflow_run" in (workflows.get(file)?.on ?? {}))
                .flatMap(({ steps }) => steps.map((step) => (step.with as { ref?: string } | undefined)?.ref ?? ""));
            expect(refs.filter((ref) => ref.includes("${{"))).toEqual([]);
        });

        test("a program that updates dependencies, unless the repository brings its own (Dependency-Update-Tool)", () => {
            expect(Object.keys(world.files)).toContain(".github/dependabot.yml");
        });
    });
}

test("the patterns find what they are for", () => {
    expect("echo ${{ github.event.pull_request.title }}").toMatch(untrusted);
    expect("echo ${{ github.head_ref }}").toMatch(untrusted);
    expect("${{ github.event_name }}").not.toMatch(untrusted);
});

test("this repository has a licence, and says how to report a vulnerability (License, Security-Policy)", () => {
    expect(existsSync(path.join(packageRoot, "LICENSE"))).toBe(true);
    const policy = readFileSync(path.join(packageRoot, "SECURITY.md"), "utf8");
    // Scorecard looks for an address, for words of disclosure, and for a number of days.
    expect(policy).toMatch(/https:\/\/github\.com\/\S+\/security\/advisories\/new/);
    expect(policy).toMatch(/vulnerabilit/i);
    expect(policy).toMatch(/disclos/i);
    expect(policy).toMatch(/\d+ days/);
});
