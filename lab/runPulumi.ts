import { changedSecrets } from "../lib/changedSecrets";
import { refreshBefore, refreshOptions } from "../lib/refresh";
import { recordUp } from "../review/recordUpdate";
import { filesDiffer } from "../review/status/githubFindings";
import { startLab } from "./lab";
import type { LabOptions } from "./labCommand";
import { labDeployment } from "./labState";
import { labPaths } from "./paths";
import { runAttached } from "./process";
import { elapsed } from "./progress";
import { removeDeadLocks } from "./stackLocks";

/** Sets up the lab and runs `pulumi <operation>` on its stack; an `up` is recorded. Returns Pulumi's exit code. */
export async function runPulumi(operation: string, args: readonly string[], options: LabOptions): Promise<number> {
    const start = Date.now();
    const paths = labPaths();
    const isUp = operation === "up";
    const lab = await startLab({ ...options, builds: isUp });
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
    const [setUp, engine] = [elapsed(ready - start), elapsed(Date.now() - ready)];
    console.error(`${operation}: lab ready after ${setUp}, pulumi ${operation} took ${engine}`);
    return code;
}
