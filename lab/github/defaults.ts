/** The lab's repository, which exists from the start. */
export const labRepository = { owner: "cs24-1", name: "cs24-1-bot" } as const;

/** The token of the lab's stack. It grants access only to a stand-in on loopback, so it is not a secret. */
export const labToken = "lab-github-token";
