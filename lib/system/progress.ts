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

/**
 * Runs `work` and reports on stderr that it is running and how long it took: on a terminal one line that counts the seconds, otherwise a
 * line at the start, every minute, and at the end.
 *
 * @param label names the work
 * @param options.after milliseconds; shorter work is not reported
 * @returns the result of `work`
 * @throws whatever `work` throws, after reporting the failure
 */
export async function progress<T>(label: string, work: () => Promise<T>, { after = 0 } = {}): Promise<T> {
    const start = Date.now();
    const terminal = process.stderr.isTTY;
    const isLong = () => Date.now() - start >= after;
    const report = (text: string) => isLong() && process.stderr.write(terminal ? `\r\u001b[K${text}` : `${text}\n`);
    const first = setTimeout(() => report(`${label} …`), after);
    const timer = setInterval(() => report(`${label} … ${elapsed(Date.now() - start)}`), terminal ? 1000 : 60_000);
    try {
        const result = await work();
        report(`${label}: done in ${elapsed(Date.now() - start)}${terminal ? "\n" : ""}`);
        return result;
    } catch (error) {
        report(`${label}: failed after ${elapsed(Date.now() - start)}${terminal ? "\n" : ""}`);
        throw error;
    } finally {
        clearTimeout(first);
        clearInterval(timer);
    }
}
