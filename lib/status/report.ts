import type { Finding } from "./findings";
import type { ImageStatus } from "./imageStatus";
import type { RootStatus } from "./roots";

/** Something that was found, with the command that repairs it. */
export interface ReportedFinding extends Omit<Finding, "repair"> {
    /** Exactly as a shell takes it in the repository's root. */
    readonly command?: string;
}

/** What `npm run status -- --json` prints. Absent properties are not known; sizes are in bytes, times ISO 8601 in UTC. */
export interface StatusReport {
    readonly stack: string;
    /** `unknown`: nothing differs in what could be asked, and something could not be. */
    readonly verdict: "in step" | "drift" | "unknown";
    readonly images: readonly ImageStatus[];
    readonly roots: readonly RootStatus[];
    readonly findings: readonly ReportedFinding[];
    /** The fewest commands that repair all drift, in order. */
    readonly repairs: readonly string[];
}
