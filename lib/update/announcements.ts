import type { EngineLog } from "../engine/log";
import { componentTypes, listIn } from "../engine/resources";
import type { Announcement, DeploymentRecord } from "../github/announce";
import { deploymentOutcomes } from "./deployments";
import { type PromotedRelease, promotedIn, promotedReleases } from "./promoted";

/** What an update has to tell GitHub. */
export interface Announcements {
    /** Releases to send an event for. */
    readonly dispatches: readonly Announcement[];
    readonly records: readonly DeploymentRecord[];
}

const announcement = ({ image, ref, release }: PromotedRelease): Announcement => ({ image, ref, release });

/**
 * Returns what the stack's configuration wants GitHub to be told about an update: an event for each image that moved; and a deployment record
 * for each deployment that was tried, and for each other image that moved, which somebody else deploys.
 */
export function announcementsOf(log: EngineLog): Announcements {
    const settings = log.steps.find(({ type, after }) => type === componentTypes.repositorySettings && after);
    const wanted = listIn(settings?.after?.inputs.announcements);
    const releases = promotedReleases(log);
    const moved = promotedIn(log).releases.map(announcement);
    const deployments = deploymentOutcomes(log);
    const tried = deployments.flatMap(({ deployment, image, outcome, said }): DeploymentRecord[] => {
        const release = releases.find((one) => one.image === image);
        if (!release || (outcome !== "deployed" && outcome !== "failed")) return [];
        return [
            {
                ...{ ...announcement(release), environment: deployment },
                state: outcome === "deployed" ? "success" : "failure",
                ...(said !== undefined && { description: said }),
            },
        ];
    });
    const byOthers = moved
        .filter(({ image }) => !deployments.some((one) => one.image === image && one.outcome !== "removed"))
        .map((release) => ({ ...release, environment: release.image }));
    return {
        dispatches: wanted.includes("dispatch") ? moved : [],
        records: wanted.includes("deployments") ? [...tried, ...byOthers] : [],
    };
}
