import { stripVTControlCharacters } from "node:util";
import { dockerTypes } from "./resources";

/** A line of Pulumi's about an image that is being built: its name, and what BuildKit or the provider says. */
const progress = new RegExp(
    String.raw`^[ +~-]* ${dockerTypes.image} (\S+) [a-z]+ing(?: [a-z]+)* \([^)]*\)(?:\[retain\])? ?(?:\[diff: [^\]]*\](?:; ?)?)?(.*)$`,
);

/** Shortens what an update prints, piece by piece. */
export interface BuildLines {
    /** Takes the next piece and returns what to print now. */
    readonly write: (piece: string) => string;
    /** Returns what is left to print. */
    readonly end: () => string;
}

/**
 * Returns a shortener of Pulumi's output without a terminal. There each line of a build begins with type, state, seconds and differences of its
 * resource, up to the width of a screen: of those only the name stays. Empty ones are left out, except the first, which says that the build began.
 */
export function buildLines(): BuildLines {
    const begun = new Set<string>();
    let line = "";
    /** How much of the unfinished line is printed. */
    let shown = 0;
    const short = (whole: string): string => {
        const [, name, text] = progress.exec(stripVTControlCharacters(whole)) ?? [];
        if (name === undefined || text === undefined) return `${whole.slice(shown)}\n`;
        const isFirst = !begun.has(name);
        begun.add(name);
        if (text !== "") return `    ${name}: ${text}\n`;
        return isFirst ? `${whole}\n` : "";
    };
    return {
        write: (piece) => {
            const lines = (line + piece).split("\n");
            line = lines.pop() ?? "";
            let printed = "";
            for (const whole of lines) {
                printed += short(whole);
                shown = 0;
            }
            // Pulumi's sign of life, a line that grows by a dot a second, must not wait for its end.
            if (!line.startsWith("@")) return printed;
            printed += line.slice(shown);
            shown = line.length;
            return printed;
        },
        end: () => line.slice(shown),
    };
}
