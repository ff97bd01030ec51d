import { fail } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync } from "node:fs";
import path from "node:path";
import { expect, test } from "../../tests/mocha";
import { packageRoot } from "../system/paths";
import { temporaryFolder } from "../../tests/tree";

/** A user who writes the fixture into a folder and prepares its images. */
interface Person {
    readonly root: string;
    readonly user: number;
    readonly umask: number;
}

/** The result: owner and mode of a file, and the input hashes of each image and of its smoke tests. */
interface Prepared {
    readonly owner: number;
    readonly mode: number;
    readonly hashes: readonly (readonly (string | null)[])[];
}

/**
 * Prepares the images as each person in turn. It loads the program first: another user may have no access to the
 * checkout.
 */
const script = `
require("ts-node/register/transpile-only");
const { mkdirSync, statSync, writeFileSync } = require("node:fs");
const path = require("node:path");
const { openCheckout } = require("./lib/context/checkout.ts");
const { readHierarchy } = require("./lib/hierarchy/prepare.ts");
const { fixture } = require("./tests/fixture.ts");
const files = fixture;
function prepareAs({ root, user, umask }) {
    if (user !== process.getuid()) {
        process.setgroups([]);
        process.setgid(user);
        process.setuid(user);
    }
    process.umask(umask);
    for (const [name, text] of Object.entries(files)) {
        const file = path.join(root, name);
        mkdirSync(path.dirname(file), { recursive: true });
        writeFileSync(file, text, { mode: name.endsWith(".sh") ? 0o777 : 0o666 });
    }
    const { images } = require(path.join(root, "images.ts"));
    const prepared = readHierarchy(openCheckout(root), { images }, { platforms: "all", roots: {}, buildArgs: {} }).images;
    const { uid, mode } = statSync(path.join(root, "app/bot/__main__.py"));
    const hashes = prepared.map((image) => [image.key, image.inputHash, image.tests?.inputHash]);
    return { owner: uid, mode: mode & 0o777, hashes };
}
console.log(JSON.stringify(JSON.parse(process.argv[1]).map(prepareAs)));
`;

const self = process.getuid?.() ?? fail("not a POSIX system");
/** Only root can become another user: "nobody", who owns no file and shares no group with root. */
const other = self === 0 ? 65534 : self;

function person(user: number, umask: number): Person {
    const folder = temporaryFolder();
    chmodSync(folder, 0o755);
    const root = path.join(folder, "repository");
    mkdirSync(root);
    if (user !== self) chownSync(root, user, user);
    return { root, user, umask };
}

const whom = other === self ? "the same user (run it as root to try another one)" : "another user";
test(`input hashes are the same for ${whom} with another umask`, () => {
    const people = JSON.stringify([person(self, 0o022), person(other, 0o077)]);
    const run = spawnSync(process.execPath, ["--eval", script, people], { cwd: packageRoot, encoding: "utf8" });
    expect(run.stderr).toBe("");
    const [mine, theirs] = JSON.parse(run.stdout) as Prepared[];
    expect(mine).toMatchObject({ owner: self, mode: 0o644 });
    expect(theirs).toMatchObject({ owner: other, mode: 0o600 });
    expect(mine?.hashes.map(([key]) => key)).toEqual(["base", "ci", "bot", "devcontainer"]);
    // Only the devcontainer has no smoke test: it is never pushed.
    expect(mine?.hashes.flat().filter((hash) => hash === null)).toHaveLength(1);
    expect(theirs?.hashes).toEqual(mine?.hashes);
}).timeout(30_000);
