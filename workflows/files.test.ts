import { createHash } from "node:crypto";
import { describe } from "mocha";
import { TextDocument } from "vscode-languageserver-textdocument";
import { parse } from "yaml";
import { openCheckout } from "../lib/context/checkout";
import { imageNames } from "../lib/hierarchy/definition";
import { packageRoot } from "../lib/system/paths";
import { expressions } from "../tests/github/expressions";
import { inventedFiles } from "../tests/github/invented";
import { languageService } from "../tests/github/languageService";
import { readFiles } from "../tests/github/reading";
import { type World, ours, plain, theirs } from "../tests/github/world";
import { expect, test } from "../tests/mocha";
import { tree } from "../tests/tree";
import { header, workflowFiles } from "./files";
import { type Pin, contentOf, isImage, readPins } from "./pins";
import { containerCredentials } from "./registries";

/** Three repositories: this one, one that has nothing in common with it, and that one without a workflows.ts. */
const worlds: readonly (readonly [string, World])[] = [
    ["this repository", ours],
    ["another repository", theirs],
    ["a repository without a workflows.ts", plain],
];

/** Asks GitHub's own language service. */
async function problems(text: string): Promise<unknown[]> {
    const { validate } = await languageService();
    // The parser caches results by URL, so each text needs a unique URL.
    const address = `file:///.github/workflows/${createHash("sha256").update(text).digest("hex")}.yml`;
    const document = TextDocument.create(address, "yaml", 1, text);
    return (await validate(document)).map(({ message }) => message);
}

/** Returns a job's condition without the part that every job has, so that forks run nothing. */
const withoutForks = (condition: unknown): string =>
    String(condition)
        .replace(/^\$\{\{ (.*) \}\}$/, "$1")
        .replace(/^\(?(?:github\.repository == '[\w./-]+' \|\| )?!github\.event\.repository\.fork\)?(?: && )?/, "");

