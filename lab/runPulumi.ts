import { mkdirSync } from "node:fs";
import { changedSecrets } from "../lib/changedSecrets";
import { refreshBefore, refreshOptions } from "../lib/refresh";
import { recordUp } from "../review/recordUpdate";
import { filesDiffer } from "../review/status/githubFindings";
import { tellFailedBuilds } from "./failedBuilds";
import { startLab } from "./lab";
import type { LabOptions } from "./labCommand";
import { hasImages, labDeployment } from "./labState";
import { checkDisk } from "./packages";
import { labPaths } from "./paths";
import { isInterrupted, runAttached } from "./process";
import { elapsed } from "./progress";
import { removeDeadLocks } from "./stackLocks";

/** GB that building takes at first (a CUDA base, its layers unpacked, the registry's copy) and afterwards. */
const room = { firstBuild: 25, nextBuild: 5 } as const;

/** Sets up the lab and runs `pulumi <operation>` on its stack; an `up` is recorded. Returns Pulumi's exit code. */
export async function runPulumi(operation: string, args: readonly string[], options: LabOptions): Promise<number> {
    const start = Date.now();
    const paths = labPaths();
    mkdirSync(paths.state, { recursive: true });
    const isUp = operation === "up";
    if (isUp) {
        checkDisk(paths.state, { "building the images": hasImages(paths) ? room.nextBuild : room.firstBuild });
    }
    const lab = await startLab(options);
    for (const line of removeDeadLocks(paths)) console.error(line);
    const ready = Date.now();
    const { refresh, rest } = isUp
        ? refreshBefore(args, await filesDiffer(labDeployment(paths).resources, lab.env))
        : { refresh: undefined, rest: args };
    if (refresh) {
        const code = await runAttached("pulumi", ["refresh", "--yes", "--skip-preview", ...refresh], lab.env);
        if (code !== 0) return code;
    }
    // As in workflows/scripts/up.sh: what others set is seen by a refresh, and by no update.
    const changed = refresh === refreshOptions.all ? changedSecrets(labDeployment(paths).resources) : [];
    const replaced = changed.flatMap((urn) => ["--replace", urn]);
    const run = (more: readonly string[], env: NodeJS.ProcessEnv) =>
        runAttached("pulumi", [operation, ...more, ...replaced, ...rest], env);
    const code = isUp ? await recordUp(lab.env, run) : await run([], lab.env);
    if (code !== 0 && isUp && !isInterrupted()) {
        await tellFailedBuilds(lab.env, new Date(ready));
    }
    const [setUp, engine] = [elapsed(ready - start), elapsed(Date.now() - ready)];
    console.error(`${operation}: lab ready after ${setUp}, pulumi ${operation} took ${engine}`);
    return code;
}
