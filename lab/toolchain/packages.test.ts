import { CommandError } from "../../lib/errors";
import { expect, onTestFinished, spyOn, test } from "../../tests/mocha";
import { temporaryFolder } from "../../tests/tree";
import { allParts, ensurePackages, requireRoot } from "./packages";

function as(uid: number): void {
    const spy = spyOn(process as { getuid: () => number }, "getuid").mockReturnValue(uid);
    onTestFinished(() => {
        spy.mockRestore();
    });
}

test("who is not root gets the command that installs what is missing", async () => {
    as(1000);
    const missing = ensurePackages(allParts, [temporaryFolder()]);
    await expect(missing).rejects.toThrow(CommandError);
    await expect(missing).rejects.toThrow(
        "the lab needs runc, docker-registry, openssl, flock, debootstrap, strip, qemu-aarch64-static, update-binfmts. " +
            "Install the packages and run this again:\n    sudo apt-get update && sudo apt-get install --yes " +
            "--no-install-recommends runc docker-registry openssl util-linux debootstrap binutils qemu-user-static binfmt-support",
    );
});

test("programs that no image needs are not asked for", async () => {
    as(1000);
    const missing = ensurePackages({ standIn: false, emulation: false, otherRoots: false }, [temporaryFolder()]);
    await expect(missing).rejects.toThrow(/^the lab needs runc, docker-registry, openssl, flock\. /);
});

test("who is not root is told how to be, with the PATH and HOME that are in use", () => {
    as(1000);
    expect(requireRoot).toThrow(CommandError);
    expect(requireRoot).toThrow('sudo env "PATH=$PATH" "HOME=$HOME" npm run');
    as(0);
    expect(requireRoot).not.toThrow();
});
