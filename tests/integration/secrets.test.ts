import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe } from "mocha";
import { canaries as secrets, mark, reveals } from "../canaries";
import { configWith, fixture, workflowsFile } from "../fixture";
import { type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { command } from "../stack";
import { except } from "../thorough";

/*
 * Every command that prints, with a build that prints its secrets in every encoding: nothing that people read, and no file that a command
 * writes, contains any of them.
 */

/** Prints each secret in every encoding, also as a part of a longer text. */
const printing = `import base64, json, sys, urllib.parse
for name in ("TOKEN", "KEY"):
    text = open("/run/secrets/" + name).read()
    print(text)
    for before in ("", "a", "me"):
        encoded = base64.b64encode((before + text + "\\n").encode()).decode()
        print(encoded, encoded.replace("+", "-").replace("/", "_"))
    print(base64.encodebytes(text.encode()).decode())
    print(urllib.parse.quote(text), urllib.parse.quote(text, safe=""), urllib.parse.urlencode({"q": text}))
    print(json.dumps(text), "https://me:" + urllib.parse.quote(text) + "@index.example/")
print("printed them all")
sys.exit(int(sys.argv[1]))
`;
const step = (code: number) =>
    `RUN --mount=type=secret,id=TOKEN --mount=type=secret,id=KEY --mount=type=bind,source=docker/notes/ci.txt,target=/tmp/print.py python /tmp/print.py ${code.toString()}\n`;
/** The Dockerfile of the image `ci`, with the step before what it copies. */
const dockerfile = (code: number) =>
    (fixture["docker/Dockerfile.ci"] ?? "").replace(
        "COPY requirements/app.txt",
        `${step(code)}COPY requirements/app.txt`,
    );
const settings = '  layered-images:platforms: ["linux/amd64"]\n  layered-images:github:\n    repository: cs24-1-bot\n';

let lab: TestLab;
let program: string;
/** Files that GitHub Actions would show: the summaries and outputs of steps. */
let shown: string;
const write = (name: string, text: string) => {
    writeFileSync(path.join(program, name), text);
};

/** Runs a command of the package as a step of a job, and checks that neither its output nor the files of the step reveal a secret. */
async function quietly(...args: readonly string[]) {
    rmSync(shown, { recursive: true, force: true });
    mkdirSync(shown);
    const outcome = await command(lab, program, args, {
        GITHUB_ACTIONS: "true",
        GITHUB_STEP_SUMMARY: path.join(shown, "summary"),
        GITHUB_OUTPUT: path.join(shown, "output"),
        REGISTRY_PASSWORD: secrets.TOKEN,
    });
    // With these lines GitHub learns what to mask, and shows none of them.
    const lines = outcome.output.split("\n");
    const masks = lines.filter((line) => line.startsWith("::add-mask::"));
    const texts = [
        lines.filter((line) => !line.startsWith("::add-mask::")).join("\n"),
        ...readdirSync(shown).map((name) => readFileSync(path.join(shown, name), "utf8")),
    ];
    for (const text of texts) if (reveals(text)) throw new Error(`${args.join(" ")} reveals a secret:\n${text}`);
    return { ...outcome, masks, output: texts.join("\n") };
}

before(async () => {
    lab = await startTestLab("host");
    program = makeRepository(path.join(lab.paths.state, "repository"), {
        ...fixture,
        ...workflowsFile(),
        ...configWith(settings),
        "images.ts": (fixture["images.ts"] ?? "").replace(
            'docker/smoke/ci.sh",',
            'docker/smoke/ci.sh",\n        secrets: ["TOKEN", "KEY"],',
        ),
        "docker/notes/ci.txt": printing,
        "docker/Dockerfile.ci": dockerfile(1),
    });
    shown = path.join(lab.paths.state, "shown");
    const values = Object.entries(secrets).flatMap(([name, value]) =>
        ["buildSecrets", "repositorySecrets"].flatMap((kind) => ["--secret", `${kind}.${name}=${value}`]),
    );
    const set = await runIn(lab, program, "pulumi", ["config", "set-all", "--stack", "local", "--path", ...values]);
    expect(set.code, set.output).toBe(0);
});
after(async () => {
    await lab.close();
});

test("what finds a secret in a text finds each line of it in each encoding", () => {
    for (const line of Object.values(secrets).flatMap((secret) => secret.split("\n"))) {
        expect(reveals(encodeURIComponent(line.replace(mark, `${mark.slice(0, 3)}&${mark.slice(3)}`)))).toBe(false);
        const encoded = ["", "a", "ab"].map((text) => Buffer.from(text + line).toString("base64"));
        for (const text of [line, `x${line}y`, ...encoded]) expect(reveals(text)).toBe(true);
    }
});

test("a failed update prints and reports the output of the failed step, without its secrets", async () => {
    const { code, output, masks } = await quietly("up");
    expect(code).not.toBe(0);
    expect(output.match(/printed them all/g)?.length).toBeGreaterThan(1);
    expect(output).toContain("[secret]");
    expect(masks).toContain(`::add-mask::${secrets.TOKEN.replaceAll("%", "%25")}`);
    const failed = await quietly("build");
    expect(failed.code).not.toBe(0);
    expect(failed.output).toContain("printed them all");
});

describe("after an update that succeeds", () => {
    before(async () => {
        write("docker/Dockerfile.ci", dockerfile(0));
        const { code, output } = await quietly("up");
        expect(code, output).toBe(0);
        expect(output).toContain("printed them all");
        write("docker/Dockerfile.ci", `${dockerfile(0)}RUN true\n`);
    });

    const otherForms = [
        "preview --json",
        "review --refresh",
        "review --format markdown",
        "review --format json",
        "review --format html",
        "status",
    ];
    test.each(
        except<[string]>(otherForms, [
            ["preview --diff"],
            ["preview --json"],
            ["review --refresh"],
            ["review --format markdown"],
            ["review --format json"],
            ["review --format html"],
            ["status"],
            ["status --json"],
            ["build"],
            ["lab status"],
            ["workflows --check"],
            ["github-setup"],
            ["changed"],
        ]),
    )("`%s` reveals none", async (words) => {
        await quietly(...words.split(" "));
    });

    test("`canary` of a build that fails reveals none", async () => {
        const staged = path.join(program, ".stage", "ci");
        const files = readdirSync(staged, { recursive: true, encoding: "utf8" });
        for (const file of files.filter((name) => name.endsWith("docker/notes/ci.txt")))
            writeFileSync(path.join(staged, file), printing.replace("int(sys.argv[1])", "1"));
        const { code, output } = await quietly("canary", "ci");
        expect(code).toBe(1);
        expect(output).toContain("printed them all");
    });

    test("no file that the program keeps contains one: state, its backups and history, records, logs, staged contexts", async () => {
        // The history of the builder holds what steps print; only its user reads it.
        const kept = ["--exclude-dir=buildkit", "--exclude-dir=shown", "--exclude-dir=node_modules"];
        const found = await runIn(lab, program, "grep", ["-rlE", ...kept, mark, lab.paths.state]);
        expect(found.stdout).toBe("");
    });
});
