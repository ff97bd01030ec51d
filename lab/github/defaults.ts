/** The lab's own repository, there from the start. */
export const labRepository = { owner: "cs24-1", name: "cs24-1-bot" } as const;

/** The token of the lab's stack. It opens nothing but a stand-in on loopback, so it is no secret. */
export const labToken = "lab-github-token";
