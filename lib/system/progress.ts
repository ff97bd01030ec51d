/** Seconds as people estimate them: "20 s", "4 min", "1 h 10 min". */
export function roughly(seconds: number): string {
    if (seconds < 1) return "under 1 s";
    if (seconds < 90) return `${Math.round(seconds).toString()} s`;
    const minutes = Math.round(seconds / 60);
    if (minutes < 60) return `${minutes.toString()} min`;
    const rest = minutes % 60;
    return `${Math.floor(minutes / 60).toString()} h${rest > 0 ? ` ${rest.toString()} min` : ""}`;
}

/** Bytes as people read them: "812 kB", "3.4 GB" (powers of ten). */
export function size(bytes: number): string {
    const units = ["B", "kB", "MB", "GB", "TB"] as const;
    const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
    const number = bytes / 1000 ** power;
    return `${number < 10 && power > 0 ? number.toFixed(1) : Math.round(number).toString()} ${units[power] ?? "B"}`;
}

/** Whole seconds as people read them: "42 s", "3 min 05 s". */
export function elapsed(milliseconds: number): string {
    const seconds = Math.round(milliseconds / 1000);
    return seconds < 60
        ? `${String(seconds)} s`
        : `${String(Math.floor(seconds / 60))} min ${String(seconds % 60).padStart(2, "0")} s`;
}

/**
 * Tells on stderr that `label` is under way and how long it took: a line that counts on a terminal, elsewhere one line
 * at the start, one a minute, one at the end.
 *
 * @param options.after milliseconds: nothing is said of what takes less
 */
export async function progress<T>(label: string, work: () => Promise<T>, { after = 0 } = {}): Promise<T> {
    const start = Date.now();
    const terminal = process.stderr.isTTY;
    const said = () => Date.now() - start >= after;
    const say = (text: string) => said() && process.stderr.write(terminal ? `\r\u001b[K${text}` : `${text}\n`);
    const first = setTimeout(() => say(`${label} …`), after);
    const timer = setInterval(() => say(`${label} … ${elapsed(Date.now() - start)}`), terminal ? 1000 : 60_000);
    try {
        const result = await work();
        say(`${label}: done in ${elapsed(Date.now() - start)}${terminal ? "\n" : ""}`);
        return result;
    } catch (error) {
        say(`${label}: failed after ${elapsed(Date.now() - start)}${terminal ? "\n" : ""}`);
        throw error;
    } finally {
        clearTimeout(first);
        clearInterval(timer);
    }
}
