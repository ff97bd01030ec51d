import path from "node:path";
import { hostPlatform } from "../../lib/platform";
import { expect, test } from "../../tests/mocha";
import { withPrograms } from "../../tests/programs";
import { tree } from "../../tests/tree";
import { enableEmulation } from "./emulation";

const platforms = ["linux/amd64", "linux/arm64"] as const;
const foreign = hostPlatform() === "linux/amd64" ? "linux/arm64" : "linux/amd64";
const interpreter = foreign === "linux/arm64" ? "qemu-aarch64" : "qemu-x86_64";

test("where emulation can't be enabled the machine's own platform is left, with the reason and the command", async () => {
    withPrograms({ "update-binfmts": "echo 'update-binfmts: no permission' >&2; exit 2" });
    const registry = tree({ register: "" });
    const { platforms: own, missing } = await enableEmulation(registry);
    expect(own).toEqual([hostPlatform()]);
    expect(missing.map(({ platform }) => platform)).toEqual([foreign]);
    const [{ reason } = { reason: "" }] = missing;
    expect(reason).toContain("exit code 2 update-binfmts: no permission. To enable it: sudo mount -t binfmt_misc");
    expect(reason).toContain(`; sudo update-binfmts --enable ${interpreter}`);
});

test("an interpreter that the kernel does not know afterwards is missing, too", async () => {
    withPrograms({ "update-binfmts": "exit 0" });
    const { missing } = await enableEmulation(tree({ register: "" }));
    expect(missing[0]?.reason).toContain(`binfmt_misc does not know ${interpreter}`);
});

test("where binfmt_misc can't be mounted the reason is that", async () => {
    withPrograms({ mount: "echo 'mount: permission denied' >&2; exit 32", "update-binfmts": "exit 0" });
    const { missing } = await enableEmulation(path.join(tree({}), "nothing"));
    expect(missing[0]?.reason).toContain("mount: permission denied");
});

test("what is enabled is used as it is, and what is not is enabled", async () => {
    const enabled = tree({ register: "", [interpreter]: "enabled\n" });
    withPrograms({ "update-binfmts": "exit 1" });
    expect(await enableEmulation(enabled)).toEqual({ platforms, missing: [] });
    const empty = tree({ register: "", [interpreter]: "disabled\n" });
    withPrograms({
        "update-binfmts": `test "$*" = "--enable ${interpreter}" && echo enabled > "${empty}/${interpreter}"`,
    });
    expect(await enableEmulation(empty)).toEqual({ platforms, missing: [] });
});
