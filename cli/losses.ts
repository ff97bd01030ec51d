import { findConfigFile, settingIn } from "../lib/engine/configFile";
import { type Engine, preview } from "../lib/engine/pulumi";
import { dockerTypes, isPublished } from "../lib/engine/resources";
import { projectName } from "../lib/engine/stacks";
import type { Resource } from "../lib/engine/state";
import { lossesIn } from "../lib/plan/plan";
import { judge, refuseAll } from "../lib/policy/rules";
import { levelOf, policySchema } from "../lib/policy/settings";
import { repositoryRoot } from "../lib/system/paths";
import { deploymentOf } from "./session";

/** Whether the registry would lose a digest with this resource, if an update deleted or replaced it. */
const mayBeLost = ({ type, inputs, retainOnDelete }: Resource): boolean =>
    retainOnDelete !== true && (type === dockerTypes.index || (type === dockerTypes.image && isPublished(inputs)));

/**
 * Refuses an update that would remove published digests from the registry, where the stack's policy has the rule `no-loss`. The engine
 * shows deletions to nobody but a preview, so there is one, but only if the state has something that can be lost: the program makes nothing
 * of that kind.
 *
 * @throws InputError that names every loss; and the errors of `preview`
 */
export async function refuseLosses(engine: Engine): Promise<void> {
    const root = repositoryRoot();
    const file = findConfigFile(root, engine.stack, projectName(root));
    if (!file) return;
    // The program refuses a setting that is wrong.
    const settings = policySchema.safeParse(settingIn(file, "policy")).data;
    if (levelOf(settings, "no-loss") === "disabled") return;
    const { resources } = await deploymentOf(engine);
    if (!resources.some(mayBeLost)) return;
    const losses = lossesIn((await preview(engine)).steps);
    const { refused, advised } = judge(
        settings,
        losses.map((loss) => ({ rule: "no-loss", ...loss })),
    );
    for (const warning of advised) console.error(`warning: ${warning}`);
    refuseAll(refused);
}