const testWorld = (world: World) => {
    const { texts, workflows, jobs, steps } = readFiles(world);
    const { up = [{ file: "images.yml" }], checks = [] } = world.definitions.workflows ?? {};
    const { build = false, bump = true } = world.definitions.workflows?.review ?? {};
    const { releases = {}, ghcr = "token", cleanup } = world.definitions.workflows ?? {};
    const cleanups = cleanup === undefined ? 0 : 1;
    const isCheck = (file: string) => checks.some((check) => check.file === file);

    test("every file begins with the header that makes it ours", () => {
        expect(Object.values(world.files).filter((text) => !text.startsWith(`${header}\n`))).toEqual([]);
    });

    test("the workflows are those that are defined, and the review", () => {
        const defined = [...up, ...checks].map(({ file }) => file);
        expect([...workflows.keys()]).toEqual([...defined, "review.yml"]);
    });

    test.each(texts)("GitHub's own language service finds nothing wrong with %s", async (_file, text) => {
        expect(await problems(text)).toEqual([]);
    });

    test("a workflow has no permissions, and a job just what it needs", () => {
        expect([...workflows.values()].map(({ permissions }) => permissions)).toEqual([...workflows].map(() => ({})));
        const wanted: Readonly<Record<string, string>> = {
            up: ghcr === "token" ? "packages id-token" : "id-token",
            releases: [
                "id-token",
                ...(releases.provenance === true ? ["attestations"] : []),
                ...(releases.signature === true && ghcr === "token" ? ["packages"] : []),
            ].join(" "),
            sbom: "id-token attestations",
            review: "id-token",
            comment: "pull-requests",
            build: "id-token",
            lab: "",
            bump: "id-token",
            cleanup: ghcr === "token" ? "packages id-token" : "id-token",
            status: "id-token",
            drift: "issues",
        };
        for (const { file, key, job } of jobs) {
            const granted = Object.entries(job.permissions ?? {}).filter(([, level]) => level === "write");
            expect(granted.map(([scope]) => scope).join(" ")).toBe(isCheck(file) ? "" : wanted[key]);
        }
    });

    test("jobs that run the code of forks and bots have no secret, no environment and no token but to pull their image", () => {
        const exposed = jobs.filter(({ file, key }) => isCheck(file) || key === "lab").map(({ job }) => job);
        expect(exposed.map(({ container }) => typeof container)).toEqual([...checks.map(() => "object"), "undefined"]);
        for (const { container, ...job } of exposed) {
            const { credentials, ...rest } = (container ?? {}) as Record<string, unknown>;
            expect(JSON.stringify([job, rest])).not.toMatch(/secrets|github\.token|GITHUB_TOKEN|id-token/);
            // Only the runner gets them, to pull the image.
            const secrets = JSON.stringify(credentials ?? {}).match(/secrets\.\w+/g) ?? [];
            expect(secrets.filter((secret) => !/^secrets\.REGISTRY_\w+_PASSWORD$/.test(secret))).toEqual([]);
            expect(job).not.toHaveProperty("environment");
        }
    });

    test("only jobs of the environment `up` ask Pulumi Cloud for more than to read, and for no shorter time than they have", () => {
        const logins = jobs.flatMap(({ job, steps }) => {
            const { with: inputs } = steps.find(({ id }) => id === "pulumi-login") ?? {};
            return inputs ? [{ job, inputs: inputs as Record<string, string | number> }] : [];
        });
        const ofReview = logins.filter(({ job }) => (job.environment as { name: string }).name === "review");
        const [building, bumping] = [Number(build), Number(bump)];
        expect([logins.length, ofReview.length]).toEqual([
            2 * up.length + 2 + building + bumping + cleanups,
            up.length + 1 + building,
        ]);
        for (const { job, inputs } of logins) {
            const [type, scope] = ofReview.some((one) => one.job === job)
                ? [
                      "${{ vars.PULUMI_REVIEW_TEAM && 'team' || 'organization' }}",
                      "${{ vars.PULUMI_REVIEW_TEAM && format('team:{0}', vars.PULUMI_REVIEW_TEAM) || '' }}",
                  ]
                : ["organization", undefined];
            expect(inputs["requested-token-type"]).toBe(`urn:pulumi:token-type:access_token:${type}`);
            expect(inputs.scope).toBe(scope);
            expect(inputs["token-expiration"]).toBe(Number(job["timeout-minutes"]) * 60);
        }
    });

    test("what is said about releases is said by a job of its own, of what was promoted, with no more rights than it needs", () => {
        const wanted = [
            ...(releases.provenance === true || releases.signature === true ? ["releases"] : []),
            ...(releases.sbom === true ? ["sbom"] : []),
        ];
        const found = jobs.filter(({ key }) => key === "releases" || key === "sbom");
        expect(found.map(({ where }) => where)).toEqual(
            up.flatMap(({ file }) => wanted.map((key) => `${file} ${key}`)),
        );
        for (const { file, key, job, steps } of found) {
            const output = key === "sbom" ? "builds" : "releases";
            expect(job.needs).toBe("up");
            expect(job.if).toContain(`needs.up.outputs.${output} != '[]'`);
            expect(workflows.get(file)?.jobs.up?.outputs).toMatchObject({
                [output]: `\${{ steps.up.outputs.${output} }}`,
            });
            const [attest] = steps.filter(({ uses }) => uses?.startsWith("actions/attest@"));
            expect(attest?.with).toEqual(
                key === "sbom"
                    ? {
                          "subject-name": "${{ matrix.repository }}",
                          "subject-digest": "${{ matrix.digest }}",
                          "sbom-path": "sbom.spdx.json",
                      }
                    : releases.provenance === true
                      ? { "subject-checksums": "subjects.txt" }
                      : undefined,
            );
            const signs = steps.some(({ run }) => run?.endsWith("sign.sh"));
            expect(signs).toBe(key === "releases" && releases.signature === true);
        }
    });

    test("jobs that may write to pull requests or issues check out main's scripts", () => {
        const refs = ["comment", "drift"].map((key) => workflows.get("review.yml")?.jobs[key]?.steps?.[0]?.with);
        const main = { ref: "main", "sparse-checkout": "workflows/scripts" };
        expect(refs).toEqual([1, 2].map(() => ({ ...main, "persist-credentials": false })));
    });

    test("the comment is written of a review that failed, too, and is told the commit and the run", () => {
        const comment = workflows.get("review.yml")?.jobs.comment;
        expect(comment?.if).toBe("${{ !cancelled() && needs.review.result != 'skipped' }}");
        expect(comment?.steps?.at(-1)?.env).toMatchObject({
            SHA: "${{ github.event.pull_request.head.sha }}",
            RUN: expect.stringContaining("/actions/runs/${{ github.run_id }}") as string,
        });
    });

    test("recorded updates are kept where those before them were not lost", () => {
        const named = (name: string) => steps.filter(({ step }) => step.name === name).map(({ step }) => step);
        const kept = named("Keep the recorded updates").map((step) => step.if);
        const keeping = [...up, ...Array.from({ length: cleanups })];
        const condition =
            "${{ always() && steps.history.outcome == 'success' && steps.history.outputs.lost != 'true' }}";
        expect(kept).toEqual(keeping.map(() => condition));
        expect(new Set(named("Get the recorded updates").map(({ id }) => id))).toEqual(new Set(["history"]));
    });

    test("no job runs in a fork: neither by itself nor because another one ran", async () => {
        const { holds } = await expressions();
        const event = { repository: { fork: true }, pull_request: { head: { repo: {} }, user: {} }, workflow_run: {} };
        const refs = ["refs/heads/main", "refs/heads/topic"];
        const names = ["push", "pull_request", "merge_group", "schedule", "workflow_dispatch", "workflow_run"];
        const alone = jobs.filter(({ job }) => job.needs === undefined);
        const running = alone.filter(({ job }) =>
            refs.some((ref) =>
                names.some((event_name) => {
                    const github = { ref, event_name, event, repository: "somebody/copy" };
                    return job.if === undefined || holds(String(job.if), { github, vars: {} });
                }),
            ),
        );
        expect(alone.length).toBeGreaterThan(0);
        expect(running.map(({ where }) => where)).toEqual([]);
        // A job without a condition is skipped with the one that it needs; a condition looks at what that one left.
        const skipped = { result: "skipped", outputs: {} };
        const needs = { up: skipped, review: skipped, status: skipped };
        const after = jobs.filter(({ job }) => job.needs !== undefined && job.if !== undefined);
        const started = after.filter(({ job }) => holds(String(job.if).replace("!cancelled()", "true"), { needs }));
        expect(started.map(({ where }) => where)).toEqual([]);
    });

    test("checks and the review start in a merge queue, which waits for every required one", () => {
        const files = [...checks.map(({ file }) => file), "review.yml"];
        expect(files.filter((file) => !("merge_group" in (workflows.get(file)?.on ?? {})))).toEqual([]);
    });

    test.each<[string, { type: string; repo: string; ref: string }, string]>([
        ["a person of the repository", { type: "User", repo: "owner/name", ref: "topic" }, "review"],
        ["a fork", { type: "User", repo: "somebody/name", ref: "layered-images/bump" }, "lab"],
        ["Dependabot", { type: "Bot", repo: "owner/name", ref: "dependabot/npm/x" }, "lab"],
        ["a bot with a fork", { type: "Bot", repo: "bot/name", ref: "layered-images/bump" }, "lab"],
        ["this program, newer roots", { type: "Bot", repo: "owner/name", ref: "layered-images/bump" }, "review"],
        ["this program, workflows", { type: "Bot", repo: "owner/name", ref: "layered-images/workflows-0" }, "review"],
    ])(
        "a pull request of %s is reviewed or built as its author may be trusted",
        async (_who, { type, repo, ref }, job) => {
            const { holds } = await expressions();
            const pull_request = { head: { repo: { full_name: repo } }, user: { type } };
            const event = { repository: { fork: false }, pull_request };
            const github = { event_name: "pull_request", repository: "owner/name", head_ref: ref, event };
            const started = jobs.filter(
                ({ file, job: { if: condition } }) =>
                    file === "review.yml" &&
                    !String(condition).includes("needs.") &&
                    condition !== undefined &&
                    holds(String(condition), { github }),
            );
            expect(started.map(({ key }) => key).filter((key) => key !== "build")).toEqual([job]);
            expect(started.some(({ key }) => key === "build")).toBe(build && job === "review");
        },
    );

    test("the job for forks and bots builds only if an image changes, compared with the branch that it goes to", () => {
        const { steps = [] } = workflows.get("review.yml")?.jobs.lab ?? {};
        expect(steps[0]?.with).toMatchObject({ "fetch-depth": 2 });
        const comparing = steps.findIndex(({ id }) => id === "changed");
        expect(steps[comparing]?.run).toMatch(/ changed -- HEAD\^1$/);
        const after = steps.slice(comparing + 1).map((step) => step.if);
        expect(after).toEqual(after.map(() => "steps.changed.outputs.changed == 'true'"));
        expect(after.length).toBeGreaterThan(0);
    });

    test("the form of every update offers each image, each entry with a matrix and all, and those it is named for first", () => {
        for (const { file, images: watched = [] } of up as readonly { file: string; images?: readonly string[] }[]) {
            const { inputs } = workflows.get(file)?.on.workflow_dispatch as {
                inputs: Record<string, { options?: string[] }>;
            };
            const options = inputs.rebuild?.options ?? [];
            const names = imageNames(world.definitions);
            expect(options).toEqual(["(none)", ...watched, "all", ...names.filter((name) => !watched.includes(name))]);
            expect(inputs.rebuild).toMatchObject({ type: "choice", default: "(none)" });
        }
    });

    test("every job ends by itself", () => {
        expect(jobs.filter(({ job }) => typeof job["timeout-minutes"] !== "number").map(({ where }) => where)).toEqual(
            [],
        );
    });

    test("every job leaves no token in its checkout", () => {
        const checkouts = steps.filter(({ step }) => step.uses?.startsWith("actions/checkout@"));
        expect(
            checkouts.filter(({ step }) => (step.with as Record<string, unknown>)["persist-credentials"] !== false),
        ).toEqual([]);
        expect(checkouts).toHaveLength(jobs.filter(({ key }) => key !== "sbom").length);
    });

    test("every action is used by a commit of pins.json, with the version as a comment", () => {
        const known = Object.entries(readPins(packageRoot)).map(
            ([action, pin]) => `uses: ${action}@${contentOf(pin)} # ${pin.version}`,
        );
        const lines = texts.flatMap(([, text]) => text.match(/uses: .+/g) ?? []);
        expect(lines.length).toBeGreaterThan(0);
        expect(
            lines.filter((line) => !known.some((one) => line === one || line.startsWith(`${one} # zizmor:`))),
        ).toEqual([]);
    });

    test("nothing is handed to a shell but through its environment", () => {
        expect(steps.filter(({ step }) => step.run?.includes("${{")).map(({ where }) => where)).toEqual([]);
    });

    test("every exception of a linter has its reason", () => {
        const ignores = texts.flatMap(([, text]) => text.match(/zizmor: ignore.*/g) ?? []);
        expect(ignores.length).toBeGreaterThan(0);
        expect(ignores.filter((one) => !/^zizmor: ignore\[[a-z-]+\] \w.{20,}/.test(one))).toEqual([]);
    });

    test("every `up` waits in one group, is never cancelled, and checks out main afterwards; elsewhere nothing is promoted", () => {
        const ups = jobs.filter(({ key }) => key === "up");
        expect(ups.map(({ file }) => file)).toEqual(up.map(({ file }) => file));
        for (const { file, job, steps } of ups) {
            const condition = [
                "github.ref == 'refs/heads/main'",
                ...("workflow_run" in (workflows.get(file)?.on ?? {})
                    ? ["(github.event_name != 'workflow_run' || github.event.workflow_run.conclusion == 'success')"]
                    : []),
            ].join(" && ");
            expect(withoutForks(job.if)).toBe(condition);
            expect(job.concurrency).toEqual({
                group: `\${{ ${condition} && 'pulumi-up' || github.run_id }}`,
                "cancel-in-progress": false,
                queue: "max",
            });
            expect(steps[0]?.with).toMatchObject({ ref: "main" });
        }
        const promoting = steps
            .filter(({ step }) => step.run?.startsWith("npm run --silent up "))
            .map(({ where }) => where);
        expect(promoting).toHaveLength(2 * up.length);
        expect(promoting.every((where) => where.includes(" up "))).toBe(true);
    });

    test("an `up` during which the App's token may have expired is finished with another one", () => {
        for (const { steps } of jobs.filter(({ key }) => key === "up")) {
            const later = steps.slice(steps.findIndex(({ id }) => id === "up"));
            const [first, token, finish] = later.map((step) => ({ ...step, env: step.env as Record<string, string> }));
            expect(first?.env).toMatchObject({
                GITHUB_TOKEN: "${{ steps.app-token.outputs.token || secrets.REPOSITORY_TOKEN }}",
                RENEWABLE: "${{ steps.app-token.outputs.token != '' && 'true' || '' }}",
            });
            expect([token?.uses, finish?.run]).toEqual([steps.find(({ id }) => id === "app-token")?.uses, first?.run]);
            expect([token?.if, finish?.if]).toEqual(Array(2).fill("steps.up.outputs.again == 'true'"));
            expect(finish?.env.GITHUB_TOKEN).toBe(`\${{ steps.${token?.id ?? ""}.outputs.token }}`);
            const added = Object.keys(first?.env ?? {}).filter((name) => !(name in (finish?.env ?? {})));
            expect(added.sort()).toEqual(["REBUILD", "REFRESH", "RENEWABLE"]);
        }
    });

    test("a job builds what a pull request changes, and a job proposes newer roots, just where they are wanted", () => {
        const found = jobs.filter(({ key }) => key === "build" || key === "bump");
        expect(found.map(({ where }) => where)).toEqual([
            ...(build ? ["review.yml build"] : []),
            ...(bump ? ["review.yml bump"] : []),
        ]);
        for (const { key, job, steps } of found) {
            expect(job.environment).toEqual({ name: key === "build" ? "review" : "up", deployment: false });
            expect(job.permissions).toMatchObject({ packages: "read", contents: "read" });
            const ref = steps[0]?.with as Record<string, unknown>;
            expect([ref, typeof job.if]).toEqual([{ "persist-credentials": false }, "string"]);
        }
    });

    test("jobs that look at a pull request check the generated files first, before a secret or an hour is spent", () => {
        const looking = jobs.filter(({ key }) => key === "review" || key === "lab");
        const runs = looking.map(({ steps }) => steps.findIndex(({ run }) => run?.endsWith("workflows -- --check")));
        expect(looking.map(({ where }) => where)).toContain("review.yml lab");
        expect(runs).toEqual(looking.map(() => 2));
    });
};
for (const [which, world] of worlds) {
    describe(`of ${which},`, () => {
        testWorld(world);
    });
}

