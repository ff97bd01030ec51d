import { z } from "zod";
import { replaceFile } from "./files";
import { readKeptJson, valueOf } from "./kept";

/** Formats an estimated duration in seconds: "20 s", "4 min", "1 h 10 min". */
export function roughly(seconds: number): string {
    if (seconds < 1) return "under 1 s";
    if (seconds < 90) return `${Math.round(seconds).toString()} s`;
    const minutes = Math.round(seconds / 60);
    if (minutes < 60) return `${minutes.toString()} min`;
    const rest = minutes % 60;
    return `${Math.floor(minutes / 60).toString()} h${rest > 0 ? ` ${rest.toString()} min` : ""}`;
}

/** Formats a number of bytes: "812 kB", "3.4 GB" (powers of ten). */
export function size(bytes: number): string {
    const units = ["B", "kB", "MB", "GB", "TB"] as const;
    const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
    const number = bytes / 1000 ** power;
    return `${number < 10 && power > 0 ? number.toFixed(1) : Math.round(number).toString()} ${units[power] ?? "B"}`;
}

/** Formats a duration in milliseconds, in whole seconds: "42 s", "3 min 05 s". */
export function elapsed(milliseconds: number): string {
    const seconds = Math.round(milliseconds / 1000);
    return seconds < 60
        ? `${String(seconds)} s`
        : `${String(Math.floor(seconds / 60))} min ${String(seconds % 60).padStart(2, "0")} s`;
}

/** Work that is running. */
interface Running {
    readonly label: string;
    /** Milliseconds since 1970. */
    readonly start: number;
    /** Milliseconds before it is shown. */
    readonly after: number;
    readonly phase: string | undefined;
}

/** A phase of long work that is known in advance. */
export interface Phase {
    /** Identifies it in all runs. */
    readonly name: string;
    /** How long it takes on two idle cores, in seconds: the estimate before the first run on this machine. */
    readonly seconds: number;
}

const running = new Set<Running>();
/** The phases that were announced and have not ended, by lane, with the seconds that each is expected to take. */
const lanes = new Map<string, Map<string, number>>();
/** The files with the durations of earlier runs, by phase. */
const files = new Map<string, string>();
let timer: NodeJS.Timeout | undefined;

/** What earlier runs took; nothing in a first run, or from a damaged file: only the estimates depend on it. */
const durationsIn = (file: string): Readonly<Record<string, number>> =>
    valueOf(readKeptJson(file, z.record(z.string(), z.number()))) ?? {};

/**
 * Announces work, so that the display says how much is left. `progress` with the name of a phase tells when it runs; a phase that does not
 * run is withdrawn by announcing its lane again without it.
 *
 * @param lane names a sequence: lanes run at the same time, the phases of a lane one after the other
 * @param file holds the durations of earlier runs on this machine, which replace the estimates
 */
export function announce(lane: string, phases: readonly Phase[], file: string): void {
    const earlier = durationsIn(file);
    lanes.set(lane, new Map(phases.map(({ name, seconds }) => [name, earlier[name] ?? seconds])));
    for (const { name } of phases) files.set(name, file);
}

/**
 * Returns the seconds that announced work is expected to take from now on: those of the longest lane.
 *
 * @param started when the phases that are running began, by name, in milliseconds since 1970
 */
export function secondsLeft(
    expected: ReadonlyMap<string, ReadonlyMap<string, number>>,
    started: ReadonlyMap<string, number>,
    now: number,
): number {
    const left = [...expected.values()].map((phases) =>
        [...phases].reduce((sum, [name, seconds]) => {
            const start = started.get(name);
            return sum + (start === undefined ? seconds : Math.max(0, seconds - (now - start) / 1000));
        }, 0),
    );
    return Math.max(0, ...left);
}

/** Describes all running work in a line; empty if there is none to show. */
function describeRunning(now: number): string {
    const shown = [...running].filter(({ start, after }) => now - start >= after);
    const works = shown.map(({ label, start }) =>
        now - start < 1000 ? `${label} …` : `${label} … ${elapsed(now - start)}`,
    );
    const started = new Map(
        shown.flatMap(({ phase, start }) => (phase === undefined ? [] : [[phase, start] as const])),
    );
    const left = secondsLeft(lanes, started, now);
    return works.join(", ") + (works.length > 0 && left >= 1 ? ` (about ${roughly(left)} left)` : "");
}

const clearLine = "\r\u001b[K";

/** Shows the running work: on a terminal in its last line, which is replaced, otherwise in a new line. */
function draw(): void {
    const line = describeRunning(Date.now());
    if (process.stderr.isTTY) process.stderr.write(clearLine + line.slice(0, (process.stderr.columns || 80) - 1));
    else if (line !== "") process.stderr.write(`${line}\n`);
}

/** Prints a line on stderr that stays, above the running work. */
export function say(text: string): void {
    if (!process.stderr.isTTY || running.size === 0) {
        console.error(text);
        return;
    }
    process.stderr.write(clearLine);
    console.error(text);
    draw();
}

/** Notes that a phase took so long, for the estimates of later runs. */
function recordPhase(phase: string, seconds: number): void {
    const file = files.get(phase);
    if (file === undefined) return;
    try {
        replaceFile(file, `${JSON.stringify({ ...durationsIn(file), [phase]: Math.round(seconds) }, null, 2)}\n`);
    } catch {
        // The next run shows the same estimate.
    }
}

/**
 * Runs `work` and reports on stderr that it is running and how long it took: on a terminal all running work in one line that counts the
 * seconds, otherwise a line at the start, every minute, and at the end. With announced phases it says how much time is left.
 *
 * @param label names the work
 * @param options.after milliseconds; shorter work is not reported
 * @param options.phase name of the announced phase that this is
 * @returns the result of `work`
 * @throws whatever `work` throws, after reporting the failure
 */
export async function progress<T>(
    label: string,
    work: () => Promise<T>,
    { after = 0, phase }: { readonly after?: number; readonly phase?: string } = {},
): Promise<T> {
    const one: Running = { label, start: Date.now(), after, phase };
    running.add(one);
    timer ??= setInterval(draw, process.stderr.isTTY ? 1000 : 60_000);
    const first = setTimeout(() => {
        if (process.stderr.isTTY) draw();
        else process.stderr.write(`${label} …\n`);
    }, after);
    const end = (outcome: string) => {
        const took = Date.now() - one.start;
        running.delete(one);
        if (phase !== undefined) {
            for (const phases of lanes.values()) phases.delete(phase);
            if (outcome === "done in") recordPhase(phase, took / 1000);
        }
        if (took >= after)
            say(`${process.stderr.isTTY && running.size === 0 ? clearLine : ""}${label}: ${outcome} ${elapsed(took)}`);
    };
    try {
        const result = await work();
        end("done in");
        return result;
    } catch (error) {
        end("failed after");
        throw error;
    } finally {
        clearTimeout(first);
        if (running.size === 0) {
            clearInterval(timer);
            timer = undefined;
        }
    }
}
