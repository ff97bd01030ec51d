import type { Action, PlatformPlan } from "../plan/builds";
import { causeText } from "../plan/causes";
import type { DeploymentPlan } from "../plan/deployments";
import type { ImagePlan } from "../plan/images";
import type { Expected, Plan } from "../plan/plan";
import { roughly } from "../system/progress";

const counted: readonly (readonly [Action, string])[] = [
    ["rebuild", "to rebuild"],
    ["maybe", "maybe"],
    ["recreate", "to recreate"],
    ["retag", "to retag"],
    ["retest", "to test again"],
    ["remove", "leaving the stack"],
    ["unchanged", "unchanged"],
];

/** Counts the images by action: "2 images to rebuild, 1 maybe, 3 unchanged". */
export function countsOf({ images }: Pick<Plan, "images">): string {
    const parts = counted.flatMap(([action, word]) => {
        const count = images.filter((plan) => plan.action === action).length;
        return count > 0 ? [`${count.toString()} ${word}`] : [];
    });
    if (parts.length === 0) return "no images";
    const [first = "", ...rest] = parts;
    const [number = "", ...words] = first.split(" ");
    return [`${number} image${number === "1" ? "" : "s"} ${words.join(" ")}`, ...rest].join(", ");
}

/** The number of causes listed for an image; further causes are counted. */
const saidCauses = 6;

/** Returns the causes of a pending image as one text; "" for an unchanged image. */
export function reasonOf({ action, causes, dependsOn = [], platforms }: ImagePlan): string {
    const staying = platforms.filter((one) => one.action !== "remove");
    const differing = new Set(staying.map((one) => one.action)).size > 1;
    const deciding = `the digest of ${dependsOn.join(" or ")} changes`;
    const word = (one: PlatformPlan) => (one.action === "maybe" ? `maybe (if ${deciding})` : one.action);
    const each = differing ? [staying.map((one) => `${one.platform}: ${word(one)}`).join(", ")] : [];
    const only = action === "maybe" && !differing ? [`only if ${deciding}`] : [];
    const said = causes.filter((cause) => cause.kind !== "parent decides" || !dependsOn.includes(cause.parent));
    const more = said.length > saidCauses ? [`and ${(said.length - saidCauses).toString()} more`] : [];
    return [...only, ...said.slice(0, saidCauses).map(causeText), ...more, ...each].join("; ");
}

/** Describes a deployment without its action: its name, image and host, and why. */
export const deploymentText = ({ deployment, image, host, causes }: DeploymentPlan): string =>
    `${deployment} (image ${image}, ${host}): ${causes.map(causeText).join("; ")}`;

/** Returns the duration of the image's slowest platform build in seconds; undefined if nothing is built or recorded. */
export function secondsOf({ platforms }: ImagePlan): number | undefined {
    const known = platforms.flatMap(({ action, seconds }) =>
        seconds === undefined || action === "unchanged" || action === "remove" ? [] : [seconds],
    );
    return known.length > 0 ? Math.max(...known) : undefined;
}

/** Describes the expected duration in a sentence; "" if nothing would be built. */
export function expectedSentence({ images, expected }: { images: readonly ImagePlan[]; expected: Expected }): string {
    const building = images.filter(({ action }) => ["rebuild", "maybe", "recreate"].includes(action));
    if (building.length === 0) return "";
    const { least, most, unknown } = expected;
    if (unknown.length === building.length)
        return "No build of these was recorded yet: how long they take is not known.";
    const without = unknown.length > 0 ? ` (without ${unknown.join(", ")}: not recorded yet)` : "";
    if (Math.round(least) === Math.round(most)) return `Expected: ${roughly(most)}${without}.`;
    return (
        `Expected: ${roughly(least)} if no digest of a rebuilt parent changes, ${roughly(most)} if all do` +
        `${without}.`
    );
}
