import type { ReadStage } from "../dockerfile/read";
import { InputError } from "../errors";
import { referenceProblem, sameImage } from "../registry/references";

/**
 * Refuses a stage that is named like an image which the build gets as a named context: BuildKit looks for contexts by the
 * names of stages first (dockerfile2llb, buildDispatchStates), puts the image in the stage's place and drops what the stage
 * does. A stage that only renames the image is refused as well: it is easier to rename than to be sure of.
 *
 * @param dockerfile path, for messages
 * @param contexts references, as the Dockerfile has them, that parents or pins replace
 * @throws InputError with file and line
 */
export function refuseReplacedStages(
    dockerfile: string,
    stages: readonly ReadStage[],
    contexts: readonly string[],
): void {
    for (const { name, line } of stages) {
        if (name === undefined || referenceProblem(name) !== undefined) continue;
        const context = contexts.find((one) => sameImage(one, name));
        if (context === undefined) continue;
        throw new InputError({
            problem:
                `stage ${name} has the name of ${context}, which this build gets by digest: BuildKit would put that image ` +
                "in the stage's place, without what the stage does",
            where: `${dockerfile}:${line}`,
            next: `rename the stage, and what names it in FROM and from=: FROM … AS ${name}-stage`,
        });
    }
}