test("every action and image that is pinned is used", () => {
    const texts = worlds.flatMap(([, { files }]) => Object.values(files)).join("\n");
    const uses = ([name, pin]: readonly [string, Pin]) =>
        isImage(name) ? `${name}:${pin.version}@${contentOf(pin)}` : `uses: ${name}@`;
    expect(Object.entries(readPins(packageRoot)).filter((entry) => !texts.includes(uses(entry)))).toEqual([]);
});

test.each([
    ["runs-on: ubuntu-latest", "run-on: ubuntu-latest"],
    ["github.run_id", "github.run_identity"],
    ["packages: write", "packages: all"],
    ["branches:", "branch:"],
])("the language service finds what is wrong in a workflow with %s replaced by %s", async (right, wrong) => {
    const text = plain.files[".github/workflows/images.yml"] ?? "";
    expect(text).toContain(right);
    expect(await problems(text.replaceAll(right, wrong))).not.toEqual([]);
});

describe("what a workflows.ts says", () => {
    const { workflows } = readFiles(theirs);

    test("about updates decides file, name, triggers and time limit", () => {
        const [soil, shop] = ["soil.yml", "shop.yml"].map((file) => workflows.get(file));
        expect([soil?.name, shop?.name]).toEqual(["Soil and greenhouse", "Shop"]);
        const paths = (...own: string[]) => ["Pulumi.ci.yaml", "images.ts", ...own].sort();
        const ignores = [".dockerignore", "images/soil.Dockerfile.dockerignore"];
        expect(soil?.on.push).toEqual({
            branches: ["main"],
            paths: paths(
                ...ignores,
                "glass.txt",
                "images/greenhouse.Dockerfile",
                "images/greenhouse.Dockerfile.dockerignore",
                "images/soil.Dockerfile",
                "soil/**",
            ),
        });
        expect(soil?.on).not.toHaveProperty("workflow_run");
        expect(shop?.on.workflow_run).toEqual({
            workflows: ["Soil and greenhouse"],
            types: ["completed"],
            branches: ["main"],
        });
        expect([soil?.jobs.up?.["timeout-minutes"], shop?.jobs.up?.["timeout-minutes"]]).toEqual([45, 180]);
    });

    test("about checks decides image, steps and time limit", () => {
        const { name, "timeout-minutes": minutes, container, steps } = workflows.get("harvest.yml")?.jobs.harvest ?? {};
        expect([name, minutes]).toEqual(["Harvest", 5]);
        expect(container).toEqual({
            image: "${{ vars.GREENHOUSE_IMAGE || 'registry.example/orchard/greenhouse:stable' }}",
            credentials: containerCredentials("registry.example"),
        });
        expect(steps?.slice(1)).toEqual([
            { name: "Plant", run: "make plant\nmake water", env: { SEASON: "spring" } },
            { name: "Count", if: "${{ !cancelled() }}", run: "make count" },
        ]);
    });

    test("about review and dependabot decides schedule, time limit, ecosystems and releases", () => {
        const review = workflows.get("review.yml");
        expect([review?.on.schedule, review?.jobs.lab?.["timeout-minutes"]]).toEqual([[{ cron: "5 6 * * 2,5" }], 30]);
        const { updates } = parse(theirs.files[".github/dependabot.yml"] ?? "") as {
            updates: Record<string, unknown>[];
        };
        expect(updates.map((one) => one["package-ecosystem"])).toEqual(["github-actions", "npm", "gomod", "docker"]);
        expect(updates.at(-1)?.ignore).toMatchObject([{ "dependency-name": "debian" }]);
    });

    test("can be left out: then every push updates, there are no checks, and Mondays are for drift", () => {
        const { workflows: defaults } = readFiles(plain);
        const [images, review] = ["images.yml", "review.yml"].map((file) => defaults.get(file));
        expect([images?.name, images?.on.push]).toEqual(["Images", { branches: ["main"] }]);
        expect(images?.on).not.toHaveProperty("workflow_run");
        expect(review?.on.schedule).toEqual([{ cron: "23 4 * * 1" }]);
        expect(defaults.size).toBe(2);
    });

    test("can give the review another file and name, and leave dependabot.yml to the repository", () => {
        const workflows = { review: { file: "plan.yml", name: "Plan" }, dependabot: false as const };
        const checkout = openCheckout(tree(inventedFiles));
        const files = workflowFiles(checkout, { ...plain.definitions, workflows }, "main");
        expect([...readFiles({ files }).workflows].map(([file, { name }]) => [file, name])).toEqual([
            ["images.yml", "Images"],
            ["plan.yml", "Plan"],
        ]);
        expect(Object.keys(files)).not.toContain(".github/dependabot.yml");
    });
});

