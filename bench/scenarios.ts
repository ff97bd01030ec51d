/** A change of a file of the repository. */
export type Change = "app" | "requirements" | "requirements-dev" | "torch" | "comment";

/** What happened before a tool runs: nothing, a change of a file, another digest of the root, or everything is new. */
export type Event = "nothing" | Change | "root" | "cold";

/** Something that happens to a repository, and the images that it changes. */
export interface Scenario {
    readonly event: Event;
    readonly title: string;
    /** The images whose content it changes: what has to be built. */
    readonly changed: readonly string[];
}

const all = ["base", "ci", "bot", "devcontainer"] as const;

/** The scenarios in order: each starts from the state that the previous one left. */
export const scenarios: readonly Scenario[] = [
    { event: "nothing", title: "nothing changed", changed: [] },
    { event: "app", title: "app code", changed: ["bot"] },
    { event: "requirements", title: "requirements", changed: ["ci", "bot", "devcontainer"] },
    { event: "requirements-dev", title: "development requirements", changed: ["ci", "devcontainer"] },
    { event: "torch", title: "the base's heavy package", changed: all },
    { event: "comment", title: "a comment in the base's Dockerfile", changed: [] },
    { event: "root", title: "the root moved", changed: all },
    { event: "cold", title: "everything for the first time", changed: all },
];

/**
 * What the builder has when a tool starts: what earlier runs left, as on a developer's machine, or nothing, as on a CI runner.
 */
export type Builder = "warm" | "empty";

/** A scenario with one kind of builder: a row of the results. */
export interface Case extends Scenario {
    readonly builder: Builder;
}

/**
 * Returns the cases to measure: first those with a warm builder, because an emptied one stays empty for everybody; at the end the first
 * build, for which the builder is always empty.
 *
 * @param events events to choose from; all if undefined
 */
export function casesOf(events: readonly Event[] | undefined): Case[] {
    const chosen = scenarios.filter(({ event }) => events === undefined || events.includes(event));
    const repeated = chosen.filter(({ event }) => event !== "cold");
    const withBuilder = (builder: Builder) => (scenario: Scenario) => ({ ...scenario, builder });
    return [
        ...repeated.map(withBuilder("warm")),
        ...repeated.map(withBuilder("empty")),
        ...chosen.filter(({ event }) => event === "cold").map(withBuilder("empty")),
    ];
}
