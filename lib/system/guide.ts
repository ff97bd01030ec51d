/* The headings of docs/operations.md that messages refer to. A test checks that each exists. */

/** Headings of docs/operations.md, without their numbers. */
export const headings = {
    setUp: "Set up once",
    state: "Where the state is stored",
    environments: "Who may see what",
    token: "The token that writes to GitHub",
    ghcr: "The images on ghcr.io",
    registries: "Images in other registries",
    ownMachine: "From your own machine",
    lock: "A lock was left behind",
    expired: "A token expired",
    cleaningUp: "Cleaning up",
} as const;
/** A heading of docs/operations.md. */
export type Heading = keyof typeof headings;

/** Returns a reference to a section of docs/operations.md for messages. */
export const guide = (heading: Heading): string => `docs/operations.md, "${headings[heading]}"`;