test("`up` can write to ghcr.io with a login of its environment, and the workflow's token then only reads", () => {
    const files = { ...inventedFiles };
    const images = {
        soil: { ...theirs.definitions.images.soil, name: "ghcr.io/orchard/soil:stable" },
    } as World["definitions"]["images"];
    const [byToken, byLogin] = (["token", "login"] as const).map((ghcr) => {
        const workflows = { releases: { signature: true }, ghcr };
        const { workflows: read } = readFiles({
            files: workflowFiles(openCheckout(tree(files)), { images, workflows }, "main"),
        });
        return ["up", "releases", "review"].map((key) => {
            const { permissions, steps = [] } = read.get("images.yml")?.jobs[key] ?? {};
            const login = steps.find(({ uses }) => uses?.startsWith("docker/login-action@"));
            return [
                key,
                (permissions as Record<string, string>).packages,
                (login?.with as Record<string, string>).password,
            ];
        });
    });
    const [token, password] = ["${{ github.token }}", "${{ secrets.REGISTRY_GHCR_IO_PASSWORD }}"];
    expect(byToken).toEqual([
        ["up", "write", token],
        ["releases", "write", token],
        ["review", "read", token],
    ]);
    expect(byLogin).toEqual([
        ["up", "read", password],
        ["releases", undefined, password],
        ["review", "read", token],
    ]);
});

