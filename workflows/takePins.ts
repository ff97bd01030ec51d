import { LineCounter, type Scalar, isScalar, parseDocument, visit } from "yaml";
import { InputError } from "../lib/errors";
import { typed } from "../lib/system/commandLine";
import { type Pin, type Pins, contentOf, imageKeys, isImage } from "./pins";

/** A use of an action or of a tool's image in a workflow file. */
interface Use {
    readonly name: string;
    readonly pin: Pin;
    /** File and line. */
    readonly where: string;
}

/** Reads the use of an action, `<action>@<commit> # <version>`; undefined if it is none. */
function actionIn({ value, comment }: Scalar): Omit<Use, "where"> | undefined {
    const [, name, commit] = /^([^@]+)@([0-9a-f]{40})$/.exec(String(value)) ?? [];
    const [, version] = /^ *(v\d+(?:\.\d+)*)(?: |$)/.exec(comment ?? "") ?? [];
    if (name === undefined || commit === undefined || version === undefined) return undefined;
    return { name, pin: { version, commit } };
}

/** Reads the use of a tool's image, `<image>:<tag>@<digest>`; undefined for other values, such as the image of a check. */
function imageIn({ value }: Scalar): Omit<Use, "where"> | undefined {
    const [, name, version, digest] =
        /^(?:image=)?([^:@\s]+):([^:@\s]+)@(sha256:[0-9a-f]{64})$/.exec(String(value)) ?? [];
    if (name === undefined || version === undefined || digest === undefined || !isImage(name)) return undefined;
    return { name, pin: { version, digest } };
}

/** Reads the uses of actions and tools' images in a workflow file. Throws InputError for a `uses` that is not understood. */
function usesIn(file: string, text: string): Use[] {
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines });
    const [broken] = document.errors;
    if (broken) throw new InputError({ problem: broken.message, where: file, next: typed("workflows") });
    const uses: Use[] = [];
    visit(document, {
        Pair(_key, { key, value }) {
            const isAction = (key as Scalar).value === "uses";
            if (!isScalar(value) || !(isAction || imageKeys.includes(String((key as Scalar).value)))) return;
            const where = `${file}:${lines.linePos(value.range?.[0] ?? 0).line}`;
            const use = isAction ? actionIn(value) : imageIn(value);
            if (use) uses.push({ ...use, where });
            if (use || !isAction) return;
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

/** Compares versions by their numbers: v1.2.3, qemu-v1.2.3-4. Negative if the first one is older, 0 if they are equal. A missing part is a zero. */
function compareVersions(one: string, other: string): number {
    const [parts, others] = [one, other].map((version) => (version.match(/\d+/g) ?? []).map(Number)) as [
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
    /** What changed, each as "<action or image> <version>". */
    readonly taken: readonly string[];
    /** What was not taken, with the reason. */
    readonly kept: readonly string[];
}

/**
 * Takes newer versions of actions and of tools' images from workflow files into the pins. Dependabot and similar programs update the
 * generated workflow files, but pins.json is their source. A version is never lowered, and a version that is already pinned never gets
 * another commit or digest.
 *
 * @param pins what the repository uses now
 * @param workflows texts of generated workflow files, by path
 * @throws InputError for a line with an action that was not understood
 */
export function takePins(pins: Pins, workflows: Readonly<Record<string, string>>): TakenPins {
    const result: Record<string, Pin> = { ...pins };
    const kept: string[] = [];
    for (const { name, pin: used, where } of Object.entries(workflows).flatMap((file) => usesIn(...file))) {
        const pin = result[name];
        const { version } = used;
        const isKnown = [pin, pins[name]].some(
            (one) => one && contentOf(one) === contentOf(used) && one.version === version,
        );
        if (isKnown) continue;
        const order = pin ? compareVersions(version, pin.version) : 0;
        if (pin && order > 0) {
            result[name] = used;
            continue;
        }
        const reason = !pin
            ? "no workflow uses it any longer"
            : order < 0
              ? `${pin.version} is newer`
              : `${pin.version} is pinned to another ${isImage(name) ? "digest" : "commit"}, ${contentOf(pin)}`;
        kept.push(`${where}: ${name} ${version} is not taken: ${reason}`);
    }
    const changed = Object.entries(result).filter(([name, pin]) => pin !== pins[name]);
    return { pins: result, taken: changed.map(([name, { version }]) => `${name} ${version}`), kept };
}
