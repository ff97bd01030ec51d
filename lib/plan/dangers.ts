import { listOf } from "./differences";
import { type Step, leftovers } from "../engine/preview";

const retaining = "Run `pulumi up` on a commit that still has it as it was: that writes retainOnDelete into the state";
const forgetting =
    "Take it out of the state: `pulumi stack export --file state.json`, remove the resource of this name that says " +
    '"delete": true, `pulumi stack import --file state.json`';

/** What an update would delete in the registry: all tags of its digest go with it. A smoke test has nothing there. */
export function dangersOf(steps: readonly Step[]): string[] {
    const left = new Set(leftovers(steps));
    const lost = steps.filter(
        ({ type, op, old: before }) =>
            type.startsWith("docker-build:") &&
            /delete|replace/.test(op) &&
            before?.retainOnDelete === false &&
            (type.endsWith(":Index") || listOf(before, "tags").length > 0),
    );
    // A replacement is several steps on one resource.
    const byUrn = new Map(lost.map((step) => [step.urn, step]));
    return [...byUrn.values()].map((step) => {
        const [what, thing] = step.type.endsWith(":Index") ? ["the promoted tag of", "index"] : ["the build", "image"];
        const isLeft = left.has(step);
        return (
            `${isLeft || step.op === "delete" ? "deleting" : "replacing"} ${what} ${step.name}` +
            `${isLeft ? ", which an earlier update replaced," : ""} would remove its digest from the registry, with every ` +
            `tag on it: the state of this ${thing} does not say retainOnDelete. ${isLeft ? forgetting : retaining}`
        );
    });
}