test("a clean-up waits for updates, and removes with the token that may write packages", () => {
    const [byToken, byLogin] = (["token", "login"] as const).map((ghcr) => {
        const workflows = { cleanup: { keepReleases: 3, keepDays: 0 }, ghcr };
        const definitions = { ...theirs.definitions, workflows };
        const read = readFiles({ files: workflowFiles(openCheckout(tree({ ...inventedFiles })), definitions, "main") });
        const { up } = read.workflows.get("images.yml")?.jobs ?? {};
        const { cleanup } = read.workflows.get("review.yml")?.jobs ?? {};
        const groupOf = (job: typeof up) => /'(pulumi-\w+)'/.exec(JSON.stringify(job?.concurrency))?.[1];
        const [step] = (cleanup?.steps ?? []).filter(({ run }) => run?.includes(" gc "));
        expect([groupOf(up), groupOf(cleanup)]).toEqual(["pulumi-up", "pulumi-up"]);
        expect(step?.run).toMatch(/gc .*--stack "\$PULUMI_STACK" --keep-releases 3 --keep-days 0 --yes$/);
        return [
            (cleanup?.permissions as Record<string, string>).packages,
            (step?.env as Record<string, string>).PACKAGES_TOKEN,
        ];
    });
    expect(byToken).toEqual(["write", "${{ github.token }}"]);
    expect(byLogin).toEqual(["read", "${{ secrets.REGISTRY_GHCR_IO_PASSWORD }}"]);
});

test("a pins.json in the repository's root wins for the actions that it lists", () => {
    const pin = { version: "v9.1.0", commit: "c".repeat(40) };
    const root = tree({ ...inventedFiles, "pins.json": JSON.stringify({ "actions/checkout": pin }) });
    const { texts } = readFiles({ files: workflowFiles(openCheckout(root), theirs.definitions, "main") });
    const lines = texts.flatMap(([, text]) => text.match(/uses: actions\/(?:checkout|setup-node)@.+/g) ?? []);
    const { "actions/setup-node": node } = readPins(packageRoot);
    expect([...new Set(lines)]).toEqual([
        `uses: actions/checkout@${pin.commit} # v9.1.0`,
        `uses: actions/setup-node@${node ? contentOf(node) : ""} # ${node?.version ?? ""}`,
    ]);
});
