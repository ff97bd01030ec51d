import type { Mask } from "../system/mask";
import type { EngineLog } from "../engine/log";
import type { ImageStep } from "./steps";

/** Lines that are quoted of what failed and of the end of all output, and characters of a line. */
const quoted = { failure: 30, end: 100, width: 400 } as const;

/** What an update printed, as it may hold secrets. */
export interface Printed {
    /** By URN, what failed builds and tests printed, where that is known better than from the engine's log. */
    readonly output?: ReadonlyMap<string, readonly string[]>;
    /** All that `pulumi up` printed, line by line. */
    readonly lines?: readonly string[];
    /** Takes secrets out of a line. */
    readonly mask: Mask;
}

/** Masks a line, then cuts it: the other way round a part of a secret would stay. */
type Quote = (lines: readonly string[], most: number) => string;

/** Lines as they are: in a fence that is longer than any in them. */
const fencing =
    (mask: Mask): Quote =>
    (lines, most) => {
        const kept = lines.slice(-most).map((line) => mask(line).trimEnd().slice(0, quoted.width));
        const ticks = kept.flatMap((line) => (line.match(/`+/g) ?? []).map(({ length }) => length));
        const fence = "`".repeat(Math.max(2, ...ticks) + 1);
        return [fence, ...kept, fence].join("\n");
    };

const kinds = { build: "build", test: "smoke test", promotion: "promotion" } as const;

function failure({ image, platform, kind, urn }: ImageStep, log: EngineLog, output: Printed["output"], quote: Quote) {
    const lines = log.told.get(urn) ?? [];
    const printed = output?.get(urn);
    // The provider's error names the command that failed; of what that printed the engine's log can lack the end.
    const told = [
        ...(printed ?? []),
        ...lines.filter((one) => !printed || one.severity === "error").map(({ line }) => line),
    ].filter((line) => line.trim() !== "");
    const where = platform === undefined ? "" : ` on ${platform}`;
    const said = quote(told.length > 0 ? told : ["it was cut off"], quoted.failure);
    return `#### ${kinds[kind]} of image ${image}${where} failed\n\n${said}`;
}

/** Errors that are not about a build, test or promotion that failed. */
function otherErrors(log: EngineLog, failures: readonly ImageStep[], quote: Quote): string[] {
    const known = new Set(failures.map(({ urn }) => urn));
    const told = [...log.told].filter(([urn]) => !known.has(urn)).flatMap(([, lines]) => lines);
    const errors = told.filter(({ severity, line }) => severity === "error" && !["", "update failed"].includes(line));
    return errors.length > 0
        ? [
              `#### Other errors\n\n${quote(
                  errors.map(({ line }) => line),
                  quoted.failure,
              )}`,
          ]
        : [];
}

/** What it printed last, folded. */
function end(lines: readonly string[], quote: Quote): string[] {
    if (lines.length === 0) return [];
    return [`<details><summary>The end of the log</summary>\n\n${quote(lines, quoted.end)}\n\n</details>`];
}

/**
 * What a failed update printed, in GitHub's Markdown, each secret of the stack masked.
 *
 * @param log undefined where the update came to no resource
 * @returns a part for each failure, for other errors, and for the end of all output; none of an update that succeeded
 */
export function quotations(
    log: EngineLog | undefined,
    failures: readonly ImageStep[],
    { output, lines = [], mask }: Printed,
): string[] {
    if (log?.result === "succeeded") return [];
    const quote = fencing(mask);
    return [
        ...(log ? failures.map((step) => failure(step, log, output, quote)) : []),
        ...(log ? otherErrors(log, failures, quote) : []),
        ...end(lines, quote),
    ];
}
