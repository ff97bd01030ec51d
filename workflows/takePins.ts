import { LineCounter, type Scalar, isScalar, parseDocument, visit } from "yaml";
import { InputError } from "../lib/errors";
import { typed } from "../lib/system/commandLine";
import type { Pin, Pins } from "./pins";

/** A use of an action in a workflow file. */
interface Use extends Pin {
    readonly action: string;
    /** File and line. */
    readonly where: string;
}

/** Reads the uses of actions in a workflow file. Throws InputError for a line that is not `uses: <action>@<commit> # <version>`. */
function usesIn(file: string, text: string): Use[] {
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines });
    const [broken] = document.errors;
    if (broken) throw new InputError({ problem: broken.message, where: file, next: typed("workflows") });
    const uses: Use[] = [];
    visit(document, {
        Pair(_key, { key, value }) {
            if ((key as Scalar).value !== "uses" || !isScalar(value)) return;
            const where = `${file}:${lines.linePos(value.range?.[0] ?? 0).line}`;
            const [, action, commit] = /^([^@]+)@([0-9a-f]{40})$/.exec(String(value.value)) ?? [];
            const [, version] = /^ *(v\d+(?:\.\d+)*)(?: |$)/.exec(value.comment ?? "") ?? [];
            if (action !== undefined && commit !== undefined && version !== undefined) {
                uses.push({ action, commit, version, where });
                return;
            }
            throw new InputError({
                problem: `"uses: ${String(value.value)}${value.comment == null ? "" : ` #${value.comment}`}" was not understood`,
                where,
                allowed: ["uses: <action>@<commit of 40 hexadecimal digits> # <version, such as v1.2.3>"],
                next: `correct the line, or write the file again: ${typed("workflows")}`,
            });
        },
    });
    return uses;
}

/** Compares versions such as v1.2.3: negative if the first one is older, 0 if they are equal. A missing part is a zero. */
function compareVersions(one: string, other: string): number {
    const [parts, others] = [one, other].map((version) => version.slice(1).split(".").map(Number)) as [
        number[],
        number[],
    ];
    const differences = Array.from(
        { length: Math.max(parts.length, others.length) },
        (_part, index) => (parts[index] ?? 0) - (others[index] ?? 0),
    );
    return differences.find((difference) => difference !== 0) ?? 0;
}

/** What `takePins` took. */
export interface TakenPins {
    readonly pins: Pins;
    /** The actions that changed, each as "<action> <version>". */
    readonly taken: readonly string[];
    /** What was not taken, with the reason. */
    readonly kept: readonly string[];
}

/**
 * Takes newer versions of actions from workflow files into the pins. Dependabot updates the generated workflow files, but pins.json is their
 * source. A version is never lowered, and a version that is already pinned never gets another commit.
 *
 * @param pins what the repository uses now
 * @param workflows texts of generated workflow files, by path
 * @throws InputError for a line with an action that was not understood
 */
export function takePins(pins: Pins, workflows: Readonly<Record<string, string>>): TakenPins {
    const result: Record<string, Pin> = { ...pins };
    const kept: string[] = [];
    for (const { action, version, commit, where } of Object.entries(workflows).flatMap((file) => usesIn(...file))) {
        const pin = result[action];
        const isKnown = [pin, pins[action]].some((one) => one?.commit === commit && one.version === version);
        if (isKnown) continue;
        const order = pin ? compareVersions(version, pin.version) : 0;
        if (pin && order > 0) {
            result[action] = { version, commit };
            continue;
        }
        const reason = !pin
            ? "no workflow uses it any longer"
            : order < 0
              ? `${pin.version} is newer`
              : `${pin.version} is pinned to another commit, ${pin.commit}`;
        kept.push(`${where}: ${action} ${version} is not taken: ${reason}`);
    }
    const changed = Object.entries(result).filter(([action, pin]) => pin !== pins[action]);
    return { pins: result, taken: changed.map(([action, { version }]) => `${action} ${version}`), kept };
}
