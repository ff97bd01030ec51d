import { repositoryOf } from "../registry/references";
import { listOf, textOf } from "./differences";
import type { Group } from "./groups";
import type { Cause } from "./plan";
import { isUnknown } from "../engine/preview";

/** "registry/repository" of a tag, as everywhere; "" where there is no tag. */
export const placeOf = (tag: string): string => (tag === "" ? "" : repositoryOf(tag));

/**
 * The repositories that an image was and will be pushed to, where they differ; "" for none. The tag of a build whose parent
 * is built anew is not known before, that of its promotion is.
 */
export function moveOf({ builds, index }: Pick<Group, "builds" | "index">): { from: string; to: string } | undefined {
    const before = builds.find((step) => step.old)?.old;
    const after = builds.find((step) => step.new)?.new;
    if (!before || !after) return undefined;
    const open = isUnknown(after.inputs.tags);
    if (open && !index?.new) return undefined;
    const from = placeOf(listOf(before, "tags")[0] ?? "");
    const to = placeOf(open && index?.new ? textOf(index.new, "tag") : (listOf(after, "tags")[0] ?? ""));
    return from === to ? undefined : { from, to };
}

/** Where an image is pushed and promoted to, when that is another place than before. */
export function placeCauses(group: Pick<Group, "builds" | "index">): Cause[] {
    const move = moveOf(group);
    if (move) return [`pushed to ${move.to || "nowhere"} instead of ${move.from || "nowhere"}`];
    const { old: before, new: after } = group.index ?? {};
    if (!before || !after) return [];
    const [from, to] = [textOf(before, "tag"), textOf(after, "tag")];
    return from === to || isUnknown(to) ? [] : [`promoted as ${to} instead of ${from}`];
}
