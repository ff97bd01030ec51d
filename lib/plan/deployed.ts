import { listOf } from "./causes";
import type { Preview } from "./preview";

/** A build that was pushed, as the state has it. */
export interface DeployedBuild {
    /** Key of its image. */
    readonly image: string;
    readonly platform: string;
    readonly repository: string;
    readonly digest: string;
}

/** The builds in the state that were pushed; smoke tests and images that are never pushed have no digest. */
export function deployedBuilds({ steps }: Pick<Preview, "steps">): DeployedBuild[] {
    return steps.flatMap(({ type, parent, old: before }) => {
        const digest = before?.outputs.digest;
        const [tag] = listOf(before, "tags");
        if (type !== "docker-build:index:Image" || typeof digest !== "string" || digest === "" || tag === undefined) return [];
        const [platform = ""] = listOf(before, "platforms");
        return [{ image: parent, platform, repository: tag.replace(/:[^:/]*$/, ""), digest }];
    });
}
