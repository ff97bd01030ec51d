import { existsSync } from "node:fs";
import path from "node:path";
import { expect, spyOn, test } from "../tests/mocha";
import { withPrograms } from "../tests/programs";
import { tree } from "../tests/tree";
import { onStackOfSettings } from "./stackOfSettings";

test("a stack that can't be made leaves no copied file behind", async () => {
    const root = tree({
        "Pulumi.yaml": "name: images\nruntime: nodejs\n",
        "Pulumi.preview.yaml": 'config:\n  images:channel: "{stack}"\n',
    });
    spyOn(process, "cwd").mockReturnValue(root);
    withPrograms({
        pulumi: 'case "$2" in ls) echo "[]";; *) echo "error: incorrect passphrase" >&2; exit 1;; esac',
    });
    const done = onStackOfSettings({ stack: "pr-1", settingsOf: "preview" }, true, () => Promise.resolve());
    await expect(done).rejects.toThrow(/stack pr-1 can't be made[^]*incorrect passphrase/);
    expect(existsSync(path.join(root, "Pulumi.pr-1.yaml"))).toBe(false);
});
