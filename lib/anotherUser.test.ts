import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { repositoryRoot } from "../lab/paths";
import { temporaryFolder } from "../tests/tree";

/** Writes the fixture as somebody and prepares its layers; everything that it loads is loaded before that. */
const script = `
require("ts-node/register/transpile-only");
const { mkdirSync, readFileSync, statSync, writeFileSync } = require("node:fs");
const path = require("node:path");
const { prepareLayers } = require("./lib/layers.ts");
const { fixture } = require("./tests/fixture.ts");
const smoke = readFileSync("docker/smoke.Dockerfile");
const [root, user, umask] = process.argv.slice(1);
process.umask(Number(umask));
if (Number(user) !== process.getuid()) {
    process.setgroups([]);
    process.setgid(Number(user));
    process.setuid(Number(user));
}
for (const [name, text] of [...Object.entries(fixture), ["docker/smoke.Dockerfile", smoke]]) {
    const file = path.join(root, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text, { mode: name.endsWith(".sh") ? 0o777 : 0o666 });
}
const { images } = require(path.join(root, "images.ts"));
const layers = prepareLayers(root, images, { platforms: "all", roots: {}, buildArgs: {} });
const { uid, mode } = statSync(path.join(root, "app/bot/__main__.py"));
const hashes = layers.map((layer) => [layer.key, layer.inputHash, layer.tests?.inputHash]);
console.log(JSON.stringify({ owner: uid, mode: mode & 0o777, hashes }));
`;

interface Prepared {
    readonly owner: number;
    readonly mode: number;
    readonly hashes: readonly (readonly (string | null)[])[];
}

function prepareAs(user: number, umask: number): Prepared {
    const folder = temporaryFolder();
    chmodSync(folder, 0o755);
    const root = path.join(folder, "repository");
    mkdirSync(root);
    if (user !== self) chownSync(root, user, user);
    const args = ["--eval", script, root, user.toString(), umask.toString()];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: repositoryRoot, encoding: "utf8" });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    return JSON.parse(stdout) as Prepared;
}

const self = process.getuid?.() ?? expect.fail("not a POSIX system");
/** Only root can become somebody else: "nobody", who owns nothing and is in no group of root's. */
const other = self === 0 ? 65534 : self;

test(`input hashes are the same for ${other === self ? "the same user (run it as root to try another one)" : "another user"} with another umask`, () => {
    const [mine, theirs] = [prepareAs(self, 0o022), prepareAs(other, 0o077)];
    expect(mine).toMatchObject({ owner: self, mode: 0o644 });
    expect(theirs).toMatchObject({ owner: other, mode: 0o600 });
    expect(mine.hashes.map(([key]) => key)).toEqual(["base", "ci", "bot", "devcontainer"]);
    expect(mine.hashes.flat().filter((one) => typeof one !== "string")).toEqual([null]);
    expect(theirs.hashes).toEqual(mine.hashes);
}, 30_000);
