import { rmSync } from "node:fs";
import { z } from "zod";
import type { EngineLog } from "../engine/log";
import { componentTypes, listIn } from "../engine/resources";
import type { Resource } from "../engine/state";
import {
    type Announcement,
    type DeploymentRecord,
    type Refusal,
    dispatchReleases,
    recordDeployments,
} from "../github/announce";
import type { GitHubTarget } from "../github/api";
import { replaceFile } from "../system/files";
import { deploymentOutcomes } from "./deployments";
import { historyFile, readRecords } from "./history";
import { type PromotedRelease, promotedIn, promotedReleases } from "./promoted";

/** What GitHub has to be told about updates. */
export interface Announcements {
    /** Releases to send an event for. */
    readonly dispatches: readonly Announcement[];
    readonly records: readonly DeploymentRecord[];
}

/** What an update's log does not say. */
export interface UpdateFacts {
    /** The stack's resources before the update: an update that ends early does not come to the settings. */
    readonly before: readonly Pick<Resource, "type" | "inputs">[];
    /** Commit of the checkout, 40 hex; undefined outside of git. */
    readonly commit: string | undefined;
    /** Masks secrets: hosts say what they want. */
    readonly mask: (text: string) => string;
}

const announcement = ({ image, ref, release }: PromotedRelease): Announcement => ({ image, ref, release });

/** Returns the kinds of announcements that the stack's configuration wants. */
function wantedKinds(log: EngineLog, before: UpdateFacts["before"]): readonly string[] {
    const isSettings = ({ type }: { readonly type: string }) => type === componentTypes.repositorySettings;
    const step = log.steps.find((one) => isSettings(one) && one.after) ?? log.steps.find(isSettings);
    const settings = step ? step.after : before.find(isSettings);
    return listIn(settings?.inputs.announcements);
}

/** Returns what the configuration may want GitHub to be told about an update alone. */
function newsOf(log: EngineLog, { commit, mask }: UpdateFacts): Announcements {
    const releases = promotedReleases(log);
    const moved = promotedIn(log).releases.map(announcement);
    const deployments = deploymentOutcomes(log);
    const deployed = commit === undefined ? {} : { commit };
    const tried = deployments.flatMap(({ deployment, image, outcome, said }): DeploymentRecord[] => {
        const release = releases.find((one) => one.image === image);
        if (!release || (outcome !== "deployed" && outcome !== "failed")) return [];
        return [
            {
                ...{ ...announcement(release), environment: deployment, ...deployed },
                state: outcome === "deployed" ? "success" : "failure",
                ...(said !== undefined && { description: mask(said) }),
            },
        ];
    });
    const byOthers = moved
        .filter(({ image }) => !deployments.some((one) => one.image === image && one.outcome !== "removed"))
        .map((release) => ({ ...release, environment: release.image, ...deployed }));
    return { dispatches: moved, records: [...tried, ...byOthers] };
}

/**
 * Returns what is to be told to GitHub after an update, as far as the stack's configuration wants it: an event for each image that moved; and a
 * deployment record for each deployment that was tried, and for each other image that moved, which somebody else deploys.
 *
 * @param untold what earlier updates could not tell: comes first, without what this update made obsolete. A newer release of an image does so,
 *   except for records of what was deployed before: those hold until there is a later one of the same environment.
 */
export function announcementsOf(log: EngineLog, facts: UpdateFacts, untold: Announcements): Announcements {
    const wanted = wantedKinds(log, facts.before);
    const { dispatches, records } = newsOf(log, facts);
    const isMoved = ({ image }: Announcement) => dispatches.some((one) => one.image === image);
    const isRecordedAgain = ({ image, environment }: DeploymentRecord) =>
        records.some((one) => one.image === image && one.environment === environment);
    const earlier = {
        dispatches: untold.dispatches.filter((one) => !isMoved(one)),
        records: untold.records.filter((one) => !isRecordedAgain(one) && (one.state !== undefined || !isMoved(one))),
    };
    return {
        dispatches: wanted.includes("dispatch") ? [...earlier.dispatches, ...dispatches] : [],
        records: wanted.includes("deployments") ? [...earlier.records, ...records] : [],
    };
}

/** Returns the images that announcements are about. */
const imagesIn = ({ dispatches, records }: Announcements): string[] => [
    ...new Set([...dispatches, ...records].map(({ image }) => image)),
];

/** Whether there is nothing to tell. */
export const isNothing = (announcements: Announcements): boolean => imagesIn(announcements).length === 0;

/** What GitHub was not told. */
export interface TellingResult {
    readonly untold: Announcements;
    /** What is left to do, a line each. */
    readonly left: readonly string[];
    /** Whether GitHub refused the token, so that another one may help. */
    readonly isTokenRefused: boolean;
}

/**
 * Tells GitHub. A refusal undoes nothing.
 *
 * @param target undefined if the stack has no repository on GitHub
 */
export async function tell(target: GitHubTarget | undefined, announcements: Announcements): Promise<TellingResult> {
    if (target?.token === undefined) {
        const images = imagesIn(announcements).join(", ");
        const left = [
            `GitHub: nothing was told of ${images}: GITHUB_TOKEN is not set; the next \`up\` with a token does`,
        ];
        return { untold: announcements, left, isTokenRefused: false };
    }
    const dispatches = await dispatchReleases(target, announcements.dispatches);
    const records = await recordDeployments(target, announcements.records);
    const refusals: Refusal<Announcement>[] = [...dispatches, ...records];
    return {
        untold: {
            dispatches: dispatches.map((one) => one.announcement),
            records: records.map((one) => one.announcement),
        },
        left: refusals.map(({ line }) => line),
        isTokenRefused: refusals.some(({ isOfToken }) => isOfToken),
    };
}

/* What GitHub was not told is kept beside the recorded updates, because the next update moves nothing that would be told again. */

const release = z.object({ image: z.string(), ref: z.string(), release: z.string() });
const schema = z.object({
    dispatches: z.array(release),
    records: z.array(
        release.extend({
            environment: z.string(),
            state: z.enum(["success", "failure"]).optional(),
            description: z.string().optional(),
            commit: z.string().optional(),
        }),
    ),
});

/** The stack whose announcements are kept, as for `historyFile`. */
export interface UntoldPlace {
    readonly stack: string;
    readonly env: NodeJS.ProcessEnv;
    /** Root of the repository; the working directory by default. */
    readonly root?: string;
}

/** Returns the path of the file with what GitHub was not told: `.updates/<stack>.untold.json`, or beside the lab's recorded updates. */
export const untoldFile = ({ stack, env, root }: UntoldPlace): string =>
    historyFile(stack, env, root).replace(/\.json$/, ".untold.json");

/** Reads what GitHub was not told. A damaged file is reported on stderr and renamed: what was in it is told no more. */
export const readUntold = (place: UntoldPlace): Announcements =>
    // The type has no `undefined` for absent properties, and neither does JSON.
    (readRecords(untoldFile(place), schema, "announcements for GitHub") ?? {
        dispatches: [],
        records: [],
    }) as Announcements;

/** Keeps what GitHub was not told for the next update; nothing leaves no file. A failure is a warning, because it must not fail the update. */
export function keepUntold(place: UntoldPlace, untold: Announcements): void {
    const file = untoldFile(place);
    try {
        if (isNothing(untold)) rmSync(file, { force: true });
        else replaceFile(file, `${JSON.stringify(untold, null, 1)}\n`);
    } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        console.error(`warning: what GitHub was not told could not be kept for the next update: ${reason}`);
    }
}
