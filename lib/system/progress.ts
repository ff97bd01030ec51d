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
