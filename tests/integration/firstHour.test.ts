import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before } from "mocha";
import { parse, stringify } from "yaml";
import { labRepository, labToken } from "../../lab/github/defaults";
import { packageRoot } from "../../lib/system/paths";
import { hostPlatform } from "../../lib/platform";
import { type Outcome, type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { manifest } from "../registry";
import { type Sshd, startSshd } from "../sshd";
import { type StandInRepository, standInRepository } from "../standIn";
import { command } from "../stack";
import { writeTree } from "../tree";

/*
 * The first hour of a new owner, as docs/operations.md tells it: a repository with Dockerfiles, a protected branch and no App, up to a
 * deployed release. The tests run in order and depend on each other.
 */

let lab: TestLab;
let sshd: Sshd;
let root: string;
let github: StandInRepository;

before(async () => {
    lab = await startTestLab("host");
    const folder = path.join(lab.paths.state, "sshd");
    mkdirSync(folder);
    sshd = await startSshd(folder);
    github = standInRepository(lab);
    await github.control("PATCH", github.where, {
        protections: [{ by: "ruleset", branches: ["main"], rules: { pullRequest: true, approvals: 1 } }],
    });
    const permissions = {
        ...{ actions: "read", administration: "write", environments: "write" },
        ...{ secrets: "write", actions_variables: "write" },
    };
    await github.control("PUT", "tokens/owner", { login: "owner", permissions });
    root = makeRepository(path.join(lab.paths.state, "repository"), {
        "build.sh": `docker build --push --platform ${hostPlatform()} -t ${lab.instance.registry}/first/bot:latest bot\n`,
        "bot/Dockerfile": "FROM scratch\nCOPY bot.txt /\n",
        "bot/bot.txt": "1\n",
    });
    for (const file of ["index.cjs", "Pulumi.yaml", "package.json"]) execFileSync("rm", [path.join(root, file)]);
    const remote = `https://github.com/${labRepository.owner}/${labRepository.name}.git`;
    execFileSync("git", ["-C", root, "init", "--quiet", "--initial-branch=main"]);
    execFileSync("git", ["-C", root, "remote", "add", "origin", remote]);
    execFileSync("git", ["-C", root, "add", "build.sh", "bot"]);
});
after(async () => {
    await sshd.stop();
    await lab.close();
});

/** What the owner does by hand, in order. */
const byHand: string[] = [];
/** Does something by hand, in a shell on the owner's machine. */
async function onMachine(what: string, ...words: string[]): Promise<Outcome> {
    byHand.push(what);
    return command(lab, root, words, machine());
}

const backend = () => `file://${path.join(lab.paths.state, "backend")}`;
const passphrase = "a passphrase of their own";
/** What every process needs to reach the lab's servers and its builder, without the lab's own backend and token. */
function reachable(): NodeJS.ProcessEnv {
    const { GITHUB_TOKEN, ...env } = lab.env;
    expect(GITHUB_TOKEN).toBe(labToken);
    return { ...env, GITHUB_TOKEN: "", PULUMI_BACKEND_URL: backend(), PULUMI_CONFIG_PASSPHRASE: passphrase };
}
const machine = (): NodeJS.ProcessEnv => ({ ...reachable(), GITHUB_TOKEN: "owner" });
/** A job of the workflow that updates, with a token for GitHub or, before there is one, without. */
const job = (token: string) =>
    command(lab, root, ["up", "--stack", "ci"], {
        ...reachable(),
        ...{ GITHUB_ACTIONS: "true", CI: "true", GITHUB_TOKEN: token, WORKFLOW_TOKEN: "owner" },
    });
const digest = async () => (await manifest(lab, "first/bot", "latest"))?.digest;
const commits = () => github.messages().length;

test("the repository is adopted, and its files come to the protected branch by a pull request of people", async () => {
    const adopted = await onMachine("adopt", "adopt", "--yes");
    expect(adopted.code, adopted.output).toBe(0);
    const generated = await onMachine("workflows", "workflows");
    expect(generated.code, generated.output).toBe(0);
    mkdirSync(path.join(lab.paths.state, "backend"));
    byHand.push("pulumi stack init ci");
    const made = await runIn({ ...lab, env: machine() }, root, "pulumi", ["stack", "init", "ci"]);
    expect(made.code, made.output).toBe(0);
    byHand.push("a pull request");
    const listed = execFileSync("git", ["-C", root, "ls-files", "--others", "--exclude-standard"], {
        encoding: "utf8",
    });
    // Here it is a link, which a pattern for folders does not match.
    const files = listed
        .trim()
        .split("\n")
        .filter((file) => file !== "node_modules");
    expect(files.filter((file) => file.startsWith(".github/workflows/"))).not.toEqual([]);
    await github.control("POST", `${github.where}/push`, {
        branch: "main",
        message: "Use layered-images",
        files: Object.fromEntries(files.map((file) => [file, readFileSync(path.join(root, file), "utf8")])),
    });
});

/** Runs `github-setup` on the owner's machine, with the values of secrets in its environment. */
const setUp = (secrets: Readonly<Record<string, string>>, ...words: readonly string[]) =>
    command(lab, root, ["github-setup", ...words, ...Object.keys(secrets).flatMap((name) => ["--secret", name])], {
        ...machine(),
        ...secrets,
    });

test("github-setup says what is missing, and does it", async () => {
    expect((await setUp({})).code).toBe(2);
    byHand.push("github-setup --apply");
    const login = `REGISTRY_${lab.instance.registry.toUpperCase().replace(/[^A-Z0-9]/g, "_")}`;
    // The jobs below keep the state in a folder instead of a bucket.
    const variables = { PULUMI_BACKEND_URL: "s3://state", AWS_REGION: "eu-west-1", [`${login}_USERNAME`]: "robot" };
    const secrets = {
        ...{ PULUMI_CONFIG_PASSPHRASE: passphrase, AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "its key" },
        [`${login}_PASSWORD`]: "its password",
    };
    const named = Object.entries(variables).flatMap(([name, value]) => ["--variable", `${name}=${value}`]);
    const { output } = await setUp(secrets, "--apply", ...named);
    for (const value of [passphrase, "its key", "its password"]) expect(output).not.toContain(value);
    expect(await github.environmentSecret("up", "PULUMI_CONFIG_PASSPHRASE")).toBe(passphrase);
});

test("the first push publishes the image without a token for GitHub, and says what that leaves out", async () => {
    const { code, output } = await job("");
    expect(code, output).toBe(0);
    expect(output).toContain("workflow files, secrets and variables stay as they are");
    expect(output).not.toContain("export GITHUB_TOKEN");
    expect(await digest()).toMatch(/^sha256:/);
});

test("with a token the next push sets variables, and takes the files of the protected branch over without a commit", async () => {
    byHand.push("a token that writes to GitHub");
    const { output: applied } = await setUp({ REPOSITORY_TOKEN: labToken }, "--apply");
    expect(applied).toMatch(/^done {5}token that writes to GitHub/m);
    const [before, published] = [commits(), await digest()];
    const { code, output } = await job(labToken);
    expect(code, output).toBe(0);
    expect(commits()).toBe(before);
    expect(github.state().variables.BOT_IMAGE?.value).toBe(`${lab.instance.registry}/first/bot@${published ?? ""}`);
});

test("with a deployment the next push starts the release on the host", async () => {
    byHand.push("the deployment");
    const file = path.join(root, "Pulumi.ci.yaml");
    const { config, ...rest } = parse(readFileSync(file, "utf8")) as { config: Record<string, unknown> };
    const [project = ""] = Object.keys(config)
        .filter((key) => key.endsWith(":platforms"))
        .map((key) => key.split(":")[0]);
    const bot = {
        ...{ image: "bot", host: "127.0.0.1", port: sshd.port, user: sshd.user, hostKey: sshd.hostKey },
        command: 'echo "$RELEASE_REF" >> "$DEPLOY_STATE/started"',
    };
    writeFileSync(
        file,
        stringify({ ...rest, config: { ...config, [`${project}:deployments`]: { bot } } }, { lineWidth: 0 }),
    );
    const key = path.join(lab.paths.state, "key");
    writeFileSync(key, sshd.key);
    const set = 'pulumi config set --stack ci --secret --path deployments.bot.key < "$0"';
    const done = await runIn({ ...lab, env: machine() }, root, "sh", ["-c", set, key]);
    expect(done.code, done.output).toBe(0);
    const { code, output } = await job(labToken);
    expect(code, output).toBe(0);
    const started = () => readFileSync(path.join(sshd.state, "started"), "utf8").trimEnd().split("\n");
    expect(started()).toEqual([`${lab.instance.registry}/first/bot@${(await digest()) ?? ""}`]);
    writeTree(root, { "bot/bot.txt": "2\n" });
    const pushed = await job(labToken);
    expect(pushed.code, pushed.output).toBe(0);
    expect(started()).toHaveLength(2);
    expect(started().at(-1)).toBe(`${lab.instance.registry}/first/bot@${(await digest()) ?? ""}`);
});

test("nothing is missing then, and docs/operations.md counts what was done by hand", async () => {
    const { code, output } = await setUp({});
    expect(code, output).toBe(0);
    const text = readFileSync(path.join(packageRoot, "docs/operations.md"), "utf8");
    const [, section = ""] = /^### The first hour$([^]*?)^### /m.exec(text) ?? [];
    expect(section.match(/^\d+\. /gm)).toHaveLength(byHand.length);
});
