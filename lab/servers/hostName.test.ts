import { readFileSync } from "node:fs";
import path from "node:path";
import { CommandError } from "../../lib/errors";
import { expect, test } from "../../tests/mocha";
import { tree } from "../../tests/tree";
import { ensureHostName } from "./hostName";

const unknown = () => Promise.reject(new Error("ENOTFOUND"));
const line = "127.0.0.1 registry.localhost\n";

test.each<[string, string, () => Promise<readonly string[]>, string]>([
    ["a name that nobody knows", "::1 localhost\n", unknown, `::1 localhost\n${line}`],
    ["a file without an end of line", "::1 localhost", unknown, `::1 localhost\n${line}`],
    ["an empty file", "", unknown, line],
    ["a name that is somewhere else", "", () => Promise.resolve(["10.0.0.1"]), line],
    ["a name of the other kind of address", "::1 registry.localhost\n", unknown, `::1 registry.localhost\n${line}`],
    ["a name that is there", "127.0.0.1\tlocalhost registry.localhost\n", unknown, ""],
    ["a name that DNS knows", "", () => Promise.resolve(["127.0.0.1"]), ""],
])("%s: the file of hosts has it afterwards where it was needed", async (_name, before, ask, after) => {
    const file = path.join(tree({ hosts: before }), "hosts");
    await ensureHostName(file, ask);
    expect(readFileSync(file, "utf8")).toBe(after || before);
});

test("where the file can't be written the command to run is told", async () => {
    // No user can write this file, not even root.
    const failing = ensureHostName("/proc/version", unknown);
    await expect(failing).rejects.toThrow(CommandError);
    await expect(failing).rejects.toThrow("echo '127.0.0.1 registry.localhost' | sudo tee --append /proc/version");
});
